//! Copies of photos with what was found drawn on them.

use std::path::Path;

use crate::domain::detection::Predictions;
use crate::domain::ids::Sha256Digest;
use crate::inference::{ModelInfo, ScoreMap};
use crate::photo::annotate::{self, Heat, Mark};
use crate::photo::{self, Limits, encode};

/// Longer side of the copies, in pixels: enough to judge a hairline, small enough to mail.
const LONG_SIDE: u32 = 1600;

/// JPEG quality of the copies.
const QUALITY: u8 = 88;

/// The copy's name: the photo's own and the start of its digest, as photos of several folders share
/// names.
pub(super) fn file_name(photo: &Path, digest: &Sha256Digest) -> String {
    let stem = photo.file_stem().unwrap_or_default().to_string_lossy();
    format!("{stem}-{}.jpg", &digest.to_string()[..8])
}

/// Writes the annotated copy of the photo `bytes` to `path`.
pub(super) fn write(
    path: &Path,
    bytes: &[u8],
    limits: &Limits,
    seen: &Predictions,
    map: Option<&ScoreMap>,
    model: &ModelInfo,
) -> Result<(), String> {
    // Decoded anew and larger: what the model is given must not depend on whether copies are made.
    let photo = photo::decode(bytes, limits, Some(LONG_SIDE)).map_err(|error| error.to_string())?;
    let mut picture = photo.picture;
    if let Some(map) = map {
        picture = annotate::heat(&picture, &heat(map, model, map.cell(photo.size)));
    }
    let marks: Vec<Mark> = seen
        .detections
        .iter()
        .map(|detection| Mark {
            area: detection.area,
            class: detection.class.name().to_owned(),
            label: format!("{} {}", detection.class, detection.score),
        })
        .collect();
    let jpeg =
        encode::review_jpeg(&annotate::draw(&picture, &marks), QUALITY).map_err(|error| error.to_string())?;
    std::fs::write(path, jpeg).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// In each cell the highest score of any reported class.
fn heat(map: &ScoreMap, model: &ModelInfo, cell: (f32, f32)) -> Heat {
    let mut values = vec![0.0_f32; map.columns * map.rows];
    for (index, _) in model.classes.iter().enumerate().filter(|(_, class)| class.reported) {
        for (value, score) in values.iter_mut().zip(map.scores(index)) {
            *value = value.max(score.value());
        }
    }
    Heat { columns: map.columns, values, cell }
}
