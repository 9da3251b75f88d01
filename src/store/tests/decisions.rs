use serde_json::json;

use super::{Fresh, MUTING, PROJECT, accepted, at, claim, found, on_both, rejected, started};
use crate::domain::ids::{FindingId, PunchItemId};
use crate::domain::job::Job;
use crate::domain::review::{Delivery, FindingState};
use crate::store::{Error, Store, WriteIntent, WriteKind, WriteOutcome};

on_both![
    a_rejection_of_what_was_never_made_can_be_undone_and_is_then_published,
    a_decision_is_kept_queued_and_final,
    of_two_reviewers_at_once_one_wins,
    undone_it_is_as_if_never_decided,
    too_late_is_told,
    a_decision_before_the_draft_is_out_outlives_its_publishing,
    a_refusal_is_a_problem_until_it_is_mended,
    a_hand_in_procore_ends_our_say,
    what_takes_two_writes_waits_for_the_second,
    in_shadow_mode_every_decision_can_be_undone,
];

fn made(punch_item: i64) -> WriteOutcome {
    WriteOutcome::Delivered {
        punch_item: Some(PunchItemId::new(punch_item)),
        position: Some(412),
        answer: json!({ "id": punch_item }),
    }
}

/// A finding whose draft is in Procore.
async fn published(store: &Store, image: i64) -> FindingId {
    let finding = found(store, image, "crack", 0).await;
    let lease = claim(store, "box", 1).await.expect("the publishing").lease;
    store.finish_write(&lease, &made(image), &[], at(2)).await.expect("finishes");
    finding
}

fn conflict<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Conflict(reason)) => reason,
        other => panic!("a conflict, not {other:?}"),
    }
}

async fn a_decision_is_kept_queued_and_final(fresh: Fresh) {
    let store = &fresh.store;
    let finding = published(store, 1).await;
    let card = store.decide(finding, &accepted("dana", 10), MUTING).await.expect("decides");
    assert_eq!((card.state, card.delivery), (FindingState::Accepted, Delivery::Waiting));
    assert_eq!(card.decision, Some(accepted("dana", 10)));
    assert_eq!(card.decided_draft().title, "Mend it");
    assert_eq!(store.card(finding).await.expect("reads"), Some(card));
    let reason = conflict(store.decide(finding, &rejected("lee", 11), MUTING).await);
    assert_eq!(reason, "dana accepted this already, at 2027-01-15T08:00:10Z");
    assert_eq!(claim(store, "box", 12).await.expect("queued").job, Job::ApplyDecision { finding });
    let stranger = FindingId::of(PROJECT, &crate::domain::ids::Sha256Digest::of(b"none"), "crack");
    assert!(matches!(store.decide(stranger, &accepted("dana", 10), MUTING).await, Err(Error::NotFound(_))));
}

async fn of_two_reviewers_at_once_one_wins(fresh: Fresh) {
    let (one, other) = (&fresh.store, fresh.again().await);
    for image in 1..=10 {
        let finding = found(one, image, "crack", 0).await;
        let (dana, lee) = (accepted("dana", 5), rejected("lee", 5));
        let (first, second) =
            tokio::join!(one.decide(finding, &dana, MUTING), other.decide(finding, &lee, MUTING));
        let (won, lost) = if first.is_ok() { (first, second) } else { (second, first) };
        let winner = won.expect("one of them").decision.expect("is kept").reviewer;
        assert!(conflict(lost).starts_with(&winner));
        let card = one.card(finding).await.expect("reads").expect("is there");
        assert_eq!(card.decision.expect("is kept").reviewer, winner);
    }
}

