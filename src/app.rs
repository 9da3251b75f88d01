//! The composition root: config to a running service.

pub mod doctor;
mod former;
mod health;
pub mod hooks;
mod identity;
mod missing_hooks;
pub mod rules;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::health::HealthSnapshot;
use crate::app::identity::Identity;
use crate::config::Config;
use crate::domain::detection::DefectClass;
use crate::domain::ids::ProjectKey;
use crate::domain::job::Job;
use crate::domain::site::Site;
use crate::domain::tagging::Tagging;
use crate::http::{self, ReviewKey, Tls};
use crate::inference::{self, Detector, ModelInfo};
use crate::pipeline::{self, Context, ProjectRules, worker};
use crate::procore::webhook::{self, SecretKeeper};
use crate::procore::{self, Client};
use crate::secrets;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// How often what is past its retention is deleted.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// How soon it is tried again while Procore has not told the time yet.
const PRUNE_RETRY: Duration = Duration::from_mins(1);

/// Everything wired, not yet listening.
pub struct App {
    context: Arc<Context>,
    config: Config,
    secrets: Arc<SecretKeeper>,
    key: ReviewKey,
    /// Where the key lies, if it could be kept.
    key_file: Option<PathBuf>,
    making_hooks: bool,
    sign_in: Option<procore::SignIn>,
    tls: Option<Tls>,
    watched: Arc<RwLock<Option<HealthSnapshot>>>,
}

impl App {
    /// Builds the service around the configured model.
    ///
    /// # Errors
    /// When the store, the model, a rule file or a secret cannot be loaded; each message says what to do.
    pub async fn build(config: &Config) -> anyhow::Result<Self> {
        let inference = config.inference.clone();
        let detector = tokio::task::spawn_blocking(move || inference::load(&inference)).await??;
        Self::assemble(config, detector).await
    }

    /// Builds the service around a given detector.
    ///
    /// # Errors
    /// As [`App::build`].
    pub async fn assemble(config: &Config, detector: Arc<dyn Detector>) -> anyhow::Result<Self> {
        Self::assemble_at(config, detector, Timestamp::now).await
    }

    /// Builds the service around a given detector, to live by `clock`.
    ///
    /// # Errors
    /// As [`App::build`].
    pub async fn assemble_at(
        config: &Config,
        detector: Arc<dyn Detector>,
        clock: fn() -> Timestamp,
    ) -> anyhow::Result<Self> {
        let credentials = secrets::credentials();
        let store = Store::open(&config.store, clock()).await?;
        let secrets = Arc::new(SecretKeeper::read(&config.webhook, credentials.clone()));
        let (key, key_file) = review_key(config)?;
        let procore = Client::new(&config.procore, credentials.as_deref())?;
        let sign_in = procore::SignIn::new(&procore, credentials.as_deref())?;
        let rules = rules::load(&config.tagging, &config.procore.permitted())?;
        rules::cover(&rules, detector.model())?;
        let metrics = Metrics::new(&detector.model().label(), detector.model().provider.got.name());
        let context = Context {
            config: config.pipeline.clone(),
            procore,
            rules,
            zone: config.review.zone()?,
            store,
            hook_namespace: (!config.webhook.public_url.is_empty()).then(|| config.webhook.namespace.clone()),
            at_places: pipeline::item_lookups::ItemLookups::default(),
            lists: pipeline::lists::Lists::new(format!("{:032x}", rand::random::<u128>())),
            descriptions: pipeline::describe::Descriptions::default(),
            lacking: pipeline::MissingLists::default(),
            caught_up: pipeline::item_history::ItemHistory::default(),
            detector,
            limits: config.photo.clone(),
            metrics,
            in_flight: pipeline::InFlight::new(&config.pipeline),
            clock,
        };
        let (context, config) = (Arc::new(context), config.clone());
        let tls = Tls::load(&config.http)?;
        let watched = Arc::default();
        Ok(Self { context, config, secrets, key, key_file, making_hooks: false, sign_in, tls, watched })
    }

    /// Has the service make or mend the webhooks in Procore while it serves.
    #[must_use]
    pub fn making_hooks(self) -> Self {
        Self { making_hooks: true, ..self }
    }

    /// The durable store, for reports.
    pub fn store(&self) -> &Store {
        &self.context.store
    }

