//! The work: from a stored event to a draft in Procore. The only module that knows all four edges.
//!
//! `route` reads a stored webhook and queues what it calls for; `analyze` looks at one photo; `deliver` brings
//! one finding's punch item in line with what was found and decided; `link` brings further photos to it; `sweep`
//! finds what webhooks lost.
//! Every step is safe to run twice and settles its job in the same transaction as its result.

pub mod analysis;
pub mod analyze;
mod cards;
pub mod clock;
mod create;
mod crops;
pub mod deliver;
pub mod describe;
mod failure;
mod fields;
pub mod item_history;
pub mod item_lookups;
pub mod lease;
pub mod link;
pub mod lists;
mod manager;
mod omit_fields;
mod open_items;
mod optional_lists;
mod photo_retries;
mod placing;
pub mod reference;
mod review_images;
pub mod route;
pub mod rules;
mod score_maps;
pub mod sweep;
mod turns;
pub mod worker;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};

pub use failure::Failure;
pub use optional_lists::MissingLists;
pub use reference::Reference;
pub use rules::{ProjectRules, RulesByProject, TaggingConfig};

use crate::domain::ids::ProjectKey;
use crate::domain::retry::Backoff;
use crate::domain::thoroughness::ThoroughRule;
use crate::inference::Detector;
use crate::photo::Limits;
use crate::procore::Client;
use crate::procore::config::PermittedProject;
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
    /// Bytes of photos held in memory at once, as files.
    pub in_flight_bytes: u64,
    /// Bytes of photos held in memory at once, as pixels.
    pub decoded_bytes: u64,
    /// Which photos are looked at thoroughly.
    pub thorough: Vec<ThoroughRule>,
    /// Age at which Procore's lists are read again, seconds.
    pub reference_max_age_s: u64,
    /// Waits between the attempts at a photo that Procore does not show or whose bytes are not the photo, seconds.
    pub photo_waits_s: Vec<u64>,
    /// Time within which a photo must be through, seconds.
    pub photo_timeout_s: u64,
    /// Long side of the picture kept for review, pixels.
    pub review_long_side: u32,
    /// Long side of a finding's crop kept for review, pixels; 0 keeps none.
    pub crop_side: u32,
    /// JPEG quality of the picture kept for review, 1..=100.
    pub review_quality: u8,
    /// Interval of the sweep, seconds; 0 turns it off.
    pub sweep_every_s: u64,
    /// Interval of the sweep where no webhook tells of anything, seconds; 0 turns it off.
    pub poll_every_s: u64,
    /// Interval at which deliveries that Procore gave up are read, seconds; 0 turns it off.
    pub heal_every_s: u64,
    /// Interval at which what is kept is compared with what is there, seconds; 0 turns it off.
    pub roll_call_every_s: u64,
    /// How long a photo's description that came with others is used, seconds.
    pub describe_max_age_s: u64,
    /// How far a sweep looks back behind the last one, seconds.
    pub sweep_overlap_s: u64,
    /// How long Procore may take to carry out a write that it did not answer, seconds.
    pub doubt_s: u64,
    /// What an accepted draft becomes.
    pub on_accept: OnAccept,
    /// How a photo is brought to an open punch item that says the same.
    pub on_known: OnKnown,
}

/// How a photo is brought to an open punch item that says the same already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnKnown {
    Comment,
    /// Attached; in a comment where the service may not change the item.
    Attachment,
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

/// The four edges, the rules and the clock, for every step.
pub struct Context {
    pub config: Config,
    pub store: Store,
    pub procore: Client,
    /// The namespace of our hooks; `None` where there are none.
    pub hook_namespace: Option<String>,
    /// Who waits for the punch items at a place.
    pub at_places: item_lookups::ItemLookups,
    /// Who reads Procore's lists.
    pub lists: lists::Lists,
    /// Photos that Procore has described already.
    pub descriptions: describe::Descriptions,
    /// Projects in which it is known what an earlier life of this box may have made.
    pub caught_up: item_history::ItemHistory,
    /// Lists of Procore's that cannot be had for now.
    pub lacking: MissingLists,
    /// The model behind its one seam.
    pub detector: Arc<dyn Detector>,
    pub limits: Limits,
    /// Place, trade, priority and wording, project by project.
    pub rules: RulesByProject,
    /// The zone of "today" and of cameras that tell no offset.
    pub zone: TimeZone,
    /// What Prometheus may ask for.
    pub metrics: Metrics,
    /// Bytes of photos that may still be taken into memory.
    pub in_flight: InFlight,
    pub clock: fn() -> Timestamp,
}

impl Context {
    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The day, where the projects are.
    pub fn today(&self) -> Date {
        self.now().to_zoned_datetime(self.zone.clone()).date()
    }

    /// How long Procore may take to carry out a write that it did not answer.
    fn horizon(&self) -> Duration {
        Duration::from_secs(self.config.doubt_s)
    }

    /// How long a photo's description that came with others is used.
    fn describe_max_age(&self) -> Duration {
        Duration::from_secs(self.config.describe_max_age_s)
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
    fn permitted(&self, project: ProjectKey) -> Result<PermittedProject, Failure> {
        let projects = &self.procore.config().projects;
        projects
            .iter()
            .find(|permitted| permitted.key() == project)
            .copied()
            .ok_or_else(|| rules::not_permitted(project))
    }

    /// Waits until `bytes` more bytes of files fit into memory; they are free again when the permit is dropped.
    async fn room(&self, bytes: u64) -> Result<SemaphorePermit<'_>, Failure> {
        acquire(&self.in_flight.files, bytes, self.config.in_flight_bytes).await
    }

    /// Waits until `bytes` more bytes of pixels fit into memory. Whoever waits here may hold a file, but
    /// whoever waits for a file holds no pixels: so nobody waits in a circle.
    async fn decoded_room(&self, bytes: u64) -> Result<SemaphorePermit<'_>, Failure> {
        acquire(&self.in_flight.pixels, bytes, self.config.decoded_bytes).await
    }
}

/// What may still be taken into memory.
pub struct InFlight {
    files: Semaphore,
    pixels: Semaphore,
}

impl InFlight {
    /// Everything that `config` allows.
    pub fn new(config: &Config) -> Self {
        Self { files: permits(config.in_flight_bytes), pixels: permits(config.decoded_bytes) }
    }
}

/// Bytes that one permit stands for.
const IN_FLIGHT_UNIT: u64 = 65_536;

fn permits(bytes: u64) -> Semaphore {
    let permits = bytes.div_ceil(IN_FLIGHT_UNIT).max(1);
    Semaphore::new(usize::try_from(permits).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS))
}

/// Permits for `bytes`; for all of `limit` where they are more, so that a large photo waits for the others
/// and not for ever.
async fn acquire(permits: &Semaphore, bytes: u64, limit: u64) -> Result<SemaphorePermit<'_>, Failure> {
    let units = bytes.div_ceil(IN_FLIGHT_UNIT).clamp(1, limit.div_ceil(IN_FLIGHT_UNIT).max(1));
    let units = u32::try_from(units).unwrap_or(u32::MAX);
    permits.acquire_many(units).await.map_err(|_| Failure::retry("the service is stopping"))
}

/// Gives back what of `room` is more than `bytes` take.
fn shrink(room: &mut SemaphorePermit<'_>, bytes: u64) {
    let units = usize::try_from(bytes.div_ceil(IN_FLIGHT_UNIT)).unwrap_or(usize::MAX);
    drop(room.split(room.num_permits().saturating_sub(units)));
}
