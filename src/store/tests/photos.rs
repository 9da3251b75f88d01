use super::{
    Fresh, MUTING, PROJECT, accepted, analyse, at, card, claim, drafts, found, on_both, record, rejected,
    started, suggestions,
};
use crate::domain::ids::{FindingId, ImageId, LocationId, PhotoId, ProjectId, ProjectKey, Sha256Digest};
use crate::domain::job::Job;
use crate::domain::place::{Location, Place};
use crate::domain::review::{Delivery, FindingState};
use crate::store::{
    CardOrder, CardQuery, Counts, Error, IntakeCounts, Layer, NewDelivery, Overlaid, Overlay, PhotoRecord,
    PhotoState, Pruned, Received, Store, StoredPicture, WriteOutcome,
};

on_both![
    a_photo_comes_back_as_it_was_recorded,
    names_of_any_length_with_anything_in_them_are_taken,
    the_same_photo_or_bytes_again_are_one_finding,
    a_lost_lease_records_nothing,
    a_photo_that_failed_keeps_its_reason,
    a_forgotten_photo_has_no_picture_and_gets_none_again,
    overlays_are_kept_and_go_with_their_picture,
    lists_filter_order_and_page,
    the_summary_is_in_the_order_of_file_names,
    old_pictures_go_once_nobody_waits_for_them,
    pictures_beyond_the_budget_go_oldest_first_but_never_undecided_ones,
    settled_deliveries_are_dropped_after_their_time,
];

fn id(image: i64) -> PhotoId {
    PhotoId::of(PROJECT, ImageId::new(image))
}

async fn titles(store: &Store, query: CardQuery) -> Vec<String> {
    let cards = store.cards(&query).await.expect("lists");
    cards.into_iter().map(|card| card.draft.title).collect()
}

async fn a_photo_comes_back_as_it_was_recorded(fresh: Fresh) {
    let store = &fresh.store;
    let record = record(7, b"bytes");
    let cards = [card(&record, "crack", 0.9, at(1)), card(&record, "spalling", 0.7, at(1))];
    let lease = started(store, analyse(7), 1).await.lease;
    let recorded =
        store.record_photo(&lease, &record, Some(&suggestions(&cards)), at(2)).await.expect("records");
    assert_eq!(
        recorded,
        IntakeCounts { new: cards.iter().map(|card| card.finding.id).collect(), ..IntakeCounts::default() }
    );

    let photo = store.photo(id(7)).await.expect("reads").expect("is there");
    assert_eq!(
        (photo.project, photo.image, photo.filename.as_str()),
        (PROJECT, record.image, "IMG_0007.jpg")
    );
    assert_eq!(
        (&photo.capture, &photo.size, &photo.content),
        (&record.capture, &record.size, &record.content)
    );
    assert_eq!((photo.timings, photo.findings, photo.recorded_at), (record.timings, 2, at(2)));
    assert_eq!(store.picture(id(7)).await.expect("reads"), record.picture);
    for card in cards {
        assert_eq!(store.card(card.finding.id).await.expect("reads"), Some(card));
    }
    assert!(store.jobs(None, 10).await.expect("lists").is_empty(), "the job is done");
    assert_eq!(store.photo(id(8)).await.expect("reads"), None);
}

async fn names_of_any_length_with_anything_in_them_are_taken(fresh: Fresh) {
    let store = &fresh.store;
    // No text of PostgreSQL holds a NUL, and no index of its a long one.
    for (image, odd) in [(1, "a\0b".to_owned()), (2, "ü".repeat(20_000)), (3, "\0".into())] {
        let named = record(image, odd.as_bytes());
        let named = PhotoRecord { filename: odd.clone(), uploader: Some(odd.clone()), ..named };
        let mut card = card(&named, "crack", 0.9, at(1));
        card.place = Place::of_photo(Location { id: LocationId::new(204), path: vec![odd.clone(); 2] });
        let lease = started(store, analyse(image), 1).await.lease;
        store.record_photo(&lease, &named, Some(&drafts(&[card])), at(1)).await.expect("records");
        let delivery = NewDelivery { dedupe_key: odd.clone(), body: odd.clone().into_bytes() };
        store.receive(&delivery, at(1)).await.expect("stores");
        assert_eq!(store.receive(&delivery, at(2)).await.expect("answers"), Received::Duplicate);
        let by = |place, uploader, text| CardQuery { place, uploader, text, ..CardQuery::default() };
        for query in [by(Some(odd.clone()), None, None), by(None, Some(odd.clone()), None)] {
            assert!(store.cards(&query).await.expect("lists").len() <= 1);
        }
        store.cards(&by(None, None, Some(odd))).await.expect("searches");
    }
    assert_eq!(store.photos_summary().await.expect("lists").len(), 3);
    assert_eq!(store.verify_audit().await.expect("walks").broken, None);
}

