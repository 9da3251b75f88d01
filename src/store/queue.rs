//! The queue: at-least-once, one lease a job, fenced by a random token.
//!
//! Attempts are counted when a job is claimed, so that a crash counts. Jobs about the same photo or
//! finding share a lane, and one lane runs one job at a time: a decision never overtakes the
//! publishing that it refers to.

mod claim;
mod inspect;
mod set_aside;
mod unpark;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::ids::{FindingId, PhotoId};
use crate::domain::job::{Job, JobId};
use crate::store::queue::set_aside::aside;
use crate::store::record::record;
use crate::store::rows::{bounded, from_json, millis, to_json};
use crate::store::sql::QueryBuilder;
use crate::store::{Connection, Error, Store, WriteLock};

pub(crate) use crate::store::queue::claim::KINDS;
pub use crate::store::queue::inspect::{JobRow, QueueStats};
pub(crate) use crate::store::queue::set_aside::free;

/// The version of the payloads that this build writes and reads.
const PAYLOAD_VERSION: i64 = 1;

/// Where a job stands. A finished one has no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time or for a worker.
    Queued,
    /// Somebody holds a lease on it.
    Running,
    /// Set aside until a person has acted on the reason.
    Parked,
    /// Given up: it can never work, or its attempts are spent.
    Dead,
}

impl JobState {
    /// The stable name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Parked => "parked",
            Self::Dead => "dead",
        }
    }
}

/// The right to work on a job. It is lost once it has run out and somebody else has claimed the
/// job; whatever is then done with it fails with [`Error::LeaseLost`] and changes nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Lease {
    job: JobId,
    token: String,
    finding: Option<FindingId>,
}

impl Lease {
    /// The job it is for.
    pub const fn job(&self) -> JobId {
        self.job
    }

    /// The finding that the job is about, if it is about one.
    pub(crate) const fn finding(&self) -> Option<FindingId> {
        self.finding
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("job", &self.job.0).finish_non_exhaustive()
    }
}

/// A job with the right to work on it.
#[derive(Debug, Clone)]
pub struct ClaimedJob {
    pub job: Job,
    /// The right to do it.
    pub lease: Lease,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
    /// When it was queued.
    pub enqueued_at: Timestamp,
}

impl Store {
    /// Queues `jobs` for `run_at`, without those of which an equal one is queued already. Returns
    /// how many were added.
    pub async fn enqueue(&self, jobs: &[Job], run_at: Timestamp, now: Timestamp) -> Result<usize, Error> {
        let mut transaction = self.begin().await?;
        let added = insert(&mut transaction, jobs, run_at, now).await?;
        self.commit(transaction).await?;
        Ok(added)
    }

    /// Keeps the job until `until`.
    pub async fn extend(&self, lease: &Lease, until: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin_as(WriteLock::Beside).await?;
        let row = sqlx::query("UPDATE jobs SET lease_until = $3 WHERE id = $1 AND lease_token = $2")
            .bind(lease.job.0)
            .bind(&lease.token)
            .bind(millis(until))
            .execute(&mut *transaction)
            .await?;
        if row.rows_affected() == 0 {
            return Err(Error::LeaseLost);
        }
        // Nobody waits for this: no wake-up.
        transaction.commit().await?;
        Ok(())
    }

