//! A site with its boxes: what is uploaded, what becomes of it, and what must hold whatever happens to the boxes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use punchlens::config::load_from;
use punchlens::domain::delivery::ProjectMode;
use punchlens::domain::ids::{ImageId, LocationId};
use punchlens::domain::review::{Decision, Delivery, FindingState, RejectReason, Verdict};
use punchlens::inference;
use punchlens::simulator::{Faults, Limits, Options, PhotoUpload, Simulator};
use punchlens::store::{CardQuery, PhotoState, Store};
use tempfile::TempDir;

use super::machine::{Machine, PATIENCE};
use super::photos::Photos;
use crate::support::postgres::fresh_schema;
use crate::support::{AUTHORIZATION, PROJECT, config_file, muting};

/// The length of a lease, seconds: short, so that tests need not wait for long, and long enough for a busy machine.
pub(crate) const LEASE_S: u64 = 4;

/// Which database the boxes work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// What became of everything.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Photos that were uploaded.
    pub(crate) photos: usize,
    /// Cards of what was found in them.
    pub(crate) cards: usize,
    /// Punch items in Procore that are not deleted.
    pub(crate) items: usize,
    /// Findings that were rejected, of none of which a draft is left.
    pub(crate) rejected: usize,
    /// Photos that were brought to an item after it was made.
    pub(crate) linked: usize,
    /// Rows of the audit chain, which holds.
    pub(crate) audit: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { photos, cards, items, rejected, linked, audit } = self;
        write!(
            f,
            "{photos} photos accounted for, {cards} cards, {items} punch items, each once, no draft of {rejected} \
             rejected findings, {linked} further photos brought \
             to them, {audit} audit rows in one chain"
        )
    }
}

