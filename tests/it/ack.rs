//! The acknowledgement of webhooks while every core infers. Measured, so not part of the suite:
//! `cargo test --release --test it ack -- --ignored --nocapture`

use std::path::Path;
use std::time::{Duration, Instant};

use punchlens::config::load_from;
use punchlens::inference;
use punchlens::simulator::{Limits, Options};

use crate::support::{AUTHORIZATION, Setup, TestApp};

/// Events a second, evenly spaced whatever becomes of those before: an open loop.
const RATE: u32 = 50;
const SECONDS: u32 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "it measures for a minute; run it by name"]
async fn acknowledgements_under_full_inference_load() {
    let config = load_from(None, std::iter::empty()).expect("the defaults are sound").config;
    if let Err(reason) = inference::ensure_runtime(&config.inference, &|_| {}) {
        return println!("SKIPPED: no ONNX Runtime here: {reason}");
    }
    let detector = inference::load(&config.inference).expect("the shipped model");
    let options = Options { limits: Limits::generous(), keep_requests: 100, ..Options::default() };
    let settings = vec![("PUNCHLENS_TELEMETRY__FILTER", "error".to_owned())];
    let app = TestApp::start(detector, Setup { options, settings, ..Setup::default() }).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos");
    let mut images = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the fixtures") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "jpg") {
            images.push(app.upload("photo.jpg", std::fs::read(&path).expect("readable"), &[]).await);
        }
    }
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let events = format!("{}/procore/events", app.url);
    let start = Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..RATE * SECONDS {
        let due = start + Duration::from_secs(1) * number / RATE;
        tokio::time::sleep_until(due.into()).await;
        // Each calls for another look at a photo, so that the sessions never run dry.
        let image = images[number as usize % images.len()];
        let body = format!(
            r#"{{"id":"{number:026}","timestamp":"2026-06-02T16:04:43Z","reason":"update","company_id":"{}",
                "project_id":"{}","user_id":"5447","resource_type":"Images","resource_id":"{image}"}}"#,
            crate::support::PROJECT.company,
            crate::support::PROJECT.project,
        );
        let call = client.post(&events).header("Authorization", AUTHORIZATION).body(body);
        asked.spawn(async move {
            let answer = call.send().await.expect("an answer");
            assert_eq!(answer.status(), 204);
            // From when it was due: what waits behind a slow one counts.
            due.elapsed()
        });
    }
    let mut took: Vec<Duration> = asked.join_all().await;
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    let stats = app.store.queue_stats(jiff::Timestamp::now()).await.expect("store");
    println!(
        "{} acknowledgements at {RATE}/s: p50 {:?}, p90 {:?}, p99 {:?}, max {:?}; {} looks still queued",
        took.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
        stats.ready + stats.running,
    );
    assert!(stats.ready + stats.running > 0, "the sessions ran dry: this was no full load");
    app.stop().await;
}