async fn the_same_photo_or_bytes_again_are_one_finding(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let first = store.card(finding).await.expect("reads");
    let again = PhotoRecord { image: ImageId::new(2), ..record(1, b"bytes of 1") };
    for (image, record) in [(1, record(1, b"bytes of 1")), (2, again)] {
        let lease = started(store, analyse(image), 5).await.lease;
        let better = card(&record, "crack", 0.99, at(5));
        let recorded =
            store.record_photo(&lease, &record, Some(&drafts(&[better])), at(6)).await.expect("records");
        assert_eq!(recorded, IntakeCounts { known: vec![finding], ..IntakeCounts::default() });
    }
    assert_eq!(store.card(finding).await.expect("reads"), first, "nothing else has changed");
    assert_eq!(store.photos_of(finding).await.expect("reads"), [id(1), id(2)]);
    let jobs = store.jobs(None, 10).await.expect("lists");
    let kinds: Vec<&str> = jobs.iter().map(|job| job.kind.as_str()).collect();
    assert!(kinds.len() == 2 && kinds.contains(&"publish") && kinds.contains(&"link_photo"), "{kinds:?}");
    let twin = store.photo_by_content(PROJECT, &Sha256Digest::of(b"bytes of 1")).await.expect("reads");
    assert!(twin.is_some_and(|photo| photo.findings == 1));
    assert_eq!(store.photo_by_content(PROJECT, &Sha256Digest::of(b"other")).await.expect("reads"), None);
}

async fn a_lost_lease_records_nothing(fresh: Fresh) {
    let store = &fresh.store;
    let frozen = started(store, analyse(1), 0).await.lease;
    claim(store, "other", 60).await.expect("abandoned");
    let record = record(1, b"bytes");
    let cards = [card(&record, "crack", 0.9, at(61))];
    let late = store.record_photo(&frozen, &record, Some(&drafts(&cards)), at(61)).await;
    assert!(matches!(late, Err(Error::LeaseLost)));
    assert_eq!(store.photo(id(1)).await.expect("reads"), None);
    assert_eq!(store.jobs(None, 10).await.expect("lists").len(), 1);
    assert_eq!(store.verify_audit().await.expect("walks").rows, 0);
}

async fn a_photo_that_failed_keeps_its_reason(fresh: Fresh) {
    let store = &fresh.store;
    let state = PhotoState::Failed { reason: "the file ends too early: upload it again".into() };
    let record =
        PhotoRecord { state, size: None, capture: None, content: None, picture: None, ..record(1, b"") };
    let lease = started(store, analyse(1), 0).await.lease;
    store.record_photo(&lease, &record, None, at(1)).await.expect("records");
    let photo = store.photo(id(1)).await.expect("reads").expect("is there");
    assert_eq!((photo.state, photo.size, photo.content), (record.state, None, None));
    assert_eq!(store.picture(id(1)).await.expect("reads"), None);
}

async fn a_forgotten_photo_has_no_picture_and_gets_none_again(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    store.forget_photo(None, id(1), at(5)).await.expect("forgets");
    store.forget_photo(None, id(99), at(5)).await.expect("nothing to forget");
    assert_eq!(store.picture(id(1)).await.expect("reads"), None);
    let lease = started(store, analyse(1), 6).await.lease;
    store.record_photo(&lease, &record(1, b"bytes of 1"), None, at(7)).await.expect("records");
    assert_eq!(store.picture(id(1)).await.expect("reads"), None);
    let photo = store.photo(id(1)).await.expect("reads").expect("its row stays");
    assert_eq!(photo.forgotten_at, Some(at(5)));
    assert!(store.card(finding).await.expect("reads").is_some());
}

/// A crop and a score map of `finding`, together of eight bytes.
fn overlays(finding: FindingId) -> Vec<Overlay> {
    let overlay = |layer, media_type: &str, byte, corners: [f32; 4]| Overlay {
        finding,
        layer,
        area: corners.try_into().expect("a box"),
        picture: StoredPicture { media_type: media_type.into(), bytes: vec![byte; 4] },
    };
    vec![
        overlay(Layer::Crop, "image/jpeg", 1, [10.0, 20.0, 500.0, 400.0]),
        overlay(Layer::ScoreMap, "image/png", 2, [0.0, 0.0, 3008.0, 4000.0]),
    ]
}

