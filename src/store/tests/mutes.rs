use jiff::civil::date;

use super::{
    Fresh, MUTING, PROJECT, accepted, analyse, at, card, on_both, record, rejected, started, suggestions,
};
use crate::domain::card::Card;
use crate::domain::dedupe::Mute;
use crate::domain::detection::DefectClass;
use crate::domain::ids::{FindingId, LocationId, ProjectId, ProjectKey};
use crate::domain::place::{Location, Place};
use crate::domain::review::{Decision, Hold, HoldReason, MuteId, RejectReason, Verdict};
use crate::store::audit::AuditSubject;
use crate::store::{CardQuery, Error, MuteRow, Shelf, Store};

on_both![
    a_rejection_mutes_until_it_is_taken_back,
    accepting_and_places_unknown_mute_nothing,
    what_a_mute_kept_back_is_counted_and_comes_back,
    what_several_muted_is_lifted_by_one,
];

fn too_early(now: i64) -> Decision {
    Decision { verdict: Verdict::Reject { reason: RejectReason::TooEarly }, ..rejected("dana", now) }
}

/// Records a photo with a crack in a unit.
async fn crack_in(store: &Store, image: i64, unit: i64) -> FindingId {
    let record = record(image, format!("bytes of {image}").as_bytes());
    let location = Location::from_name(LocationId::new(unit), &format!("Building A>Unit {unit}"));
    let card = Card { place: Place::of_photo(location), ..card(&record, "crack", 0.9, at(0)) };
    let lease = started(store, analyse(image), 0).await.lease;
    store
        .record_photo(&lease, &record, Some(&suggestions(std::slice::from_ref(&card))), at(0))
        .await
        .expect("records");
    card.finding.id
}

async fn mutes(store: &Store) -> Vec<MuteRow> {
    store.mutes(Some(&[PROJECT])).await.expect("lists")
}

async fn a_rejection_mutes_until_it_is_taken_back(fresh: Fresh) {
    let store = &fresh.store;
    let finding = crack_in(store, 1, 204).await;
    store.decide(finding, &too_early(10), MUTING).await.expect("decides");
    let [row] = mutes(store).await.try_into().expect("one mute");
    assert_eq!((row.mute.location, row.mute.until), (Some(LocationId::new(204)), Some(date(2027, 1, 29))));
    assert_eq!((row.place.as_str(), row.finding), ("Building A, Unit 204", Some(finding)));
    let elsewhere = ProjectKey { project: ProjectId::new(1), ..PROJECT };
    assert_eq!(store.mutes(Some(&[elsewhere])).await.expect("lists"), []);
    store.undo(finding, "dana", at(11)).await.expect("undoes");
    assert_eq!(mutes(store).await, []);
    store.decide(finding, &rejected("dana", 12), MUTING).await.expect("decides");
    assert_eq!(mutes(store).await, [], "what is no defect mutes nothing");
}

async fn accepting_and_places_unknown_mute_nothing(fresh: Fresh) {
    let store = &fresh.store;
    let finding = crack_in(store, 1, 204).await;
    store.decide(finding, &accepted("dana", 10), MUTING).await.expect("decides");
    let nowhere = super::found(store, 2, "crack", 0).await;
    store.decide(nowhere, &too_early(10), MUTING).await.expect("decides");
    assert_eq!(mutes(store).await, []);
}

async fn what_several_muted_is_lifted_by_one(fresh: Fresh) {
    let store = &fresh.store;
    let findings =
        [crack_in(store, 1, 204).await, crack_in(store, 2, 204).await, crack_in(store, 3, 205).await];
    for finding in findings {
        store.decide(finding, &too_early(10), MUTING).await.expect("decides");
    }
    let rows = mutes(store).await;
    let units = |rows: &[MuteRow]| {
        rows.iter().map(|row| row.mute.location.map(LocationId::value)).collect::<Vec<_>>()
    };
    assert_eq!(rows.len(), 3, "{:?}", units(&rows));
    let one = rows.iter().find(|row| row.mute.location == Some(LocationId::new(204))).expect("a mute");
    store.lift_mute(one.id, "dana", at(20)).await.expect("lifts");
    assert_eq!(units(&mutes(store).await), [Some(205)], "the other unit's stays");
}

async fn what_a_mute_kept_back_is_counted_and_comes_back(fresh: Fresh) {
    let store = &fresh.store;
    let mute = Mute {
        class: DefectClass::new("crack"),
        location: Some(LocationId::new(204)),
        until: None,
        reason: RejectReason::NotOurs,
        reviewer: "lee".into(),
    };
    let id = store.add_mute(PROJECT, &mute, "Building A, Unit 204", "dana", at(0)).await.expect("mutes");
    crack_in(store, 1, 204).await;
    crack_in(store, 2, 205).await;
    let counts = store.counts(None, at(0)).await.expect("counts");
    assert_eq!((counts.to_review, counts.muted, counts.capped), (1, 1, 0));
    assert_eq!(mutes(store).await[0].silenced, 1);
    let held = Hold { by: HoldReason::Mute(id), because: mute.words() };
    let on = |shelf| CardQuery { shelf, ..CardQuery::default() };
    assert_eq!(store.cards(&on(Shelf::Muted)).await.expect("lists")[0].held, Some(held));
    assert_eq!(store.cards(&on(Shelf::Open)).await.expect("lists").len(), 1);

    store.lift_mute(id, "dana", at(20)).await.expect("lifts");
    let counts = store.counts(None, at(0)).await.expect("counts");
    assert_eq!((counts.to_review, counts.muted, counts.capped), (2, 0, 1));
    let twice = store.lift_mute(id, "lee", at(21)).await.expect_err("lifted");
    assert!(matches!(&twice, Error::Conflict(who) if who.starts_with("dana")), "{twice:?}");
    assert!(matches!(store.lift_mute(MuteId(99), "lee", at(22)).await, Err(Error::NotFound(_))));
    let told = store.audit_of(AuditSubject::Mute(id)).await.expect("lists");
    let kinds: Vec<&str> = told.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["mute.added", "mute.lifted"]);
    assert!(store.verify_audit().await.expect("walks").broken.is_none());
}