async fn undone_it_is_as_if_never_decided(fresh: Fresh) {
    let store = &fresh.store;
    let finding = published(store, 1).await;
    let before = store.card(finding).await.expect("reads").expect("is there");
    store.decide(finding, &rejected("dana", 10), MUTING).await.expect("decides");
    let after = store.undo(finding, "dana", at(11)).await.expect("undoes");
    assert_eq!(after, before);
    assert!(store.jobs(None, 10).await.expect("lists").is_empty(), "nothing is left to carry over");
    conflict(store.undo(finding, "dana", at(12)).await);
    store.decide(finding, &accepted("lee", 13), MUTING).await.expect("decides anew");
}

async fn too_late_is_told(fresh: Fresh) {
    let store = &fresh.store;
    let finding = published(store, 1).await;
    store.decide(finding, &accepted("dana", 10), MUTING).await.expect("decides");
    let lease = claim(store, "box", 11).await.expect("queued").lease;
    assert!(conflict(store.undo(finding, "dana", at(12)).await).contains("right now"));

    let intent = WriteIntent {
        finding,
        kind: WriteKind::Update,
        reference: finding.reference(),
        request: json!({ "name": "Mend it" }),
        at: at(12),
    };
    store.begin_write(&lease, &intent, at(12)).await.expect("begins");
    store.retry_later(&lease, at(100), "timeout", at(13)).await.expect("requeues");
    assert!(conflict(store.undo(finding, "dana", at(14)).await).contains("right now"), "it may have arrived");

    let lease = claim(store, "box", 100).await.expect("queued").lease;
    store.finish_write(&lease, &made(1), &[], at(101)).await.expect("finishes");
    // From here on it is taken back in Procore as well.
    let card = store.undo(finding, "dana", at(102)).await.expect("undoes");
    assert_eq!((card.state, card.delivery), (FindingState::Proposed, Delivery::Waiting));
    let recall = claim(store, "box", 103).await.expect("queued");
    assert_eq!(recall.job, Job::ApplyDecision { finding });
    store.finish_write(&recall.lease, &made(1), &[], at(104)).await.expect("finishes");

    store.decide(finding, &rejected("dana", 105), MUTING).await.expect("decides");
    let lease = claim(store, "box", 106).await.expect("queued").lease;
    store.finish_write(&lease, &made(1), &[], at(107)).await.expect("finishes");
    assert!(
        conflict(store.undo(finding, "dana", at(108)).await).contains("(#412) is in Procore's recycle bin")
    );
}

async fn a_decision_before_the_draft_is_out_outlives_its_publishing(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let publish = claim(store, "box", 1).await.expect("the publishing").lease;
    store.decide(finding, &accepted("dana", 2), MUTING).await.expect("decides");
    store.finish_write(&publish, &made(1), &[], at(3)).await.expect("finishes");
    let card = store.card(finding).await.expect("reads").expect("is there");
    assert_eq!((card.state, card.delivery), (FindingState::Accepted, Delivery::Waiting));
    assert_eq!((card.punch_item, card.position), (Some(PunchItemId::new(1)), Some(412)));
    let undone = store.undo(finding, "dana", at(4)).await.expect("undoes");
    assert_eq!(undone.delivery, Delivery::Delivered, "the draft is there");
}

async fn a_refusal_is_a_problem_until_it_is_mended(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let lease = claim(store, "box", 1).await.expect("the publishing").lease;
    let reason = "the trade is gone: choose another";
    let refused = WriteOutcome::Refused { reason: reason.into() };
    store.finish_write(&lease, &refused, &[], at(2)).await.expect("finishes");
    let card = store.card(finding).await.expect("reads").expect("is there");
    assert_eq!((card.delivery, card.problem.as_deref()), (Delivery::Refused, Some(reason)));
    assert_eq!(store.counts(None, at(0)).await.expect("counts").problems, 1);

    let lease = started(store, Job::Publish { finding }, 3).await.lease;
    store.finish_write(&lease, &made(5), &[], at(4)).await.expect("finishes");
    let card = store.card(finding).await.expect("reads").expect("is there");
    assert_eq!((card.delivery, card.problem), (Delivery::Delivered, None));
    assert_eq!(
        store.finding_of_punch_item(PROJECT, PunchItemId::new(5)).await.expect("reads"),
        Some(finding)
    );
}