    /// Where it serves on `address`.
    pub fn own_url(&self, address: SocketAddr) -> String {
        own_url(&self.config, address)
    }

    /// Which model runs, on what.
    pub fn model(&self) -> &ModelInfo {
        self.context.detector.model()
    }

    /// The address of the review page with this machine's key, where that signs in.
    pub fn review_link(&self, own_url: &str) -> Option<String> {
        let works = self.key_file.is_some() && key_signs_in(&self.config);
        works.then(|| link(own_url, &self.key))
    }

    /// Whether anybody can sign in from another machine.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn has_accounts(&self) -> anyhow::Result<bool> {
        Ok(self.context.store.has_accounts().await?)
    }

    /// Serves on `listener` and works until `stop` is cancelled; then finishes or returns what it holds. What cannot
    /// be done at the start, be it the store or Procore, is tried again while it serves.
    ///
    /// # Errors
    /// When the config cannot be used.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        let mut identity = Identity::open(&identity_file(&self.config)?);
        let owner = identity.life.owner.clone();
        let router = http::router(self.state(&stop)?);
        let server = http::serve(listener, self.tls.clone(), router, &self.config.http, stop.clone());
        let workers = async {
            self.load_sightings().await;
            worker::run(Arc::clone(&self.context), owner, stop.clone()).await;
        };
        let living = self.live(&mut identity, &stop);
        let hooks = self.make_hooks(&stop);
        let sweeps = self.sweep(&stop);
        let gauges = self.watch(&stop);
        let pruning = self.prune(&stop);
        let secrets = self.reload_secrets(&stop);
        let clock = pipeline::clock::run(&self.context, &stop);
        tokio::join!(server, workers, living, hooks, sweeps, gauges, pruning, secrets, clock);
        self.end_life(&identity).await;
        self.context.store.close().await;
        Ok(())
    }

    /// Reads ahead what is needed to recognise defects, so that the first photo does not wait for it.
    async fn load_sightings(&self) {
        for (project, rules) in &self.context.rules {
            match self.context.store.load_sightings(*project, &rules.tagging.rules().once).await {
                Ok(known) => tracing::info!(%project, sightings = known, "known defects loaded"),
                Err(error) => {
                    tracing::warn!(%project, %error, "known defects are read with the first photo instead");
                }
            }
        }
    }

    fn sites(&self) -> HashMap<ProjectKey, Site> {
        let drawn = |(project, rules): (&ProjectKey, &ProjectRules)| Some((*project, rules.site.clone()?));
        self.context.rules.iter().filter_map(drawn).collect()
    }

    fn state(&self, stop: &CancellationToken) -> anyhow::Result<http::State> {
        let (secrets, signing) = (Arc::clone(&self.secrets), Arc::clone(&self.secrets));
        let (metrics, clock) = (self.context.metrics.clone(), self.context.clock);
        let (detector, watched) = (Arc::clone(&self.context.detector), Arc::clone(&self.watched));
        let context = Arc::clone(&self.context);
        let spare = Tagging::default_rules().rules().mute;
        let mute_rules = move |project: ProjectKey| {
            context.rules.get(&project).map_or(spare, |rules| rules.tagging.rules().mute)
        };
        Ok(http::State::new(http::Parts {
            store: self.context.store.clone(),
            webhook: http::Webhook {
                authorized: Arc::new(move |authorization| secrets.authorized(authorization)),
                signed: Arc::new(move |signature, body| signing.signed(signature, body)),
                dedupe_key: |body| webhook::parse(body).dedupe_key,
                signature_header: self.config.webhook.hmac_header.parse().context("webhook.hmac_header")?,
            },
            health: Arc::new(move || {
                health::report(detector.as_ref(), watched.read().ok().and_then(|seen| seen.clone()).as_ref())
            }),
            metrics: Arc::new(move || metrics.text()),
            clock: Arc::new(clock),
            projects: self.context.procore.config().permitted(),
            mute_rules: Arc::new(mute_rules),
            classes: self.model().classes.iter().map(|class| DefectClass::new(&class.name)).collect(),
            sites: self.sites(),
            http: self.config.http.clone(),
            procore: self.sign_in.clone(),
            sign_in: self.config.sign_in.clone(),
            review: self.config.review.clone(),
            zone: self.config.review.zone()?,
            key: self.key.clone(),
            stopping: stop.clone(),
        }))
    }

    /// Queues a sweep of every permitted project, at once and then at the configured interval.
    async fn sweep(&self, stop: &CancellationToken) {
        let config = &self.config.pipeline;
        let polling = self.context.hook_namespace.is_none();
        let every = Duration::from_secs(if polling { config.poll_every_s } else { config.sweep_every_s });
        if every.is_zero() {
            return;
        }
        let permitted = self.context.procore.config().permitted();
        let jobs: Vec<Job> = permitted.into_iter().map(|project| Job::Sweep { project }).collect();
        while !stop.is_cancelled() {
            let now = self.context.now();
            if let Err(error) = self.context.store.enqueue(&jobs, now, now).await {
                tracing::error!(%error, "the sweep could not be queued");
            }
            pause(every, stop).await;
        }
    }

    /// Reads the webhook's secrets again now and then: one that was retired is refused from there on.
    async fn reload_secrets(&self, stop: &CancellationToken) {
        let every = Duration::from_secs(self.config.webhook.reload_s);
        while !every.is_zero() && !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(every) => self.secrets.refresh(),
            }
        }
    }

    /// Deletes what is kept for review longer, or larger, than `[store]` says, and ties the chains of evidence together.
    async fn prune(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            // A clock that runs ahead must not delete anything: Procore's has a say.
            let Some(theirs) = self.context.procore.now() else {
                pause(PRUNE_RETRY, stop).await;
                continue;
            };
            if let Err(error) = self.context.store.prune(self.context.now().min(theirs)).await {
                tracing::error!(%error, "what is past its retention could not be deleted");
            }
            if let Err(error) = self.context.store.seal_audit(self.context.now()).await {
                tracing::error!(%error, "the chains of evidence could not be tied together");
            }
            pause(PRUNE_EVERY, stop).await;
        }
    }
}

