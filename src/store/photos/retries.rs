//! Photos that could not be looked at for now.

use jiff::Timestamp;

use crate::domain::ids::{ImageId, PhotoId, ProjectKey};
use crate::domain::photo_retries::DownloadTries;
use crate::store::record::record;
use crate::store::rows::{NAME_BYTES, bounded, from_hex, from_name, millis};
use crate::store::{Connection, Error, Store};

record! {
    struct Record {
        trouble: String,
        tries: i64,
        same: i64,
        content: Option<String>,
    }
}

impl Store {
    /// The attempts at a photo that came to trouble, while it is not settled.
    pub async fn photo_tries(&self, photo: PhotoId) -> Result<Option<DownloadTries>, Error> {
        let record: Option<Record> =
            sqlx::query_as("SELECT trouble, tries, same, content FROM photo_tries WHERE photo = $1")
                .bind(photo.to_string())
                .fetch_optional(&self.0.readers)
                .await?;
        let tries = |record: Record| {
            Ok(DownloadTries {
                trouble: from_name("photo_tries.trouble", &record.trouble)?,
                tries: u32::try_from(record.tries).unwrap_or(u32::MAX),
                same: u32::try_from(record.same).unwrap_or(u32::MAX),
                content: record.content.map(|hex| from_hex("photo_tries.content", &hex)).transpose()?,
            })
        };
        record.map(tries).transpose()
    }

    /// Notes the attempts at a photo that came to trouble, the last of them for `reason`.
    pub async fn note_photo_tries(
        &self,
        (project, image): (ProjectKey, ImageId),
        filename: &str,
        tries: &DownloadTries,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO photo_tries (photo, company, project, image, filename, trouble, reason, tries, same,
                                      content, since, tried_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
             ON CONFLICT (photo) DO UPDATE SET
                 filename = excluded.filename, trouble = excluded.trouble, reason = excluded.reason,
                 tries = excluded.tries, same = excluded.same, content = excluded.content,
                 tried_at = excluded.tried_at",
        )
        .bind(PhotoId::of(project, image).to_string())
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(image.value())
        .bind(bounded(filename, NAME_BYTES))
        .bind(tries.trouble.name())
        .bind(self.reason(reason))
        .bind(i64::from(tries.tries))
        .bind(i64::from(tries.same))
        .bind(tries.content.map(|content| content.to_string()))
        .bind(millis(now))
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }
}

/// Forgets the attempts at a photo: it is settled, or somebody asks anew.
pub(crate) async fn forget(connection: &mut Connection, photo: PhotoId) -> Result<(), Error> {
    sqlx::query("DELETE FROM photo_tries WHERE photo = $1")
        .bind(photo.to_string())
        .execute(connection)
        .await?;
    Ok(())
}
