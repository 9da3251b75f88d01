//! The product under test: the real service, database and HTTP, with the simulator as the far side.

pub(crate) mod browser;
pub(crate) mod detector;
pub(crate) mod line;
pub(crate) mod past;
#[expect(clippy::print_stdout, reason = "what is skipped is told")]
pub(crate) mod postgres;
pub(crate) mod site_file;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use punchlens::app::App;
use punchlens::config::{Config, load_from};
use punchlens::domain::card::Card;
use punchlens::domain::dedupe::Muting;
use punchlens::domain::delivery::ProjectMode;
use punchlens::domain::ids::{FindingId, ImageId, ProjectKey};
use punchlens::domain::review::{Decision, Delivery, Verdict};
use punchlens::domain::tagging::MuteRules;
use punchlens::inference::Detector;
use punchlens::procore::config::PermittedProject;
use punchlens::simulator::{Limits, Options, PhotoUpload, PunchItem, Simulator, seed};
use punchlens::store::{CardQuery, PhotoSummary, QueueStats, Store};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::line::Line;

/// The project that the service may touch.
pub(crate) const PROJECT: ProjectKey = ProjectKey { company: seed::COMPANY, project: seed::PROJECT };

/// The day on which the tests' reviewers decide: far away, so that their mutes hold.
const TODAY: jiff::civil::Date = jiff::civil::date(2999, 1, 1);

/// The secret that the simulator's deliveries carry.
pub(crate) const AUTHORIZATION: &str = "Bearer a-secret-of-the-tests-0123456789abcdef";

/// A running service with its own database and its own Procore.
pub(crate) struct TestApp {
    /// Procore's stand-in.
    pub simulator: Simulator,
    /// The service's store, to look into.
    pub store: Store,
    /// The service's address.
    pub url: String,
    /// The key of the review page and the API.
    pub key: String,
    /// The config that it runs with.
    pub config: Config,
    /// The file with it, without the settings of the test.
    pub config_file: PathBuf,
    stop: CancellationToken,
    service: JoinHandle<anyhow::Result<()>>,
    lines: Option<[Line; 2]>,
    _folder: TempDir,
    others: Vec<JoinHandle<anyhow::Result<()>>>,
}

/// What differs between tests.
pub(crate) struct Setup {
    /// How far the service may go.
    pub mode: ProjectMode,
    /// Whether the simulator knows where to deliver events.
    pub hooked: bool,
    /// What the simulator does.
    pub options: Options,
    /// Seconds between sweeps; 0 for none.
    pub sweep_every_s: u64,
    /// Whether lines that can be cut lie between the service and Procore, one each way.
    pub lines: bool,
    /// By what the service lives.
    pub clock: fn() -> Timestamp,
    /// Further projects that the box looks at.
    pub projects: Vec<ProjectKey>,
    /// Further settings as environment variables, e.g. `PUNCHLENS_PIPELINE__WORKERS`.
    pub settings: Vec<(&'static str, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mode: ProjectMode::Draft,
            hooked: true,
            options: Options { limits: Limits::generous(), ..Options::default() },
            sweep_every_s: 0,
            lines: false,
            clock: Timestamp::now,
            projects: Vec::new(),
            settings: Vec::new(),
        }
    }
}

impl TestApp {
    /// Starts everything around `detector`.
    pub(crate) async fn start(detector: Arc<dyn Detector>, setup: Setup) -> Self {
        let (procore_at, to_procore) = watch::channel(None);
        let (box_at, to_box) = watch::channel(None);
        let lines =
            if setup.lines { Some([Line::lay(to_procore).await, Line::lay(to_box).await]) } else { None };
        let mut options = setup.options;
        let url_of = |line: &Line| format!("http://{}/", line.address);
        options.reached_at = lines.as_ref().map(|[up, _]| url_of(up).parse().expect("a URL"));
        let simulator = Simulator::start(options).await.expect("free ports");
        procore_at.send_replace(simulator.url().socket_addrs(|| None).expect("an address").first().copied());
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        box_at.send_replace(listener.local_addr().ok());
        let file = config_file(&simulator, &folder, &url, setup.mode, setup.sweep_every_s);
        let mut settings = setup.settings;
        if let Some([up, down]) = &lines {
            settings.push(("PUNCHLENS_PROCORE__API_URL", url_of(up)));
            settings.push(("PUNCHLENS_PROCORE__LOGIN_URL", url_of(up)));
            settings.push(("PUNCHLENS_WEBHOOK__PUBLIC_URL", format!("{}procore/events", url_of(down))));
        }
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
        let mut config = load_from(Some(&file), settings).expect("a good config").config;
        config.procore.projects.extend(setup.projects.into_iter().map(|key| PermittedProject {
            company: key.company,
            project: key.project,
            mode: setup.mode,
        }));
        let app = App::assemble_at(&config, detector, setup.clock).await.expect("assembles");
        if setup.hooked {
            app.sync_hooks().await.expect("hooks");
        }
        let (store, stop) = (app.store().clone(), CancellationToken::new());
        let key = config.store.file().expect("a file").with_file_name("review.key");
        let key = std::fs::read_to_string(key).expect("made at the start");
        let key = key.trim().to_owned();
        let service = tokio::spawn(app.serve(listener, stop.clone()));
        Self {
            simulator,
            store,
            url,
            key,
            config,
            config_file: file,
            stop,
            service,
            others: vec![],
            lines,
            _folder: folder,
        }
    }

