//! What the service account may do, as its app's manifest says.

use super::call::{Call, Refusal};
use super::state::Shared;
use crate::domain::ids::ProjectId;

/// A level of a tool's permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The tool does not exist for it.
    None,
    ReadOnly,
    /// It may add, and change what it added.
    Standard,
    /// It may do everything.
    Admin,
}

impl Level {
    pub(super) const fn id(self) -> i64 {
        self as i64 + 1
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ReadOnly => "read_only",
            Self::Standard => "standard",
            Self::Admin => "admin",
        }
    }

    pub(super) fn at_least_read_only(self, tool: &str) -> Result<(), Refusal> {
        self.at_least(Self::ReadOnly, tool)
    }

    pub(super) fn at_least_standard(self, tool: &str) -> Result<(), Refusal> {
        self.at_least(Self::Standard, tool)
    }

    fn at_least(self, least: Self, tool: &str) -> Result<(), Refusal> {
        if self >= least {
            return Ok(());
        }
        Err(Refusal::forbidden(&format!("You do not have permission to do this in {tool}")))
    }
}

/// The service account's permissions in the permitted project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub photos: Level,
    /// Whether it may see private photos and albums; without, they answer 404.
    pub private_photos: bool,
    /// The Punch List tool. With `Standard` an item that has left the draft can no longer be changed.
    pub punch_list: Level,
    pub webhooks: Level,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            photos: Level::Standard,
            private_photos: false,
            punch_list: Level::Standard,
            webhooks: Level::Standard,
        }
    }
}

/// The project whose photos `call` asks for, if the service account may see photos there.
pub(super) fn photos_of(sim: &Shared, call: &Call) -> Result<ProjectId, Refusal> {
    sim.options.access.photos.at_least_read_only("Photos")?;
    let project = call.query_project()?;
    sim.open(project)?;
    Ok(project)
}
