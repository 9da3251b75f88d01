//! Pictures of every view, to be looked at: `PUNCHLENS_SCREENSHOTS=DIR cargo test --test it screenshots -- --ignored`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use punchlens::config::load_from;
use punchlens::domain::punch_item::Edits;
use punchlens::domain::review::{RejectReason, Verdict};
use punchlens::inference::{self, Detector};
use serde_json::{Value, json};

use super::*;
use crate::support::browser::{Colours, Screen};
use crate::support::past::{Past, record};
use crate::support::site_file::written;

/// The fixtures' photos, each with its place.
fn fixtures() -> Vec<(String, Vec<u8>, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos");
    let truth = std::fs::read_to_string(folder.join("truth.json")).expect("the fixtures' truth");
    let truth: Vec<Value> = serde_json::from_str(&truth).expect("JSON");
    let photo = |photo: &Value| {
        let name = photo["file"].as_str().expect("a name").to_owned();
        let bytes = std::fs::read(folder.join(&name)).expect("a photo");
        (name, bytes, serde_json::from_value(photo["place"].clone()).expect("a path"))
    };
    truth.iter().map(photo).collect()
}

fn model() -> Arc<dyn Detector> {
    let config = load_from(None, std::iter::empty()).expect("the defaults are sound").config.inference;
    inference::ensure_runtime(&config, &|_| ()).expect("a runtime");
    inference::load(&config).expect("the shipped model")
}

async fn fixtures_looked_at(folder: &Path) -> TestApp {
    let detector = tokio::task::spawn_blocking(model).await.expect("no panic");
    let site = written(folder).await;
    let settings = vec![
        ("PUNCHLENS_TAGGING__SITE_FILE", site.display().to_string()),
        ("PUNCHLENS_STORE__DECISION_HOLD_S", (3600 * 24 * 365).to_string()),
    ];
    let app = TestApp::start(detector, Setup { settings, ..Setup::default() }).await;
    let photos = fixtures();
    let number = photos.len();
    for (name, bytes, place) in photos {
        let place: Vec<&str> = place.iter().map(String::as_str).collect();
        app.upload(&name, bytes, &place).await;
    }
    app.until_settled(number).await;
    history(&app).await;
    today(&app).await;
    app
}

/// What was decided in the last hour: some of it in Procore, some refused there, some on its way.
async fn today(app: &TestApp) {
    let sample = app.cards().await.remove(0);
    let refused = Some("Procore says: this trade is not in the project. Choose another one.");
    let decisions = [
        ("crack", None, None),
        ("spalling", None, None),
        ("surface_mark", Some(RejectReason::CosmeticOk), None),
        ("peeling_paint", None, refused),
    ];
    for (seed, (class, reason, refused)) in (50_000..).zip(decisions) {
        let found = Timestamp::now() - SignedDuration::from_mins(60);
        let decided = Some((Timestamp::now() - SignedDuration::from_mins(2), reason));
        let past = Past { seed, place: None, class, score: 0.8, found, decided, refused };
        record(&app.store, &sample, &[past]).await;
    }
    let open = app.cards().await.into_iter().filter(|card| card.state == FindingState::Proposed);
    for card in open.skip(5).take(2) {
        app.decide_as(card.finding.id, "Ben", Verdict::Accept { edits: Edits::NONE }).await;
    }
}

