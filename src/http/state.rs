//! What every handler can reach.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::domain::dedupe::Muting;
use crate::domain::detection::DefectClass;
use crate::domain::ids::ProjectKey;
use crate::domain::site::Site;
use crate::domain::tagging::MuteRules;
use crate::http::config::{HttpConfig, ReviewConfig, SignInConfig};
use crate::http::error::HttpError;
use crate::http::guard::Peer;
use crate::http::key::ReviewKey;
use crate::http::limiter::Throttle;
use crate::http::ops::Health;
use crate::http::webhooks::Webhook;
use crate::procore;
use crate::store::Store;

/// What the service hands to its web surface.
pub struct Parts {
    pub store: Store,
    /// Who may deliver events.
    pub webhook: Webhook,
    /// How everything but the store is.
    pub health: Arc<dyn Fn() -> Health + Send + Sync>,
    /// The metrics as text.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The projects that can be filtered by.
    pub projects: Vec<ProjectKey>,
    /// The model's classes, to filter by.
    pub classes: Vec<DefectClass>,
    /// What a rejection mutes, by project.
    pub mute_rules: Arc<dyn Fn(ProjectKey) -> MuteRules + Send + Sync>,
    /// Signs people in with Procore, where that is set up.
    pub procore: Option<procore::SignIn>,
    /// Where a project's buildings and rooms lie, where somebody drew that.
    pub sites: HashMap<ProjectKey, Site>,
    /// The `[http]` section.
    pub http: HttpConfig,
    /// The `[sign_in]` section.
    pub sign_in: SignInConfig,
    /// The `[review]` section.
    pub review: ReviewConfig,
    /// The zone of "today"; see [`ReviewConfig::zone`].
    pub zone: TimeZone,
    pub key: ReviewKey,
    /// Ends live connections when the service stops.
    pub stopping: CancellationToken,
}

/// What every handler can reach. Clones share it.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    parts: Parts,
    throttle: Throttle,
    password_checks: Semaphore,
    deliveries: Semaphore,
}

impl State {
    /// Takes the parts over.
    pub fn new(parts: Parts) -> Self {
        let sign_in = &parts.sign_in;
        let throttle = Throttle::new(
            sign_in.address_failures_max,
            sign_in.account_failures_max,
            sign_in.failures_window_s,
        );
        let password_checks = Semaphore::new(sign_in.password.at_once.max(1));
        let deliveries = Semaphore::new(parts.http.webhook_max_at_once);
        Self(Arc::new(Inner { parts, throttle, password_checks, deliveries }))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.parts.store
    }

    pub(crate) fn webhook(&self) -> &Webhook {
        &self.0.parts.webhook
    }

    /// Room for the body of one more delivery; `None` when there are too many.
    pub(crate) fn place_for_delivery(&self) -> Option<SemaphorePermit<'_>> {
        self.0.deliveries.try_acquire().ok()
    }

    pub(crate) fn health(&self) -> Health {
        (self.0.parts.health)()
    }

    pub(crate) fn metrics_text(&self) -> String {
        (self.0.parts.metrics)()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0.parts.clock)()
    }

    pub(crate) fn projects(&self) -> &[ProjectKey] {
        &self.0.parts.projects
    }

    /// `project`, if this service may touch it: even an admin's word about another one is not taken.
    pub(crate) fn permitted(&self, project: Option<ProjectKey>) -> Result<ProjectKey, HttpError> {
        project.filter(|project| self.projects().contains(project)).ok_or(HttpError::NotFound("project"))
    }

    pub(crate) fn classes(&self) -> &[DefectClass] {
        &self.0.parts.classes
    }

    /// What a rejection mutes today, by project.
    pub(crate) fn muting(&self) -> impl Fn(ProjectKey) -> Muting + Send + Sync + '_ {
        let today = self.now().to_zoned_datetime(self.zone().clone()).date();
        move |project| Muting { rules: (self.0.parts.mute_rules)(project), today }
    }

    pub(crate) fn site(&self, project: ProjectKey) -> Option<&Site> {
        self.0.parts.sites.get(&project)
    }

    pub(crate) fn http(&self) -> &HttpConfig {
        &self.0.parts.http
    }

    pub(crate) fn review(&self) -> &ReviewConfig {
        &self.0.parts.review
    }

    pub(crate) fn zone(&self) -> &TimeZone {
        &self.0.parts.zone
    }

    pub(crate) fn key(&self) -> &ReviewKey {
        &self.0.parts.key
    }

    /// Whether the key signs in whoever asks from `peer`.
    pub(crate) fn key_works(&self, peer: Peer) -> bool {
        self.sign_in().key_on_this_machine && peer.this_machine
    }

    /// Whether cookies set for `peer` are for https alone.
    pub(crate) fn cookies_are_secure(&self, peer: Peer) -> bool {
        peer.secure || self.sign_in().secure_cookies
    }

    pub(crate) fn sign_in(&self) -> &SignInConfig {
        &self.0.parts.sign_in
    }

    pub(crate) fn procore(&self) -> Option<&procore::SignIn> {
        self.0.parts.procore.as_ref()
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    pub(crate) fn password_checks(&self) -> &Semaphore {
        &self.0.password_checks
    }

    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.0.parts.stopping
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}
