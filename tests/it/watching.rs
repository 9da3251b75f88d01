//! What webhooks do not tell: sweeps, polling, healing, roll calls, and projects that are stopped.

use std::time::Duration;

use jiff::Timestamp;
use punchlens::domain::ids::ImageId;
use punchlens::domain::job::Job;
use punchlens::domain::review::FindingState;
use punchlens::simulator::{Access, DeliveryState, Faults, Level, Limits, Options};
use punchlens::store::{JobState, Layer, PhotoState};
use serde_json::json;

use crate::support::detector::{large_photo, photo, sees};
use crate::support::{AUTHORIZATION, PROJECT, Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];

async fn started(setup: Setup) -> TestApp {
    TestApp::start(sees(&["crack"]), setup).await
}

fn calls(app: &TestApp, method: &str, path: &str) -> usize {
    app.simulator.requests().iter().filter(|asked| asked.method == method && asked.path == path).count()
}

async fn picture_is_gone(app: &TestApp) -> bool {
    let photos = app.photos().await;
    let Some(summary) = photos.first() else { return false };
    app.store.picture(summary.photo.id).await.expect("store").is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_public_address_polling_does_it_all() {
    let settings = vec![
        ("PUNCHLENS_WEBHOOK__PUBLIC_URL", String::new()),
        ("PUNCHLENS_PIPELINE__POLL_EVERY_S", "1".to_owned()),
        ("PUNCHLENS_PIPELINE__ROLL_CALL_EVERY_S", "1".to_owned()),
        ("PUNCHLENS_PIPELINE__PHOTO_WAITS_S", "[]".to_owned()),
    ];
    let app = started(Setup { hooked: false, settings, ..Setup::default() }).await;
    let image = app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until("the draft", async |app: &TestApp| !app.simulator.punch_items().is_empty()).await;
    app.until("its card", async |app: &TestApp| {
        app.cards().await.iter().any(|card| card.punch_item.is_some())
    })
    .await;
    assert!(app.simulator.edit_punch_item(app.item().id, &json!({ "workflow_status": "initiated" })));
    app.until("a person's change to be noticed", async |app: &TestApp| {
        app.cards().await.iter().all(|card| card.state == FindingState::TakenOver)
    })
    .await;
    assert!(!picture_is_gone(&app).await);
    app.simulator.delete_photo(image);
    app.until("the deletion to be honoured", picture_is_gone).await;
    let webhooks = app.simulator.requests().iter().filter(|asked| asked.path.contains("/webhooks")).count();
    assert_eq!((webhooks, app.simulator.deliveries().len()), (0, 0));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_procore_gave_up_delivering_is_healed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("authorization");
    std::fs::write(&file, AUTHORIZATION).expect("written");
    let settings = vec![
        ("PUNCHLENS_WEBHOOK__AUTHORIZATION", String::new()),
        ("PUNCHLENS_WEBHOOK__AUTHORIZATION_FILE", file.display().to_string()),
        ("PUNCHLENS_WEBHOOK__RELOAD_S", "1".to_owned()),
        ("PUNCHLENS_PIPELINE__ROLL_CALL_EVERY_S", "0".to_owned()),
    ];
    let app = started(Setup { settings, ..Setup::default() }).await;
    let image = app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;

    // For half a day the box does not know its own secret.
    std::fs::write(&file, "Bearer of-somebody-else-0123456789abcdef").expect("written");
    app.until_answer(AUTHORIZATION, 401).await;
    app.simulator.delete_photo(image);
    // Half a day counts from the first failure, which may yet have to come.
    app.patiently("Procore to give up", async || {
        app.simulator.advance(Duration::from_hours(13));
        app.simulator.deliveries().iter().any(|row| row.state == DeliveryState::Discarded)
    })
    .await;
    std::fs::write(&file, AUTHORIZATION).expect("written");
    app.until_answer(AUTHORIZATION, 204).await;
    assert!(!picture_is_gone(&app).await, "nobody has told of the deletion");

    let now = Timestamp::now();
    app.store.enqueue(&[Job::Sweep { project: PROJECT }], now, now).await.expect("queued");
    app.until("the deletion to be heard of", picture_is_gone).await;
    app.until_idle().await;
    assert!(app.get("/metrics").await.contains("punchlens_deliveries_healed_total 1\n"));
    // Heard once is enough.
    app.store.enqueue(&[Job::Sweep { project: PROJECT }], now, now).await.expect("queued");
    app.until_idle().await;
    assert!(app.get("/metrics").await.contains("punchlens_deliveries_healed_total 1\n"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_is_no_draft_stops_the_project() {
    let faults = Faults { drafts_ignored: true, ..Faults::default() };
    let options = Options { faults, limits: Limits::generous(), ..Options::default() };
    let app = started(Setup { options, ..Setup::default() }).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let [stop] = &app.store.stops().await.expect("store")[..] else { panic!("one stop") };
    assert!(stop.project == PROJECT && stop.reason.contains("'initiated' instead of a draft"), "{stop:?}");
    let card = app.card().await;
    assert_eq!((card.state, card.punch_item), (FindingState::TakenOver, Some(app.item().id)));

    app.upload("IMG_2.jpg", photo(true, 2), &["Building A", "Floor 1", "Unit 101"]).await;
    app.until_settled(2).await;
    assert_eq!(calls(&app, "POST", "/rest/v1.1/punch_items"), 1, "no second one is tried");
    let parked = app.store.jobs(Some(JobState::Parked), 10).await.expect("store");
    let reason = parked[0].error.clone().unwrap_or_default();
    assert!(parked.len() == 1 && reason.contains("punchlens projects resume"), "{parked:?}");
    app.until_text("/metrics", "punchlens_projects_stopped 1\n").await;
    let ready = app.get("/readyz").await;
    assert!(ready.contains("nothing is made in project") && ready.contains("degraded"), "{ready}");

    app.simulator.set_faults(Faults::default());
    let queued = app.store.resume_project(PROJECT, "sam", Timestamp::now()).await.expect("stopped before");
    assert_eq!(queued, 1);
    app.until_idle().await;
    assert_eq!(app.items().iter().filter(|item| item.workflow_status == "draft").count(), 1);
    assert!(app.store.jobs(Some(JobState::Parked), 10).await.expect("store").is_empty());
    assert!(app.store.stops().await.expect("store").is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_create_is_tried_once_for_all() {
    let access = Access { punch_list: Level::ReadOnly, ..Access::default() };
    let options = Options { access, limits: Limits::generous(), ..Options::default() };
    let app = started(Setup { options, ..Setup::default() }).await;
    for salt in 1..=3 {
        app.upload("IMG.jpg", photo(true, salt), &["Building A", "Floor 1", "Unit 101"]).await;
        app.until_settled(usize::from(salt)).await;
    }
    assert_eq!(calls(&app, "POST", "/rest/v1.1/punch_items"), 1);
    assert_eq!(app.store.stops().await.expect("store").len(), 1);
    assert!(app.simulator.punch_items().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_photo_waits_for_a_person_and_is_not_accounted_for() {
    let access = Access { photos: Level::None, ..Access::default() };
    let options = Options { access, limits: Limits::generous(), ..Options::default() };
    let app = started(Setup { options, ..Setup::default() }).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until("the job to be parked", async |app: &TestApp| {
        !app.store.jobs(Some(JobState::Parked), 10).await.expect("store").is_empty()
    })
    .await;
    let missing = app.store.unaccounted(Timestamp::now()).await.expect("store");
    assert!(missing.photos == 1 && missing.oldest.is_some(), "{missing:?}");
    app.until_text("/metrics", "punchlens_photos_unaccounted 1\n").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_photos_are_asked_for_together() {
    let settings = vec![("PUNCHLENS_PIPELINE__WORKERS", "3".to_owned())];
    let app = started(Setup { hooked: false, settings, ..Setup::default() }).await;
    let mut jobs = Vec::new();
    for salt in 1..=20 {
        let image: ImageId = app.upload("IMG.jpg", photo(false, salt), &UNIT).await;
        jobs.push(Job::AnalyzePhoto { project: PROJECT, image });
    }
    let now = Timestamp::now();
    app.store.enqueue(&jobs, now, now).await.expect("queued");
    app.until_settled(20).await;
    let lists = calls(&app, "GET", "/rest/v1.0/images");
    let asked = app.simulator.requests();
    let shows = asked.iter().filter(|asked| asked.path.starts_with("/rest/v1.0/images/")).count();
    assert_eq!((lists, shows), (1, 0), "one call for twenty photos");
    let analysed = app.photos().await.into_iter().filter(|seen| seen.photo.state == PhotoState::Analysed);
    assert_eq!(analysed.count(), 20);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_in_a_large_photo_is_kept_sharp_and_forgotten_with_it() {
    let settings = vec![("PUNCHLENS_PIPELINE__CROP_SIDE", "2400".to_owned())];
    let app = started(Setup { settings, ..Setup::default() }).await;
    let image = app.upload("large.jpg", large_photo(true, 3200, 2400), &UNIT).await;
    app.until_settled(1).await;
    let card = app.card().await;
    let overlay = async |layer| app.store.overlay(card.finding.id, layer).await.expect("store");
    let crop = overlay(Layer::Crop).await.expect("a crop");
    let overlaid = app.store.overlaid(card.finding.id).await.expect("store");
    let [x0, y0, x1, y1] = card.finding.hull.corners();
    let [left, top, right, bottom] = overlaid.crop.expect("its area").corners();
    assert!(left <= x0 && top <= y0 && right >= x1 && bottom >= y1, "{overlaid:?}");
    let size = image::load_from_memory(&crop.bytes).expect("a JPEG");
    assert_eq!(size.width(), (right.ceil() - left.floor()) as u32, "the photo's own pixels");
    let map = overlay(Layer::ScoreMap).await.expect("a score map");
    let cells = image::load_from_memory(&map.bytes).expect("a PNG").to_luma_alpha8();
    let [left, top, right, bottom] = overlaid.score_map.expect("its area").corners();
    assert!(left <= 0.0 && top <= 0.0 && right >= 3200.0 && bottom >= 2400.0, "{overlaid:?}");
    assert!(cells.width() * cells.height() < 5000 && map.bytes.len() < 8000, "one pixel for each cell");
    let veil = |x: f32, y: f32| {
        cells
            .get_pixel((x / right * cells.width() as f32) as u32, (y / bottom * cells.height() as f32) as u32)
            .0[1]
    };
    assert!(veil(x0 + 9.0, y0 + 9.0) < 20 && veil(x1 - 9.0, y1 - 9.0) < 20, "clear where it was found");
    assert!(veil(x0 - 500.0, y0 + 9.0) > 170, "dim elsewhere");
    app.simulator.delete_photo(image);
    app.until("the deletion to be honoured", picture_is_gone).await;
    assert!(overlay(Layer::Crop).await.is_none() && overlay(Layer::ScoreMap).await.is_none());
    app.finish().await;
}
