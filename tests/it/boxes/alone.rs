//! Two boxes on one database find out together what Procore makes of the first draft.

use std::time::Duration;

use jiff::Timestamp;
use punchlens::simulator::{Fault, FaultKind, Faults};

use super::machine::PATIENCE;
use super::site::{Database, Site};
use crate::support::PROJECT;

/// Photos that both boxes look at.
const PHOTOS: usize = 4;

/// Creates that take a while, so that others could overtake, and end in no draft.
fn wrong_and_slow() -> Faults {
    let kind = FaultKind::Stall { pause_ms: 500 };
    let slow = Fault { times: 100, ..Fault::once("POST", "/rest/v1.1/punch_items", kind) };
    Faults { drafts_ignored: true, script: vec![slow], ..Faults::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_out_as_no_draft_is_made_once_by_two_boxes_on_postgres() {
    let Some(mut site) = Site::new(Database::Postgres, 2, 2, 1, wrong_and_slow()).await else { return };
    for machine in &mut site.machines {
        machine.start(None);
        machine.ready().await;
    }
    for _ in 0..PHOTOS {
        site.upload().await;
    }
    let store = site.store().await;
    for made in [1, 2] {
        let mut waited = Duration::ZERO;
        loop {
            let stats = store.queue_stats(Timestamp::now()).await.expect("store");
            let idle = stats.ready + stats.delayed + stats.running == 0;
            let stopped = !store.stops().await.expect("store").is_empty();
            if stopped && idle && site.settled(&store).await == PHOTOS {
                break;
            }
            assert!(waited < PATIENCE, "{stats:?}\n{}", site.machines[0].log());
            tokio::time::sleep(Duration::from_millis(100)).await;
            waited += Duration::from_millis(100);
        }
        let items = site.simulator.punch_items();
        assert_eq!(items.len(), made, "one goes alone: {items:#?}");
        // A person lets the project go on, and nothing was mended.
        store.resume_project(PROJECT, "tests", Timestamp::now()).await.expect("it was stopped");
    }
    store.close().await;
}
