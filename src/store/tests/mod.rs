//! The conformance suite: what any database behind [`Store`] must hold to. Time is an argument
//! throughout, so nothing here waits.
//!
//! `damage` is SQLite's alone (a disk's tricks), `servers` PostgreSQL's (a server's).

mod audit;
mod damage;
mod decisions;
mod evidence;
mod inbox;
mod lists;
mod migrations;
mod model;
mod mutes;
mod outbox;
mod passing;
mod photos;
mod queue;
mod review;
mod servers;
mod sightings;
mod writers;

/// How the tests come to a PostgreSQL server.
#[path = "../../../tests/it/support/postgres.rs"]
mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use crate::domain::capture::{CaptureInfo, Known};
use crate::domain::card::{Card, CardPhoto};
use crate::domain::dedupe::{Candidate, Intake, Muting, Sighting};
use crate::domain::delivery::ProjectMode;
use crate::domain::detection::DefectClass;
use crate::domain::finding::{Finding, Region};
use crate::domain::geometry::Size;
use crate::domain::ids::{CompanyId, FindingId, ImageId, PhotoId, ProjectId, ProjectKey, Sha256Digest};
use crate::domain::image_hash::ImageHash;
use crate::domain::job::Job;
use crate::domain::place::Place;
use crate::domain::punch_item::{Edits, PunchItemDraft};
use crate::domain::review::{Decision, Delivery, FindingState, RejectReason, Verdict};
use crate::domain::score::Score;
use crate::domain::tagging::{CapRules, MuteRules, Tagging};
use crate::store::queue::KINDS;
use crate::store::{
    ClaimedJob, Config, Connection, DEFAULTS, MutingOf, PhotoRecord, PhotoState, Store, StoredPicture,
};

const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };
/// "Too early" mutes for a fortnight from 15 January 2027.
const MUTING: MutingOf<'static> =
    &|_| Muting { rules: MuteRules { too_early_days: 14 }, today: jiff::civil::date(2027, 1, 15) };
const LEASE: Duration = Duration::from_mins(1);

/// Second number `seconds` of the tests' time.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("in range")
}

/// A database of its own for one test.
struct Fresh {
    /// Where an SQLite file lies; deleted with it.
    folder: Option<TempDir>,
    config: Config,
    store: Store,
}

impl Fresh {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = config(folder.path());
        let store = Store::open(&config, at(0)).await.expect("opens");
        Self { folder: Some(folder), config, store }
    }

    /// Nothing where there is no server, which is told.
    async fn postgres() -> Option<Self> {
        let url = server::fresh_schema().await?.into();
        let config = Config { url, path: PathBuf::new(), ..config(Path::new("")) };
        let store = Store::open(&config, at(0)).await.expect("opens");
        Some(Self { folder: None, config, store })
    }

    /// An empty database of the same kind.
    async fn another(&self) -> Self {
        match self.folder {
            Some(_) => Self::sqlite().await,
            None => Self::postgres().await.expect("the server is there"),
        }
    }

    /// A second process's view of the same database.
    async fn again(&self) -> Store {
        self.open(|_| ()).await
    }

    /// The same with other limits.
    async fn open(&self, change: impl FnOnce(&mut Config)) -> Store {
        let mut config = self.config.clone();
        change(&mut config);
        Store::open(&config, at(0)).await.expect("opens")
    }

    /// A connection behind the store's back.
    async fn raw(&self) -> Connection {
        let options = self.store.0.writer.connect_options();
        sqlx::ConnectOptions::connect(options.as_ref()).await.expect("a connection")
    }

    /// Where the SQLite file lies.
    fn folder(&self) -> &Path {
        self.folder.as_ref().expect("an SQLite database").path()
    }
}

/// Runs each test on both databases.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => { $(
        mod $test {
            use crate::store::tests::Fresh;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$test(Fresh::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(fresh) = Fresh::postgres().await {
                    super::$test(fresh).await;
                }
            }
        }
    )+ };
}
use on_both;

fn config(folder: &Path) -> Config {
    #[derive(serde::Deserialize)]
    struct File {
        store: Config,
    }
    let File { store } = toml::from_str(DEFAULTS).expect("the defaults are complete");
    Config { path: folder.join("p.db"), max_attempts: 4, max_crashes: 3, decision_hold_s: 0, ..store }
}

async fn open(folder: &TempDir) -> Store {
    Store::open(&config(folder.path()), at(0)).await.expect("opens")
}

fn analyse(image: i64) -> Job {
    Job::AnalyzePhoto { project: PROJECT, image: ImageId::new(image) }
}

/// Claims anything as `worker` at second `now`.
async fn claim(store: &Store, worker: &str, now: i64) -> Option<ClaimedJob> {
    store.claim(worker, &KINDS, LEASE, at(now)).await.expect("claims")
}

/// Queues `job` and claims it.
async fn started(store: &Store, job: Job, now: i64) -> ClaimedJob {
    store.enqueue(std::slice::from_ref(&job), at(now), at(now)).await.expect("queues");
    let claimed = store.claim("box", &[job.kind()], LEASE, at(now)).await.expect("claims").expect("is ready");
    assert_eq!(claimed.job, job);
    claimed
}