/// Waits for `time`, or until a stop is asked for.
async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

/// Where the key of this machine lies.
///
/// # Errors
/// When the user has no data folder and the config names no file.
pub fn key_file(config: &Config) -> Result<PathBuf, crate::store::Error> {
    let named = &config.sign_in.key_file;
    if !named.as_os_str().is_empty() {
        return Ok(named.clone());
    }
    Ok(config.store.file()?.with_file_name("review.key"))
}

/// Where the id of this box lies: beside the key, under the same name.
fn identity_file(config: &Config) -> Result<PathBuf, crate::store::Error> {
    Ok(key_file(config)?.with_extension("box"))
}

/// The key of this machine, with its file. Where it cannot be kept, nobody signs in with it.
fn review_key(config: &Config) -> Result<(ReviewKey, Option<PathBuf>), crate::store::Error> {
    let file = key_file(config)?;
    match ReviewKey::load_or_create(&file) {
        Ok(key) => Ok((key, Some(file))),
        Err(error) => {
            tracing::error!(%error, "nobody can sign in with this machine's key");
            Ok((ReviewKey::generate(), None))
        }
    }
}

fn key_signs_in(config: &Config) -> bool {
    config.sign_in.key_on_this_machine && config.http.listen.ip().is_loopback()
}

fn link(own_url: &str, key: &ReviewKey) -> String {
    format!("{own_url}/review?key={}", key.reveal())
}

/// Where this box serves, by its config.
fn own_url(config: &Config, address: SocketAddr) -> String {
    let scheme = if config.http.tls_certificate_file.as_os_str().is_empty() { "http" } else { "https" };
    format!("{scheme}://{address}")
}

/// The link that signs in on this machine, for a service that runs with `config`.
///
/// # Errors
/// When the config lets nobody sign in with the key, or its file cannot be used.
pub fn sign_in_link(config: &Config) -> anyhow::Result<String> {
    anyhow::ensure!(
        key_signs_in(config),
        "the key does not sign in here: it takes sign_in.key_on_this_machine = true and a loopback address in \
         http.listen; make an account with punchlens users add LOGIN"
    );
    let key = ReviewKey::load_or_create(&key_file(config)?)?;
    Ok(link(&own_url(config, config.http.listen), &key))
}