/// Records photo `image` with a crack that has [`overlays`].
async fn overlaid(store: &Store, image: i64) -> FindingId {
    let record = record(image, format!("bytes of {image}").as_bytes());
    let card = card(&record, "crack", 0.9, at(image));
    let finding = card.finding.id;
    let record = PhotoRecord { overlays: overlays(finding), ..record };
    let lease = started(store, analyse(image), image).await.lease;
    store.record_photo(&lease, &record, Some(&suggestions(&[card])), at(image)).await.expect("records");
    finding
}

async fn overlays_are_kept_and_go_with_their_picture(fresh: Fresh) {
    let store = &fresh.store;
    let plain = found(store, 9, "crack", 0).await;
    let finding = overlaid(store, 1).await;
    let kept = async |finding| {
        let mut kept = Vec::new();
        for layer in [Layer::Crop, Layer::ScoreMap] {
            kept.push(store.overlay(finding, layer).await.expect("reads"));
        }
        (store.overlaid(finding).await.expect("reads"), kept)
    };
    let [crop, map] = overlays(finding).try_into().expect("two");
    let there = Overlaid { crop: Some(crop.area), score_map: Some(map.area) };
    assert_eq!(kept(finding).await, (there, vec![Some(crop.picture), Some(map.picture)]));
    assert_eq!(kept(plain).await, (Overlaid::default(), vec![None, None]), "before there were any");
    store.forget_photo(None, id(1), at(5)).await.expect("forgets");
    assert_eq!(kept(finding).await, (Overlaid::default(), vec![None, None]));
    // They count towards the budget: without them two pictures of three bytes fit.
    let store = &fresh.another().await.open(|config| config.picture_budget_bytes = 11 + 10).await;
    for image in [1, 2] {
        let finding = overlaid(store, image).await;
        store.decide(finding, &rejected("dana", 10), MUTING).await.expect("decides");
        let lease = started(store, Job::SyncPunchItem { finding }, 20).await.lease;
        let taken = WriteOutcome::TakenOver { reason: "closed by hand".into() };
        store.finish_write(&lease, &taken, &[], at(21)).await.expect("finishes");
    }
    assert_eq!(store.prune(at(50)).await.expect("prunes").pictures, 1);
}

async fn lists_filter_order_and_page(fresh: Fresh) {
    let store = &fresh.store;
    for (image, class, score) in [(1, "crack", 0.7), (2, "peeling_paint", 0.9), (3, "spalling", 0.8)] {
        let record = record(image, &[image as u8]);
        let lease = started(store, analyse(image), image).await.lease;
        let cards = [card(&record, class, score, at(image))];
        store.record_photo(&lease, &record, Some(&suggestions(&cards)), at(image)).await.expect("records");
    }
    let all = || CardQuery::default();
    let [crack, paint, spalling] = ["crack in the wall", "peeling_paint in the wall", "spalling in the wall"];
    assert_eq!(titles(store, all()).await, [spalling, paint, crack]);
    assert_eq!(
        titles(store, CardQuery { order: CardOrder::ByScore, ..all() }).await,
        [paint, spalling, crack]
    );
    assert_eq!(titles(store, CardQuery { limit: Some(1), offset: 1, ..all() }).await, [paint]);
    assert_eq!(titles(store, CardQuery { class: Some("crack".into()), ..all() }).await, [crack]);
    let found = async |text: &str| titles(store, CardQuery { text: Some(text.into()), ..all() }).await;
    assert_eq!(found("DRYWALL spall").await, [spalling]);
    assert_eq!(found("img_0002").await, [paint]);
    assert_eq!(found("100% sure_ly").await.len(), 3);
    assert!(found("100_ sure").await.is_empty(), "an underscore is no wildcard");
    let elsewhere = ProjectKey { project: ProjectId::new(1), ..PROJECT };
    assert!(titles(store, CardQuery { projects: Some(vec![elsewhere]), ..all() }).await.is_empty());

    let crack_id =
        store.cards(&CardQuery { class: Some("crack".into()), ..all() }).await.expect("lists")[0].finding.id;
    store.decide(crack_id, &accepted("dana", 50), MUTING).await.expect("decides");
    let proposed = CardQuery { states: vec![FindingState::Proposed], ..all() };
    assert_eq!(titles(store, proposed).await, [spalling, paint]);
    let decided = CardQuery { decided_since: Some(at(50)), deliveries: vec![Delivery::Waiting], ..all() };
    assert_eq!(titles(store, decided).await, [crack]);
    assert!(titles(store, CardQuery { decided_since: Some(at(51)), ..all() }).await.is_empty());
    let counts = store.counts(Some(&[PROJECT]), at(40)).await.expect("counts");
    assert_eq!(counts, Counts { to_review: 2, decided_today: 1, waiting: 1, ..Counts::default() });
    assert_eq!(store.counts(Some(&[elsewhere]), at(40)).await.expect("counts"), Counts::default());
}