/// Procore's stand-in, the photos and the boxes.
pub(crate) struct Site {
    pub(crate) simulator: Simulator,
    pub(crate) machines: Vec<Machine>,
    pub(crate) database: Database,
    photos: Photos,
    rooms: Vec<LocationId>,
    uploaded: Vec<ImageId>,
    settings: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl Site {
    /// With `boxes` that do not run yet, or nothing where something is missing, which is told.
    pub(crate) async fn new(
        database: Database,
        boxes: usize,
        sweep_every_s: u64,
        seed: u64,
        faults: Faults,
    ) -> Option<Self> {
        let config = load_from(None, std::iter::empty()).expect("the defaults are sound").config;
        if let Err(reason) = inference::ensure_runtime(&config.inference, &|_| {}) {
            println!("SKIPPED: no ONNX Runtime here: {reason}");
            return None;
        }
        let mut settings = settings();
        if faults.late.rate > 0.0 {
            // Longer than anything comes late, by a margin for clocks that tell whole seconds.
            settings.push(("PUNCHLENS_PIPELINE__DOUBT_S", (faults.late.up_to_ms / 1000 + 3).to_string()));
            settings.push(("PUNCHLENS_PROCORE__FIRST_BYTE_MS", "1000".to_owned()));
        } else {
            // Nothing comes late here: what is in doubt after a kill need not be waited for.
            settings.push(("PUNCHLENS_PIPELINE__DOUBT_S", "2".to_owned()));
        }
        if database == Database::Postgres {
            settings.push(("PUNCHLENS_STORE__URL", fresh_schema().await?));
            settings.push(("PUNCHLENS_STORE__PATH", String::new()));
        }
        let limits = Limits::generous();
        let options = Options { seed, faults, limits, keep_requests: 5, ..Options::default() };
        let simulator = Simulator::start(options).await.expect("free ports");
        let folder = tempfile::tempdir().expect("a folder");
        let rules = folder.path().join("rules.toml");
        std::fs::write(&rules, "[caps]\nper_photo = 10\nper_project_day = 1000000\n").expect("writable");
        settings.push(("PUNCHLENS_TAGGING__RULES_FILES", format!("[{:?}]", rules.display().to_string())));
        // Where the events go is told to the simulator box by box.
        let file = config_file(&simulator, &folder, "http://127.0.0.1:9", ProjectMode::Draft, sweep_every_s);
        let machine = |number| Machine::new(number, folder.path(), &file, &settings);
        let machines: Vec<Machine> = (0..boxes).map(machine).collect();
        for machine in &machines {
            let events = format!("{}/procore/events", machine.url);
            simulator.add_hook(PROJECT.project, &events, AUTHORIZATION, "v4.0").expect("hooked");
        }
        let rooms = simulator.locations().into_iter().filter(|(_, path)| path.len() == 3);
        let rooms = rooms.map(|(id, _)| id).collect();
        let photos = Photos::read();
        Some(Self { simulator, machines, database, photos, rooms, uploaded: Vec::new(), settings, folder })
    }

    /// The number of photos so far.
    pub(crate) fn uploaded(&self) -> usize {
        self.uploaded.len()
    }

    /// Somebody uploads a photo of another wall in another room.
    pub(crate) async fn upload(&mut self) {
        self.upload_again(self.uploaded.len()).await;
    }

    /// Somebody uploads photo `number` once more.
    pub(crate) async fn upload_again(&mut self, number: usize) {
        let upload = PhotoUpload {
            filename: format!("IMG_{number:04}.jpg"),
            bytes: self.photos.cut(number),
            location: Some(self.rooms[number % self.rooms.len()]),
            ..PhotoUpload::default()
        };
        let image = self.simulator.upload_photo(PROJECT.project, upload).await.expect("uploads");
        self.uploaded.push(image);
    }

    /// The database, as another process sees it. Not kept open while boxes are killed: what one of them leaves
    /// behind shall be found by the next alone.
    pub(crate) async fn store(&self) -> Store {
        let own = self.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let file = self.folder.path().join("punchlens.toml");
        let config = load_from(Some(&file), own).expect("a good config").config;
        Store::open(&config.store, Timestamp::now()).await.expect("opens")
    }

    /// Where SQLite keeps it.
    pub(crate) fn database_file(&self) -> PathBuf {
        self.folder.path().join("punchlens.db")
    }

    /// Returns once every photo is settled and nothing is left to do, and tells what became of all.
    pub(crate) async fn drained(&self) -> Outcome {
        let store = self.store().await;
        let (mut before, mut waited) = (None, Duration::ZERO);
        while !self.idle(&store).await {
            let stats = store.queue_stats(Timestamp::now()).await.expect("store");
            let now = Some((stats.ready, stats.delayed, self.settled(&store).await));
            waited = if now == before { waited + Duration::from_millis(100) } else { Duration::ZERO };
            before = now;
            assert!(waited < PATIENCE, "{}", self.what_is_wrong(&store).await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let outcome = self.check(&store).await;
        store.close().await;
        outcome
    }

    /// The same once Procore has told all that it has to tell, late deliveries and repeated ones too.
    pub(crate) async fn drained_after_all(&self) -> Outcome {
        self.drained().await;
        self.simulator.advance(Duration::from_mins(2));
        let told = tokio::time::timeout(PATIENCE, self.simulator.quiet()).await;
        assert!(told.is_ok(), "deliveries wait: {:#?}", self.simulator.deliveries().last());
        self.swept().await;
        self.drained().await
    }

    /// Returns once the boxes have looked for news of punch items that lie in the past now.
    async fn swept(&self) {
        let store = self.store().await;
        for _ in 0..2 {
            let (now, mut waited) = (self.simulator.now() + Duration::from_secs(1), Duration::ZERO);
            while store.mark(PROJECT, "punch_items").await.expect("store").is_none_or(|mark| mark <= now) {
                assert!(waited < PATIENCE, "{}", self.what_is_wrong(&store).await);
                tokio::time::sleep(Duration::from_millis(100)).await;
                waited += Duration::from_millis(100);
            }
        }
        store.close().await;
    }

    /// A reviewer rejects every `nth` finding that waits for a decision.
    pub(crate) async fn reject(&self, nth: usize) {
        let store = self.store().await;
        let open = CardQuery { states: vec![FindingState::Proposed], ..CardQuery::default() };
        let verdict = Verdict::Reject { reason: RejectReason::NotADefect };
        let decision = Decision { verdict, reviewer: "Sam Super".into(), person: None, at: Timestamp::now() };
        for finding in store.ids(&open).await.expect("store").into_iter().step_by(nth) {
            store.decide(finding, &decision, &muting).await.expect("decides");
        }
        store.close().await;
    }

    /// Returns once the woken box `number` has seen that another has its job.
    pub(crate) async fn notices_its_loss(&self, number: usize) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let metrics = format!("{}/metrics", self.machines[number].url);
        let mut waited = Duration::ZERO;
        loop {
            let answer = client.get(&metrics).send().await.expect("it is awake");
            let lost = |line: &str| line.contains("lease_lost") && !line.ends_with(" 0");
            if answer.text().await.expect("text").lines().any(lost) {
                return;
            }
            assert!(waited < PATIENCE, "no lease was lost\n{}", self.machines[number].log());
            tokio::time::sleep(Duration::from_millis(100)).await;
            waited += Duration::from_millis(100);
        }
    }

    /// Returns once Procore was asked `more` things, or has not been asked for a while: there is nothing to do.
    pub(crate) async fn asked(&self, more: u64) {
        let last = || self.simulator.requests().last().map_or(0, |request| request.number);
        let (wanted, mut before, mut quiet) = (last() + more, 0, Duration::ZERO);
        while last() < wanted && quiet < Duration::from_secs(3) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            quiet = if last() == before { quiet + Duration::from_millis(5) } else { Duration::ZERO };
            before = last();
        }
    }

    /// How many photos are settled.
    pub(crate) async fn settled(&self, store: &Store) -> usize {
        let photos = store.photos_summary().await.expect("store");
        let known: BTreeSet<ImageId> = photos.iter().map(|summary| summary.photo.image).collect();
        self.uploaded.iter().filter(|image| known.contains(image)).count()
    }

    async fn idle(&self, store: &Store) -> bool {
        let stats = store.queue_stats(Timestamp::now()).await.expect("store");
        stats.ready + stats.delayed + stats.running == 0 && self.settled(store).await == self.uploaded.len()
    }

    async fn what_is_wrong(&self, store: &Store) -> String {
        let logs: Vec<String> = self.machines.iter().map(Machine::log).collect();
        format!(
            "waited {PATIENCE:?}; {} of {} photos are settled\n{:#?}\n{}",
            self.settled(store).await,
            self.uploaded.len(),
            store.jobs(None, 50).await,
            logs.join("\n---\n")
        )
    }

    /// Every photo accounted for, every item once, and a chain that holds.
    async fn check(&self, store: &Store) -> Outcome {
        let stats = store.queue_stats(Timestamp::now()).await.expect("store");
        assert_eq!((stats.parked, stats.dead), (0, 0), "{}", self.what_is_wrong(store).await);
        for summary in store.photos_summary().await.expect("store") {
            let state = &summary.photo.state;
            assert!(!matches!(state, PhotoState::Failed { .. }), "{state:?}");
        }
        let mut items = self.simulator.punch_items();
        items.retain(|item| item.deleted_at.is_none());
        let by_reference: BTreeMap<&str, _> =
            items.iter().map(|item| (item.reference.as_deref().expect("always sent"), item)).collect();
        assert_eq!(by_reference.len(), items.len(), "a punch item was made twice: {items:#?}");
        let cards = store.cards(&CardQuery::default()).await.expect("store");
        for card in &cards {
            let item = by_reference.get(card.draft.reference.as_str());
            if card.state == FindingState::Rejected {
                assert_eq!((item, card.delivery), (None, Delivery::Delivered), "{card:#?}");
                continue;
            }
            assert_eq!(card.punch_item, item.map(|item| item.id), "{card:#?}");
            let delivered = card.delivery == Delivery::Delivered;
            assert_eq!(delivered, item.is_some(), "{card:#?}");
            assert!(delivered || card.held.is_some(), "{card:#?}");
        }
        let (rejected, kept): (Vec<_>, Vec<_>) =
            cards.iter().partition(|card| card.state == FindingState::Rejected);
        assert_eq!(kept.iter().filter(|card| card.punch_item.is_some()).count(), items.len());
        let mut linked = 0;
        for item in &items {
            let images: BTreeSet<_> = item.images.iter().collect();
            assert_eq!(images.len(), item.images.len(), "a photo was attached twice: {item:#?}");
            let comments: BTreeSet<_> = item.comments.iter().map(|comment| &comment.body).collect();
            assert_eq!(comments.len(), item.comments.len(), "a comment was made twice: {item:#?}");
            linked += images.len() - 1 + comments.len();
        }
        let audit = store.verify_audit().await.expect("store");
        assert!(audit.broken.is_none(), "{audit:?}");
        let rows = store.verify_rows().await.expect("store");
        assert!(rows.differ.is_empty(), "{rows:#?}");
        assert_eq!(store.integrity().await.expect("store"), None);
        assert!(self.simulator.mailings().is_empty());
        Outcome {
            photos: self.uploaded.len(),
            cards: cards.len(),
            items: items.len(),
            rejected: rejected.len(),
            linked,
            audit: audit.rows,
        }
    }
}

fn settings() -> Vec<(&'static str, String)> {
    let settings = [
        ("PUNCHLENS_INFERENCE__SESSIONS", "1"),
        ("PUNCHLENS_PIPELINE__BACKOFF_CAP_S", "2"),
        ("PUNCHLENS_PIPELINE__POLL_MS", "200"),
        ("PUNCHLENS_PROCORE__LIMITER__FALLBACK_WAIT_MS", "500"),
        ("PUNCHLENS_PROCORE__LIMITER__JITTER_MS", "20"),
        ("PUNCHLENS_STORE__FROZEN_TIMEOUT_MS", "2000"),
        ("PUNCHLENS_STORE__LIST_ROWS", "100000"),
        ("PUNCHLENS_TELEMETRY__FILTER", "warn"),
    ];
    let lease = ("PUNCHLENS_PIPELINE__LEASE_S", LEASE_S.to_string());
    settings.map(|(name, value)| (name, value.to_owned())).into_iter().chain([lease]).collect()
}
