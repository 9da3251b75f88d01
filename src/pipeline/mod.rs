//! The work: from a stored event to a draft in Procore. The only module that knows all four edges.
//!
//! `route` reads a stored webhook and queues what it calls for; `analyze` looks at one photo; `deliver` brings
//! one finding's punch item in line with what was found and decided; `sweep` finds what webhooks lost.
//! Every step is safe to run twice and settles its job in the same transaction as its result.

pub mod analyze;
pub mod deliver;
mod failure;
pub mod look;
pub mod reference;
pub mod route;
pub mod sweep;
pub mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Semaphore;

pub use failure::Failure;

use crate::domain::delivery::ProjectMode;
use crate::domain::ids::{CompanyId, ProjectKey, UserId};
use crate::domain::place::PlaceRules;
use crate::domain::retry::Backoff;
use crate::domain::site::Site;
use crate::domain::tagging::Tagging;
use crate::inference::Detector;
use crate::photo::Limits;
use crate::procore::Client;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// Bounds and choices of the pipeline, from the section `[pipeline]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Jobs worked on at once.
    pub workers: usize,
    /// Length of a lease, seconds.
    pub lease_s: u64,
    /// How often the queue is looked at when nothing wakes the workers, milliseconds.
    pub poll_ms: u64,
    /// How long running jobs may take to finish after a stop was asked for, seconds.
    pub shutdown_grace_s: u64,
    /// First wait after a failure, seconds.
    pub backoff_base_s: u64,
    /// Longest wait after a failure, seconds.
    pub backoff_cap_s: u64,
    /// Bytes of photos held in memory at once.
    pub in_flight_bytes: usize,
    /// Age at which Procore's lists are read again, seconds.
    pub reference_max_age_s: u64,
    /// Time within which a photo must be through, seconds.
    pub photo_timeout_s: u64,
    /// Long side of the picture kept for review, pixels.
    pub review_long_side: u32,
    /// JPEG quality of the picture kept for review, 1..=100.
    pub review_quality: u8,
    /// Interval of the sweep, seconds; 0 turns it off.
    pub sweep_every_s: u64,
    /// How far a sweep looks back behind the last one, seconds.
    pub sweep_overlap_s: u64,
    /// What an accepted draft becomes.
    pub on_accept: OnAccept,
    /// Albums that Procore fills itself from punch items.
    pub aggregation_albums: Vec<String>,
}

/// What an accepted draft becomes in Procore's workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnAccept {
    /// It is sent on.
    Initiated,
    /// It stays a draft for a person in Procore to send on.
    Draft,
}

/// A project that may be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permitted {
    /// Which project.
    pub key: ProjectKey,
    /// How far the service may go in it.
    pub mode: ProjectMode,
}

/// The four edges, the rules and the clock, for every step.
pub struct Context {
    /// Bounds and choices.
    pub config: Config,
    /// The durable store.
    pub store: Store,
    /// The Procore client.
    pub procore: Client,
    /// The model behind its one seam.
    pub detector: Arc<dyn Detector>,
    /// Limits of decoding.
    pub limits: Limits,
    /// Class to trade, priority and wording.
    pub tagging: Tagging,
    /// How places are resolved.
    pub place_rules: PlaceRules,
    /// The site file, where there is one.
    pub site: Option<Site>,
    /// The allow-list.
    pub projects: Vec<Permitted>,
    /// Our own user in each company, against feedback loops.
    pub own_users: BTreeMap<CompanyId, UserId>,
    /// What Prometheus may ask for.
    pub metrics: Metrics,
    /// Bytes of photos that may still be taken into memory.
    pub in_flight: Semaphore,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

impl Context {
    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn backoff(&self) -> Backoff {
        Backoff {
            base: Duration::from_secs(self.config.backoff_base_s),
            cap: Duration::from_secs(self.config.backoff_cap_s),
        }
    }

    /// The settings of a permitted project.
    ///
    /// # Errors
    /// When it is not on the allow-list: nothing of it may be called.
    fn permitted(&self, project: ProjectKey) -> Result<Permitted, Failure> {
        self.projects.iter().find(|permitted| permitted.key == project).copied().ok_or_else(|| {
            Failure::give_up(format!("project {project} is not permitted; add it under [[procore.projects]]"))
        })
    }
}
