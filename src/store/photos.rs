//! Photos and what was found in them, recorded in one transaction.

pub(crate) mod retries;
mod skipped;
mod values;

use jiff::Timestamp;
use serde_json::json;

use crate::domain::dedupe::Intake;
use crate::domain::geometry::Size;
use crate::domain::ids::{
    CompanyId, FindingId, ImageId, LocationId, PhotoId, ProjectId, ProjectKey, Sha256Digest, UserId,
};
use crate::store::audit::{self, AuditSubject, Entry};
use crate::store::intake::IntakeResult;
use crate::store::neighbours::wall_clock;
use crate::store::record::record;
use crate::store::rows::{
    NAME_BYTES, bounded, from_hex, from_json, from_json_option, instant, millis, to_json,
};
use crate::store::{Connection, Error, Lease, Store, WriteLock, findings, overlays, queue};

pub use crate::store::photos::skipped::{LeftOutState, SkippedPhoto};
pub use crate::store::photos::values::{
    IntakeCounts, PhotoRecord, PhotoRow, PhotoState, PhotoSummary, StageTime, StoredPicture,
};

/// The columns of a [`Record`]; every query on photos begins with it.
macro_rules! select_photos {
    ($rest:literal) => {
        concat!(
            "SELECT photos.*, (SELECT COUNT(*) FROM finding_photos WHERE finding_photos.photo = photos.id) \
             AS findings FROM photos ",
            $rest
        )
    };
}

record! {
    struct Record {
        id: String,
        company: i64,
        project: i64,
        image: i64,
        filename: String,
        state: String,
        reason: Option<String>,
        width: Option<i64>,
        height: Option<i64>,
        content: Option<String>,
        uploader: Option<String>,
        capture: Option<String>,
        model: Option<String>,
        class_scores: String,
        timings: String,
        recorded_at: i64,
        forgotten_at: Option<i64>,
        told: Option<String>,
        findings: i64,
    }
}

impl Record {
    fn into_row(self) -> Result<PhotoRow, Error> {
        let side = |side: i64| u32::try_from(side).map_err(|error| Error::row("photo", &self.id, error));
        let size = match (self.width, self.height) {
            (Some(width), Some(height)) => Some(Size::new(side(width)?, side(height)?)),
            _ => None,
        };
        Ok(PhotoRow {
            id: from_hex("photos.id", &self.id)?,
            project: ProjectKey {
                company: CompanyId::new(self.company),
                project: ProjectId::new(self.project),
            },
            image: ImageId::new(self.image),
            filename: self.filename,
            state: PhotoState::of(&self.state, self.reason)?,
            size,
            content: self.content.map(|hex| from_hex("photos.content", &hex)).transpose()?,
            uploader: self.uploader,
            capture: from_json_option("photos.capture", self.capture.as_deref())?,
            model: self.model,
            class_scores: from_json("photos.class_scores", &self.class_scores)?,
            timings: from_json("photos.timings", &self.timings)?,
            told: self.told,
            findings: self.findings as u32,
            recorded_at: instant(self.recorded_at)?,
            forgotten_at: self.forgotten_at.map(instant).transpose()?,
        })
    }
}

