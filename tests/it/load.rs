//! How long lists and decisions take with 10,000 findings in the store, asked open-loop while the box looks at photos.
//!
//! `cargo test --release --test it ten_thousand_findings -- --ignored --nocapture`
#![expect(clippy::print_stdout, reason = "it measures")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use punchlens::config::load_from;
use punchlens::domain::place::Location;
use punchlens::inference;
use punchlens::store::CardQuery;
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, RequestBuilder};

use crate::support::past::{Past, record};
use crate::support::{Setup, TestApp};

const PHOTOS: i64 = 2000;
const CLASSES: [&str; 5] = ["crack", "spalling", "peeling_paint", "biological_growth", "surface_mark"];

/// Requests a second, and how many, of each kind.
const RATE: u32 = 5;
const REQUESTS: usize = 150;

fn client() -> Client {
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

/// Photos for the box to look at, until it is told to stop.
async fn keep_uploading(app: &TestApp) -> ! {
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos/clean-plaster.jpg");
    let bytes = std::fs::read(photo).expect("a fixture");
    let mut number = 0_u64;
    loop {
        let mut own = bytes.clone();
        own.extend(number.to_be_bytes());
        app.upload(&format!("load-{number}.jpg"), own, &[]).await;
        number += 1;
        // More than two cores look at in a second, so that there is always something waiting.
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
}

/// Sends a request at every tick, whether or not the one before was answered, and gives the milliseconds from
/// when each was due.
async fn open_loop(requests: impl Iterator<Item = RequestBuilder>) -> Vec<f64> {
    let begun = Instant::now();
    let mut answers = Vec::new();
    for (number, request) in requests.enumerate() {
        let due = begun + Duration::from_secs_f64(number as f64 / f64::from(RATE));
        tokio::time::sleep_until(due.into()).await;
        answers.push(tokio::spawn(async move {
            let answer = request.send().await.expect("an answer");
            let status = answer.status();
            assert!(status.is_success() || status.is_redirection(), "{status}");
            answer.bytes().await.expect("a body");
            due.elapsed().as_secs_f64() * 1000.0
        }));
    }
    let mut took = Vec::new();
    for answer in answers {
        took.push(answer.await.expect("no panic"));
    }
    took.sort_by(f64::total_cmp);
    took
}

fn tell(what: &str, took: &[f64]) {
    let at = |share: f64| took[((took.len() as f64 * share) as usize).min(took.len() - 1)];
    println!(
        "{what}: {} requests at {RATE}/s: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, worst {:.1} ms",
        took.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        took[took.len() - 1]
    );
}

async fn seeded(app: &TestApp) {
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos/crack-plaster.jpg");
    let bytes = std::fs::read(photo).expect("a fixture");
    app.upload("sample.jpg", bytes, &["Building A", "Floor 2", "Unit 204"]).await;
    app.until_settled(1).await;
    let sample = app.cards().await.remove(0);
    let rooms = app.simulator.locations();
    let now = Timestamp::now();
    for number in 0..PHOTOS {
        let found = now - SignedDuration::from_mins(number);
        let (id, path) = &rooms[number as usize % rooms.len()];
        let place = Some(Location { id: *id, path: path.clone() });
        let past = CLASSES.map(|class| Past {
            seed: number,
            place: place.clone(),
            class,
            score: 0.8,
            found,
            decided: None,
            refused: None,
        });
        record(&app.store, &sample, &past).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and measures; see the first lines of this file"]
async fn ten_thousand_findings() {
    let detector = tokio::task::spawn_blocking(|| {
        let config = load_from(None, std::iter::empty()).expect("the defaults are sound").config.inference;
        inference::ensure_runtime(&config, &|line| println!("{line}")).expect("a runtime");
        inference::load(&config).expect("the shipped model")
    });
    let settings = vec![("PUNCHLENS_STORE__DECISION_HOLD_S", "36000".to_owned())];
    let setup = Setup { settings, ..Setup::default() };
    let app = Arc::new(TestApp::start(detector.await.expect("no panic"), setup).await);
    seeded(&app).await;
    let places = app.store.places(&CardQuery::default()).await.expect("counts");
    let held = places.without + places.named.iter().map(|(_, count)| count).sum::<u64>();
    println!("{held} findings in the store");

    let client = client();
    let link = format!("{}/review?key={}&name=Ana", app.url, app.key);
    let answer = client.get(link).send().await.expect("an answer");
    let cookie = answer.headers()[SET_COOKIE].to_str().expect("text");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let get = |path: &str| client.get(format!("{}{path}", app.url)).header(COOKIE, &cookie);
    let page = get("/review").send().await.expect("an answer").text().await.expect("text");
    let token = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let token = token.expect("a form").to_owned();

    let uploads = {
        let app = Arc::clone(&app);
        tokio::spawn(async move { keep_uploading(&app).await })
    };
    let before = app.photos_looked_at().await;
    let begun = Instant::now();
    tell("list", &open_loop((0..REQUESTS).map(|_| get("/review"))).await);
    tell("list by location", &open_loop((0..REQUESTS).map(|_| get("/review?group=location"))).await);
    tell("search", &open_loop((0..REQUESTS).map(|_| get("/review?q=unit+204"))).await);
    let query = CardQuery { limit: Some(REQUESTS as u32), ..CardQuery::default() };
    let cards = app.store.cards(&query).await.expect("reads");
    let decide = cards.iter().map(|card| {
        let path = format!("{}/review/findings/{}/reject", app.url, card.finding.id);
        let form = [("csrf", token.as_str()), ("reason", "not_a_defect")];
        client.post(path).header(COOKIE, &cookie).form(&form)
    });
    tell("decision", &open_loop(decide).await);
    tell(
        "card",
        &open_loop(cards.iter().map(|card| get(&format!("/review/findings/{}", card.finding.id)))).await,
    );
    let looked = app.photos_looked_at().await - before;
    println!("meanwhile {:.1} photos/s were looked at", looked as f64 / begun.elapsed().as_secs_f64());
    uploads.abort();
}