async fn a_hand_in_procore_ends_our_say(fresh: Fresh) {
    let store = &fresh.store;
    let finding = published(store, 1).await;
    let lease = started(store, Job::SyncPunchItem { finding }, 5).await.lease;
    let taken = WriteOutcome::TakenOver { reason: "closed by Lee".into() };
    store.finish_write(&lease, &taken, &[], at(6)).await.expect("finishes");
    let card = store.card(finding).await.expect("reads").expect("is there");
    assert_eq!((card.state, card.problem.as_deref()), (FindingState::TakenOver, Some("closed by Lee")));
    assert!(conflict(store.decide(finding, &accepted("dana", 7), MUTING).await).contains("in Procore first"));
    assert_eq!(store.counts(None, at(0)).await.expect("counts").problems, 0);
}

async fn what_takes_two_writes_waits_for_the_second(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let publish = claim(store, "box", 1).await.expect("the publishing").lease;
    store.finish_write(&publish, &WriteOutcome::Withheld, &[], at(1)).await.expect("review comes first");
    store.decide(finding, &accepted("dana", 2), MUTING).await.expect("decides");
    let delivery = async || store.card(finding).await.expect("reads").expect("is there").delivery;
    let create = claim(store, "box", 3).await.expect("queued").lease;
    let send = [Job::ApplyDecision { finding }];
    store.finish_write(&create, &made(7), &send, at(4)).await.expect("finishes");
    assert_eq!(delivery().await, Delivery::Waiting);
    let send = claim(store, "box", 5).await.expect("queued").lease;
    store.finish_write(&send, &made(7), &[], at(6)).await.expect("finishes");
    assert_eq!(delivery().await, Delivery::Delivered);
}

/// Nothing is in Procore, and nothing needs to be.
fn never_made() -> WriteOutcome {
    WriteOutcome::Delivered { punch_item: None, position: None, answer: json!("never made") }
}

async fn a_rejection_of_what_was_never_made_can_be_undone_and_is_then_published(first: Fresh) {
    for rejected_first in [true, false] {
        let fresh = first.another().await;
        let store = &fresh.store;
        let finding = found(store, 1, "crack", 0).await;
        let publish = if rejected_first { None } else { claim(store, "box", 1).await };
        store.decide(finding, &rejected("dana", 2), MUTING).await.expect("decides");
        if let Some(publish) = publish {
            store.finish_write(&publish.lease, &never_made(), &[], at(3)).await.expect("passes by");
        }
        let apply = store.claim("box", &["apply_decision"], super::LEASE, at(4)).await.expect("claims");
        let apply = apply.expect("queued").lease;
        store.finish_write(&apply, &never_made(), &[], at(5)).await.expect("finishes");
        let card = store.undo(finding, "dana", at(6)).await.expect("nothing had been made");
        assert_eq!((card.state, card.delivery), (FindingState::Proposed, Delivery::Waiting));
        assert_eq!(claim(store, "box", 7).await.expect("queued").job, Job::Publish { finding });
    }
}

async fn in_shadow_mode_every_decision_can_be_undone(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    for now in [1, 3] {
        let lease = claim(store, "box", now).await.expect("queued").lease;
        store.finish_write(&lease, &WriteOutcome::Withheld, &[], at(now)).await.expect("finishes");
        if now == 1 {
            store.decide(finding, &accepted("dana", 2), MUTING).await.expect("decides");
        }
    }
    let card = store.card(finding).await.expect("reads").expect("is there");
    assert_eq!((card.state, card.delivery), (FindingState::Accepted, Delivery::Withheld));
    let card = store.undo(finding, "dana", at(4)).await.expect("undoes");
    assert_eq!((card.state, card.delivery), (FindingState::Proposed, Delivery::Withheld));
    assert!(store.jobs(None, 10).await.expect("lists").is_empty());
}