    /// Starts a second box on the same database, to which every event is delivered too.
    pub(crate) async fn another_box(&mut self, detector: Arc<dyn Detector>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/procore/events", listener.local_addr().expect("bound"));
        let app = App::assemble(&self.config, detector).await.expect("assembles");
        self.simulator.add_hook(PROJECT.project, &url, AUTHORIZATION, "v4.0").expect("hooked");
        self.others.push(tokio::spawn(app.serve(listener, self.stop.clone())));
    }

    /// Why the service does not start around `detector`.
    pub(crate) async fn refusal(detector: Arc<dyn Detector>) -> String {
        let simulator = Simulator::start(Options::default()).await.expect("free ports");
        let folder = tempfile::tempdir().expect("a folder");
        let file = config_file(&simulator, &folder, "http://127.0.0.1:9", ProjectMode::Draft, 0);
        let config = load_from(Some(&file), std::iter::empty()).expect("a good config").config;
        match App::assemble(&config, detector).await {
            Ok(_) => panic!("it starts"),
            Err(error) => format!("{error:#}"),
        }
    }

    /// The line from the service to Procore.
    pub(crate) fn uplink(&self) -> &Line {
        &self.lines.as_ref().expect("laid")[0]
    }

    /// The line from Procore to the service.
    pub(crate) fn downlink(&self) -> &Line {
        &self.lines.as_ref().expect("laid")[1]
    }

    /// Uploads a photo to the simulator's Photos tool, at a location of its tree.
    pub(crate) async fn upload(&self, filename: &str, bytes: Vec<u8>, place: &[&str]) -> ImageId {
        let location =
            (!place.is_empty()).then(|| self.simulator.location(place).expect("a seeded location"));
        let upload = PhotoUpload { filename: filename.into(), bytes, location, ..PhotoUpload::default() };
        self.simulator.upload_photo(PROJECT.project, upload).await.expect("uploads")
    }

