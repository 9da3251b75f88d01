//! What review shows of a finding at the photo's own resolution: kept and deleted together with the picture.

use crate::domain::geometry::{PixelBox, Upright};
use crate::domain::ids::{FindingId, PhotoId};
use crate::store::rows::{from_json, to_json};
use crate::store::{Connection, Error, Store, StoredPicture};

/// A part of a photo, not reduced.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCrop {
    /// Of which finding.
    pub finding: FindingId,
    /// Which part.
    pub area: PixelBox<Upright>,
    /// Its pixels.
    pub picture: StoredPicture,
}

impl Store {
    /// Which part of its photo a finding has a crop of, while that is kept.
    pub async fn crop_area(&self, finding: FindingId) -> Result<Option<PixelBox<Upright>>, Error> {
        let area: Option<String> = sqlx::query_scalar("SELECT area FROM crops WHERE finding = $1")
            .bind(finding.to_string())
            .fetch_optional(&self.0.readers)
            .await?;
        area.map(|text| from_json("crops.area", &text)).transpose()
    }

    /// The crop of a finding, while it is kept.
    pub async fn crop(&self, finding: FindingId) -> Result<Option<StoredCrop>, Error> {
        let row: Option<(String, String, Vec<u8>)> =
            sqlx::query_as("SELECT area, media_type, bytes FROM crops WHERE finding = $1")
                .bind(finding.to_string())
                .fetch_optional(&self.0.readers)
                .await?;
        let crop = |(area, media_type, bytes): (String, String, Vec<u8>)| {
            let area = from_json("crops.area", &area)?;
            Ok(StoredCrop { finding, area, picture: StoredPicture { media_type, bytes } })
        };
        row.map(crop).transpose()
    }
}

pub(super) async fn keep(
    connection: &mut Connection,
    photo: PhotoId,
    crop: &StoredCrop,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO crops (finding, photo, area, media_type, bytes) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (finding) DO NOTHING",
    )
    .bind(crop.finding.to_string())
    .bind(photo.to_string())
    .bind(to_json(&crop.area)?)
    .bind(crop.picture.media_type.clone())
    .bind(crop.picture.bytes.clone())
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes crops whose picture is gone.
pub(super) async fn delete_orphans(connection: &mut Connection) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM crops WHERE NOT EXISTS (SELECT 1 FROM pictures WHERE pictures.photo = crops.photo)",
    )
    .execute(connection)
    .await?;
    Ok(())
}
