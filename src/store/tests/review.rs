//! What review asks for: batches, narrowing, what there is to choose from, what was decided.

use super::{Fresh, MUTING, PROJECT, accepted, at, card, found, on_both, record, rejected, started};
use crate::domain::ids::{FindingId, LocationId, TradeId};
use crate::domain::job::Job;
use crate::domain::place::{Location, Place};
use crate::domain::review::{Delivery, FindingState, RejectReason};
use crate::store::{CardOrder, CardQuery, Error, Store, WriteOutcome};

on_both![
    a_batch_is_decided_and_undone_as_one,
    lists_narrow_by_place_and_below_it,
    rulings_tell_what_was_decided_and_why,
    what_was_refused_is_sent_again_when_asked_for,
    a_decision_waits_as_long_as_it_can_be_taken_back,
];

/// Records a finding at `path` for `trade`.
async fn placed(store: &Store, image: i64, path: &[&str], trade: i64) -> FindingId {
    let record = record(image, format!("bytes of {image}").as_bytes());
    let mut card = card(&record, "crack", 0.9, at(image));
    let path = path.iter().map(|name| (*name).to_owned()).collect();
    card.place = Place::of_photo(Location { id: LocationId::new(image), path });
    card.draft.trade = Some(TradeId::new(trade));
    let id = card.finding.id;
    let lease = started(store, super::analyse(image), image).await.lease;
    store
        .record_photo(&lease, &record, Some(&super::suggestions(&[card])), at(image))
        .await
        .expect("records");
    id
}

async fn ids(store: &Store, query: CardQuery) -> Vec<FindingId> {
    store.cards(&query).await.expect("reads").into_iter().map(|card| card.finding.id).collect()
}

async fn a_batch_is_decided_and_undone_as_one(fresh: Fresh) {
    let store = &fresh.store;
    let mut all = Vec::new();
    for image in 1..=3 {
        all.push(found(store, image, "crack", 0).await);
    }
    store.decide(all[1], &rejected("lee", 5), MUTING).await.expect("decides");
    let batch = store.decide_batch(&all, &accepted("dana", 10), MUTING).await.expect("decides");
    assert_eq!(batch.done.iter().map(|card| card.finding.id).collect::<Vec<_>>(), [all[0], all[2]]);
    assert_eq!(batch.left[0].0, all[1]);
    assert!(batch.left[0].1.starts_with("lee rejected this already"), "{batch:?}");

    let mut own = store.decided_at("dana", at(10)).await.expect("reads");
    own.sort_unstable();
    let mut expected = vec![all[0], all[2]];
    expected.sort_unstable();
    assert_eq!(own, expected);
    assert!(store.decided_at("lee", at(10)).await.expect("reads").is_empty(), "not hers");

    let undone = store.undo_batch(&own, "dana", at(11)).await.expect("undoes");
    assert_eq!((undone.done.len(), undone.left.len()), (2, 0));
    assert!(undone.done.iter().all(|card| card.state == FindingState::Proposed));
    let again = store.undo_batch(&own, "dana", at(12)).await.expect("looks");
    assert_eq!((again.done.len(), again.left.len()), (0, 2), "there is nothing left to take back");
}

async fn a_decision_waits_as_long_as_it_can_be_taken_back(fresh: Fresh) {
    let store = fresh.open(|config| config.decision_hold_s = 8).await;
    let finding = found(&store, 1, "crack", 0).await;
    store.decide(finding, &accepted("dana", 10), MUTING).await.expect("decides");
    let apply =
        async |now| store.claim("box", &["apply_decision"], super::LEASE, at(now)).await.expect("claims");
    assert!(apply(17).await.is_none());
    assert_eq!(apply(18).await.expect("is due").job, Job::ApplyDecision { finding });
}