    /// Returns once `holds`, looked at after every change of the store, and now and then.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let mut changes = self.store.changed();
        let patience = std::time::Duration::from_secs(90);
        let wait = async {
            loop {
                changes.mark_unchanged();
                if holds(self).await {
                    return;
                }
                // Another box's changes of a SQLite file wake nobody here.
                let again = std::time::Duration::from_millis(200);
                let _ = tokio::time::timeout(again, changes.changed()).await;
            }
        };
        let came = tokio::time::timeout(patience, wait).await.is_ok();
        assert!(came, "waited {patience:?} for: {what}\n{:#?}", self.store.jobs(None, 50).await);
    }

    /// Returns once `photos` photos are recorded and nothing is left to do.
    pub(crate) async fn until_settled(&self, photos: usize) {
        self.until("all photos through and the queue empty", async |app: &Self| {
            app.photos().await.len() >= photos && app.idle().await
        })
        .await;
    }

    /// Returns once the queue is empty.
    pub(crate) async fn until_idle(&self) {
        self.until("the queue empty", async |app: &Self| app.idle().await).await;
    }

    /// What is at `path`, as text.
    pub(crate) async fn get(&self, path: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        answer.text().await.expect("text")
    }

    /// Returns once `words` are at `path`: what is looked at now and then only.
    pub(crate) async fn until_text(&self, path: &str, words: &str) {
        self.patiently(words, async || self.get(path).await.contains(words)).await;
    }

    /// Returns once a delivery with this `Authorization` is answered with `status`.
    pub(crate) async fn until_answer(&self, authorization: &str, status: u16) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let events = format!("{}/procore/events", self.url);
        let ask = async || {
            let delivery = client.post(&events).header("Authorization", authorization).body("{}");
            delivery.send().await.expect("an answer").status() == status
        };
        self.patiently("the secret", ask).await;
    }

    /// Returns once `holds`, asked now and then: for what changes outside the store.
    pub(crate) async fn patiently(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let wait = async {
            while !holds().await {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        let patience = std::time::Duration::from_secs(90);
        assert!(tokio::time::timeout(patience, wait).await.is_ok(), "waited {patience:?} for: {what}");
    }

    pub(crate) async fn idle(&self) -> bool {
        let QueueStats { ready, delayed, running, .. } =
            self.store.queue_stats(Timestamp::now()).await.expect("stats");
        ready + delayed + running == 0
    }

    /// All photos with what was found in them.
    pub(crate) async fn photos(&self) -> Vec<PhotoSummary> {
        self.store.photos_summary().await.expect("photos")
    }

    /// How many photos were looked at.
    pub(crate) async fn photos_looked_at(&self) -> usize {
        self.photos().await.len()
    }

    /// All cards.
    pub(crate) async fn cards(&self) -> Vec<Card> {
        self.store.cards(&CardQuery::default()).await.expect("cards")
    }

    /// The only card.
    pub(crate) async fn card(&self) -> Card {
        let mut cards = self.cards().await;
        assert_eq!(cards.len(), 1, "one card, not {cards:#?}");
        cards.remove(0)
    }

    /// Decides as a reviewer and waits until it is carried over.
    pub(crate) async fn decide(&self, finding: FindingId, verdict: Verdict) -> Card {
        let decision = Decision { verdict, reviewer: "Sam Super".into(), person: None, at: Timestamp::now() };
        self.store.decide(finding, &decision, &muting).await.expect("decides");
        self.until_idle().await;
        let card = self.store.card(finding).await.expect("store").expect("there");
        assert_ne!(card.delivery, Delivery::Waiting);
        card
    }

    /// Records somebody else's decision, and does not wait.
    pub(crate) async fn decide_as(&self, finding: FindingId, reviewer: &str, verdict: Verdict) {
        let decision = Decision { verdict, reviewer: reviewer.into(), person: None, at: Timestamp::now() };
        self.store.decide(finding, &decision, &muting).await.expect("decides");
    }

    /// The only punch item that is not in the recycle bin.
    pub(crate) fn item(&self) -> PunchItem {
        let mut items = self.items();
        assert_eq!(items.len(), 1, "one item, not {items:#?}");
        items.remove(0)
    }

    /// Punch items that are not in the recycle bin.
    pub(crate) fn items(&self) -> Vec<PunchItem> {
        self.simulator.punch_items().into_iter().filter(|item| item.deleted_at.is_none()).collect()
    }

    /// Stops everything, where something was left behind on purpose.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for service in [self.service].into_iter().chain(self.others) {
            service.await.expect("no panic").expect("a clean end");
        }
        self.simulator.stop().await;
    }

    /// Stops the service and checks what every journey must leave behind: no broken audit chain, no request
    /// outside the contract, nobody e-mailed.
    pub(crate) async fn finish(self) {
        let audit = self.store.verify_audit().await.expect("audit");
        assert!(audit.broken.is_none(), "{audit:?}");
        let rows = self.store.verify_rows().await.expect("audit");
        assert!(rows.differ.is_empty(), "{rows:#?}");
        self.stop.cancel();
        for service in [self.service].into_iter().chain(self.others) {
            service.await.expect("no panic").expect("a clean end");
        }
        let mut violations = self.simulator.violations();
        // A browser of a journey that has ended asks for its events again, at a port that is now the simulator's.
        violations.retain(|violation| !violation.starts_with("GET /review/events:"));
        assert!(violations.is_empty(), "{violations:#?}");
        assert!(self.simulator.mailings().is_empty());
        self.simulator.stop().await;
    }
}

/// What a rejection mutes in the tests.
pub(crate) fn muting(_: ProjectKey) -> Muting {
    Muting { rules: MuteRules { too_early_days: 14 }, today: TODAY }
}

/// Writes what a box needs to know to work with `simulator`.
pub(crate) fn config_file(
    simulator: &Simulator,
    folder: &TempDir,
    own_url: &str,
    mode: ProjectMode,
    sweep_every_s: u64,
) -> PathBuf {
    let (client_id, client_secret) = simulator.credentials();
    let url = simulator.url();
    let mode = serde_json::to_value(mode).expect("a name");
    let database = folder.path().join("punchlens.db").display().to_string();
    let text = format!(
        r#"
        [procore]
        environment = "custom"
        api_url = "{url}"
        login_url = "{url}"
        client_id = "{client_id}"
        client_secret = "{client_secret}"
        allow_loopback = true
        projects = [{{ company = {company}, project = {project}, mode = {mode} }}]
        limiter.per_10_s = 100000
        limiter.per_hour = 1000000
        [webhook]
        public_url = "{own_url}/procore/events"
        authorization = "{AUTHORIZATION}"
        [pipeline]
        backoff_base_s = 1
        photo_waits_s = [1]
        doubt_s = 1
        sweep_every_s = {sweep_every_s}
        [procore.sign_in]
        redirect_url = "{back}/review/procore"
        [sign_in.password]
        memory_kib = 8
        passes = 1
        [store]
        path = "{database}"
        decision_hold_s = 0
        [telemetry]
        filter = "warn"
        "#,
        back = own_url.replace("127.0.0.1", "localhost"),
        company = seed::COMPANY,
        project = seed::PROJECT,
    );
    let file = folder.path().join("punchlens.toml");
    std::fs::write(&file, text).expect("written");
    file
}
