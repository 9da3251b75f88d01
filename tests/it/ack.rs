//! The acknowledgement of webhooks while every core infers. Measured, so not part of the suite:
//! `cargo test --release --test it ack -- --ignored --nocapture`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use punchlens::config::load_from;
use punchlens::domain::thoroughness::Thoroughness;
use punchlens::inference::{self, Detector};
use punchlens::photo;
use punchlens::simulator::{Limits, Options};

use crate::support::detector::photo as painted;
use crate::support::{AUTHORIZATION, Setup, TestApp};

/// Events a second, evenly spaced whatever becomes of those before: an open loop.
const RATE: u32 = 50;
const SECONDS: u32 = 60;

/// Every core decodes and infers, over and over, beside the service.
struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<u64>>,
}

impl Busy {
    fn start(detector: &Arc<dyn Detector>, limits: &photo::Limits) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos/crack-plaster.jpg");
        let file = std::fs::read(file).expect("a fixture");
        let stop = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let work = || {
            let (stop, detector, limits, file) =
                (stop.clone(), detector.clone(), limits.clone(), file.clone());
            std::thread::spawn(move || {
                let mut looks = 0;
                while !stop.load(Ordering::Relaxed) {
                    let side = detector.wants(Thoroughness::Standard);
                    let photo = photo::decode_near(&file, &limits, side).expect("decodes");
                    detector.detect(&photo.picture, Thoroughness::Standard).expect("looks");
                    looks += 1;
                }
                looks
            })
        };
        let threads = (0..cores).map(|_| work()).collect();
        Self { stop, threads }
    }

    /// How many looks there were.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "it measures for a minute; run it by name"]
async fn acknowledgements_under_full_inference_load() {
    let config = load_from(None, std::iter::empty()).expect("the defaults are sound").config;
    if let Err(reason) = inference::ensure_runtime(&config.inference, &|_| {}) {
        return println!("SKIPPED: no ONNX Runtime here: {reason}");
    }
    let detector = inference::load(&config.inference).expect("the shipped model");
    let busy = Busy::start(&detector, &config.photo);
    let options = Options { limits: Limits::generous(), keep_requests: 100, ..Options::default() };
    let settings = vec![("PUNCHLENS_TELEMETRY__FILTER", "error".to_owned())];
    let app = TestApp::start(detector, Setup { options, settings, ..Setup::default() }).await;
    let image = app.upload("IMG_1.jpg", painted(true, 1), &[]).await;
    app.until_settled(1).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let events = format!("{}/procore/events", app.url);
    let start = Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..RATE * SECONDS {
        let due = start + Duration::from_secs(1) * number / RATE;
        tokio::time::sleep_until(due.into()).await;
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
    let looks = busy.end();
    println!(
        "{} acknowledgements at {RATE}/s: p50 {:?}, p90 {:?}, p99 {:?}, max {:?}; {looks} looks meanwhile",
        took.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
    );
    assert!(looks > 0, "nothing was inferred: this was no load");
    app.stop().await;
}
