//! The start of the service: it serves first, and what fails is tried again while it serves.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use punchlens::app::App;
use punchlens::app::doctor::{self, CheckStatus, DoctorContext};
use punchlens::config::{Config, load_from};
use punchlens::domain::delivery::ProjectMode;
use punchlens::domain::ids::{ImageId, ProjectKey};
use punchlens::domain::job::Job;
use punchlens::inference;
use punchlens::simulator::{Fault, FaultKind, Limits, Options, Simulator, seed};
use punchlens::store::{BoxLife, JobState, Store};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::detector::sees;
use crate::support::postgres::fresh_schema;
use crate::support::{PROJECT, config_file};

/// How long anything may take that comes by itself, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(2);

/// A project that is not among those that the app may see in Procore.
const FORBIDDEN: ProjectKey = ProjectKey { company: seed::COMPANY, project: seed::FORBIDDEN_PROJECT };

async fn simulator() -> Simulator {
    let options = Options { limits: Limits::generous(), ..Options::default() };
    Simulator::start(options).await.expect("free ports")
}

fn configured(simulator: &Simulator, folder: &TempDir, own: &str, settings: &[(&str, String)]) -> Config {
    let file = config_file(simulator, folder, own, ProjectMode::ReviewFirst, 0);
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    load_from(Some(&file), settings).expect("a good config").config
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "waited {PATIENCE:?} for: {what}");
}

/// A box within this process.
struct Service {
    store: Store,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    async fn start(config: &Config, listener: TcpListener, hooks: bool) -> Self {
        let app = App::assemble(config, sees(&["crack"])).await.expect("assembles");
        let app = if hooks { app.making_hooks() } else { app };
        let (store, stop) = (app.store().clone(), CancellationToken::new());
        let task = tokio::spawn(app.serve(listener, stop.clone()));
        Self { store, stop, task }
    }

    /// Ends without a word, as by a power cut.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("no panic").expect("a clean end");
    }
}