fn record(image: i64, content: &[u8]) -> PhotoRecord {
    PhotoRecord {
        shown_at: None,
        project: PROJECT,
        image: ImageId::new(image),
        filename: format!("IMG_{image:04}.jpg"),
        state: PhotoState::Analysed,
        size: Some(Size::new(3000, 4000)),
        capture: Some(CaptureInfo {
            camera: Known::Known("Apple iPhone 15".into()),
            ..CaptureInfo::silent("it says nothing")
        }),
        content: Some(Sha256Digest::of(content)),
        uploader: Some("Dana".into()),
        uploader_id: None,
        location: None,
        told: None,
        model: Some("finish-defects 0.1.0".into()),
        class_scores: Vec::new(),
        timings: vec![crate::store::StageTime { stage: "decode".into(), ms: 12.5 }],
        picture: Some(StoredPicture { media_type: "image/jpeg".into(), bytes: vec![0xff, 0xd8, 0xff] }),
        overlays: Vec::new(),
        evidence: json!({ "threshold": 0.5 }),
    }
}

fn card(record: &PhotoRecord, class: &str, score: f32, found_at: Timestamp) -> Card {
    let content = record.content.expect("has content");
    let id = FindingId::of(PROJECT, &content, class);
    let area = Size::new(30, 40).bounds();
    let score = Score::new(score).expect("a score");
    let size = record.size.expect("has a size");
    Card {
        project: PROJECT,
        finding: Finding {
            id,
            class: DefectClass::new(class),
            score,
            regions: vec![Region { score, area, area_share: 0.01 }],
            hull: area,
            area_share: 0.01,
        },
        photo: CardPhoto {
            id: PhotoId::of(PROJECT, record.image),
            image: record.image,
            filename: record.filename.clone(),
            size,
            taken_at: None,
            uploader: record.uploader.clone(),
            content,
            cut_off: None,
        },
        place: place(),
        draft: draft(id, class, record.image),
        earlier: vec![],
        trade_name: Some("Drywall".into()),
        rules: vec!["A crack is drywall's.".into()],
        model: "finish-defects 0.1.0".into(),
        state: FindingState::Proposed,
        decision: None,
        delivery: Delivery::Waiting,
        held: None,
        similar: None,
        punch_item: None,
        position: None,
        problem: None,
        in_procore: None,
        left_out: vec![],
        notice: None,
        found_at,
    }
}

/// As the first version wrote it: what a row holds must be readable ever after.
fn place() -> Place {
    serde_json::from_value(json!({ "location": null, "evidence": "unknown", "because": "no GPS" }))
        .expect("a place")
}

/// As the first version wrote it, like [`place`].
fn draft(id: FindingId, class: &str, image: ImageId) -> PunchItemDraft {
    serde_json::from_value(json!({
        "title": format!("{class} in the wall"),
        "description": "100% sure_ly",
        "reference": id.reference(),
        "location": null,
        "trade": null,
        "item_type": null,
        "priority": "medium",
        "due": null,
        "manager": null,
        "images": [image],
    }))
    .expect("a draft")
}

/// What a worker of a project with drafts hands in: every card without anything to recognise it by.
fn drafts(cards: &[Card]) -> Intake {
    let rules = Tagging::default_rules();
    let rules = rules.rules();
    let print = ImageHash::from_parts(0, 0, [0x88; 64]);
    let candidate = |card: &Card| Candidate {
        card: card.clone(),
        sighting: Sighting {
            finding: card.finding.id,
            seen_in: card.photo.id,
            class: card.finding.class.clone(),
            location: card.place.location.clone(),
            taken_at: None,
            photo: print,
            region: print,
        },
        on_the_list: None,
    };
    Intake {
        candidates: cards.iter().map(candidate).collect(),
        once: rules.once,
        caps: CapRules { per_photo: u32::MAX, per_project_day: u32::MAX },
        mode: ProjectMode::Draft,
        today: jiff::civil::date(2027, 1, 15),
    }
}

/// The same of a project where nothing is written before a person accepts.
fn suggestions(cards: &[Card]) -> Intake {
    Intake { mode: ProjectMode::ReviewFirst, ..drafts(cards) }
}

/// Records a photo with one finding of `class` as a worker would, and returns the finding.
async fn found(store: &Store, image: i64, class: &str, now: i64) -> FindingId {
    let record = record(image, format!("bytes of {image}").as_bytes());
    let card = card(&record, class, 0.9, at(now));
    let id = card.finding.id;
    let lease = started(store, analyse(image), now).await.lease;
    store.record_photo(&lease, &record, Some(&drafts(&[card])), at(now)).await.expect("records");
    id
}

fn accepted(reviewer: &str, now: i64) -> Decision {
    Decision {
        verdict: Verdict::Accept { edits: Edits { title: Some("Mend it".into()), ..Edits::default() } },
        reviewer: reviewer.into(),
        person: None,
        at: at(now),
    }
}

fn rejected(reviewer: &str, now: i64) -> Decision {
    Decision {
        verdict: Verdict::Reject { reason: RejectReason::NotADefect },
        reviewer: reviewer.into(),
        person: None,
        at: at(now),
    }
}
