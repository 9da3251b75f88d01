use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::date;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::{Fresh, MUTING, PROJECT, analyse, at, card, drafts, on_both, record, rejected, started};
use crate::domain::card::Card;
use crate::domain::dedupe::{Candidate, Intake, Mute, Sighting, groups};
use crate::domain::delivery::ProjectMode;
use crate::domain::detection::DefectClass;
use crate::domain::ids::{FindingId, ImageId, LocationId, PhotoId, PunchItemId};
use crate::domain::image_hash::ImageHash;
use crate::domain::job::Job;
use crate::domain::place::{Location, Place};
use crate::domain::review::{Decision, Delivery, FindingState, HoldReason, RejectReason, Verdict};
use crate::domain::tagging::CapRules;
use crate::store::{CardQuery, IntakeCounts, Store};

on_both![
    photos_of_one_defect_on_two_boxes_at_once_are_one_card,
    a_photo_between_two_cards_makes_them_one,
    a_place_that_comes_later_refiles_the_card_until_somebody_decides,
    what_mutes_and_caps_and_the_list_keep_back_is_recorded_with_its_reason,
    what_was_rejected_stays_away_until_its_mute_ends,
];

/// What a photo shows: where, when, and in how many bits its prints differ from those of photo 0.
#[derive(Debug, Clone, Copy)]
struct Shot {
    image: i64,
    location: Option<i64>,
    second: Option<i64>,
    photo: u32,
    region: u32,
}

/// The bits of a print without structure, which is like none.
const PLAIN: u32 = u32::MAX;

fn print(bits: u32) -> ImageHash {
    if bits == PLAIN {
        return ImageHash::from_parts(0, 0, [0x88; 64]);
    }
    let flipped = if bits == 0 { 0 } else { u64::MAX >> (64 - bits) };
    ImageHash::from_parts(0x5A5A_0F0F_3C3C_6996 ^ flipped, u64::MAX, [0x88; 64])
}

fn room(n: i64) -> Location {
    let name = if n == 0 { "Building 0".to_owned() } else { format!("Building 0>Room {n}") };
    Location::from_name(LocationId::new(n), &name)
}

impl Shot {
    /// A photo of its own that shows nothing like any other.
    fn of(image: i64) -> Self {
        Self { image, location: None, second: None, photo: PLAIN, region: PLAIN }
    }

    fn candidate(self) -> Candidate {
        let record = record(self.image, format!("bytes of {}", self.image).as_bytes());
        let place = self.location.map_or_else(|| Place::unknown("nobody said"), |n| Place::of_photo(room(n)));
        let mut card = card(&record, "crack", 0.9, at(self.image));
        card.draft.location = place.id();
        let Intake { mut candidates, .. } = drafts(&[Card { place, ..card }]);
        let candidate = candidates.remove(0);
        let sighting = Sighting {
            taken_at: self.second.map(at),
            photo: print(self.photo),
            region: print(self.region),
            ..candidate.sighting
        };
        Candidate { sighting, ..candidate }
    }

    fn intake(self) -> Intake {
        Intake { candidates: vec![self.candidate()], ..drafts(&[]) }
    }

    fn id(self) -> FindingId {
        self.candidate().card.finding.id
    }
}

async fn take(store: &Store, shot: Shot, intake: &Intake) -> IntakeCounts {
    let record = record(shot.image, format!("bytes of {}", shot.image).as_bytes());
    let lease = started(store, analyse(shot.image), 0).await.lease;
    store.record_photo(&lease, &record, Some(intake), at(1)).await.expect("records")
}

/// The undecided cards as sets of photos.
async fn cards(store: &Store) -> BTreeSet<BTreeSet<PhotoId>> {
    let query = CardQuery { states: vec![FindingState::Proposed], ..CardQuery::default() };
    let mut sets = BTreeSet::new();
    for card in store.cards(&query).await.expect("lists") {
        let photos = store.photos_of(card.finding.id).await.expect("lists");
        assert!(sets.insert(photos.into_iter().collect()), "no photo is on two cards");
    }
    sets
}

