//! What can be queued. The store keeps these as versioned JSON; the pipeline runs them.

use serde::{Deserialize, Serialize};

use super::ids::{FindingId, ImageId, ProjectKey};
use super::review::FindingState;

/// A row of the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InboxId(pub i64);

/// A row of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

/// One unit of work. All of them are safe to run twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Read a stored webhook body and decide what it calls for.
    RouteEvent {
        /// The stored delivery.
        inbox: InboxId,
    },
    /// Fetch a photo, look at it, record what was found.
    AnalyzePhoto {
        /// Where it is.
        project: ProjectKey,
        /// Which photo.
        image: ImageId,
    },
    /// Bring a finding's punch item in line because the finding is new: make it, or adopt it.
    Publish {
        /// Which finding.
        finding: FindingId,
    },
    /// Bring it in line because a reviewer decided.
    ApplyDecision {
        /// Which finding.
        finding: FindingId,
    },
    /// Bring it in line because somebody changed it in Procore.
    SyncPunchItem {
        /// Which finding.
        finding: FindingId,
    },
    /// Bring a further photo to a finding's punch item, or to the open one that says the same.
    LinkPhoto {
        /// Which finding.
        finding: FindingId,
        /// Which photo.
        image: ImageId,
    },
    /// List a project's photos and queue those that no webhook told of.
    Sweep {
        /// Which project.
        project: ProjectKey,
    },
}

impl Job {
    /// What brings a finding that waits for Procore in line: its publishing, or what was decided about it.
    pub const fn carrying(finding: FindingId, state: FindingState) -> Self {
        match state {
            FindingState::Proposed => Self::Publish { finding },
            _ => Self::ApplyDecision { finding },
        }
    }

    /// The stable name for the queue, logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RouteEvent { .. } => "route_event",
            Self::AnalyzePhoto { .. } => "analyze_photo",
            Self::Publish { .. } => "publish",
            Self::ApplyDecision { .. } => "apply_decision",
            Self::SyncPunchItem { .. } => "sync_punch_item",
            Self::LinkPhoto { .. } => "link_photo",
            Self::Sweep { .. } => "sweep",
        }
    }

    /// Two jobs with the same key are the same work: while one waits, a second is not queued.
    pub fn dedupe_key(&self) -> String {
        match self {
            Self::RouteEvent { inbox } => format!("route_event:{}", inbox.0),
            Self::AnalyzePhoto { project, image } => format!("analyze_photo:{project}:{image}"),
            Self::Publish { finding } => format!("publish:{finding}"),
            Self::ApplyDecision { finding } => format!("apply_decision:{finding}"),
            Self::SyncPunchItem { finding } => format!("sync_punch_item:{finding}"),
            Self::LinkPhoto { finding, image } => format!("link_photo:{finding}:{image}"),
            Self::Sweep { project } => format!("sweep:{project}"),
        }
    }

    /// Lower runs first: people wait for decisions, nobody waits for a sweep.
    pub const fn rank(&self) -> i64 {
        match self {
            Self::ApplyDecision { .. } => 0,
            Self::RouteEvent { .. } => 1,
            Self::Publish { .. } | Self::SyncPunchItem { .. } | Self::LinkPhoto { .. } => 2,
            Self::AnalyzePhoto { .. } => 3,
            Self::Sweep { .. } => 4,
        }
    }
}