impl Store {
    /// A photo, if it was recorded.
    pub async fn photo(&self, id: PhotoId) -> Result<Option<PhotoRow>, Error> {
        let record: Option<Record> = sqlx::query_as(select_photos!("WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.0.readers)
            .await?;
        record.map(Record::into_row).transpose()
    }

    /// The project's first analysed photo with these bytes.
    pub async fn photo_by_content(
        &self,
        project: ProjectKey,
        content: &Sha256Digest,
    ) -> Result<Option<PhotoRow>, Error> {
        let record: Option<Record> = sqlx::query_as(select_photos!(
            "WHERE company = $1 AND project = $2 AND content = $3 AND state = 'analysed'
             ORDER BY recorded_at, id LIMIT 1"
        ))
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(content.to_string())
        .fetch_optional(&self.0.readers)
        .await?;
        record.map(Record::into_row).transpose()
    }

    /// Records a photo and its picture, decides what becomes of its findings, queues what follows and completes the
    /// leased job, all or nothing.
    pub async fn record_photo(
        &self,
        lease: &Lease,
        record: &PhotoRecord,
        intake: Option<&Intake>,
        now: Timestamp,
    ) -> Result<IntakeCounts, Error> {
        let mut transaction = self.begin_as(WriteLock::Project(record.project)).await?;
        queue::finish(&mut transaction, lease).await?;
        let id = PhotoId::of(record.project, record.image);
        let forgotten =
            upsert(&mut transaction, id, record, record.state.reason().map(|text| self.reason(text)), now)
                .await?;
        if !forgotten {
            // Procore has shown it since.
            sqlx::query("UPDATE photos SET forgotten_at = NULL WHERE id = $1 AND forgotten_at IS NOT NULL")
                .bind(id.to_string())
                .execute(&mut *transaction)
                .await?;
        }
        if let Some(picture) = record.picture.as_ref().filter(|_| !forgotten) {
            keep_picture(&mut transaction, id, picture, now).await?;
        }
        let taken = match intake {
            Some(intake) => {
                let photo = (record.project, record.image);
                self.take_in(&mut transaction, photo, intake, now).await?
            }
            None => IntakeResult::default(),
        };
        for overlay in record.overlays.iter().filter(|_| !forgotten) {
            if taken.recorded.new.contains(&overlay.finding) {
                overlays::keep(&mut transaction, id, overlay).await?;
            }
        }
        retries::forget(&mut transaction, id).await?;
        // Last, as whoever holds the audit's head must wait for nobody.
        for entry in [evidence(id, record, intake)?].into_iter().chain(taken.entries) {
            audit::append(&mut transaction, entry.of(record.project), now).await?;
        }
        queue::insert(&mut transaction, &taken.jobs, now, now).await?;
        self.commit(transaction).await?;
        Ok(taken.recorded)
    }

    /// The reduced picture of a photo, while it is kept.
    pub async fn picture(&self, id: PhotoId) -> Result<Option<StoredPicture>, Error> {
        let row: Option<(String, Vec<u8>)> =
            sqlx::query_as("SELECT media_type, bytes FROM pictures WHERE photo = $1")
                .bind(id.to_string())
                .fetch_optional(&self.0.readers)
                .await?;
        Ok(row.map(|(media_type, bytes)| StoredPicture { media_type, bytes }))
    }

    /// Deletes the picture of a photo that was deleted in Procore, marks its row, and completes
    /// `lease` if one is given. Unknown photos are fine: there is nothing to forget.
    pub async fn forget_photo(
        &self,
        lease: Option<&Lease>,
        id: PhotoId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        if let Some(lease) = lease {
            queue::finish(&mut transaction, lease).await?;
        }
        sqlx::query("DELETE FROM pictures WHERE photo = $1")
            .bind(id.to_string())
            .execute(&mut *transaction)
            .await?;
        overlays::delete_orphans(&mut transaction).await?;
        let marked =
            sqlx::query("UPDATE photos SET forgotten_at = $2 WHERE id = $1 AND forgotten_at IS NULL")
                .bind(id.to_string())
                .bind(millis(now))
                .execute(&mut *transaction)
                .await?;
        retries::forget(&mut transaction, id).await?;
        if marked.rows_affected() > 0 {
            let entry = Entry::by_service("photo.forgotten", AuditSubject::Photo(id), json!({}));
            audit::append(&mut transaction, entry, now).await?;
        }
        self.commit(transaction).await
    }

    /// All photos, up to the configured number, by file name, each with what was first found in it.
    pub async fn photos_summary(&self) -> Result<Vec<PhotoSummary>, Error> {
        let mut snapshot = self.snapshot().await?;
        let records: Vec<Record> = sqlx::query_as(select_photos!("ORDER BY filename, id LIMIT $1"))
            .bind(i64::from(self.0.config.summary_photos))
            .fetch_all(&mut *snapshot)
            .await?;
        let mut cards = findings::by_photo(&mut snapshot).await?;
        let summary = |record: Record| {
            let photo = record.into_row()?;
            let cards = cards.remove(&photo.id).unwrap_or_default();
            Ok(PhotoSummary { photo, cards })
        };
        records.into_iter().map(summary).collect()
    }
}

/// Writes the photo's row. Returns whether the photo was deleted in Procore meanwhile.
async fn upsert(
    connection: &mut Connection,
    id: PhotoId,
    record: &PhotoRecord,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<bool, Error> {
    let taken_at = record.capture.as_ref().and_then(|capture| capture.taken_at.as_option());
    let forgotten_at: Option<i64> = sqlx::query_scalar(
        "INSERT INTO photos (id, company, project, image, filename, state, reason, width, height, content,
                             uploader, capture, model, class_scores, timings, recorded_at, told, uploader_id,
                             location, wall_clock)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
         ON CONFLICT (id) DO UPDATE SET
             filename = excluded.filename, state = excluded.state, reason = excluded.reason,
             width = excluded.width, height = excluded.height, content = excluded.content,
             uploader = excluded.uploader, capture = excluded.capture, model = excluded.model,
             class_scores = excluded.class_scores, timings = excluded.timings,
             recorded_at = excluded.recorded_at, told = excluded.told, uploader_id = excluded.uploader_id,
             location = excluded.location, wall_clock = excluded.wall_clock
         RETURNING forgotten_at",
    )
    .bind(id.to_string())
    .bind(record.project.company.value())
    .bind(record.project.project.value())
    .bind(record.image.value())
    .bind(bounded(&record.filename, NAME_BYTES))
    .bind(record.state.name())
    .bind(reason)
    .bind(record.size.map(|size| i64::from(size.width)))
    .bind(record.size.map(|size| i64::from(size.height)))
    .bind(record.content.map(|content| content.to_string()))
    .bind(record.uploader.as_deref().map(|name| bounded(name, NAME_BYTES)))
    .bind(record.capture.as_ref().map(to_json).transpose()?)
    .bind(&record.model)
    .bind(to_json(&record.class_scores)?)
    .bind(to_json(&record.timings)?)
    .bind(millis(now))
    .bind(&record.told)
    .bind(record.uploader_id.map(UserId::value))
    .bind(record.location.map(LocationId::value))
    .bind(taken_at.and_then(|taken| wall_clock(taken.local)))
    .fetch_one(connection)
    .await?;
    let forgotten = forgotten_at.map(instant).transpose()?;
    Ok(forgotten.is_some_and(|at| record.shown_at.is_none_or(|shown| shown <= at)))
}

async fn keep_picture(
    connection: &mut Connection,
    id: PhotoId,
    picture: &StoredPicture,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO pictures (photo, media_type, bytes, stored_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (photo) DO UPDATE SET
             media_type = excluded.media_type, bytes = excluded.bytes, stored_at = excluded.stored_at",
    )
    .bind(id.to_string())
    .bind(&picture.media_type)
    .bind(&picture.bytes)
    .bind(millis(now))
    .execute(connection)
    .await?;
    Ok(())
}

/// The photo's audit row: everything that led to the findings.
fn evidence(id: PhotoId, record: &PhotoRecord, intake: Option<&Intake>) -> Result<Entry<'static>, Error> {
    let candidates = intake.map(|intake| intake.candidates.as_slice()).unwrap_or_default();
    let found: Vec<FindingId> = candidates.iter().map(|candidate| candidate.card.finding.id).collect();
    let detail = json!({
        "project": record.project,
        "image": record.image,
        "filename": record.filename,
        "outcome": record.state,
        "content_sha256": record.content,
        "size": record.size,
        "capture": record.capture,
        "model": record.model,
        "class_scores": serde_json::to_value(&record.class_scores)?,
        "findings": found,
        "picture_sha256": record.picture.as_ref().map(|picture| Sha256Digest::of(&picture.bytes)),
        "evidence": record.evidence,
    });
    Ok(Entry::by_service("photo.recorded", AuditSubject::Photo(id), detail))
}
