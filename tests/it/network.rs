//! The uplink as sites have it: refused, black hole, drip, resets, and a day without any.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use punchlens::domain::ids::ImageId;
use punchlens::domain::job::Job;
use punchlens::domain::retry::Disposition;
use punchlens::procore::config::Environment;
use punchlens::procore::{Client, Error};
use punchlens::simulator::{Fault, FaultKind, Limits, Options};

use crate::support::detector::{photo, sees};
use crate::support::line::State;
use crate::support::{PROJECT, Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];

/// As of a box that has no battery for its clock, or the wrong zone.
const HOURS_OFF: SignedDuration = SignedDuration::from_hours(9);

fn impatient() -> Vec<(&'static str, String)> {
    vec![
        ("PUNCHLENS_PROCORE__CONNECT_MS", "500".to_owned()),
        ("PUNCHLENS_PROCORE__FIRST_BYTE_MS", "700".to_owned()),
        ("PUNCHLENS_PROCORE__TOTAL_MS", "1000".to_owned()),
        ("PUNCHLENS_PROCORE__DOWNLOAD__FIRST_BYTE_MS", "700".to_owned()),
        ("PUNCHLENS_PROCORE__DOWNLOAD__TOTAL_MS", "1000".to_owned()),
        ("PUNCHLENS_PIPELINE__BACKOFF_CAP_S", "2".to_owned()),
    ]
}

/// Every photo has its one draft.
async fn all_there(app: &TestApp, images: &[ImageId]) {
    app.until_settled(images.len()).await;
    let items = app.items();
    for image in images {
        let drafts = items.iter().filter(|item| item.images == [*image]).count();
        assert_eq!(drafts, 1, "photo {image} has {drafts} drafts");
    }
    assert_eq!(items.len(), images.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_only_delays() {
    let setup = Setup { lines: true, settings: impatient(), ..Setup::default() };
    let app = TestApp::start(sees(&["crack"]), setup).await;
    let mut images = Vec::new();
    let faults = [State::Refused, State::BlackHole, State::Drip, State::CutAfter(200), State::CutAfter(900)];
    for (salt, fault) in (1..).zip(faults) {
        app.uplink().set(fault);
        images.push(app.upload("IMG.jpg", photo(true, salt), &UNIT).await);
        app.until("an attempt to fail", async |app: &TestApp| {
            let jobs = app.store.jobs(None, 50).await.expect("store");
            jobs.iter().any(|job| job.error.is_some())
        })
        .await;
        app.uplink().set(State::Through);
        all_there(&app, &images).await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_certificates_and_unknown_names_are_worth_another_try() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    let ask = async |url: String| {
        let mut config = app.config.procore.clone();
        (config.environment, config.api_url, config.login_url) = (Environment::Custom, url.clone(), url);
        let client = Client::new(&config, None).expect("complete");
        client.me(PROJECT.company).await.expect_err("no answer")
    };
    // The simulator speaks no TLS, and names below .invalid lead nowhere (RFC 2606).
    let plain = app.simulator.url().as_str().replace("http://", "https://");
    for url in [plain, "https://procore.invalid/".to_owned()] {
        let error = ask(url.clone()).await;
        assert!(matches!(error, Error::Transport { sent: false, .. }), "{url}: {error:?}");
        assert_eq!(error.disposition(), Disposition::RetryLater { after: None });
        assert!(!error.outcome_in_doubt());
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_clock_that_is_hours_off_a_lost_answer_doubles_nothing() {
    let clocks: [fn() -> Timestamp; 2] = [|| Timestamp::now() - HOURS_OFF, || Timestamp::now() + HOURS_OFF];
    for clock in clocks {
        let app = TestApp::start(sees(&["crack"]), Setup { clock, ..Setup::default() }).await;
        app.simulator.script(Fault::once("POST", "/rest/v1.1/punch_items", FaultKind::ResetAfter));
        let image = app.upload("IMG.jpg", photo(true, 1), &UNIT).await;
        all_there(&app, &[image]).await;
        app.finish().await;
    }
}

/// How far the world is ahead of this machine's clock, seconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn clock() -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(AHEAD.load(Ordering::Relaxed))
}

/// Three hours pass, for Procore and for the box, and it looks for news.
async fn three_hours(app: &TestApp) {
    AHEAD.fetch_add(3 * 3600, Ordering::Relaxed);
    app.simulator.advance(Duration::from_hours(3));
    let now = clock();
    app.store.enqueue(&[Job::Sweep { project: PROJECT }], now, now).await.expect("queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_day_without_network_the_queue_drains_inside_the_limits() {
    let settings = vec![
        ("PUNCHLENS_PROCORE__LIMITER__PER_10_S", "20".to_owned()),
        ("PUNCHLENS_PROCORE__LIMITER__PER_HOUR", "600".to_owned()),
    ];
    let options = Options { limits: Limits::default(), ..Options::default() };
    let setup = Setup { lines: true, clock, settings, options, ..Setup::default() };
    let app = TestApp::start(sees(&["crack"]), setup).await;
    let mut images = vec![app.upload("before.jpg", photo(true, 0), &UNIT).await];
    all_there(&app, &images).await;

    // Told of by their webhooks, but out of reach; then not even told of.
    app.uplink().set(State::Refused);
    for salt in 1..=4 {
        images.push(app.upload("told.jpg", photo(true, salt), &UNIT).await);
    }
    app.simulator.quiet().await;
    app.downlink().set(State::Refused);
    for watch in 0..8 {
        images.push(app.upload("untold.jpg", photo(true, 5 + watch), &UNIT).await);
        three_hours(&app).await;
        app.until("what is due to be tried", async |app: &TestApp| {
            let stats = app.store.queue_stats(clock()).await.expect("store");
            stats.ready + stats.running == 0
        })
        .await;
    }
    let missing = app.store.unaccounted(clock()).await.expect("store");
    assert!(missing.photos == 4 && missing.oldest >= Some(Duration::from_hours(23)), "{missing:?}");
    assert_eq!(app.photos().await.len(), 1);

    app.simulator.forget_requests();
    app.uplink().set(State::Through);
    app.downlink().set(State::Through);
    three_hours(&app).await;
    all_there(&app, &images).await;
    let asked = app.simulator.requests();
    let refused = asked.iter().filter(|request| request.status == 429).count();
    println!("{} photos after a day: {} requests, {refused} over the limit", images.len() - 1, asked.len());
    assert_eq!(refused, 0, "the limits hold while the queue drains");
    app.finish().await;
}