async fn the_summary_is_in_the_order_of_file_names(fresh: Fresh) {
    let store = &fresh.store;
    for image in [3, 1, 2] {
        found(store, image, "crack", image).await;
    }
    let summary = store.photos_summary().await.expect("reads");
    let names: Vec<&str> = summary.iter().map(|summary| summary.photo.filename.as_str()).collect();
    assert_eq!(names, ["IMG_0001.jpg", "IMG_0002.jpg", "IMG_0003.jpg"]);
    assert!(summary.iter().all(|summary| summary.cards.len() == 1 && !summary.photo.timings.is_empty()));
}

async fn old_pictures_go_once_nobody_waits_for_them(fresh: Fresh) {
    let store = &fresh.store;
    let settled = found(store, 1, "crack", 0).await;
    found(store, 2, "crack", 0).await;
    store.decide(settled, &rejected("dana", 10), MUTING).await.expect("decides");
    let in_a_year = at(366 * 24 * 3600);
    assert_eq!(store.prune(in_a_year).await.expect("prunes"), Pruned::default(), "not carried over yet");
    let lease = started(store, Job::SyncPunchItem { finding: settled }, 20).await.lease;
    let gone = WriteOutcome::TakenOver { reason: "deleted by hand".into() };
    store.finish_write(&lease, &gone, &[], at(21)).await.expect("finishes");
    assert_eq!(store.prune(at(100)).await.expect("prunes"), Pruned::default(), "not old yet");
    assert_eq!(store.prune(in_a_year).await.expect("prunes"), Pruned { pictures: 1, ..Pruned::default() });
    assert!(store.picture(id(1)).await.expect("reads").is_none());
    assert!(store.picture(id(2)).await.expect("reads").is_some());
}

async fn pictures_beyond_the_budget_go_oldest_first_but_never_undecided_ones(fresh: Fresh) {
    let picture = 3;
    let store = fresh.open(|config| config.picture_budget_bytes = 2 * picture).await;
    for image in 1..=4 {
        found(&store, image, "crack", image).await;
    }
    assert_eq!(store.prune(at(50)).await.expect("prunes"), Pruned::default(), "all wait for a person");
    for image in 1..=3 {
        let record = record(image, format!("bytes of {image}").as_bytes());
        let finding = card(&record, "crack", 0.9, at(0)).finding.id;
        let lease = started(&store, Job::SyncPunchItem { finding }, 20).await.lease;
        let taken = WriteOutcome::TakenOver { reason: "closed by hand".into() };
        store.finish_write(&lease, &taken, &[], at(21)).await.expect("finishes");
    }
    assert_eq!(store.prune(at(50)).await.expect("prunes").pictures, 2);
    let mut kept = Vec::new();
    for image in 1..=4 {
        kept.push(store.picture(id(image)).await.expect("reads").is_some());
    }
    assert_eq!(kept, [false, false, true, true], "the newest settled one and the undecided one");
}

async fn settled_deliveries_are_dropped_after_their_time(fresh: Fresh) {
    let store = &fresh.store;
    let month = 30 * 24 * 3600;
    for key in ["settled", "waiting"] {
        let delivery = NewDelivery { dedupe_key: key.into(), body: vec![] };
        store.receive(&delivery, at(0)).await.expect("stores");
    }
    let routing = claim(store, "box", 1).await.expect("queued");
    let Job::RouteEvent { inbox } = routing.job else { panic!("a routing") };
    store.settle_delivery(&routing.lease, inbox, "nothing", &[], at(1)).await.expect("settles");
    assert_eq!(store.prune(at(month)).await.expect("prunes"), Pruned::default());
    assert_eq!(
        store.prune(at(month + 2)).await.expect("prunes"),
        Pruned { deliveries: 1, ..Pruned::default() }
    );
}
