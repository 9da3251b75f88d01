//! What a reviewer may decide about a finding, and the states a finding passes through.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::PunchItemId;
use super::people::Person;
use super::punch_item::Edits;

/// Why a finding was thrown out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// The model was wrong.
    NotADefect,
    /// Unfinished is not defective.
    TooEarly,
    /// It is on the list already.
    Duplicate,
    /// Somebody else's scope.
    NotOurs,
    /// It may stay as it is.
    CosmeticOk,
}

impl RejectReason {
    /// All of them, in the order of the buttons.
    pub const ALL: [Self; 5] =
        [Self::NotADefect, Self::TooEarly, Self::Duplicate, Self::NotOurs, Self::CosmeticOk];

    /// The stable name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotADefect => "not_a_defect",
            Self::TooEarly => "too_early",
            Self::Duplicate => "duplicate",
            Self::NotOurs => "not_ours",
            Self::CosmeticOk => "cosmetic_ok",
        }
    }

    /// The reason with this [`Self::name`].
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The words on the button.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotADefect => "Not a defect",
            Self::TooEarly => "Too early",
            Self::Duplicate => "Duplicate",
            Self::NotOurs => "Not ours",
            Self::CosmeticOk => "Cosmetic, OK",
        }
    }

    /// The label within a sentence.
    pub fn words(self) -> String {
        let mut letters = self.label().chars();
        letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
    }
}

/// A reviewer's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It goes on the list, with these edits.
    Accept {
        /// What the reviewer changed.
        edits: Edits,
    },
    /// It is thrown out.
    Reject {
        /// Why.
        reason: RejectReason,
    },
}

/// A verdict with its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was decided.
    pub verdict: Verdict,
    /// Who decided, in the name that others read.
    pub reviewer: String,
    /// Who that was and how they signed in; unknown for decisions of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// When.
    pub at: Timestamp,
}

/// Where a finding stands between the model and the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// Waits for a person; its draft may still be on its way to Procore.
    Proposed,
    /// A person took it.
    Accepted,
    /// A person threw it out.
    Rejected,
    /// Somebody changed or deleted the item in Procore first; their word stands.
    TakenOver,
}

impl FindingState {
    /// The stable name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::TakenOver => "taken_over",
        }
    }
}

/// Why nothing is written to Procore for a finding until a person says so, whatever the project's mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What keeps it back.
    pub by: HoldReason,
    /// A whole sentence.
    pub because: String,
}

/// What keeps a finding back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "keeper", content = "id", rename_all = "snake_case")]
pub enum HoldReason {
    /// A cap: it waits on the review page like any other, best score first.
    Cap,
    /// A reviewer's mute: recorded and counted, and not among those to review.
    Mute(MuteId),
    /// An open punch item that says the same: the photo is linked to that one.
    OpenItem(PunchItemId),
}

/// A mute's row in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MuteId(pub i64);

impl HoldReason {
    /// The stable name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cap => "cap",
            Self::Mute(_) => "mute",
            Self::OpenItem(_) => "open_item",
        }
    }

    /// The id beside the name in the database.
    pub const fn id(self) -> Option<i64> {
        match self {
            Self::Cap => None,
            Self::Mute(MuteId(id)) => Some(id),
            Self::OpenItem(id) => Some(id.value()),
        }
    }

    /// The keeper with these [`HoldReason::name`] and [`HoldReason::id`].
    pub fn of(name: &str, id: Option<i64>) -> Option<Self> {
        match (name, id) {
            ("cap", _) => Some(Self::Cap),
            ("mute", Some(id)) => Some(Self::Mute(MuteId(id))),
            ("open_item", Some(id)) => Some(Self::OpenItem(PunchItemId::new(id))),
            _ => None,
        }
    }
}

/// How far a finding's punch item has come in Procore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Nothing is to be written (shadow mode, or review first and not yet accepted).
    Withheld,
    /// To be written, or being written.
    Waiting,
    /// Procore has it as decided.
    Delivered,
    /// Procore refused it; the reason is kept beside.
    Refused,
}

impl Delivery {
    /// The stable name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Withheld => "withheld",
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
        }
    }
}
