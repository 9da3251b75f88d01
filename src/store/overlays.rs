//! What review lays over a photo for one finding: kept and deleted together with the photo's picture.

use crate::domain::geometry::{PixelBox, Upright};
use crate::domain::ids::{FindingId, PhotoId};
use crate::store::rows::{from_json, to_json};
use crate::store::{Connection, Error, Store, StoredPicture};

/// What a picture that lies over a photo shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// A part of the photo, not reduced.
    Crop,
    /// How sure the model was of the finding's class, cell by cell.
    ScoreMap,
}

/// A picture that lies over a part of a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlay {
    pub finding: FindingId,
    pub layer: Layer,
    /// Which part of the photo it covers.
    pub area: PixelBox<Upright>,
    pub picture: StoredPicture,
}

/// Which parts of its photo a finding's overlays cover, as far as they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Overlaid {
    /// See [`Layer::Crop`].
    pub crop: Option<PixelBox<Upright>>,
    /// See [`Layer::ScoreMap`].
    pub score_map: Option<PixelBox<Upright>>,
}

/// A statement about the table of `$layer`.
macro_rules! of_layer {
    ($layer:expr, $before:literal, $after:literal) => {
        match $layer {
            Layer::Crop => concat!($before, " crops ", $after),
            Layer::ScoreMap => concat!($before, " score_maps ", $after),
        }
    };
}

impl Store {
    /// Which overlays a finding has, and where.
    pub async fn overlaid(&self, finding: FindingId) -> Result<Overlaid, Error> {
        let (crop, score_map): (Option<String>, Option<String>) = sqlx::query_as(
            "SELECT (SELECT area FROM crops WHERE finding = $1), (SELECT area FROM score_maps WHERE finding = $1)",
        )
        .bind(finding.to_string())
        .fetch_one(&self.0.readers)
        .await?;
        let area = |text: Option<String>| text.map(|text| from_json("area", &text)).transpose();
        Ok(Overlaid { crop: area(crop)?, score_map: area(score_map)? })
    }

    /// The pixels of a finding's overlay, while it is kept.
    pub async fn overlay(&self, finding: FindingId, layer: Layer) -> Result<Option<StoredPicture>, Error> {
        let row: Option<(String, Vec<u8>)> =
            sqlx::query_as(of_layer!(layer, "SELECT media_type, bytes FROM", "WHERE finding = $1"))
                .bind(finding.to_string())
                .fetch_optional(&self.0.readers)
                .await?;
        Ok(row.map(|(media_type, bytes)| StoredPicture { media_type, bytes }))
    }
}

pub(super) async fn keep(
    connection: &mut Connection,
    photo: PhotoId,
    overlay: &Overlay,
) -> Result<(), Error> {
    sqlx::query(of_layer!(
        overlay.layer,
        "INSERT INTO",
        "(finding, photo, area, media_type, bytes) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (finding) DO NOTHING"
    ))
    .bind(overlay.finding.to_string())
    .bind(photo.to_string())
    .bind(to_json(&overlay.area)?)
    .bind(overlay.picture.media_type.clone())
    .bind(overlay.picture.bytes.clone())
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes overlays whose picture is gone.
pub(super) async fn delete_orphans(connection: &mut Connection) -> Result<(), Error> {
    for layer in [Layer::Crop, Layer::ScoreMap] {
        sqlx::query(of_layer!(
            layer,
            "DELETE FROM",
            "AS overlays WHERE NOT EXISTS (SELECT 1 FROM pictures WHERE pictures.photo = overlays.photo)"
        ))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
