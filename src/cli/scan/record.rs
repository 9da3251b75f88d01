//! The lines of `scan --json`: a documented schema that scripts may rely on.
//!
//! One JSON object a line, one line a photo, in the order of the arguments:
//!
//! ```json
//! {"schema":1,"file":"site/1.jpg","sha256":"…","format":"jpeg","size":[3024,4032],"stored":[4032,3024],
//!  "exif":{"taken_at":{"known":{"local":"2026-03-01T09:00:00","instant":null}},
//!          "gps":{"unknown":"the photo carries no GPS position"},
//!          "orientation":{"known":6},"camera":{"known":"Apple iPhone 15"},"description":{"unknown":"…"},
//!          "origins":{"taken_at":{"from":"exif","likely":"…"},"orientation":{"from":"exif"},"camera":{"from":"xmp"}}},
//!  "class_scores":{"crack":0.971,"spalling":0.012},
//!  "findings":[{"class":"crack","score":0.971,"box":[0.0,1260.0,3024.0,2268.0],"area_share":0.09}],
//!  "model":{"name":"finish-defects","version":"0.1.0","sha256":"…","precision":"int8","provider":"cpu"},
//!  "looked":{"mode":"standard","ended_early":false,"tiles":0,"tiles_left_out":0},
//!  "ms":{"read":1.2,"decode":52.1,"preprocess":1.0,"queue":0.1,"infer":61.4,"postprocess":0.6,"total":116.9}}
//! ```
//!
//! - `size` is `[width, height]` the way a person looks at the photo; `stored` the same in the file.
//! - `exif.cut_off` is there for a photo of which something is missing, as `{"rows":2900,"of":3024}`: rows of pixels as
//!   stored that the file holds, and that the picture has. Equal numbers: only the finest detail is missing. What has fewer
//!   than nine tenths of its rows is refused as `broken`.
//! - Each other fact of `exif` is `{"known": …}` or `{"unknown": "because …"}`. `origins` says of each known one where it
//!   stands, `exif`, `xmp` or `iptc`, and with `likely` why it is not certain.
//! - `class_scores` has every class of the model, also those that are not reported or below their
//!   threshold; scores are calibrated odds, 0 to 1.
//! - `findings` has one entry for each region, best first; `box` is `[x0, y0, x1, y1]` in upright
//!   photo pixels, `area_share` the region's share of the photo.
//! - `looked` says how: with `ended_early` the first, cheap look was enough, and `class_scores` are its
//!   own; `tiles` at full size were looked at and `tiles_left_out` were not, in mode `thorough`.
//! - A photo that could not be looked at is
//!   `{"schema":1,"file":"…","error":{"code":"…","message":"…"}}` with `code` one of `not_found`,
//!   `unreadable`, `too_large`, `unsupported`, `broken`, `timeout`, `hung`, `inference`, `annotate`.
//!
//! - With `--site`, `--locations`, `--trades` or `--tagging` there is `tags`: `place` in words with its evidence,
//!   `location` as names from the root or null, `confidence` (`none`, `low`, `medium`, `high`), and `items`, one for
//!   each class: `class`, `title`, `description`, `trade`, `priority`, `due`, and `rules`, a sentence for each that
//!   fired.
//!
//! New keys may come within schema 1; none goes or changes its meaning.

use serde::{Serialize, Serializer};

use super::tags::Tags;
use crate::domain::capture::CaptureInfo;
use crate::domain::detection::{ClassScore, Detection};
use crate::domain::ids::Sha256Digest;
use crate::domain::thoroughness::Thoroughness;
use crate::inference::manifest::Precision;
use crate::inference::{ModelInfo, Provider};
use crate::photo::Format;

/// The version of this schema.
pub(super) const SCHEMA: u32 = 1;

/// One line.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The file as it was named or found.
    pub file: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Record {
    /// A line for `file`.
    pub(super) fn new(file: String, outcome: Outcome) -> Self {
        Self { schema: SCHEMA, file, outcome }
    }
}

/// What came of a photo.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Outcome {
    /// It was looked at.
    Seen(Box<AnalyzedPhoto>),
    /// It could not be looked at.
    Failed {
        /// Why.
        error: Failure,
    },
}

/// Why a photo could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Failure {
    /// A stable name.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// What was seen in a photo.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AnalyzedPhoto {
    /// SHA-256 of the file.
    pub sha256: Sha256Digest,
    /// What kind of file it is.
    pub format: Format,
    /// Upright width and height.
    pub size: [u32; 2],
    /// Width and height as stored.
    pub stored: [u32; 2],
    /// What the file says of its making.
    pub exif: CaptureInfo,
    /// Every class of the model with its score.
    #[serde(serialize_with = "as_map")]
    pub class_scores: Vec<ClassScore>,
    /// One entry for each region, best first.
    pub findings: Vec<Detection>,
    /// The place, and what the findings become; only with files that say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Which model looked.
    pub model: ModelStamp,
    /// How closely it looked.
    pub looked: ThoroughnessRecord,
    /// Where the time went, in milliseconds.
    pub ms: Milliseconds,
}

/// What proves which model looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ModelStamp {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the file that ran.
    pub sha256: Sha256Digest,
    /// Which of its files ran.
    pub precision: Precision,
    /// What it ran on.
    pub provider: Provider,
}

impl ModelStamp {
    /// `model`, as it ran on `provider`.
    pub(super) fn new(model: &ModelInfo, provider: Provider) -> Self {
        Self {
            name: model.name.clone(),
            version: model.version.clone(),
            sha256: model.sha256,
            precision: model.precision,
            provider,
        }
    }
}

/// How closely a photo was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct ThoroughnessRecord {
    /// As asked for.
    pub mode: Thoroughness,
    /// Whether the first, cheap look was enough.
    pub ended_early: bool,
    /// Tiles at full size that were looked at.
    pub tiles: u32,
    /// Tiles that the look at the whole photo ruled out.
    pub tiles_left_out: u32,
}

/// Milliseconds by stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Milliseconds {
    /// Reading the file and its digest.
    pub read: f64,
    /// Bytes to upright pixels.
    pub decode: f64,
    /// Pixels to tensors.
    pub preprocess: f64,
    /// Waiting for a session.
    pub queue: f64,
    /// In the session.
    pub infer: f64,
    /// Tensors to findings.
    pub postprocess: f64,
    /// All of it, on the clock.
    pub total: f64,
}

fn as_map<S: Serializer>(scores: &[ClassScore], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(scores.iter().map(|score| (score.class.name(), score.score)))
}
