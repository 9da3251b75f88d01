//! What passes: photos that are hidden for a while, parked projects, clocks that ran ahead.

use std::time::Duration;

use serde_json::json;

use super::{Fresh, LEASE, PROJECT, analyse, at, claim, found, on_both, record, started};
use crate::domain::ids::{ImageId, PhotoId, ProjectId, ProjectKey, Sha256Digest};
use crate::domain::job::Job;
use crate::domain::photo_retries::{DownloadProblem, DownloadTries};
use crate::store::{Error, JobState, LeftOutState, PhotoRecord, PhotoState, Store};

on_both![
    tries_are_kept_until_the_photo_is_settled,
    what_a_list_shows_does_not_wait_for_its_turn,
    photos_that_were_not_looked_at_are_listed_and_looked_at_again,
    a_photo_that_is_shown_again_gets_its_picture_back,
    resuming_frees_every_parked_job_of_the_project,
    what_a_clock_ahead_has_written_is_brought_back,
    a_lease_of_a_clock_ahead_ends_unless_it_is_extended,
];

const OTHER: ProjectKey = ProjectKey { project: ProjectId::new(1), ..PROJECT };

fn id(image: i64) -> PhotoId {
    PhotoId::of(PROJECT, ImageId::new(image))
}

fn hidden(tries: u32) -> DownloadTries {
    DownloadTries { trouble: DownloadProblem::NotShown, tries, same: tries, content: None }
}

async fn note(store: &Store, image: i64, tries: &DownloadTries) {
    let of = (PROJECT, ImageId::new(image));
    store.note_photo_tries(of, "IMG.jpg", tries, "Procore does not show it", at(1)).await.expect("notes");
}

async fn settle(store: &Store, image: i64, state: PhotoState, now: i64) {
    let lease = started(store, analyse(image), now).await.lease;
    let record = PhotoRecord { state, content: None, picture: None, ..record(image, b"") };
    store.record_photo(&lease, &record, None, at(now)).await.expect("records");
}

async fn tries_are_kept_until_the_photo_is_settled(fresh: Fresh) {
    let store = &fresh.store;
    assert_eq!(store.photo_tries(id(1)).await.expect("reads"), None);
    let tries = DownloadTries {
        trouble: DownloadProblem::NotThePhoto,
        tries: 3,
        same: 2,
        content: Some(Sha256Digest::of(b"<html>")),
    };
    note(store, 1, &hidden(1)).await;
    note(store, 1, &tries).await;
    assert_eq!(store.photo_tries(id(1)).await.expect("reads"), Some(tries));
    settle(store, 1, PhotoState::Skipped { reason: "hidden".into() }, 2).await;
    assert_eq!(store.photo_tries(id(1)).await.expect("reads"), None);
}

async fn what_a_list_shows_does_not_wait_for_its_turn(fresh: Fresh) {
    let store = &fresh.store;
    store.enqueue(&[analyse(1), analyse(2)], at(5000), at(0)).await.expect("queues");
    note(store, 1, &hidden(1)).await;
    assert_eq!(store.enqueue(&[analyse(1), analyse(2)], at(1), at(1)).await.expect("queues"), 0);
    let claimed = claim(store, "box", 1).await.expect("the hidden one is due");
    assert_eq!(claimed.job, analyse(1));
    assert!(claim(store, "box", 1).await.is_none(), "the other waits as before");
}

async fn photos_that_were_not_looked_at_are_listed_and_looked_at_again(fresh: Fresh) {
    let store = &fresh.store;
    settle(store, 1, PhotoState::Analysed, 0).await;
    settle(store, 2, PhotoState::Skipped { reason: "a panorama".into() }, 1).await;
    settle(store, 3, PhotoState::Failed { reason: "damaged".into() }, 2).await;
    store.enqueue(&[analyse(4)], at(5000), at(0)).await.expect("queues");
    note(store, 4, &hidden(2)).await;
    let rows = store.photos_left_out(None).await.expect("lists");
    let told: Vec<_> = rows.iter().map(|row| (row.image.value(), row.state, row.tries)).collect();
    let expected =
        [(4, LeftOutState::Trying, 2), (3, LeftOutState::Failed, 0), (2, LeftOutState::Skipped, 0)];
    assert_eq!(told, expected);
    assert_eq!(store.photos_left_out(Some(&[PROJECT])).await.expect("lists"), rows);
    assert_eq!(store.photos_left_out(Some(&[OTHER])).await.expect("lists"), []);

    for image in [3, 4] {
        store.look_again(id(image), "dana", at(3)).await.expect("queues");
        assert_eq!(claim(store, "box", 3).await.expect("due at once").job, analyse(image));
    }
    assert_eq!(store.photo_tries(id(4)).await.expect("reads"), None, "counted anew");
    for image in [1, 99] {
        let refused = store.look_again(id(image), "dana", at(3)).await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    }
    assert!(store.verify_audit().await.expect("walks").broken.is_none());
}