fn any_shots() -> impl Strategy<Value = Vec<(Shot, bool)>> {
    let one = (
        prop::option::of(0..3_i64),
        prop::option::of(0..600_i64),
        prop::sample::select(vec![0_u32, 3, 7, 30]),
        prop::sample::select(vec![0_u32, 9, 14, 25, 40]),
        any::<bool>(),
    );
    prop::collection::vec(one, 1..9)
        .prop_map(|all| {
            let shot = |(image, (location, second, photo, region, box_two))| {
                (Shot { image, location, second, photo, region }, box_two)
            };
            (1..).zip(all).map(shot).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

#[test]
fn two_boxes_make_the_same_cards_in_whatever_order_photos_arrive() {
    two_boxes(24, async || Some(Fresh::sqlite().await));
}

#[test]
fn two_boxes_on_postgres_make_the_same_cards_in_whatever_order_photos_arrive() {
    two_boxes(12, Fresh::postgres);
}

/// Without a database to be had there is nothing to show.
fn two_boxes(cases: u32, fresh: impl AsyncFn() -> Option<Fresh>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config::with_cases(cases));
    let outcome = runner.run(&any_shots(), |shots| {
        runtime.block_on(async {
            let Some(fresh) = fresh().await else { return Ok(()) };
            let (one, two) = (&fresh.store, fresh.again().await);
            for (shot, box_two) in &shots {
                take(if *box_two { &two } else { one }, *shot, &shot.intake()).await;
            }
            let candidates: Vec<Candidate> = shots.iter().map(|(shot, _)| shot.candidate()).collect();
            let photo = |finding: &FindingId| {
                let of = |candidate: &&Candidate| candidate.sighting.finding == *finding;
                candidates.iter().find(of).map(|candidate| candidate.sighting.seen_in)
            };
            let sightings: Vec<Sighting> =
                candidates.iter().map(|candidate| candidate.sighting.clone()).collect();
            let expected: BTreeSet<BTreeSet<PhotoId>> = groups(&sightings, &drafts(&[]).once)
                .iter()
                .map(|group| group.iter().filter_map(photo).collect())
                .collect();
            if cards(one).await == expected {
                Ok(())
            } else {
                Err(TestCaseError::fail(format!("{expected:#?}")))
            }
        })
    });
    outcome.expect("holds");
}

async fn photos_of_one_defect_on_two_boxes_at_once_are_one_card(fresh: Fresh) {
    let boxes = [fresh.store.clone(), fresh.again().await];
    let tasks = (1..=12).map(|image| {
        let store = boxes[image as usize % 2].clone();
        tokio::spawn(async move {
            let shot = Shot { location: Some(1), photo: 0, region: 0, ..Shot::of(image) };
            let record = record(image, format!("bytes of {image}").as_bytes());
            store.enqueue(&[analyse(image)], at(0), at(0)).await.expect("queues");
            let lane = store.claim("box", &["analyze_photo"], super::LEASE, at(0)).await.expect("claims");
            let lease = lane.expect("one for each").lease;
            // Whose photo the claimed job is does not matter here: each is recorded once.
            store.record_photo(&lease, &record, Some(&shot.intake()), at(1)).await.expect("records")
        })
    });
    let mut new = 0;
    for task in tasks.collect::<Vec<_>>() {
        new += task.await.expect("no panic").new.len();
    }
    assert_eq!(new, 1);
    let sets = cards(&fresh.store).await;
    assert_eq!(sets.iter().map(BTreeSet::len).collect::<Vec<_>>(), [12]);
    let publishing = fresh.store.jobs(None, 50).await.expect("lists");
    assert_eq!(publishing.iter().filter(|job| job.kind == "publish").count(), 1);
}

async fn a_photo_between_two_cards_makes_them_one(fresh: Fresh) {
    let store = &fresh.store;
    let left = Shot { location: Some(1), region: 0, photo: 0, ..Shot::of(1) };
    let right = Shot { location: Some(1), region: 20, photo: 30, ..Shot::of(2) };
    let between = Shot { location: Some(1), region: 10, photo: 60, ..Shot::of(3) };
    take(store, left, &left.intake()).await;
    take(store, right, &right.intake()).await;
    assert_eq!(cards(store).await.len(), 2);
    let recorded = take(store, between, &between.intake()).await;
    assert_eq!((recorded.known, recorded.folded), (vec![left.id()], vec![right.id()]));
    assert_eq!(cards(store).await.len(), 1);
    assert_eq!(store.images_of(left.id()).await.expect("lists"), [1, 2, 3].map(ImageId::new));
    let folded = store.card(right.id()).await.expect("reads").expect("is there");
    let decision = folded.decision.expect("decided");
    assert_eq!(decision.verdict, Verdict::Reject { reason: RejectReason::Duplicate });
    let jobs = store.jobs(None, 50).await.expect("lists");
    let of = |kind: &str| jobs.iter().filter(|job| job.kind == kind).count();
    assert_eq!((of("apply_decision"), of("link_photo")), (1, 2), "its draft goes, its photos come over");
    assert!(store.verify_audit().await.expect("walks").broken.is_none());
}

async fn a_place_that_comes_later_refiles_the_card_until_somebody_decides(fresh: Fresh) {
    let store = &fresh.store;
    let lost = Shot::of(1);
    let placed = Shot { location: Some(2), ..lost };
    take(store, lost, &lost.intake()).await;
    take(store, placed, &placed.intake()).await;
    let card = store.card(lost.id()).await.expect("reads").expect("is there");
    assert_eq!((card.place.id(), card.draft.location), (Some(LocationId::new(2)), Some(LocationId::new(2))));
    assert_eq!(card.earlier.iter().map(|draft| draft.location).collect::<Vec<_>>(), [None]);
    assert_eq!(store.jobs(None, 9).await.expect("lists").len(), 1, "published once, with what is true now");
    store.decide(lost.id(), &rejected("dana", 10), MUTING).await.expect("decides");
    let moved = Shot { location: Some(1), ..lost };
    take(store, moved, &moved.intake()).await;
    let decided = store.card(lost.id()).await.expect("reads").expect("is there");
    assert_eq!(decided.place.id(), Some(LocationId::new(2)));
}

async fn what_mutes_and_caps_and_the_list_keep_back_is_recorded_with_its_reason(fresh: Fresh) {
    let store = &fresh.store;
    let mute = Mute {
        class: DefectClass::new("crack"),
        location: Some(LocationId::new(1)),
        until: Some(date(2027, 1, 20)),
        reason: RejectReason::TooEarly,
        reviewer: "dana".into(),
    };
    let id = store.add_mute(PROJECT, &mute, "Room 1", "dana", at(0)).await.expect("mutes");
    let muted = Shot { location: Some(1), region: 0, ..Shot::of(1) };
    let recorded = take(store, muted, &muted.intake()).await;
    assert_eq!(recorded.kept, [(muted.id(), HoldReason::Mute(id))]);
    let listed = Shot::of(2);
    let mut intake = listed.intake();
    intake.candidates[0].on_the_list = Some((PunchItemId::new(7), "It is there.".into()));
    let recorded = take(store, listed, &intake).await;
    assert_eq!(recorded.kept, [(listed.id(), HoldReason::OpenItem(PunchItemId::new(7)))]);
    let caps = CapRules { per_photo: 3, per_project_day: 1 };
    for (image, kept) in [(3, 0), (4, 1)] {
        let shot = Shot::of(image);
        let recorded = take(store, shot, &Intake { caps, ..shot.intake() }).await;
        assert_eq!(recorded.kept.len(), kept, "one draft a day");
    }
    let counts = store.counts(None, at(0)).await.expect("counts");
    assert_eq!((counts.to_review, counts.capped, counts.muted, counts.known), (2, 1, 1, 1));
    let jobs: Vec<Job> =
        store.jobs(None, 9).await.expect("lists").into_iter().filter_map(|row| row.job).collect();
    let link = Job::LinkPhoto { finding: listed.id(), image: ImageId::new(2) };
    assert!(jobs.contains(&link) && jobs.len() == 2, "{jobs:?}");
    let held = store.card(muted.id()).await.expect("reads").expect("is there");
    assert_eq!((held.delivery, held.held.expect("held").by), (Delivery::Withheld, HoldReason::Mute(id)));

    // The same wall after the mute has run out is shown again.
    let later = Shot { image: 9, ..muted };
    let tomorrow = date(2027, 1, 20).checked_add(1.day()).expect("a day");
    let recorded = take(store, later, &Intake { today: tomorrow, ..later.intake() }).await;
    assert_eq!(recorded.new, [later.id()]);
}

async fn what_was_rejected_stays_away_until_its_mute_ends(fresh: Fresh) {
    let store = &fresh.store;
    let shot = |image| Shot { location: Some(1), region: 0, photo: 0, ..Shot::of(image) };
    take(store, shot(1), &shot(1).intake()).await;
    let too_early = Verdict::Reject { reason: RejectReason::TooEarly };
    let decision = Decision { verdict: too_early, ..rejected("dana", 10) };
    store.decide(shot(1).id(), &decision, MUTING).await.expect("decides");
    let on = |shot: Shot, today| Intake { today, mode: ProjectMode::Draft, ..shot.intake() };
    let same = take(store, shot(2), &on(shot(2), date(2027, 1, 29))).await;
    assert_eq!((same.known, same.new), (vec![shot(1).id()], vec![]));
    let again = take(store, shot(3), &on(shot(3), date(2027, 1, 30))).await;
    assert_eq!(again.new, [shot(3).id()]);
}
