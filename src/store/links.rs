//! Photos brought to a punch item that was there before them.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::delivery::Doubt;
use crate::domain::ids::{FindingId, ImageId, ProjectKey, PunchItemId};
use crate::store::audit::{self, AuditSubject, Entry};
use crate::store::rows::{instant, millis};
use crate::store::{Error, Lease, Store, queue};

/// How a photo is brought to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkHow {
    /// As one of its photos.
    Attachment,
    Comment,
}

impl LinkHow {
    const fn name(self) -> &'static str {
        match self {
            Self::Attachment => "attachment",
            Self::Comment => "comment",
        }
    }
}

impl Store {
    /// The writes whose outcome is not known and that must be waited for before `image` is brought to `item`: the same
    /// one, and others that replace the item's photos.
    pub async fn open_links(
        &self,
        finding: FindingId,
        image: ImageId,
        item: PunchItemId,
    ) -> Result<Vec<Doubt>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT begun_at, tried_at FROM links_sending
             WHERE (finding = $1 AND image = $2) OR (punch_item = $3 AND how = 'attachment')
             UNION ALL
             SELECT begun_at, COALESCE(tried_at, begun_at) FROM outbox
             WHERE finding = $1 AND state = 'sending' AND kind <> 'create'",
        )
        .bind(finding.to_string())
        .bind(image.value())
        .bind(item.value())
        .fetch_all(&self.0.readers)
        .await?;
        rows.into_iter()
            .map(|(since, last)| Ok(Doubt { since: instant(since)?, last: instant(last)? }))
            .collect()
    }

    /// Stores that a photo is about to be brought to an item, `at` by Procore's clock where it is known.
    pub async fn begin_link(
        &self,
        lease: &Lease,
        (finding, image): (FindingId, ImageId),
        item: PunchItemId,
        how: LinkHow,
        at: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin_for(finding).await?;
        queue::held(&mut transaction, lease).await?;
        sqlx::query(
            "INSERT INTO links_sending (finding, image, punch_item, how, attempts, begun_at, tried_at)
             VALUES ($1, $2, $3, $4, 1, $5, $5)
             ON CONFLICT (finding, image) DO UPDATE SET punch_item = excluded.punch_item, how = excluded.how,
                 attempts = links_sending.attempts + 1, tried_at = excluded.tried_at",
        )
        .bind(finding.to_string())
        .bind(image.value())
        .bind(item.value())
        .bind(how.name())
        .bind(millis(at))
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }

    /// Notes that what was begun certainly never reached Procore. An earlier doubt stays, and is as old as it was.
    pub async fn unsent_link(&self, lease: &Lease, finding: FindingId, image: ImageId) -> Result<(), Error> {
        let mut transaction = self.begin_for(finding).await?;
        queue::held(&mut transaction, lease).await?;
        for sql in [
            "DELETE FROM links_sending WHERE finding = $1 AND image = $2 AND attempts = 1",
            "UPDATE links_sending SET tried_at = begun_at WHERE finding = $1 AND image = $2",
        ] {
            sqlx::query(sql).bind(finding.to_string()).bind(image.value()).execute(&mut *transaction).await?;
        }
        self.commit(transaction).await
    }

    /// Records how the leased job that brings a photo to a finding's punch item ended, and completes it.
    pub async fn finish_link(
        &self,
        lease: &Lease,
        (finding, image): (FindingId, ImageId),
        detail: Value,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin_for(finding).await?;
        queue::finish(&mut transaction, lease).await?;
        sqlx::query("DELETE FROM links_sending WHERE finding = $1 AND image = $2")
            .bind(finding.to_string())
            .bind(image.value())
            .execute(&mut *transaction)
            .await?;
        let entry = Entry::by_service("photo.linked", AuditSubject::Finding(finding), detail);
        audit::append(&mut transaction, entry, now).await?;
        self.commit(transaction).await
    }

    /// Every photo that this service knows to belong to `item`: of the findings whose item it is, and of those that it
    /// keeps back because it says the same.
    pub async fn images_of_item(
        &self,
        project: ProjectKey,
        item: PunchItemId,
    ) -> Result<Vec<ImageId>, Error> {
        let images: Vec<i64> = sqlx::query_scalar(
            "SELECT DISTINCT photos.image FROM finding_photos
                 JOIN photos ON photos.id = finding_photos.photo
                 JOIN findings ON findings.id = finding_photos.finding
             WHERE findings.company = $1 AND findings.project = $2 AND photos.forgotten_at IS NULL
               AND (findings.punch_item = $3 OR (findings.held = 'open_item' AND findings.held_by = $3))
             ORDER BY photos.image",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(item.value())
        .fetch_all(&self.0.readers)
        .await?;
        Ok(images.into_iter().map(ImageId::new).collect())
    }
}
