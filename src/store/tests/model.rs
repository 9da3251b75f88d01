//! The queue against a model of it, in random order: claims, failures, crashes, restarts, clock
//! jumps, workers that wake up after their lease has run out, two processes on one database.
//!
//! After every step the database's rows are the model's rows, so these hold throughout: no job has
//! two live leases, no lane runs two jobs, nothing is lost, attempts only grow (but for what was
//! given back), and the dead are those that are spent or were buried.

use proptest::prelude::*;

use super::{Fresh, KINDS, LEASE, PROJECT, analyse, at};
use crate::domain::ids::{FindingId, Sha256Digest};
use crate::domain::job::Job;
use crate::store::{Error, JobState, Lease, Store};

/// One thing that can happen. Numbers pick among what there is, by remainder.
#[derive(Debug, Clone)]
enum Step {
    Enqueue {
        job: usize,
        delay: i64,
    },
    Claim {
        worker: usize,
    },
    /// A worker does something with a lease that it once got, whether or not it still holds.
    Use {
        lease: usize,
        how: How,
    },
    /// A worker's process starts again; its old threads are gone or frozen.
    Restart {
        worker: usize,
    },
    /// The clock jumps, also backwards.
    Clock {
        by: i64,
    },
    Retry {
        job: usize,
    },
    Drop {
        job: usize,
    },
}

#[derive(Debug, Clone, Copy)]
enum How {
    Extend { by: i64 },
    Complete,
    RetryLater { wait: i64 },
    Park,
    Bury,
    GiveBack,
}

// Times are whole tens of seconds, so that ends and starts often fall together.
fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        (0..20_i64).prop_map(|tens| How::Extend { by: tens * 10 }),
        Just(How::Complete),
        (0..10_i64).prop_map(|tens| How::RetryLater { wait: tens * 10 }),
        Just(How::Park),
        Just(How::Bury),
        Just(How::GiveBack),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_usize, -2..5_i64).prop_map(|(job, tens)| Step::Enqueue { job, delay: tens * 10 }),
        6 => (0..3_usize).prop_map(|worker| Step::Claim { worker }),
        6 => (any::<usize>(), how()).prop_map(|(lease, how)| Step::Use { lease, how }),
        1 => (0..3_usize).prop_map(|worker| Step::Restart { worker }),
        3 => (-10..20_i64).prop_map(|tens| Step::Clock { by: tens * 10 }),
        1 => any::<usize>().prop_map(|job| Step::Retry { job }),
        1 => any::<usize>().prop_map(|job| Step::Drop { job }),
    ]
}

const WORKERS: [&str; 3] = ["box-1", "box-2", "box-3"];

/// A job as the model knows it.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    id: i64,
    job: Job,
    state: JobState,
    attempts: u32,
    crashes: u32,
    run_at: i64,
    /// Worker, end of the lease, and which of all leases ever given it is.
    held: Option<(usize, i64, usize)>,
}

/// What the queue should be, in the plainest way.
#[derive(Debug, Default)]
struct Model {
    rows: Vec<Row>,
    last_id: i64,
    leases: usize,
    max_attempts: u32,
    max_crashes: u32,
}

fn lane(job: &Job) -> String {
    match job {
        Job::Publish { finding } | Job::ApplyDecision { finding } => finding.to_string(),
        job => job.dedupe_key(),
    }
}

impl Model {
    fn enqueue(&mut self, job: &Job, run_at: i64) -> usize {
        // A refused row uses up its number, too.
        self.last_id += 1;
        if self.rows.iter().any(|row| row.job == *job && row.state == JobState::Queued) {
            return 0;
        }
        let job = job.clone();
        let (id, state) = (self.last_id, JobState::Queued);
        self.rows.push(Row { id, job, state, attempts: 0, crashes: 0, run_at, held: None });
        1
    }

