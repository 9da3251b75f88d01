//! How fast two boxes write to one PostgreSQL, each photo's way from delivery to punch item.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Fresh, at, card, drafts, record};
use crate::domain::ids::{FindingId, ImageId, PhotoId, ProjectId, ProjectKey, PunchItemId};
use crate::domain::job::Job;
use crate::store::queue::KINDS;
use crate::store::{NewDelivery, Store, WriteIntent, WriteKind, WriteOutcome};

/// Workers of a box.
const WORKERS: i64 = 4;

/// How long one run takes.
const RUN: Duration = Duration::from_secs(8);

/// How often both cases are run, in turn.
const ROUNDS: i64 = 5;

/// Takes one photo through all of its transactions.
async fn photo(store: &Store, project: ProjectKey, image: i64) {
    let now = at(image % 1_000_000);
    let lease = Duration::from_mins(10);
    let delivery = NewDelivery { dedupe_key: format!("{project}:{image}"), body: b"{}".to_vec() };
    store.receive(&delivery, now).await.expect("receives");
    // Whichever photo is next: all workers together do all of them.
    let claimed = store.claim("box", &["route_event"], lease, at(2_000_000)).await.expect("claims");
    if let Some(claimed) = claimed {
        let Job::RouteEvent { inbox } = claimed.job else { panic!("{claimed:?}") };
        let job = Job::AnalyzePhoto { project, image: ImageId::new(image) };
        store.settle_delivery(&claimed.lease, inbox, "a photo", &[job], now).await.expect("settles");
    }
    while let Some(claimed) = store.claim("box", &KINDS[1..], lease, at(2_000_000)).await.expect("claims") {
        match claimed.job {
            Job::AnalyzePhoto { project, image } => {
                let mut record = record(image.value(), format!("{project} {image}").as_bytes());
                record.project = project;
                let mut card = card(&record, "crack", 0.9, now);
                card.project = project;
                card.photo.id = PhotoId::of(project, image);
                let content = record.content.expect("has content");
                card.finding.id = FindingId::of(project, &content, "crack");
                card.draft.reference = card.finding.id.reference();
                let intake = drafts(&[card]);
                store.record_photo(&claimed.lease, &record, Some(&intake), now).await.expect("records");
            }
            Job::Publish { finding } => {
                let intent = WriteIntent {
                    finding,
                    kind: WriteKind::Create,
                    reference: finding.reference(),
                    at: now,
                    request: json!({ "name": "a crack" }),
                };
                store.begin_write(&claimed.lease, &intent, now).await.expect("begins");
                let outcome = WriteOutcome::Delivered {
                    punch_item: Some(PunchItemId::new(claimed.lease.job().0)),
                    position: None,
                    answer: json!({}),
                };
                store.finish_write(&claimed.lease, &outcome, &[], now).await.expect("finishes");
                return;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Photos a second of two boxes, one project each, or both the same.
async fn measured(fresh: &Fresh, projects: [i64; 2], round: i64) -> f64 {
    let begun = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for (number, project) in (0..).zip(projects) {
        let store = fresh.again().await;
        let project = ProjectKey { project: ProjectId::new(project), ..super::PROJECT };
        for worker in 0..WORKERS {
            let store = store.clone();
            workers.spawn(async move {
                let first = ((round * 2 + number) * WORKERS + worker) * 10_000;
                let mut done = 0;
                while begun.elapsed() < RUN {
                    photo(&store, project, first + done).await;
                    done += 1;
                }
                done
            });
        }
    }
    let done: i64 = workers.join_all().await.into_iter().sum();
    done as f64 / begun.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn two_boxes_on_one_server() {
    let Some(fresh) = Fresh::postgres().await else { return };
    for round in 0..ROUNDS {
        let same = measured(&fresh, [1, 1], round * 2).await;
        let own = measured(&fresh, [2, 3], round * 2 + 1).await;
        println!("round {round}: one project {same:.1} photos/s, a project each {own:.1} photos/s");
    }
    assert!(fresh.store.verify_audit().await.expect("walks").broken.is_none());
}
