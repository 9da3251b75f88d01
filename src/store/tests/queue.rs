use std::time::Duration;

use super::{Fresh, KINDS, LEASE, PROJECT, analyse, at, claim, found, on_both, started};
use crate::domain::ids::{ImageId, ProjectId, ProjectKey};
use crate::domain::job::Job;
use crate::store::{Error, JobState, QueueStats, Store};

on_both![
    people_come_before_photos_and_photos_before_sweeps,
    only_the_kinds_asked_for_are_claimed,
    an_equal_job_is_queued_once_and_again_while_one_runs,
    a_failed_job_swallows_its_waiting_twin_and_keeps_its_count,
    jobs_on_one_finding_wait_for_each_other,
    a_worker_frozen_past_its_lease_changes_nothing,
    an_extended_lease_holds_longer,
    a_job_that_kills_the_box_dies_after_three_crashes,
    failures_with_a_word_spend_attempts_not_crashes,
    a_job_given_back_was_never_claimed,
    crashes_between_which_a_job_was_given_back_are_not_in_a_row,
    a_restart_frees_its_own_leases_and_no_others,
    payloads_of_another_version_are_parked_and_the_next_job_runs,
    people_retry_and_drop_what_was_set_aside,
    work_done_later_clears_what_was_set_aside_before,
    a_project_that_comes_back_gets_its_parked_jobs_back,
    the_numbers_add_up,
    changes_wake_those_who_wait,
    many_workers_in_two_processes_do_each_job_once,
];

fn lost(result: &Result<(), Error>) {
    assert!(matches!(result, Err(Error::LeaseLost)), "{result:?}");
}

async fn people_come_before_photos_and_photos_before_sweeps(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let sweep = Job::Sweep { project: PROJECT };
    store.enqueue(&[sweep.clone(), analyse(3)], at(0), at(0)).await.expect("queues");
    store.enqueue(&[analyse(2)], at(1), at(0)).await.expect("queues");
    store.enqueue(&[Job::SyncPunchItem { finding }], at(2), at(0)).await.expect("queues");
    let mut order = Vec::new();
    while let Some(claimed) = claim(store, "box", 5).await {
        order.push(claimed.job);
        store.complete(&claimed.lease).await.expect("completes");
    }
    let expected = [Job::Publish { finding }, Job::SyncPunchItem { finding }, analyse(3), analyse(2), sweep];
    assert_eq!(order, expected);
}

async fn only_the_kinds_asked_for_are_claimed(fresh: Fresh) {
    let store = &fresh.store;
    store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues");
    assert!(store.claim("box", &["sweep"], LEASE, at(0)).await.expect("claims").is_none());
    assert!(store.claim("box", &[], LEASE, at(0)).await.expect("claims").is_none());
    assert!(store.claim("box", &["sweep", "analyze_photo"], LEASE, at(0)).await.expect("claims").is_some());
}