    fn claim(&mut self, worker: usize, now: i64) -> Option<(Job, u32)> {
        loop {
            let claimable = |row: &&Row| {
                if let Some((_, until, _)) = row.held {
                    return until <= now;
                }
                let busy = |other: &Row| other.held.is_some() && lane(&other.job) == lane(&row.job);
                row.state == JobState::Queued && row.run_at <= now && !self.rows.iter().any(busy)
            };
            let best =
                self.rows.iter().filter(claimable).min_by_key(|row| (row.job.rank(), row.run_at, row.id))?;
            let id = best.id;
            if best.attempts >= self.max_attempts || best.crashes >= self.max_crashes {
                self.set_aside(id, JobState::Dead);
                continue;
            }
            let lease = self.leases;
            self.leases += 1;
            let row = self.row(id);
            row.state = JobState::Running;
            row.attempts += 1;
            row.crashes += 1;
            row.held = Some((worker, now + LEASE.as_secs().cast_signed(), lease));
            return Some((row.job.clone(), row.attempts));
        }
    }

    fn row(&mut self, id: i64) -> &mut Row {
        self.rows.iter_mut().find(|row| row.id == id).expect("is there")
    }

    fn set_aside(&mut self, id: i64, state: JobState) {
        let job = self.row(id).job.clone();
        self.rows.retain(|row| row.id == id || row.job != job || !aside(row));
        let row = self.row(id);
        row.state = state;
        row.held = None;
    }

    fn requeue(&mut self, id: i64) -> &mut Row {
        let job = self.row(id).job.clone();
        self.rows.retain(|row| row.id == id || row.job != job || row.state != JobState::Queued);
        let row = self.row(id);
        row.state = JobState::Queued;
        row.held = None;
        row
    }

    /// Whether `lease` still held.
    fn apply(&mut self, lease: usize, how: How, now: i64) -> bool {
        let holds = |row: &&Row| row.held.is_some_and(|(.., token)| token == lease);
        let Some(row) = self.rows.iter().find(holds).cloned() else { return false };
        match how {
            How::Extend { by } => {
                let held = self.row(row.id).held.as_mut().expect("is held");
                held.1 = now + by;
            }
            How::Complete => {
                self.rows.retain(|other| other.id != row.id && !(other.job == row.job && aside(other)));
            }
            How::RetryLater { wait } => {
                let row = self.requeue(row.id);
                row.run_at = now + wait;
                row.crashes = 0;
            }
            How::Park => self.set_aside(row.id, JobState::Parked),
            How::Bury => self.set_aside(row.id, JobState::Dead),
            How::GiveBack => {
                let row = self.requeue(row.id);
                row.attempts -= 1;
                row.crashes = 0;
                row.run_at = now;
            }
        }
        true
    }

    fn restart(&mut self, worker: usize, now: i64) -> u64 {
        let own = |row: &&Row| row.held.is_some_and(|(holder, ..)| holder == worker);
        let left: Vec<i64> = self.rows.iter().filter(own).map(|row| row.id).collect();
        for id in &left {
            self.requeue(*id).run_at = now;
        }
        left.len() as u64
    }

    /// The number of a job that was set aside, if there is one.
    fn pick_aside(&self, pick: usize) -> Option<i64> {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| aside(row)).collect();
        (!rows.is_empty()).then(|| rows[pick % rows.len()].id)
    }
}

fn aside(row: &Row) -> bool {
    matches!(row.state, JobState::Parked | JobState::Dead)
}

async fn apply(store: &Store, lease: &Lease, how: How, now: i64) -> Result<(), Error> {
    match how {
        How::Extend { by } => store.extend(lease, at(now + by)).await,
        How::Complete => store.complete(lease).await,
        How::RetryLater { wait } => store.retry_later(lease, at(now + wait), "it failed", at(now)).await,
        How::Park => store.park(lease, "ask a person", at(now)).await,
        How::Bury => store.bury(lease, "hopeless", at(now)).await,
        How::GiveBack => store.give_back(lease, at(now), at(now)).await,
    }
}

