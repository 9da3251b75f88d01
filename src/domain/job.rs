//! What can be queued. The store keeps these as versioned JSON; the pipeline runs them.

use serde::{Deserialize, Serialize};

use super::ids::{FindingId, ImageId, ProjectKey};

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
    /// Bring a finding's punch item in Procore in line with what was found and decided.
    Deliver {
        /// Which finding.
        finding: FindingId,
    },
    /// List a project's photos and queue those that no webhook told of.
    Sweep {
        /// Which project.
        project: ProjectKey,
    },
}

impl Job {
    /// The stable name for the queue, logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RouteEvent { .. } => "route_event",
            Self::AnalyzePhoto { .. } => "analyze_photo",
            Self::Deliver { .. } => "deliver",
            Self::Sweep { .. } => "sweep",
        }
    }

    /// Two jobs with the same key are the same work: while one waits, a second is not queued; while one
    /// runs, a second may be queued but not claimed.
    pub fn dedupe_key(&self) -> String {
        match self {
            Self::RouteEvent { inbox } => format!("route_event:{}", inbox.0),
            Self::AnalyzePhoto { project, image } => format!("analyze_photo:{project}:{image}"),
            Self::Deliver { finding } => format!("deliver:{finding}"),
            Self::Sweep { project } => format!("sweep:{project}"),
        }
    }

    /// Lower runs first: people wait for their decisions to arrive, nobody waits for a sweep.
    pub const fn rank(&self) -> i64 {
        match self {
            Self::Deliver { .. } => 0,
            Self::RouteEvent { .. } => 1,
            Self::AnalyzePhoto { .. } => 2,
            Self::Sweep { .. } => 3,
        }
    }
}
