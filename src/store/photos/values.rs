//! What is kept of a photo, as values.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::capture::CaptureInfo;
use crate::domain::card::Card;
use crate::domain::detection::ClassScore;
use crate::domain::geometry::{Size, Upright};
use crate::domain::ids::{FindingId, ImageId, LocationId, PhotoId, ProjectKey, Sha256Digest, UserId};
use crate::domain::review::HoldReason;
use crate::store::{Error, Overlay};

/// What became of a photo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PhotoState {
    /// The model looked at it.
    Analysed,
    /// It was left alone on purpose.
    Skipped { reason: String },
    /// It can never be looked at.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

impl PhotoState {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Analysed => "analysed",
            Self::Skipped { .. } => "skipped",
            Self::Failed { .. } => "failed",
        }
    }

    pub(super) const fn reason(&self) -> Option<&String> {
        match self {
            Self::Analysed => None,
            Self::Skipped { reason } | Self::Failed { reason } => Some(reason),
        }
    }

    /// The state of a row.
    pub(super) fn of(name: &str, reason: Option<String>) -> Result<Self, Error> {
        match (name, reason) {
            ("analysed", None) => Ok(Self::Analysed),
            ("skipped", Some(reason)) => Ok(Self::Skipped { reason }),
            ("failed", Some(reason)) => Ok(Self::Failed { reason }),
            (name, reason) => Err(Error::row("column", "photos.state", format!("{name} with {reason:?}"))),
        }
    }
}

/// How long one stage took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageTime {
    /// The stage, e.g. `decode`.
    pub stage: String,
    pub ms: f64,
}

/// A reduced picture for review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPicture {
    /// E.g. `image/jpeg`.
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// All that is to be kept of a photo.
#[derive(Debug, Clone)]
pub struct PhotoRecord {
    pub project: ProjectKey,
    pub image: ImageId,
    /// When Procore showed it, if it did.
    pub shown_at: Option<Timestamp>,
    /// The file's name as Procore tells it.
    pub filename: String,
    /// What became of it.
    pub state: PhotoState,
    /// Full upright size, where it got so far.
    pub size: Option<Size<Upright>>,
    /// What the file says about its making, where it got so far.
    pub capture: Option<CaptureInfo>,
    /// SHA-256 of the original, where it got so far.
    pub content: Option<Sha256Digest>,
    /// Who uploaded it, where known.
    pub uploader: Option<String>,
    /// Procore's id of who uploaded it.
    pub uploader_id: Option<UserId>,
    /// The location that it carries in Procore.
    pub location: Option<LocationId>,
    /// Everything that Procore told of it that findings follow from; when that changes, another look is due.
    pub told: Option<String>,
    /// Name, version and digest of the model that looked at it.
    pub model: Option<String>,
    /// Every class of the model.
    pub class_scores: Vec<ClassScore>,
    /// Time by stage, in order.
    pub timings: Vec<StageTime>,
    /// The reduced picture, if there is anything to review.
    pub picture: Option<StoredPicture>,
    /// What review lays over the picture for each finding.
    pub overlays: Vec<Overlay>,
    /// Further evidence for the audit row: thresholds, execution provider and so on.
    pub evidence: Value,
}

/// A recorded photo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhotoRow {
    pub id: PhotoId,
    pub project: ProjectKey,
    pub image: ImageId,
    pub filename: String,
    /// What became of it.
    pub state: PhotoState,
    pub size: Option<Size<Upright>>,
    /// SHA-256 of the original.
    pub content: Option<Sha256Digest>,
    pub uploader: Option<String>,
    /// What the file says about its making.
    pub capture: Option<CaptureInfo>,
    /// The model that looked at it.
    pub model: Option<String>,
    /// Every class of the model.
    pub class_scores: Vec<ClassScore>,
    /// Time by stage, in order.
    pub timings: Vec<StageTime>,
    /// What Procore told of it: see [`PhotoRecord::told`].
    pub told: Option<String>,
    /// Findings that show in it.
    pub findings: u32,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When it was forgotten, because it was deleted in Procore.
    pub forgotten_at: Option<Timestamp>,
}

/// What a recording added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntakeCounts {
    /// Findings seen for the first time.
    pub new: Vec<FindingId>,
    /// Findings that were there already and have one more photo, or the same photo again.
    pub known: Vec<FindingId>,
    /// Findings that do not become drafts by themselves, with what keeps them back.
    pub kept: Vec<(FindingId, HoldReason)>,
    /// Undecided findings that turned out to be of the same defect as another one.
    pub folded: Vec<FindingId>,
}

/// A photo with the cards of what was found in it first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhotoSummary {
    pub photo: PhotoRow,
    pub cards: Vec<Card>,
}