async fn lists_narrow_by_place_and_below_it(fresh: Fresh) {
    let store = &fresh.store;
    let unit = placed(store, 1, &["A", "Floor 2", "Unit 204"], 9).await;
    let floor = placed(store, 2, &["A", "Floor 2"], 9).await;
    let twenty = placed(store, 3, &["A", "Floor 20", "Unit 1"], 7).await;
    let nowhere = found(store, 4, "crack", 4).await;
    let at_place =
        async |place: &str| ids(store, CardQuery { place: Some(place.into()), ..CardQuery::default() }).await;
    assert_eq!(at_place("A › Floor 2").await, [floor, unit]);
    assert_eq!(at_place("A").await, [twenty, floor, unit]);
    assert!(at_place("A › Floor").await.is_empty() && at_place("%").await.is_empty());
    let trade = CardQuery { trade: Some(TradeId::new(7)), ..CardQuery::default() };
    assert_eq!(ids(store, trade).await, [twenty]);
    let between = CardQuery { found_since: Some(at(2)), found_before: Some(at(4)), ..CardQuery::default() };
    assert_eq!(ids(store, between).await, [twenty, floor]);
    let by = CardQuery { uploader: Some("Dana".into()), order: CardOrder::ByPlace, ..CardQuery::default() };
    assert_eq!(ids(store, by).await, [nowhere, floor, unit, twenty]);
    let photo = store.card(floor).await.expect("reads").expect("is there").photo.id;
    assert_eq!(ids(store, CardQuery { photo: Some(photo), ..CardQuery::default() }).await, [floor]);

    let facets = store.facets(&CardQuery::default()).await.expect("counts");
    assert_eq!(facets.trades, [(9, 2), (7, 1)]);
    assert_eq!(facets.uploaders, [("Dana".to_owned(), 4)]);
    assert_eq!(facets.places.len(), 3);
    let places = store.places(&CardQuery::default()).await.expect("counts");
    assert_eq!((places.named, places.without), (facets.places, 1), "one is nowhere");
    let by_trade = CardQuery { trade: Some(TradeId::new(7)), ..CardQuery::default() };
    let places = store.places(&by_trade).await.expect("counts");
    assert_eq!((places.named.len(), places.without), (1, 0));
}

async fn rulings_tell_what_was_decided_and_why(fresh: Fresh) {
    let store = &fresh.store;
    let (kept, thrown) = (found(store, 1, "crack", 0).await, found(store, 2, "crack", 0).await);
    store.decide(kept, &accepted("dana", 10), MUTING).await.expect("decides");
    store.decide(thrown, &rejected("dana", 20), MUTING).await.expect("decides");
    let rulings = store.rulings(Some(&[PROJECT]), at(0), 100).await.expect("reads");
    let told: Vec<_> = rulings.iter().map(|ruling| (ruling.finding, ruling.rejected)).collect();
    assert_eq!(told, [(thrown, Some(RejectReason::NotADefect)), (kept, None)]);
    assert_eq!(store.rulings(None, at(15), 100).await.expect("reads").len(), 1);
}

async fn what_was_refused_is_sent_again_when_asked_for(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    assert!(matches!(store.send_again(finding, "dana", at(1)).await, Err(Error::Conflict(_))));
    let publish = super::claim(store, "box", 1).await.expect("the publishing").lease;
    let refused = WriteOutcome::Refused { reason: "no permission".into() };
    store.finish_write(&publish, &refused, &[], at(2)).await.expect("finishes");
    let card = store.send_again(finding, "dana", at(3)).await.expect("queues");
    assert_eq!((card.delivery, card.problem), (Delivery::Waiting, None));
    assert_eq!(super::claim(store, "box", 4).await.expect("queued").job, Job::Publish { finding });
}

/// What the migration takes out of cards that were there before it.
#[tokio::test]
async fn findings_from_before_are_narrowed_too() {
    let fresh = Fresh::sqlite().await;
    let store = &fresh.store;
    let unit = placed(store, 1, &["A", "Floor 2", "Unit 204"], 9).await;
    sqlx::query("UPDATE findings SET place = NULL, trade = NULL, uploader = NULL")
        .execute(&store.0.writer)
        .await
        .expect("empties");
    let script = include_str!("../migrations/0003_review.sql");
    let update = script.split(';').find(|statement| statement.contains("UPDATE findings")).expect("is there");
    sqlx::query(sqlx::AssertSqlSafe(update)).execute(&store.0.writer).await.expect("fills");
    let query = CardQuery {
        place: Some("A › Floor 2".into()),
        trade: Some(TradeId::new(9)),
        uploader: Some("Dana".into()),
        ..CardQuery::default()
    };
    assert_eq!(ids(store, query).await, [unit]);
}