async fn free_port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    (listener, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_made_while_it_serves_and_one_project_does_not_stop_the_other() {
    let (simulator, folder) = (simulator().await, tempfile::tempdir().expect("a folder"));
    let (listener, url) = free_port().await;
    let projects = format!("[{}, {}]", permitted(FORBIDDEN), permitted(PROJECT));
    let config = configured(&simulator, &folder, &url, &[("PUNCHLENS_PROCORE__PROJECTS", projects)]);
    // The uplink comes up after the box.
    let down = Fault { method: None, path: String::new(), after: 0, times: 6, kind: FaultKind::ResetBefore };
    simulator.script(down);
    let app = Service::start(&config, listener, true).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(format!("{url}/livez")).send().await.expect("it serves");
    assert!(answer.status().is_success(), "{answer:?}");
    until("the other project's hook", async || !simulator.hooks().is_empty()).await;
    until("the reason", async || {
        let missing = app.store.missing_hooks().await.expect("store");
        matches!(&missing[..], [one] if one.project == FORBIDDEN && one.reason.contains("Webhooks API"))
    })
    .await;

    let opened = DoctorContext::open(&config, None).await;
    let lines = doctor::examine(&config, None, &opened).await;
    opened.close().await;
    let told = format!("project {FORBIDDEN} has no webhook: the service tries to make it");
    let line = lines.iter().find(|line| line.detail.contains(&told));
    assert!(line.is_some_and(|line| line.name == "hooks" && line.verdict == CheckStatus::Note), "{lines:#?}");
    until("a word in /readyz", async || {
        let answer = client.get(format!("{url}/readyz")).send().await.expect("an answer");
        answer.text().await.expect("text").contains(&told)
    })
    .await;

    let synced =
        punchlens(&folder, &["hooks", "sync"], &[("PUNCHLENS_PROCORE__PROJECTS", projects_of(&config))]);
    assert_eq!(synced.status.code(), Some(1), "{}", text(&synced));
    assert!(text(&synced).contains(&format!("{FORBIDDEN}: no hook")), "{}", text(&synced));
    assert!(text(&synced).contains("Webhooks API Standard"), "{}", text(&synced));
    assert!(text(&synced).contains(&format!("{PROJECT}: hook")), "{}", text(&synced));
    app.stop().await;
    simulator.stop().await;
}

fn projects_of(config: &Config) -> String {
    let all: Vec<String> = config.procore.permitted().into_iter().map(permitted).collect();
    format!("[{}]", all.join(", "))
}

/// One of `procore.projects`.
fn permitted(project: ProjectKey) -> String {
    let ProjectKey { company, project } = project;
    format!("{{ company = {company}, project = {project}, mode = \"review-first\" }}")
}

fn punchlens(folder: &TempDir, arguments: &[&str], settings: &[(&str, String)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_punchlens"));
    command.arg("--config").arg(folder.path().join("punchlens.toml")).args(arguments);
    command.envs(settings.iter().map(|(name, value)| (*name, value.clone())));
    command.stdin(Stdio::null()).output().expect("runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_the_machine_is_printed_on_request_alone() {
    let (simulator, folder) = (simulator().await, tempfile::tempdir().expect("a folder"));
    let config = configured(&simulator, &folder, "http://127.0.0.1:9", &[]);
    if let Err(reason) = inference::ensure_runtime(&config.inference, &|_| {}) {
        return println!("SKIPPED: no ONNX Runtime here: {reason}");
    }
    let log = folder.path().join("journal");
    let journal = std::fs::File::create(&log).expect("writable");
    let (_, url) = free_port().await;
    let mut service = Command::new(env!("CARGO_BIN_EXE_punchlens"))
        .arg("--config")
        .arg(folder.path().join("punchlens.toml"))
        .args(["serve", "--sync-hooks"])
        .env("PUNCHLENS_HTTP__LISTEN", url.trim_start_matches("http://"))
        .env("PUNCHLENS_TELEMETRY__FILTER", "debug")
        .stdin(Stdio::null())
        .stdout(journal.try_clone().expect("clones"))
        .stderr(journal)
        .spawn()
        .expect("the binary starts");
    let written = || std::fs::read_to_string(&log).unwrap_or_default();
    until("the way in", async || written().contains("punchlens users link")).await;
    service.kill().expect("it was ours");
    service.wait().expect("it was ours");
    let key = std::fs::read_to_string(folder.path().join("review.key")).expect("made at the start");
    assert!(!written().contains(key.trim()), "{}", written());
    let link = punchlens(&folder, &["users", "link"], &[]);
    assert!(link.status.success() && text(&link).contains(&format!("/review?key={}", key.trim())));
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_on_postgres_say_nothing_of_tables() {
    let Some(url) = fresh_schema().await else { return };
    let (simulator, folder) = (simulator().await, tempfile::tempdir().expect("a folder"));
    configured(&simulator, &folder, "http://127.0.0.1:9", &[]);
    let settings = [
        ("PUNCHLENS_STORE__URL", url),
        ("PUNCHLENS_STORE__PATH", String::new()),
        ("PUNCHLENS_TELEMETRY__FILTER", "info".to_owned()),
    ];
    for _ in ["makes the tables", "finds them"] {
        let output = punchlens(&folder, &["audit", "verify"], &settings);
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
    simulator.stop().await;
}

/// A box on a shared database, its state in a folder of its own.
struct Shared {
    folder: TempDir,
    config: Config,
}

impl Shared {
    fn new(simulator: &Simulator, url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("review.key").display().to_string();
        let settings = [
            ("PUNCHLENS_STORE__URL", url.to_owned()),
            ("PUNCHLENS_STORE__PATH", String::new()),
            ("PUNCHLENS_SIGN_IN__KEY_FILE", key),
        ];
        let config = configured(simulator, &folder, "http://127.0.0.1:9", &settings);
        Self { folder, config }
    }

    fn id_file(&self) -> std::path::PathBuf {
        self.folder.path().join("review.box")
    }

    fn id(&self) -> String {
        let text = std::fs::read_to_string(self.id_file()).unwrap_or_default();
        let kept: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        kept["id"].as_str().unwrap_or_default().to_owned()
    }

    async fn start(&self) -> Service {
        Service::start(&self.config, free_port().await.0, false).await
    }
}

/// The owner under which the only living box with `id` holds jobs.
async fn owner_of(store: &Store, id: &str) -> String {
    let life = BoxLife { owner: String::new(), id: id.to_owned(), place: String::new() };
    let found = std::cell::RefCell::new(Vec::new());
    until("the box to show itself", async || {
        *found.borrow_mut() = store.other_lives(&life).await.expect("store");
        found.borrow().len() == 1
    })
    .await;
    found.borrow()[0].0.owner.clone()
}

/// A job that `owner` works on for the next hours.
async fn held_by(store: &Store, owner: &str, image: i64) -> Job {
    let job = Job::AnalyzePhoto { project: FORBIDDEN, image: ImageId::new(image) };
    // Ahead of time, so that no worker takes it.
    let then = Timestamp::now() + Duration::from_hours(1000);
    store.enqueue(std::slice::from_ref(&job), then, Timestamp::now()).await.expect("queues");
    let claimed = store.claim(&format!("{owner}#0"), &[job.kind()], Duration::from_hours(1000), then).await;
    assert_eq!(claimed.expect("claims").map(|claimed| claimed.job).as_ref(), Some(&job));
    job
}

/// Who holds each of the test's jobs.
async fn holders(store: &Store) -> Vec<(ImageId, Option<String>)> {
    let jobs = store.jobs(Some(JobState::Running), 100).await.expect("store");
    let mut held: Vec<_> = jobs
        .into_iter()
        .filter_map(|row| match row.job {
            Some(Job::AnalyzePhoto { image, .. }) => Some((image, row.owner)),
            _ => None,
        })
        .collect();
    held.sort();
    held
}

/// Makes the id of `from` look at home beside `to`, as a copy of the whole disk does.
fn copy_disk(from: &Path, to: &Path) {
    let mut kept: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(from).expect("there")).expect("JSON");
    std::fs::write(to, "").expect("writable");
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(to).expect("there"));
    kept["inode"] = inode.into();
    std::fs::write(to, kept.to_string()).expect("writable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_frees_the_boxs_own_jobs_and_a_copy_of_its_disk_frees_none() {
    let Some(url) = fresh_schema().await else { return };
    let simulator = simulator().await;
    let (first, copy, twin) =
        (Shared::new(&simulator, &url), Shared::new(&simulator, &url), Shared::new(&simulator, &url));
    let running = first.start().await;
    until("an id", async || !first.id().is_empty()).await;
    let id = first.id();
    let owner = owner_of(&running.store, &id).await;
    held_by(&running.store, &owner, 1).await;
    let held = vec![(ImageId::new(1), Some(format!("{owner}#0")))];
    assert_eq!(holders(&running.store).await, held);

    // The files of the box, copied one by one.
    std::fs::copy(first.id_file(), copy.id_file()).expect("copies");
    let copied = copy.start().await;
    until("an id of its own", async || !copy.id().is_empty() && copy.id() != id).await;
    // Its whole disk, bit by bit: only that another box lives with this id can tell.
    copy_disk(&first.id_file(), &twin.id_file());
    let twins = twin.start().await;
    until("an id of its own", async || twin.id() != id).await;
    assert_ne!(twin.id(), copy.id());
    assert_eq!(holders(&running.store).await, held, "the living box keeps its job");
    assert_eq!(first.id(), id);
    copied.stop().await;

    // A power cut: the jobs of this box are freed at once, those of the other stay.
    let others = owner_of(&twins.store, &twin.id()).await;
    held_by(&twins.store, &others, 2).await;
    running.kill().await;
    let again = first.start().await;
    let left = vec![(ImageId::new(2), Some(format!("{others}#0")))];
    until("its own job to be free", async || holders(&again.store).await == left).await;
    assert_eq!(first.id(), id);
    again.stop().await;
    twins.stop().await;
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_on_sqlite_frees_what_was_left_behind() {
    let (simulator, folder) = (simulator().await, tempfile::tempdir().expect("a folder"));
    let config = configured(&simulator, &folder, "http://127.0.0.1:9", &[]);
    let running = Service::start(&config, free_port().await.0, false).await;
    let file = folder.path().join("review.box");
    let id = || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let kept: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        kept["id"].as_str().unwrap_or_default().to_owned()
    };
    until("an id", async || !id().is_empty()).await;
    let owner = owner_of(&running.store, &id()).await;
    held_by(&running.store, &owner, 1).await;
    running.kill().await;
    let again = Service::start(&config, free_port().await.0, false).await;
    until("its job to be free", async || holders(&again.store).await.is_empty()).await;
    again.stop().await;
    simulator.stop().await;
}
