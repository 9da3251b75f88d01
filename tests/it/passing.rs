//! What passes is never final: hidden photos, pages of the network, half files, refused lists, clocks set back.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use punchlens::domain::delivery::ProjectMode;
use punchlens::domain::job::Job;
use punchlens::simulator::{
    Conditions, ErrorBody, Fault, FaultKind, FileSent, PhotoUpload, Refused, Sizes, Tool, ToolOff,
};
use punchlens::store::{JobState, LeftOutState, PhotoState, SkippedPhoto};

use crate::support::detector::{photo, sees};
use crate::support::{PROJECT, Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];
const CREATE: &str = "/rest/v1.1/punch_items";
const IMAGE: &str = "/rest/v1.0/images/*";

/// Tries again at once: the waits are a matter of the domain's own tests.
fn at_once(waits: &str) -> Setup {
    let settings = vec![("PUNCHLENS_PIPELINE__PHOTO_WAITS_S", waits.to_owned())];
    Setup { settings, ..Setup::default() }
}

async fn started(setup: Setup) -> TestApp {
    TestApp::start(sees(&["crack"]), setup).await
}

fn refuses(paths: &[&str], status: u16) -> Conditions {
    let refusals =
        paths.iter().map(|path| Refused { method: None, path: (*path).to_owned(), status }).collect();
    Conditions { refusals, ..Conditions::default() }
}

impl TestApp {
    async fn left_out(&self) -> Vec<SkippedPhoto> {
        self.store.photos_left_out(None).await.expect("lists")
    }

    async fn parked(&self) -> usize {
        self.store.jobs(Some(JobState::Parked), 50).await.expect("lists").len()
    }

    async fn sweep(&self, now: Timestamp) {
        self.store.enqueue(&[Job::Sweep { project: PROJECT }], now, now).await.expect("queued");
        self.until_idle().await;
    }