    /// The job is done.
    pub async fn complete(&self, lease: &Lease) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        finish(&mut transaction, lease).await?;
        self.commit(transaction).await
    }

    /// The attempt failed for a reason that may pass: again at `run_at`.
    pub async fn retry_later(
        &self,
        lease: &Lease,
        run_at: Timestamp,
        error: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        let held = held(&mut transaction, lease).await?;
        requeue(&mut transaction, &held).await?;
        sqlx::query(
            "UPDATE jobs SET state = 'queued', run_at = $2, error = $3, crashes = 0, changed_at = $4,
             lease_owner = NULL, lease_token = NULL, lease_until = NULL WHERE id = $1",
        )
        .bind(held.id)
        .bind(millis(run_at))
        .bind(self.reason(error))
        .bind(millis(now))
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }

    /// Sets the job aside until a person has acted on `reason`.
    pub async fn park(&self, lease: &Lease, reason: &str, now: Timestamp) -> Result<(), Error> {
        self.set_aside(lease, JobState::Parked, reason, now).await
    }

    /// Gives the job up for good.
    pub async fn bury(&self, lease: &Lease, reason: &str, now: Timestamp) -> Result<(), Error> {
        self.set_aside(lease, JobState::Dead, reason, now).await
    }

    async fn set_aside(
        &self,
        lease: &Lease,
        state: JobState,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        let held = held(&mut transaction, lease).await?;
        aside(&mut transaction, &held, state, self.reason(reason), now).await?;
        self.commit(transaction).await
    }

    /// Returns a job that was not worked on, to be run at `run_at`; the attempt is not counted. Something was heard of it, so
    /// it is not what killed the service before.
    pub async fn give_back(&self, lease: &Lease, run_at: Timestamp, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        let held = held(&mut transaction, lease).await?;
        requeue(&mut transaction, &held).await?;
        sqlx::query(
            "UPDATE jobs SET state = 'queued', attempts = attempts - 1, crashes = 0, run_at = $3,
             changed_at = $2, lease_owner = NULL, lease_token = NULL, lease_until = NULL WHERE id = $1",
        )
        .bind(held.id)
        .bind(millis(now))
        .bind(millis(run_at))
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }

    /// Frees what a former incarnation of `owner` left behind, also under the names of its workers,
    /// `owner#…`. Call it once, before the first claim: a restart then costs seconds, not the rest of
    /// the leases. The attempts stay counted.
    pub async fn reclaim_own(&self, owner: &str, now: Timestamp) -> Result<u64, Error> {
        let workers = format!("{owner}#");
        let mut transaction = self.begin().await?;
        sqlx::query(
            "DELETE FROM jobs WHERE state = 'queued' AND dedupe_key IN
             (SELECT dedupe_key FROM jobs WHERE state = 'running'
              AND (lease_owner = $1 OR SUBSTR(lease_owner, 1, LENGTH($2)) = $2))",
        )
        .bind(owner)
        .bind(&workers)
        .execute(&mut *transaction)
        .await?;
        let freed = sqlx::query(
            "UPDATE jobs SET state = 'queued', run_at = $2, changed_at = $2,
             lease_owner = NULL, lease_token = NULL, lease_until = NULL
             WHERE state = 'running' AND (lease_owner = $1 OR SUBSTR(lease_owner, 1, LENGTH($3)) = $3)",
        )
        .bind(owner)
        .bind(millis(now))
        .bind(&workers)
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await?;
        Ok(freed.rows_affected())
    }

    /// As much of a reason's text as a row keeps.
    pub(crate) fn reason<'a>(&self, text: &'a str) -> &'a str {
        bounded(text, self.0.config.reason_bytes)
    }
}

record! {
    /// A job's row as far as its changes of state need it.
    #[derive(Debug)]
    pub(crate) struct LeasedRow {
        pub(crate) id: i64,
        pub(crate) kind: String,
        version: i64,
        payload: String,
        dedupe_key: String,
    }
}

impl LeasedRow {
    /// What to do, or why this build cannot tell.
    pub(crate) fn job(&self) -> Result<Job, String> {
        if self.version != PAYLOAD_VERSION {
            return Err(format!(
                "its payload has version {}, this Punchlens reads {PAYLOAD_VERSION}: \
                 install the version that queued it, then retry the job",
                self.version
            ));
        }
        from_json("jobs.payload", &self.payload).map_err(|error| {
            format!(
                "its payload cannot be read ({error}): install the version that queued it and retry the job, \
                 or drop it"
            )
        })
    }
}

/// The row of the job that `lease` is for, kept from being claimed by others until the transaction ends.
pub(crate) async fn held(connection: &mut Connection, lease: &Lease) -> Result<LeasedRow, Error> {
    sqlx::query_as(
        "UPDATE jobs SET lease_token = lease_token WHERE id = $1 AND lease_token = $2
         RETURNING id, kind, version, payload, dedupe_key",
    )
    .bind(lease.job.0)
    .bind(&lease.token)
    .fetch_optional(connection)
    .await?
    .ok_or(Error::LeaseLost)
}