async fn an_equal_job_is_queued_once_and_again_while_one_runs(fresh: Fresh) {
    let store = &fresh.store;
    assert_eq!(store.enqueue(&[analyse(1), analyse(1)], at(0), at(0)).await.expect("queues"), 1);
    assert_eq!(store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues"), 0);
    let first = claim(store, "box", 0).await.expect("ready");
    assert_eq!(store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues"), 1);
    assert!(claim(store, "other", 0).await.is_none(), "the same work never runs twice at once");
    store.complete(&first.lease).await.expect("completes");
    assert_eq!(claim(store, "other", 0).await.expect("the second one").attempt, 1);
}

async fn a_failed_job_swallows_its_waiting_twin_and_keeps_its_count(fresh: Fresh) {
    let store = &fresh.store;
    let first = started(store, analyse(1), 0).await;
    store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues");
    store.retry_later(&first.lease, at(30), "no route to host", at(1)).await.expect("requeues");
    assert_eq!(store.jobs(None, 10).await.expect("lists").len(), 1);
    assert!(claim(store, "box", 29).await.is_none(), "not before its time");
    assert_eq!(store.next_due(&KINDS).await.expect("reads"), Some(at(30)));
    assert_eq!(claim(store, "box", 30).await.expect("ready").attempt, 2);
}

async fn jobs_on_one_finding_wait_for_each_other(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let publish = claim(store, "a", 1).await.expect("the publishing");
    store.enqueue(&[Job::ApplyDecision { finding }], at(1), at(1)).await.expect("queues");
    assert!(claim(store, "b", 1).await.is_none());
    store.complete(&publish.lease).await.expect("completes");
    assert_eq!(claim(store, "b", 1).await.expect("free now").job, Job::ApplyDecision { finding });
}

async fn a_worker_frozen_past_its_lease_changes_nothing(fresh: Fresh) {
    let (store, other) = (&fresh.store, fresh.again().await);
    let frozen = started(store, analyse(1), 0).await.lease;
    assert!(claim(&other, "other", 59).await.is_none(), "the lease still holds");
    let taken = claim(&other, "other", 60).await.expect("the lease has run out");
    assert_eq!((taken.job, taken.attempt), (analyse(1), 2));
    lost(&store.extend(&frozen, at(500)).await);
    lost(&store.complete(&frozen).await);
    lost(&store.retry_later(&frozen, at(70), "late", at(61)).await);
    lost(&store.park(&frozen, "late", at(61)).await);
    lost(&store.bury(&frozen, "late", at(61)).await);
    lost(&store.give_back(&frozen, at(61), at(61)).await);
    let [row] = &store.jobs(None, 10).await.expect("lists")[..] else { panic!("one job") };
    assert_eq!(
        (row.state, row.lease_until, row.owner.as_deref()),
        (JobState::Running, Some(at(120)), Some("other"))
    );
    other.complete(&taken.lease).await.expect("its own lease is good");
}

async fn an_extended_lease_holds_longer(fresh: Fresh) {
    let store = &fresh.store;
    let lease = started(store, analyse(1), 0).await.lease;
    store.extend(&lease, at(100)).await.expect("extends");
    assert!(claim(store, "other", 99).await.is_none());
    assert!(claim(store, "other", 100).await.is_some());
}

async fn a_job_that_kills_the_box_dies_after_three_crashes(fresh: Fresh) {
    let store = &fresh.store;
    store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues");
    for crash in 0..3 {
        assert_eq!(claim(store, "box", crash * 100).await.expect("again").attempt, crash as u32 + 1);
    }
    assert!(claim(store, "box", 400).await.is_none());
    let [row] = &store.jobs(Some(JobState::Dead), 10).await.expect("lists")[..] else {
        panic!("one is dead")
    };
    assert_eq!((row.attempts, row.crashes), (3, 3));
    assert!(row.error.as_deref().is_some_and(|reason| reason.contains("crashed the worker")), "{row:?}");
}

async fn failures_with_a_word_spend_attempts_not_crashes(fresh: Fresh) {
    let store = &fresh.store;
    store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues");
    for attempt in 1..=4 {
        let claimed = claim(store, "box", attempt).await.expect("four attempts");
        store.retry_later(&claimed.lease, at(attempt), "503", at(attempt)).await.expect("requeues");
    }
    assert!(claim(store, "box", 10).await.is_none());
    let [row] = &store.jobs(Some(JobState::Dead), 10).await.expect("lists")[..] else {
        panic!("one is dead")
    };
    assert_eq!(row.error.as_deref(), Some("all 4 attempts are spent (503)"));
}

async fn a_job_given_back_was_never_claimed(fresh: Fresh) {
    let store = &fresh.store;
    store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues");
    for _ in 0..10 {
        let claimed = claim(store, "box", 1).await.expect("ready at once");
        assert_eq!(claimed.attempt, 1);
        store.give_back(&claimed.lease, at(1), at(1)).await.expect("gives back");
    }
}

/// As it waits for its turn while the box is killed again and again for other reasons.
async fn crashes_between_which_a_job_was_given_back_are_not_in_a_row(fresh: Fresh) {
    let store = &fresh.store;
    store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues");
    for round in 0..3 {
        claim(store, "box", round * 1000).await.expect("the box dies with it");
        let claimed = claim(store, "box", round * 1000 + 500).await.expect("abandoned");
        let now = at(round * 1000 + 501);
        store.give_back(&claimed.lease, now, now).await.expect("gives back");
    }
    assert!(claim(store, "box", 9000).await.is_some(), "it killed nothing");
}

async fn a_restart_frees_its_own_leases_and_no_others(fresh: Fresh) {
    let store = &fresh.store;
    store.enqueue(&[analyse(1), analyse(2)], at(0), at(0)).await.expect("queues");
    let own = claim(store, "box-1#3", 0).await.expect("ready");
    claim(store, "box-10", 0).await.expect("ready");
    store.enqueue(std::slice::from_ref(&own.job), at(0), at(0)).await.expect("a twin waits");
    assert_eq!(store.reclaim_own("box-1", at(5)).await.expect("frees"), 1);
    lost(&store.complete(&own.lease).await);
    let again = claim(store, "box-1", 5).await.expect("at once");
    assert_eq!((again.job, again.attempt), (own.job, 2));
    assert!(claim(store, "box-1", 5).await.is_none());
}

async fn payloads_of_another_version_are_parked_and_the_next_job_runs(fresh: Fresh) {
    let store = &fresh.store;
    store.enqueue(&[analyse(1), analyse(2), analyse(3), analyse(4)], at(0), at(0)).await.expect("queues");
    let mut raw = fresh.raw().await;
    for change in [
        "UPDATE jobs SET version = 2 WHERE id = 1",
        "UPDATE jobs SET kind = 'dance', payload = '{\"kind\":\"dance\"}' WHERE id = 2",
        "UPDATE jobs SET payload = 'not json' WHERE id = 3",
    ] {
        sqlx::query(change).execute(&mut raw).await.expect("changes");
    }
    let claimed = store.claim("box", &["analyze_photo"], LEASE, at(0)).await.expect("claims");
    assert_eq!(claimed.expect("the sound one").job, analyse(4));
    let parked = store.jobs(Some(JobState::Parked), 10).await.expect("lists");
    assert_eq!(parked.len(), 3);
    assert!(parked.iter().all(|row| row.job.is_none() && row.error.is_some()), "{parked:?}");
}

async fn people_retry_and_drop_what_was_set_aside(fresh: Fresh) {
    let store = &fresh.store;
    let finding = found(store, 1, "crack", 0).await;
    let publish = claim(store, "box", 1).await.expect("the publishing");
    let id = publish.lease.job();
    assert!(matches!(store.retry_job(id, "dana", at(1)).await, Err(Error::Conflict(_))), "it runs");
    store.park(&publish.lease, "no right to create punch items", at(2)).await.expect("parks");
    let problem = || async { store.card(finding).await.expect("reads").expect("is there").problem };
    assert_eq!(problem().await.as_deref(), Some("no right to create punch items"));

    store.retry_job(id, "dana", at(3)).await.expect("retries");
    assert_eq!(problem().await, None);
    let again = claim(store, "box", 3).await.expect("queued again");
    assert_eq!(again.attempt, 1);
    store.bury(&again.lease, "refused", at(4)).await.expect("buries");
    store.drop_job(id, "dana", "we make it by hand", at(5)).await.expect("drops");
    assert_eq!(problem().await.as_deref(), Some("dana dropped the job: we make it by hand"));
    assert!(matches!(store.drop_job(id, "dana", "", at(6)).await, Err(Error::NotFound(_))));
}

async fn work_done_later_clears_what_was_set_aside_before(fresh: Fresh) {
    let store = &fresh.store;
    let first = started(store, analyse(1), 0).await;
    store.park(&first.lease, "not permitted", at(1)).await.expect("parks");
    let second = started(store, analyse(1), 2).await;
    store.complete(&second.lease).await.expect("completes");
    assert!(store.jobs(None, 10).await.expect("lists").is_empty());
}

async fn a_project_that_comes_back_gets_its_parked_jobs_back(fresh: Fresh) {
    let store = &fresh.store;
    let sweep = Job::Sweep { project: PROJECT };
    let other = ProjectKey { project: ProjectId::new(1), ..PROJECT };
    let elsewhere = Job::AnalyzePhoto { project: other, image: ImageId::new(1) };
    let finding = found(store, 9, "crack", 0).await;
    let publish = claim(store, "box", 0).await.expect("ready");
    assert_eq!(publish.job, Job::Publish { finding });
    store.park(&publish.lease, "forbidden", at(0)).await.expect("parks");
    for job in [sweep.clone(), analyse(1), elsewhere.clone()] {
        let lease = started(store, job, 1).await.lease;
        store.park(&lease, "forbidden", at(1)).await.expect("parks");
    }
    let lease = started(store, sweep.clone(), 2).await.lease;
    assert_eq!(store.complete_sweep(&lease, PROJECT, at(2)).await.expect("completes"), 2);
    let parked = store.jobs(Some(JobState::Parked), 10).await.expect("lists");
    let parked: Vec<_> = parked.into_iter().filter_map(|row| row.job).collect();
    assert_eq!(parked, [elsewhere]);
    let queued = store.jobs(Some(JobState::Queued), 10).await.expect("lists");
    let queued: Vec<_> = queued.into_iter().filter_map(|row| row.job).collect();
    assert_eq!(queued, [Job::Publish { finding }, analyse(1)]);

    // What is parked while sweeps succeed waits for a person.
    let lease = started(store, analyse(1), 3).await.lease;
    store.park(&lease, "private", at(3)).await.expect("parks");
    let lease = started(store, sweep, 4).await.lease;
    assert_eq!(store.complete_sweep(&lease, PROJECT, at(4)).await.expect("completes"), 0);
}

async fn the_numbers_add_up(fresh: Fresh) {
    let store = &fresh.store;
    store.enqueue(&(1..=5).map(analyse).collect::<Vec<_>>(), at(0), at(0)).await.expect("queues");
    store.enqueue(&[analyse(6)], at(500), at(0)).await.expect("queues");
    let parked = claim(store, "box", 0).await.expect("ready");
    store.park(&parked.lease, "", at(0)).await.expect("parks");
    let dead = claim(store, "box", 0).await.expect("ready");
    store.bury(&dead.lease, "", at(0)).await.expect("buries");
    claim(store, "box", 0).await.expect("ready");
    let stats = store.queue_stats(at(10)).await.expect("counts");
    let expected = QueueStats {
        ready: 2,
        delayed: 1,
        running: 1,
        parked: 1,
        dead: 1,
        oldest_ready: Some(Duration::from_secs(10)),
    };
    assert_eq!(stats, expected);
    assert_eq!(store.queue_stats(at(70)).await.expect("counts").ready, 3, "an abandoned one is ready");
    assert_eq!(store.next_due(&KINDS).await.expect("reads"), Some(at(0)));
}

async fn changes_wake_those_who_wait(fresh: Fresh) {
    let mut changed = fresh.store.changed();
    assert!(!changed.has_changed().expect("open"));
    fresh.store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues");
    assert!(changed.has_changed().expect("open"));
    changed.mark_unchanged();
    assert!(fresh.store.claim("box", &["sweep"], LEASE, at(0)).await.expect("claims").is_none());
    assert!(!changed.has_changed().expect("open"), "an idle look wakes nobody");
}

async fn many_workers_in_two_processes_do_each_job_once(fresh: Fresh) {
    let stores = [fresh.store.clone(), fresh.again().await];
    let jobs: Vec<Job> = (0..120).map(analyse).collect();
    fresh.store.enqueue(&jobs, at(0), at(0)).await.expect("queues");
    let work = async |store: Store, name: String| {
        let mut done = Vec::new();
        while let Some(claimed) = claim(&store, &name, 1).await {
            store.complete(&claimed.lease).await.expect("its lease is good");
            done.push(claimed.job.dedupe_key());
        }
        done
    };
    let workers = (0..8).map(|number| work(stores[number % 2].clone(), format!("worker-{number}")));
    let mut done = futures_util::future::join_all(workers).await.concat();
    done.sort();
    let mut expected: Vec<String> = jobs.iter().map(Job::dedupe_key).collect();
    expected.sort();
    assert_eq!(done, expected);
}
