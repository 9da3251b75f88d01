//! What a reviewer sees of a finding: the read model behind the review page and its API.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::geometry::{Size, Upright};
use super::ids::{FindingId, ImageId, PhotoId, ProjectKey, PunchItemId, Sha256Digest};
use super::item_status::ItemStatus;
use super::omitted_field::OmittedField;
use super::picture::CutOff;
use super::place::Place;
use super::punch_item::{Edits, PunchItemDraft};
use super::review::{Decision, Delivery, FindingState, Hold};

/// The photo behind a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardPhoto {
    /// Ours.
    pub id: PhotoId,
    /// Procore's.
    pub image: ImageId,
    /// The file's name as Procore tells it.
    pub filename: String,
    /// Full upright size; boxes are in this frame.
    pub size: Size<Upright>,
    /// Local wall-clock time at the camera, where known.
    pub taken_at: Option<DateTime>,
    /// Who uploaded it, where known.
    pub uploader: Option<String>,
    /// SHA-256 of the original.
    pub content: Sha256Digest,
    /// What is missing of its picture, where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<CutOff>,
}

/// A finding with all that is needed to decide about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Whose it is.
    pub project: ProjectKey,
    /// What was found.
    pub finding: Finding,
    /// In which photo.
    pub photo: CardPhoto,
    /// Where, and why that is believed.
    pub place: Place,
    /// The draft as suggested, before any edits.
    pub draft: PunchItemDraft,
    /// Earlier suggestions, one of which may be in Procore still: the photo's place came to light later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<PunchItemDraft>,
    /// The trade's name, as `draft.trade` is only an id.
    pub trade_name: Option<String>,
    /// Which rules led to trade, priority and wording, one sentence each.
    pub rules: Vec<String>,
    /// Name, version and digest of the model, e.g. `finish-defects 0.1.0 (sha256 1f3d…)`.
    pub model: String,
    /// Where it stands.
    pub state: FindingState,
    /// The reviewer's decision, once there is one.
    pub decision: Option<Decision>,
    /// How far the punch item has come.
    pub delivery: Delivery,
    /// Why it does not become a draft by itself, if so.
    #[serde(default)]
    pub held: Option<Hold>,
    /// Another finding that could be of the same defect: a person is to decide.
    #[serde(default)]
    pub similar: Option<FindingId>,
    /// The punch item in Procore, once it exists.
    pub punch_item: Option<PunchItemId>,
    /// The number that people see on it.
    pub position: Option<i64>,
    /// Why Procore refused it, and what to do.
    pub problem: Option<String>,
    /// How the punch item stands in Procore, as last seen.
    #[serde(default)]
    pub in_procore: Option<ItemStatus>,
    /// What did not go to Procore as suggested or decided.
    #[serde(default)]
    pub left_out: Vec<OmittedField>,
    /// Why its delivery waits, where nothing is to be done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// When it was found.
    pub found_at: Timestamp,
}

impl Card {
    /// The draft with the reviewer's edits applied.
    pub fn decided_draft(&self) -> PunchItemDraft {
        match self.decision.as_ref().map(|decision| &decision.verdict) {
            Some(super::review::Verdict::Accept { edits }) => edits.apply(&self.draft),
            _ => Edits::default().apply(&self.draft),
        }
    }
}