/// Deletes the finished job, and earlier ones of the same work that had been set aside: their work
/// is done now. The first statement of any transaction that ends a job, so that a lost lease stops
/// the rest.
pub(crate) async fn finish(connection: &mut Connection, lease: &Lease) -> Result<LeasedRow, Error> {
    let held = held(connection, lease).await?;
    sqlx::query("DELETE FROM jobs WHERE id = $1 OR (dedupe_key = $2 AND state IN ('parked', 'dead'))")
        .bind(held.id)
        .bind(&held.dedupe_key)
        .execute(connection)
        .await?;
    Ok(held)
}

/// Adds `jobs`, without those of which an equal one is queued.
pub(crate) async fn insert(
    connection: &mut Connection,
    jobs: &[Job],
    run_at: Timestamp,
    now: Timestamp,
) -> Result<usize, Error> {
    let mut added = 0;
    for job in jobs {
        let result = sqlx::query(
            "INSERT INTO jobs (kind, version, payload, dedupe_key, lane, rank, state, run_at, enqueued_at,
                               changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $8)
             ON CONFLICT (dedupe_key) WHERE state = 'queued' DO NOTHING",
        )
        .bind(job.kind())
        .bind(PAYLOAD_VERSION)
        .bind(to_json(job)?)
        .bind(job.dedupe_key())
        .bind(lane(job))
        .bind(job.rank())
        .bind(millis(run_at))
        .bind(millis(now))
        .execute(&mut *connection)
        .await?;
        added += result.rows_affected() as usize;
        if result.rows_affected() == 0 && matches!(job, Job::AnalyzePhoto { .. }) {
            hurry(connection, job, run_at).await?;
        }
    }
    Ok(added)
}

/// Runs a queued job at `run_at` that waits for Procore to show its photo: somebody says that it does.
async fn hurry(connection: &mut Connection, job: &Job, run_at: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "UPDATE jobs SET run_at = $2 WHERE dedupe_key = $1 AND state = 'queued' AND run_at > $2
         AND EXISTS (SELECT 1 FROM photo_tries WHERE photo_tries.photo = SUBSTR(jobs.lane, 7)
                     AND photo_tries.trouble = 'not_shown')",
    )
    .bind(job.dedupe_key())
    .bind(millis(run_at))
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes way for `held` to be queued again: an equal job that waits meanwhile is the same work, and
/// `held` has the attempts that are to be counted.
async fn requeue(connection: &mut Connection, held: &LeasedRow) -> Result<(), Error> {
    sqlx::query("DELETE FROM jobs WHERE dedupe_key = $1 AND state = 'queued' AND id <> $2")
        .bind(&held.dedupe_key)
        .bind(held.id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Jobs of one lane never run at the same time.
fn lane(job: &Job) -> String {
    match job {
        Job::Publish { finding }
        | Job::ApplyDecision { finding }
        | Job::SyncPunchItem { finding }
        | Job::LinkPhoto { finding, .. } => {
            format!("finding:{finding}")
        }
        // Told by the photo's id, so that what is recorded already can be told from what is not.
        Job::AnalyzePhoto { project, image } => format!("photo:{}", PhotoId::of(*project, *image)),
        Job::RouteEvent { .. } | Job::Sweep { .. } => job.dedupe_key(),
    }
}

/// `now` plus `wait`, as far as time goes.
fn later(now: Timestamp, wait: Duration) -> i64 {
    millis(now).saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}

/// Takes back `job` unless somebody works on it: what it was for is no longer wanted.
pub(crate) async fn withdraw(connection: &mut Connection, job: &Job) -> Result<(), Error> {
    sqlx::query("DELETE FROM jobs WHERE dedupe_key = $1 AND state <> 'running'")
        .bind(job.dedupe_key())
        .execute(connection)
        .await?;
    Ok(())
}

/// The items of an `IN (…)`.
fn push_list(sql: &mut QueryBuilder, items: &[&str]) {
    let mut list = sql.separated(", ");
    for item in items {
        list.push_bind((*item).to_owned());
    }
}
