//! A finding as Procore will read it.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::fields::FieldValues;
use super::ids::{ImageId, LocationId, PunchItemTypeId, TradeId, UserId};

/// Procore's three priorities, in its own spelling on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
}

impl Priority {
    /// All of them, least urgent first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// Procore's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Priority {
    type Err = super::ids::BadId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|priority| priority.name() == text).ok_or_else(|| super::ids::BadId {
            kind: "priority (low, medium or high)",
            text: text.to_owned(),
        })
    }
}

/// A punch item to be made as a draft. Nothing is real until a person says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PunchItemDraft {
    /// The title, `name` on the wire.
    pub title: String,
    /// The description.
    pub description: String,
    /// Marks the item as made from one finding; see `FindingId::reference`.
    pub reference: String,
    /// Where.
    pub location: Option<LocationId>,
    /// Whose work.
    pub trade: Option<TradeId>,
    /// What type of punch item.
    pub item_type: Option<PunchItemTypeId>,
    /// How urgent.
    pub priority: Priority,
    /// When it should be mended.
    pub due: Option<Date>,
    /// Who manages it; without one, Procore's page makes the creator the manager.
    pub manager: Option<UserId>,
    /// Who gives the final approval, `final_approver_id` on the wire.
    #[serde(default)]
    pub approver: Option<UserId>,
    /// Photos from the Photos tool, attached by id and never uploaded again.
    pub images: Vec<ImageId>,
    /// Further fields, filled in from the rules when the item is made.
    #[serde(default, skip_serializing_if = "FieldValues::is_empty")]
    pub fields: FieldValues,
}

/// What a reviewer changed before accepting. Absent fields stay as suggested.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Edits {
    /// A better title.
    pub title: Option<String>,
    /// A better description.
    pub description: Option<String>,
    /// The right place.
    pub location: Option<LocationId>,
    /// The right trade.
    pub trade: Option<TradeId>,
    /// The right priority.
    pub priority: Option<Priority>,
    /// A date.
    pub due: Option<Date>,
    /// A manager.
    pub manager: Option<UserId>,
}

impl Edits {
    /// No change at all.
    pub const NONE: Self = Self {
        title: None,
        description: None,
        location: None,
        trade: None,
        priority: None,
        due: None,
        manager: None,
    };

    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `draft` with these edits applied.
    #[must_use]
    pub fn apply(&self, draft: &PunchItemDraft) -> PunchItemDraft {
        let edits = self.clone();
        PunchItemDraft {
            title: edits.title.unwrap_or_else(|| draft.title.clone()),
            description: edits.description.unwrap_or_else(|| draft.description.clone()),
            location: edits.location.or(draft.location),
            trade: edits.trade.or(draft.trade),
            priority: edits.priority.unwrap_or(draft.priority),
            due: edits.due.or(draft.due),
            manager: edits.manager.or(draft.manager),
            ..draft.clone()
        }
    }
}
