//! The composition root: config to a running service.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::domain::job::Job;
use crate::domain::place::PlaceRules;
use crate::domain::site::Site;
use crate::domain::tagging::Tagging;
use crate::inference::{self, Detector};
use crate::pipeline::{self, Context, Permitted, worker};
use crate::procore::Client;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;
use crate::http;

/// Everything wired, not yet listening.
pub struct App {
    context: Arc<Context>,
    state: http::State,
    config: Config,
    owner: String,
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
        let store = Store::open(&config.store, Timestamp::now()).await?;
        let tagging = tagging(config, detector.as_ref())?;
        let site = site(&config.tagging.site_file)?;
        let model = detector.model();
        let metrics = Metrics::new(&model.words(), &model.provider.got);
        let context = Arc::new(Context {
            config: config.pipeline.clone(),
            procore: Client::new(&config.procore)?,
            store: store.clone(),
            detector,
            limits: config.photo.clone(),
            tagging,
            place_rules: PlaceRules::default(),
            site,
            projects: permitted(config),
            metrics,
            in_flight: Semaphore::new(config.pipeline.in_flight_bytes / pipeline::IN_FLIGHT_UNIT),
            clock: Timestamp::now,
        });
        let state = http::State::new(config, store, Arc::clone(&context))?;
        let owner = format!("{}/{}", hostname(), std::process::id());
        Ok(Self { context, state, config: config.clone(), owner })
    }
}
