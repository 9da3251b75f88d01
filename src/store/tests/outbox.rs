use serde_json::json;

use super::{Fresh, at, claim, found, on_both, started};
use crate::domain::delivery::Doubt;
use crate::domain::ids::{FindingId, ImageId, PunchItemId};
use crate::domain::job::Job;
use crate::store::{Error, LinkHow, OpenWrite, WriteIntent, WriteKind, WriteOutcome, WriteState};

on_both![
    a_crash_in_the_middle_of_a_write_leaves_a_doubt,
    what_was_certainly_not_sent_leaves_no_doubt,
    a_refused_write_may_be_tried_again,
    an_update_is_new_when_it_asks_for_something_else,
    only_jobs_on_findings_write,
    a_lost_answer_is_remembered_until_the_item_is_known,
    a_photo_on_its_way_is_waited_for,
    an_item_that_no_finding_accounts_for_is_remembered,
];

fn intent(finding: FindingId, kind: WriteKind, title: &str) -> WriteIntent {
    WriteIntent {
        finding,
        kind,
        reference: finding.reference(),
        request: json!({ "name": title }),
        at: at(0),
    }
}

fn begun(intent: &WriteIntent, second: i64) -> WriteIntent {
    WriteIntent { at: at(second), ..intent.clone() }
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
    let create = begun(&create, 10);
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
    assert_eq!(in_doubt, WriteState::InDoubt { since: at(0) });
    let still = store.begin_write(&lease, &create, at(4)).await.expect("begins");
    assert_eq!(still, in_doubt, "the earlier attempt may have arrived all the same");
}

async fn a_refused_write_may_be_tried_again(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let create = intent(finding, WriteKind::Create, "Crack");
    let lease = claim(store, "box", 1).await.expect("the publishing").lease;
    store.begin_write(&lease, &create, at(1)).await.expect("begins");
    store.unsent_write(&lease).await.expect("an answer came, and it was no");
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
    let doubt = async || store.open_writes(finding).await.expect("reads");
    let open = |since, last| {
        let doubt = Doubt { since: at(since), last: at(last) };
        vec![OpenWrite { kind: Some(WriteKind::Create), doubt }]
    };
    let lease = claim(store, "box", 10).await.expect("the publishing").lease;
    let create = intent(finding, WriteKind::Create, "Crack");
    assert_eq!(doubt().await, []);
    store.begin_write(&lease, &begun(&create, 10), at(10)).await.expect("begins");
    assert_eq!(doubt().await, open(10, 10));
    store.note(&lease, finding, "Procore did not answer.").await.expect("notes");
    assert!(store.card(finding).await.expect("reads").expect("there").notice.is_some());
    let nothing = WriteOutcome::Delivered { punch_item: None, position: None, answer: json!("never made") };
    store.finish_write(&lease, &nothing, &[], at(20)).await.expect("finishes");
    assert_eq!(store.card(finding).await.expect("reads").expect("there").notice, None);
    for outcome in [WriteOutcome::Refused { reason: "no".into() }, WriteOutcome::Withheld, nothing] {
        let lease = started(store, Job::SyncPunchItem { finding }, 20).await.lease;
        store.finish_write(&lease, &outcome, &[], at(20)).await.expect("finishes");
        assert_eq!(doubt().await, open(10, 10), "it may still have been made: {outcome:?}");
    }
    let lease = started(store, Job::Publish { finding }, 30).await.lease;
    let state = store.begin_write(&lease, &begun(&create, 30), at(30)).await.expect("begins");
    assert_eq!(state, WriteState::InDoubt { since: at(10) });
    assert_eq!(doubt().await, open(10, 30));
    store.unsent_write(&lease).await.expect("notes");
    assert_eq!(doubt().await, open(10, 10), "the second attempt never left");
    store.finish_write(&lease, &delivered(), &[], at(31)).await.expect("finishes");
    assert_eq!(doubt().await, []);
}

async fn a_photo_on_its_way_is_waited_for(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let publish = claim(store, "box", 1).await.expect("the publishing").lease;
    store.finish_write(&publish, &delivered(), &[], at(1)).await.expect("finishes");
    let (item, image, other) = (PunchItemId::new(41), ImageId::new(8), ImageId::new(9));
    let lease = started(store, Job::LinkPhoto { finding, image }, 2).await.lease;
    let begin = async |how, second| {
        store.begin_link(&lease, (finding, image), item, how, at(second)).await.expect("begins");
    };
    let open = async |image| store.open_links(finding, image, item).await.expect("reads");
    begin(LinkHow::Comment, 2).await;
    assert_eq!(open(image).await, [Doubt { since: at(2), last: at(2) }]);
    assert_eq!(open(other).await, [], "comments do not get into each other's way");
    begin(LinkHow::Attachment, 5).await;
    assert_eq!(open(other).await, [Doubt { since: at(2), last: at(5) }], "lists of photos do");
    let kinds: Vec<_> =
        store.open_writes(finding).await.expect("reads").into_iter().map(|open| open.kind).collect();
    assert_eq!(kinds, [None]);
    store.unsent_link(&lease, finding, image).await.expect("notes");
    assert_eq!(open(image).await, [Doubt { since: at(2), last: at(2) }], "the second attempt never left");
    store.finish_link(&lease, (finding, image), json!({}), at(6)).await.expect("finishes");
    assert_eq!(open(image).await, []);
}

async fn an_item_that_no_finding_accounts_for_is_remembered(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let project = store.card(finding).await.expect("reads").expect("there").project;
    let reference = finding.reference();
    let (item, twin, foreign) = (PunchItemId::new(41), PunchItemId::new(42), PunchItemId::new(43));
    let lease = claim(store, "box", 1).await.expect("the publishing").lease;
    let note = async |items: &[(PunchItemId, &str)]| {
        let items: Vec<_> = items.iter().map(|(item, reference)| (*item, (*reference).to_owned())).collect();
        store.note_strays(project, &items, at(1)).await.expect("notes")
    };
    let strays = async || store.strays(project, &reference).await.expect("reads");
    assert_eq!(note(&[(item, &reference), (foreign, "PL-AAAAAAAAAAAAAAAA")]).await, [finding]);
    assert_eq!(note(&[(item, &reference)]).await, [], "once");
    assert_eq!(strays().await, [item]);

    store.finish_write(&lease, &delivered(), &[], at(2)).await.expect("finishes");
    let lease = started(store, Job::SyncPunchItem { finding }, 3).await.lease;
    store.forget_stray(&lease, item).await.expect("forgets");
    assert_eq!(note(&[(item, &reference), (twin, &reference)]).await, [finding]);
    assert_eq!(strays().await, [twin], "the finding's own is no stray");
    let delete = intent(finding, WriteKind::Delete, "twin");
    store.begin_write(&lease, &delete, at(3)).await.expect("begins");
    store.twin_binned(&lease, finding, (item, twin), at(3)).await.expect("records");
    assert_eq!(store.card(finding).await.expect("reads").expect("there").punch_item, Some(twin));
    assert_eq!((strays().await, store.open_writes(finding).await.expect("reads")), (vec![], vec![]));

    assert_eq!(note(&[(foreign, &reference)]).await, [], "it was known before");
    let third = PunchItemId::new(44);
    assert_eq!(note(&[(third, &reference)]).await, [finding]);
    store.leave_stray(&lease, finding, third, "people worked with it", at(4)).await.expect("leaves");
    assert_eq!((strays().await, note(&[(third, &reference)]).await), (vec![], vec![]));
}
