use serde_json::json;

use super::{Fresh, at, claim, found, on_both, started};
use crate::domain::ids::{FindingId, PunchItemId};
use crate::domain::job::Job;
use crate::store::{Error, WriteIntent, WriteKind, WriteOutcome, WriteState};

on_both![
    a_crash_in_the_middle_of_a_write_leaves_a_doubt,
    what_was_certainly_not_sent_leaves_no_doubt,
    a_refused_write_may_be_tried_again,
    an_update_is_new_when_it_asks_for_something_else,
    only_jobs_on_findings_write,
    a_lost_answer_is_remembered_until_the_item_is_known,
];

fn intent(finding: FindingId, kind: WriteKind, title: &str) -> WriteIntent {
    WriteIntent { finding, kind, reference: finding.reference(), request: json!({ "name": title }) }
}

fn delivered() -> WriteOutcome {
    WriteOutcome::Delivered {
        punch_item: Some(PunchItemId::new(41)),
        position: Some(3),
        answer: json!({ "workflow_status": "draft" }),
    }
}

async fn a_crash_in_the_middle_of_a_write_leaves_a_doubt(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let create = intent(finding, WriteKind::Create, "Crack");
    let first = claim(store, "box", 10).await.expect("the publishing").lease;
    assert_eq!(store.begin_write(&first, &create, at(10)).await.expect("begins"), WriteState::Fresh);

    let second = claim(store, "box", 100).await.expect("abandoned").lease;
    assert!(matches!(store.begin_write(&first, &create, at(100)).await, Err(Error::LeaseLost)));
    let doubt = WriteState::InDoubt { since: at(10) };
    assert_eq!(store.begin_write(&second, &create, at(100)).await.expect("begins"), doubt);
    assert_eq!(store.begin_write(&second, &create, at(101)).await.expect("begins"), doubt, "also twice");

    let late = store.finish_write(&first, &delivered(), &[], at(102)).await;
    assert!(matches!(late, Err(Error::LeaseLost)));
    store.finish_write(&second, &delivered(), &[], at(103)).await.expect("finishes");
    let third = started(store, Job::Publish { finding }, 200).await.lease;
    let changed = intent(finding, WriteKind::Create, "Another title");
    let WriteState::Done { punch_item, position, answer } =
        store.begin_write(&third, &changed, at(200)).await.expect("begins")
    else {
        panic!("it is made once and for all");
    };
    assert_eq!((punch_item, position), (Some(PunchItemId::new(41)), Some(3)));
    assert_eq!(answer, Some(json!({ "workflow_status": "draft" })));
}

async fn what_was_certainly_not_sent_leaves_no_doubt(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let create = intent(finding, WriteKind::Create, "Crack");
    let lease = claim(store, "box", 1).await.expect("the publishing").lease;
    store.begin_write(&lease, &create, at(1)).await.expect("begins");
    store.unsent_write(&lease).await.expect("notes");
    assert_eq!(store.begin_write(&lease, &create, at(2)).await.expect("begins"), WriteState::Fresh);

    let in_doubt = store.begin_write(&lease, &create, at(3)).await.expect("begins");
    store.unsent_write(&lease).await.expect("notes");
    assert_eq!(in_doubt, WriteState::InDoubt { since: at(2) });
    let still = store.begin_write(&lease, &create, at(4)).await.expect("begins");
    assert_eq!(still, in_doubt, "the earlier attempt may have arrived all the same");
}

async fn a_refused_write_may_be_tried_again(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let create = intent(finding, WriteKind::Create, "Crack");
    let lease = claim(store, "box", 1).await.expect("the publishing").lease;
    store.begin_write(&lease, &create, at(1)).await.expect("begins");
    let refused = WriteOutcome::Refused { reason: "no such trade".into() };
    store.finish_write(&lease, &refused, &[], at(2)).await.expect("finishes");
    let lease = started(store, Job::Publish { finding }, 3).await.lease;
    assert_eq!(store.begin_write(&lease, &create, at(3)).await.expect("begins"), WriteState::Fresh);
}

async fn an_update_is_new_when_it_asks_for_something_else(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let publish = claim(store, "box", 1).await.expect("the publishing").lease;
    store.finish_write(&publish, &delivered(), &[], at(1)).await.expect("finishes");
    let begin = async |title: &str, now: i64| {
        let lease = started(store, Job::ApplyDecision { finding }, now).await.lease;
        let update = intent(finding, WriteKind::Update, title);
        let state = store.begin_write(&lease, &update, at(now)).await.expect("begins");
        store.finish_write(&lease, &delivered(), &[], at(now)).await.expect("finishes");
        state
    };
    assert_eq!(begin("Crack", 2).await, WriteState::Fresh);
    assert!(matches!(begin("Crack", 3).await, WriteState::Done { .. }));
    assert_eq!(begin("Wide crack", 4).await, WriteState::Fresh);
}

async fn only_jobs_on_findings_write(fresh: Fresh) {
    let lease = started(&fresh.store, super::analyse(1), 0).await.lease;
    let wrong = fresh.store.finish_write(&lease, &delivered(), &[], at(1)).await;
    assert!(matches!(wrong, Err(Error::Other(_))));
    fresh.store.complete(&lease).await.expect("the job is still there");
}

async fn a_lost_answer_is_remembered_until_the_item_is_known(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let doubt = async || store.create_in_doubt(finding).await.expect("reads");
    let lease = claim(store, "box", 10).await.expect("the publishing").lease;
    let create = intent(finding, WriteKind::Create, "Crack");
    assert_eq!(doubt().await, None);
    store.begin_write(&lease, &create, at(10)).await.expect("begins");
    assert_eq!(doubt().await, Some(at(10)));
    let nothing = WriteOutcome::Delivered { punch_item: None, position: None, answer: json!("never made") };
    store.finish_write(&lease, &nothing, &[], at(20)).await.expect("finishes");
    assert_eq!(doubt().await, Some(at(10)), "it may still have been made");

    let lease = started(store, Job::Publish { finding }, 30).await.lease;
    let state = store.begin_write(&lease, &create, at(30)).await.expect("begins");
    assert_eq!(state, WriteState::InDoubt { since: at(10) });
    store.finish_write(&lease, &delivered(), &[], at(31)).await.expect("finishes");
    assert_eq!(doubt().await, None);
}
