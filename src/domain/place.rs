//! Where a photo was taken, as a place of the project's own location tree, with the evidence.

use serde::{Deserialize, Serialize};

use super::capture::GpsFix;
use super::ids::LocationId;

/// A node of the project's location tree as Procore lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Procore's id.
    pub id: LocationId,
    /// Names from the root to the node, e.g. `["Building A", "Floor 2", "Unit 204"]`.
    pub path: Vec<String>,
}

/// What speaks for a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "evidence", rename_all = "snake_case")]
pub enum Evidence {
    /// The photo carries this location in Procore.
    PhotoLocation,
    /// Only a position is known; it is told in the text, no location is chosen.
    GpsOnly {
        /// The position.
        fix: GpsFix,
    },
    /// Nothing is known, and why.
    Unknown {
        /// The reason, in words that follow "unknown, because".
        because: String,
    },
}

/// A place and why it is believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The location to put on the punch item, chosen from Procore's tree and never invented.
    pub location: Option<Location>,
    /// What speaks for it.
    #[serde(flatten)]
    pub evidence: Evidence,
}