    fn downloads(&self) -> usize {
        self.simulator.requests().iter().filter(|asked| asked.path.starts_with("/sim-files/")).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_photo_is_fetched_again() {
    let app = started(at_once("[0]")).await;
    let wrong = [FileSent::Page, FileSent::Half, FileSent::Empty, FileSent::Xml, FileSent::Page];
    app.simulator.set_conditions(Conditions { files: wrong.to_vec(), ..Conditions::default() });
    app.upload("IMG.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    assert_eq!(app.photos().await[0].photo.state, PhotoState::Analysed);
    assert_eq!((app.downloads(), app.left_out().await), (6, vec![]));
    assert_eq!(app.items().len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_keeps_coming_is_looked_at_whatever_its_size_is_said_to_be() {
    for (sizes, downloads) in [(Sizes::Wrong, 3), (Sizes::Absent, 1)] {
        let app = started(at_once("[0, 0]")).await;
        app.simulator.set_conditions(Conditions { sizes, ..Conditions::default() });
        app.upload("IMG.jpg", photo(true, 1), &UNIT).await;
        app.until_settled(1).await;
        assert_eq!(app.photos().await[0].photo.state, PhotoState::Analysed, "{sizes:?}");
        assert_eq!(app.downloads(), downloads, "{sizes:?}");
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_photo_is_fetched_twice_and_told_of() {
    let app = started(at_once("[0, 0, 0]")).await;
    let whole = photo(true, 1);
    app.upload("cut.jpg", whole[..whole.len() / 2].to_vec(), &UNIT).await;
    app.until_settled(1).await;
    assert_eq!(app.downloads(), 2);
    let [row] = &app.left_out().await[..] else { panic!("one photo") };
    assert!(row.state == LeftOutState::Failed && row.reason.contains("damaged"), "{row:?}");
    app.store.look_again(row.id, "dana", Timestamp::now()).await.expect("queued");
    app.until_idle().await;
    assert_eq!((app.downloads(), app.left_out().await.len()), (4, 1));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_photo_is_looked_at_once_a_list_shows_it() {
    for status in [404, 403] {
        let app = started(Setup { hooked: false, ..at_once("[0]") }).await;
        app.simulator.set_conditions(refuses(&[IMAGE], status));
        let private = PhotoUpload {
            filename: "IMG.jpg".into(),
            bytes: photo(true, 1),
            private: true,
            location: app.simulator.location(&UNIT),
            ..PhotoUpload::default()
        };
        let image = app.simulator.upload_photo(PROJECT.project, private).await.expect("uploads");
        let (job, now) = (Job::AnalyzePhoto { project: PROJECT, image }, Timestamp::now());
        app.store.enqueue(&[job], now, now).await.expect("queued");
        app.until_settled(1).await;
        let [row] = &app.left_out().await[..] else { panic!("one photo") };
        assert_eq!((row.state, app.parked().await), (LeftOutState::Skipped, 0), "{status}");

        // Somebody makes it public.
        app.simulator.set_conditions(Conditions::default());
        app.simulator.show_photo(image);
        app.sweep(Timestamp::now()).await;
        assert_eq!(app.photos().await[0].photo.state, PhotoState::Analysed, "{status}");
        assert_eq!(app.left_out().await, []);
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_shows_a_photo_does_not_let_it_wait() {
    let app = started(at_once("[86400]")).await;
    app.simulator.set_conditions(refuses(&[IMAGE], 404));
    app.upload("IMG.jpg", photo(true, 1), &UNIT).await;
    app.until("a try", async |app: &TestApp| !app.left_out().await.is_empty()).await;
    assert_eq!(app.left_out().await[0].state, LeftOutState::Trying);
    app.simulator.set_conditions(Conditions::default());
    let now = Timestamp::now();
    app.store.enqueue(&[Job::Sweep { project: PROJECT }], now, now).await.expect("queued");
    app.until_settled(1).await;
    assert_eq!(app.photos().await[0].photo.state, PhotoState::Analysed);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_network_is_never_procores_word() {
    let app = started(Setup::default()).await;
    for (method, path, status) in [
        ("GET", "/rest/v1.0/images/*", 403),
        ("GET", "/rest/v1.0/images/*", 404),
        ("GET", "/rest/v1.0/me", 403),
        ("GET", "/rest/v1.0/companies/*/trades", 404),
        ("POST", CREATE, 403),
        ("POST", CREATE, 200),
        ("POST", CREATE, 422),
        ("POST", "/oauth/token", 401),
    ] {
        let page = FaultKind::Status { status, retry_after_s: None, body: ErrorBody::Html };
        app.simulator.script(Fault::once(method, path, page));
    }
    app.upload("IMG.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    assert_eq!((app.items().len(), app.parked().await), (1, 0));
    assert!(app.store.stops().await.expect("lists").is_empty());
    let card = app.card().await;
    assert!(card.problem.is_none() && card.punch_item.is_some(), "{card:#?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_lists_leave_their_field_empty() {
    let lists = [
        "/rest/v1.0/me",
        "/rest/v1.0/companies/*/trades",
        "/rest/v1.0/punch_item_types",
        "/rest/v1.0/projects/*/available_punch_item_managers",
        "/rest/v1.0/projects/*/locations",
    ];
    for status in [403, 404] {
        let app = started(Setup::default()).await;
        app.simulator.set_conditions(refuses(&lists, status));
        app.upload("IMG.jpg", photo(true, 1), &UNIT).await;
        app.until_settled(1).await;
        let card = app.card().await;
        assert!(card.draft.trade.is_none() && card.punch_item.is_some(), "{status}: {card:#?}");
        assert_eq!(app.parked().await, 0);
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_punch_list_findings_are_recorded_and_resume_frees_all() {
    let app = started(Setup::default()).await;
    let tools_off = vec![ToolOff { project: PROJECT.project.value(), tool: Tool::PunchList }];
    app.simulator.set_conditions(Conditions { tools_off, ..Conditions::default() });
    for salt in 1..=3 {
        app.upload("IMG.jpg", photo(true, salt), &UNIT).await;
    }
    app.until("all recorded", async |app: &TestApp| app.photos().await.len() == 3 && app.idle().await).await;
    assert_eq!(app.cards().await.len(), 3);
    assert!(app.parked().await > 0);

    app.simulator.set_conditions(Conditions::default());
    app.store.resume_project(PROJECT, "sam", Timestamp::now()).await.expect("stopped before");
    app.until_idle().await;
    assert_eq!((app.items().len(), app.parked().await), (3, 0));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_needs_photos_alone() {
    let app = started(Setup { mode: ProjectMode::Shadow, ..Setup::default() }).await;
    let tools_off = vec![ToolOff { project: PROJECT.project.value(), tool: Tool::PunchList }];
    app.simulator.set_conditions(Conditions { tools_off, ..Conditions::default() });
    app.upload("IMG.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    assert_eq!((app.cards().await.len(), app.parked().await), (1, 0));
    app.finish().await;
}

/// How far this box's clock is ahead, seconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn clock() -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(AHEAD.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_hours_ahead_hides_nothing_afterwards() {
    AHEAD.store(6 * 3600, Ordering::Relaxed);
    let app = started(Setup { hooked: false, clock, ..Setup::default() }).await;
    app.upload("before.jpg", photo(true, 1), &UNIT).await;
    app.sweep(clock()).await;
    assert_eq!(app.photos().await.len(), 1);
    // Queued by the clock that is ahead, to be done by the one that is right.
    let told = app.upload("told.jpg", photo(true, 2), &UNIT).await;
    let (job, late) = (Job::AnalyzePhoto { project: PROJECT, image: told }, clock());
    AHEAD.store(0, Ordering::Relaxed);
    app.store.enqueue(&[job], late, late).await.expect("queued");
    app.upload("untold.jpg", photo(true, 3), &UNIT).await;
    app.until("the job of the clock ahead", async |app: &TestApp| app.photos().await.len() == 2).await;
    app.sweep(clock()).await;
    assert_eq!(app.photos().await.len(), 3);
    app.finish().await;
}
