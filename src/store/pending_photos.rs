//! What is still to come: photos that were told of and not yet looked at, and what the roll call asks after.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::ids::{ImageId, ProjectKey};
use crate::domain::job::Job;
use crate::store::rows::{from_json, instant, millis};
use crate::store::{Error, Store};

/// Photos that this box knows of and has not accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PendingPhotos {
    /// Photos that wait to be looked at, whatever keeps them, and deliveries that nobody has read yet.
    pub photos: u64,
    /// How long the oldest has waited.
    pub oldest: Option<Duration>,
}

impl Store {
    /// How many photos are known and not accounted for: neither analysed nor skipped nor failed with a reason.
    /// Jobs that were set aside count; photos that are only looked at again do not.
    pub async fn unaccounted(&self, now: Timestamp) -> Result<PendingPhotos, Error> {
        let (photos, since): (i64, Option<i64>) = sqlx::query_as(
            "SELECT COUNT(*), MIN(enqueued_at) FROM jobs WHERE kind = 'route_event' OR kind = 'analyze_photo'
             AND NOT EXISTS (SELECT 1 FROM photos WHERE photos.id = SUBSTR(jobs.lane, 7))",
        )
        .fetch_one(&self.0.readers)
        .await?;
        let oldest = since.map(instant).transpose()?;
        let oldest = oldest.map(|since| Duration::try_from(now.duration_since(since)).unwrap_or_default());
        Ok(PendingPhotos { photos: u64::try_from(photos).unwrap_or_default(), oldest })
    }

    /// The next photos of `project` that wait to be looked at, so that they can be asked for together.
    pub async fn photos_in_line(
        &self,
        project: ProjectKey,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<ImageId>, Error> {
        let payloads: Vec<String> = sqlx::query_scalar(
            "SELECT payload FROM jobs WHERE kind = 'analyze_photo' AND state = 'queued' AND run_at <= $1
             ORDER BY rank, run_at, id LIMIT $2",
        )
        .bind(millis(now))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.0.readers)
        .await?;
        let mut images = Vec::new();
        for payload in payloads {
            // A payload that cannot be read is set aside by whoever claims it.
            match from_json::<Job>("jobs.payload", &payload) {
                Ok(Job::AnalyzePhoto { project: of, image }) if of == project => images.push(image),
                _ => {}
            }
        }
        Ok(images)
    }

    /// Photos of `project` of which a picture is kept, by id, after `after`.
    pub async fn kept_photos(
        &self,
        project: ProjectKey,
        after: Option<ImageId>,
        most: usize,
    ) -> Result<Vec<ImageId>, Error> {
        let images: Vec<i64> = sqlx::query_scalar(
            "SELECT image FROM photos WHERE company = $1 AND project = $2 AND image > $3
             AND EXISTS (SELECT 1 FROM pictures WHERE pictures.photo = photos.id) ORDER BY image LIMIT $4",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(after.map_or(i64::MIN, ImageId::value))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.0.readers)
        .await?;
        Ok(images.into_iter().map(ImageId::new).collect())
    }

    /// When `kind` was last done in `project`.
    pub async fn mark(&self, project: ProjectKey, kind: &str) -> Result<Option<Timestamp>, Error> {
        let at: Option<i64> =
            sqlx::query_scalar("SELECT at FROM marks WHERE company = $1 AND project = $2 AND kind = $3")
                .bind(project.company.value())
                .bind(project.project.value())
                .bind(kind.to_owned())
                .fetch_optional(&self.0.readers)
                .await?;
        at.map(instant).transpose()
    }

    /// Notes that `kind` was done in `project`.
    pub async fn set_mark(&self, project: ProjectKey, kind: &str, at: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO marks (company, project, kind, at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (company, project, kind) DO UPDATE SET at = excluded.at",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(kind.to_owned())
        .bind(millis(at))
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }
}