/// Ten weeks of decisions, for the record.
async fn history(app: &TestApp) {
    let sample = app.cards().await.remove(0);
    let classes =
        [("crack", 8, 0.9), ("spalling", 7, 0.85), ("peeling_paint", 6, 0.8), ("surface_mark", 2, 0.7)];
    let now = Timestamp::now();
    for week in 1..=10_i64 {
        for (number, (class, kept_of_ten, score)) in (0_i64..).zip(&classes) {
            for photo in 0..5_i64 {
                let seed = week * 1000 + number * 100 + photo;
                let found = now - SignedDuration::from_hours(week * 168 - photo * 5);
                let decided = found + SignedDuration::from_secs(5400 + 7 * (number * 5 + photo));
                let drawn = (seed * seed * 31 + seed * 7919) % 97;
                let kept = drawn / 10 < *kept_of_ten;
                let reason = RejectReason::ALL[if drawn % 3 > 0 { 0 } else { (drawn % 5) as usize }];
                let score = score - 0.08 * (drawn % 6) as f32;
                let decided = Some((decided, (!kept).then_some(reason)));
                let past = Past { seed, place: None, class, score, found, decided, refused: None };
                record(&app.store, &sample, &[past]).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes pictures to the folder that PUNCHLENS_SCREENSHOTS names"]
async fn screenshots() {
    let folder = PathBuf::from(std::env::var_os("PUNCHLENS_SCREENSHOTS").expect("PUNCHLENS_SCREENSHOTS=DIR"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let app = fixtures_looked_at(&folder).await;
    for (screen, size) in [(Screen::Phone, "phone"), (Screen::Tablet, "tablet"), (Screen::Desktop, "desktop")]
    {
        let browser = Browser::open(screen).await.expect("a browser");
        browser.go(&format!("{}/review/sign-in", app.url)).await;
        take(&browser, &folder, &format!("sign-in-{size}")).await;
        by_link(&browser, &app).await;
        let card = card_of(&browser, "crack").await;
        let views = [
            ("list", "/review"),
            ("groups", "/review?group=location"),
            ("plan", "/review/plan"),
            ("record", "/review/record"),
            ("report", "/review/report"),
            ("muted", "/review?tab=muted"),
            ("today", "/review?tab=today"),
            ("waiting", "/review?tab=waiting"),
            ("problems", "/review?tab=problems"),
            ("nothing", "/review?q=nothing+like+this"),
            ("card", card.as_str()),
        ];
        for (name, path) in views {
            browser.go(&format!("{}{path}", app.url)).await;
            browser.until("its pictures", "[...document.images].every((image) => image.complete)").await;
            take(&browser, &folder, &format!("{name}-{size}")).await;
        }
        browser.click("#map-switch").await;
        browser.until("the score map", "document.querySelector('.mapped #map[href]')").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        take(&browser, &folder, &format!("map-{size}")).await;
        browser.press("z").await;
        take(&browser, &folder, &format!("map-zoomed-{size}")).await;
        browser.press("zm").await;
        browser.click("#location").await;
        browser.until("rooms", "document.querySelectorAll('.box [role=option]').length > 1").await;
        take(&browser, &folder, &format!("choosing-{size}")).await;
        browser.press(ESCAPE).await;
        browser.eval("document.activeElement.blur(); document.querySelector('#reject').open = true").await;
        take(&browser, &folder, &format!("reasons-{size}")).await;
        browser.click(".reason[value=not_ours]").await;
        browser.until("the way back", "document.querySelector('#undo')").await;
        take(&browser, &folder, &format!("undo-{size}")).await;
        browser.press("u").await;
        browser.until("the card again", CARD).await;
        browser.press("z").await;
        take(&browser, &folder, &format!("zoomed-{size}")).await;
        if screen == Screen::Desktop {
            whole_record(&browser, &app, &folder).await;
        }
    }
    println!("{} pictures in {}", std::fs::read_dir(&folder).expect("a folder").count(), folder.display());
}

/// The record from its head to its foot.
async fn whole_record(browser: &Browser, app: &TestApp, folder: &Path) {
    let tall = json!({ "width": 1440, "height": 1500, "deviceScaleFactor": 1, "mobile": false });
    browser.cdp("Emulation.setDeviceMetricsOverride", tall).await;
    browser.go(&format!("{}/review/record", app.url)).await;
    take(browser, folder, "record-whole").await;
}

/// The address of a card of `class` in the list.
async fn card_of(browser: &Browser, class: &str) -> String {
    let script = format!(
        "return [...document.querySelectorAll('.row')].find((row) => row.textContent.toLowerCase().includes('{class}')).getAttribute('href')"
    );
    browser.eval(&script).await.as_str().expect("an address").to_owned()
}

async fn take(browser: &Browser, folder: &Path, name: &str) {
    for (colours, scheme) in [(Colours::Dark, "dark"), (Colours::Light, "light")] {
        browser.colours(colours).await;
        let picture = browser.screenshot().await;
        std::fs::write(folder.join(format!("{name}-{scheme}.png")), picture).expect("writes");
    }
}