async fn a_photo_that_is_shown_again_gets_its_picture_back(fresh: Fresh) {
    let store = &fresh.store;
    found(store, 1, "crack", 0).await;
    store.forget_photo(None, id(1), at(5)).await.expect("forgets");
    for (shown, kept) in [(4, false), (6, true)] {
        let lease = started(store, analyse(1), 6).await.lease;
        let again = PhotoRecord { shown_at: Some(at(shown)), ..record(1, b"bytes of 1") };
        store.record_photo(&lease, &again, None, at(7)).await.expect("records");
        assert_eq!(store.picture(id(1)).await.expect("reads").is_some(), kept, "shown at {shown}");
        let photo = store.photo(id(1)).await.expect("reads").expect("its row stays");
        assert_eq!(photo.forgotten_at.is_none(), kept);
    }
}

async fn resuming_frees_every_parked_job_of_the_project(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let elsewhere = Job::AnalyzePhoto { project: OTHER, image: ImageId::new(9) };
    let jobs = [
        Job::Publish { finding },
        Job::LinkPhoto { finding, image: ImageId::new(1) },
        analyse(2),
        Job::Sweep { project: PROJECT },
        elsewhere.clone(),
    ];
    store.enqueue(&jobs, at(0), at(0)).await.expect("queues");
    while let Some(claimed) = claim(store, "box", 1).await {
        store.park(&claimed.lease, "the tool is off", at(1)).await.expect("parks");
    }
    assert_eq!(store.resume_project(PROJECT, "dana", at(2)).await.expect("frees"), 4);
    let parked = store.jobs(Some(JobState::Parked), 10).await.expect("lists");
    assert_eq!(parked.iter().map(|row| row.job.clone()).collect::<Vec<_>>(), [Some(elsewhere)]);
    assert!(matches!(store.resume_project(PROJECT, "dana", at(3)).await, Err(Error::NotFound(_))));
}

async fn what_a_clock_ahead_has_written_is_brought_back(fresh: Fresh) {
    const AHEAD: i64 = 6 * 3600;
    let store = &fresh.store;
    store.enqueue(&[analyse(1)], at(AHEAD + 30), at(AHEAD)).await.expect("queues");
    store.enqueue(&[analyse(2)], at(400), at(0)).await.expect("queues");
    store.cache(PROJECT, "trades", &json!([]), at(AHEAD)).await.expect("keeps");
    store.correct_times(at(AHEAD)).await.expect("nothing to correct");
    assert_eq!(store.correct_times(at(10)).await.expect("corrects"), 2);
    assert_eq!(store.next_due(&super::KINDS).await.expect("reads"), Some(at(40)), "the wait that was meant");
    assert!(claim(store, "box", 39).await.is_none());
    assert_eq!(claim(store, "box", 40).await.expect("due").job, analyse(1));
    let (_, read_at) = store.cached(PROJECT, "trades").await.expect("reads").expect("is kept");
    assert_eq!(read_at, at(10));
}

async fn a_lease_of_a_clock_ahead_ends_unless_it_is_extended(fresh: Fresh) {
    const AHEAD: i64 = 6 * 3600;
    let store = &fresh.store;
    let lease = started(store, analyse(1), AHEAD).await.lease;
    assert_eq!(store.odd_leases(at(AHEAD) + LEASE).await.expect("lists"), []);
    let odd = store.odd_leases(at(0) + LEASE).await.expect("lists");
    store.extend(&lease, at(AHEAD + 90)).await.expect("still ours");
    store.end_lease(&odd[0], at(0)).await.expect("too late");
    assert!(claim(store, "other", 1).await.is_none(), "somebody works on it");
    let odd = store.odd_leases(at(0) + LEASE + Duration::from_secs(1)).await.expect("lists");
    store.end_lease(&odd[0], at(0)).await.expect("ends");
    assert_eq!(claim(store, "other", 1).await.expect("free").job, analyse(1));
    assert!(matches!(store.complete(&lease).await, Err(Error::LeaseLost)));
}