/// The database's rows in the model's form; which lease it is cannot be seen from outside.
async fn rows(store: &Store) -> Vec<Row> {
    let seconds = |time: jiff::Timestamp| time.as_second() - at(0).as_second();
    let rows = store.jobs(None, u32::MAX).await.expect("lists");
    let mut rows: Vec<Row> = rows
        .into_iter()
        .map(|row| Row {
            id: row.id.0,
            job: row.job.expect("can be read"),
            state: row.state,
            attempts: row.attempts,
            crashes: row.crashes,
            run_at: seconds(row.run_at),
            held: row.owner.map(|owner| {
                let worker = WORKERS.iter().position(|name| *name == owner).expect("one of them");
                (worker, seconds(row.lease_until.expect("is held")), 0)
            }),
        })
        .collect();
    rows.sort_by_key(|row| row.id);
    rows
}

fn without_tokens(rows: &[Row]) -> Vec<Row> {
    let held = |row: &Row| row.held.map(|(worker, until, _)| (worker, until, 0));
    rows.iter().map(|row| Row { held: held(row), ..row.clone() }).collect()
}

async fn run(fresh: Fresh, steps: Vec<Step>) {
    let stores = [fresh.store.clone(), fresh.again().await];
    let config = &fresh.config;
    let finding = FindingId::of(PROJECT, &Sha256Digest::of(b"photo"), "crack");
    let jobs = [analyse(1), analyse(2), Job::Publish { finding }, Job::ApplyDecision { finding }];
    let mut model =
        Model { max_attempts: config.max_attempts, max_crashes: config.max_crashes, ..Model::default() };
    let mut leases: Vec<Lease> = Vec::new();
    let mut now = 0;
    for (number, step) in steps.into_iter().enumerate() {
        let store = &stores[number % stores.len()];
        match step {
            Step::Enqueue { job, delay } => {
                let job = &jobs[job];
                let added = store.enqueue(std::slice::from_ref(job), at(now + delay), at(now)).await;
                assert_eq!(added.expect("queues"), model.enqueue(job, now + delay));
            }
            Step::Claim { worker } => {
                let claimed = store.claim(WORKERS[worker], &KINDS, LEASE, at(now)).await.expect("claims");
                let told = claimed.as_ref().map(|claimed| (claimed.job.clone(), claimed.attempt));
                assert_eq!(told, model.claim(worker, now));
                leases.extend(claimed.map(|claimed| claimed.lease));
            }
            Step::Use { lease, how } if !leases.is_empty() => {
                let lease = lease % leases.len();
                match apply(store, &leases[lease], how, now).await {
                    Ok(()) => assert!(model.apply(lease, how, now), "{how:?} with a lost lease"),
                    Err(Error::LeaseLost) => assert!(!model.apply(lease, how, now), "{how:?} was refused"),
                    Err(error) => panic!("{how:?}: {error}"),
                }
            }
            Step::Restart { worker } => {
                let freed = store.reclaim_own(WORKERS[worker], at(now)).await.expect("frees");
                assert_eq!(freed, model.restart(worker, now));
            }
            Step::Clock { by } => now += by,
            Step::Retry { job } => {
                if let Some(id) = model.pick_aside(job) {
                    store.retry_job(crate::domain::job::JobId(id), "dana", at(now)).await.expect("retries");
                    let row = model.requeue(id);
                    (row.attempts, row.crashes, row.run_at) = (0, 0, now);
                }
            }
            Step::Drop { job } => {
                if let Some(id) = model.pick_aside(job) {
                    store
                        .drop_job(crate::domain::job::JobId(id), "dana", "no", at(now))
                        .await
                        .expect("drops");
                    model.rows.retain(|row| row.id != id);
                }
            }
            Step::Use { .. } => {}
        }
        assert_eq!(rows(store).await, without_tokens(&model.rows), "after step {number}");
    }
    assert_eq!(fresh.store.verify_audit().await.expect("walks").broken, None);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_is_its_model_on_sqlite(steps in proptest::collection::vec(step(), 1..80)) {
        runtime().block_on(async { run(Fresh::sqlite().await, steps).await });
    }

    #[test]
    fn the_queue_is_its_model_on_postgres(steps in proptest::collection::vec(step(), 1..80)) {
        runtime().block_on(async {
            if let Some(fresh) = Fresh::postgres().await {
                run(fresh, steps).await;
            }
        });
    }
}
