//! Looking at the queue, and a person's hand in it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::job::{Job, JobId};
use crate::store::audit::{self, AuditSubject, Entry};
use crate::store::queue::{JobState, LeasedRow, free, push_list};
use crate::store::record::record;
use crate::store::rows::{from_name, instant, millis};
use crate::store::sql::QueryBuilder;
use crate::store::{Connection, Error, Store};

/// A job as people see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobRow {
    pub id: JobId,
    /// The kind as stored, which this build need not know.
    pub kind: String,
    /// What to do, where this build can read it.
    pub job: Option<Job>,
    pub state: JobState,
    pub attempts: u32,
    /// Claims in a row that ended without a word.
    pub crashes: u32,
    /// Not to be run before.
    pub run_at: Timestamp,
    /// When it was queued.
    pub enqueued_at: Timestamp,
    /// When it came into this state.
    pub since: Timestamp,
    /// Who works on it.
    pub owner: Option<String>,
    pub lease_until: Option<Timestamp>,
    /// The last failure, or the reason for which it was set aside.
    pub error: Option<String>,
}

/// How much there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct QueueStats {
    /// Waiting for a worker, abandoned ones included.
    pub ready: u64,
    /// Waiting for their time.
    pub delayed: u64,
    pub running: u64,
    /// Waiting for a person.
    pub parked: u64,
    pub dead: u64,
    /// How long the longest-waiting ready one has been ready.
    pub oldest_ready: Option<Duration>,
}

record! {
    struct Record {
        @flatten held: LeasedRow,
        state: String,
        attempts: i64,
        crashes: i64,
        run_at: i64,
        enqueued_at: i64,
        changed_at: i64,
        lease_owner: Option<String>,
        lease_until: Option<i64>,
        error: Option<String>,
    }
}

impl Record {
    fn into_row(self) -> Result<JobRow, Error> {
        Ok(JobRow {
            id: JobId(self.held.id),
            job: self.held.job().ok(),
            kind: self.held.kind,
            state: from_name("jobs.state", &self.state)?,
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            crashes: u32::try_from(self.crashes).unwrap_or(u32::MAX),
            run_at: instant(self.run_at)?,
            enqueued_at: instant(self.enqueued_at)?,
            since: instant(self.changed_at)?,
            owner: self.lease_owner,
            lease_until: self.lease_until.map(instant).transpose()?,
            error: self.error,
        })
    }
}

impl Store {
    /// The jobs, all or those in `state`, those that need a person first, then by rank and time.
    pub async fn jobs(&self, state: Option<JobState>, limit: u32) -> Result<Vec<JobRow>, Error> {
        let records: Vec<Record> = sqlx::query_as(
            "SELECT id, kind, version, payload, dedupe_key, state, attempts, crashes, run_at, enqueued_at,
                    changed_at, lease_owner, lease_until, error
             FROM jobs WHERE $1 IS NULL OR state = $1
             ORDER BY CASE state WHEN 'dead' THEN 0 WHEN 'parked' THEN 1 WHEN 'running' THEN 2 ELSE 3 END,
                      rank, run_at, id LIMIT $2",
        )
        .bind(state.map(JobState::name))
        .bind(i64::from(limit.min(self.0.config.list_rows)))
        .fetch_all(&self.0.readers)
        .await?;
        records.into_iter().map(Record::into_row).collect()
    }

    /// Queues a job that had been set aside, with its attempts counted anew.
    pub async fn retry_job(&self, id: JobId, actor: &str, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        let held = set_aside(&mut transaction, id).await?;
        free(&mut transaction, &held, now).await?;
        let detail = serde_json::json!({ "job": held.dedupe_key });
        audit::append(&mut transaction, Entry::by(actor, "job.retried", AuditSubject::Job(id), detail), now)
            .await?;
        self.commit(transaction).await
    }

    /// Deletes a job that had been set aside: it will not be done.
    pub async fn drop_job(&self, id: JobId, actor: &str, reason: &str, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        let held = set_aside(&mut transaction, id).await?;
        sqlx::query("DELETE FROM jobs WHERE id = $1").bind(id.0).execute(&mut *transaction).await?;
        let reason = self.reason(reason);
        if let Ok(Job::Publish { finding } | Job::ApplyDecision { finding }) = held.job() {
            sqlx::query(
                "UPDATE findings SET delivery = 'refused', problem = $2 WHERE id = $1 AND delivery = 'waiting'",
            )
            .bind(finding.to_string())
            .bind(format!("{actor} dropped the job: {reason}"))
            .execute(&mut *transaction)
            .await?;
        }
        let detail = serde_json::json!({ "job": held.dedupe_key, "reason": reason });
        audit::append(&mut transaction, Entry::by(actor, "job.dropped", AuditSubject::Job(id), detail), now)
            .await?;
        self.commit(transaction).await
    }

    /// How much there is to do.
    pub async fn queue_stats(&self, now: Timestamp) -> Result<QueueStats, Error> {
        let now = millis(now);
        let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
            "SELECT state, CASE WHEN (state = 'queued' AND run_at <= $1) OR (state = 'running' AND lease_until <= $1)
                                THEN 1 ELSE 0 END,
                    COUNT(*), MIN(CASE WHEN state = 'running' THEN lease_until ELSE run_at END)
             FROM jobs GROUP BY 1, 2",
        )
        .bind(now)
        .fetch_all(&self.0.readers)
        .await?;
        let mut stats = QueueStats::default();
        for (state, ready, count, since) in rows {
            let count = count as u64;
            match from_name("jobs.state", &state)? {
                _ if ready == 1 => {
                    stats.ready += count;
                    let waited = Duration::from_millis(u64::try_from(now - since).unwrap_or(0));
                    stats.oldest_ready = stats.oldest_ready.max(Some(waited));
                }
                JobState::Queued => stats.delayed += count,
                JobState::Running => stats.running += count,
                JobState::Parked => stats.parked += count,
                JobState::Dead => stats.dead += count,
            }
        }
        Ok(stats)
    }

    /// When the next job of `kinds` becomes claimable: its time comes or its lease runs out. Jobs
    /// that wait for another of their lane are left out, as that one's end wakes all who wait.
    pub async fn next_due(&self, kinds: &[&str]) -> Result<Option<Timestamp>, Error> {
        if kinds.is_empty() {
            return Ok(None);
        }
        let mut sql = QueryBuilder::new(
            "SELECT MIN(at) FROM (SELECT MIN(run_at) AS at FROM jobs AS waiting WHERE state = 'queued'
             AND NOT EXISTS (SELECT 1 FROM jobs AS other
                             WHERE other.state = 'running' AND other.lane = waiting.lane) AND kind IN (",
        );
        push_list(&mut sql, kinds);
        sql.push(") UNION ALL SELECT MIN(lease_until) FROM jobs WHERE state = 'running' AND kind IN (");
        push_list(&mut sql, kinds);
        sql.push(")) AS due");
        let due: Option<i64> = sql.build_query_scalar().fetch_one(&self.0.readers).await?;
        due.map(instant).transpose()
    }
}

/// The row of a parked or dead job.
async fn set_aside(connection: &mut Connection, id: JobId) -> Result<LeasedRow, Error> {
    let row: Option<(String,)> = sqlx::query_as("SELECT state FROM jobs WHERE id = $1")
        .bind(id.0)
        .fetch_optional(&mut *connection)
        .await?;
    let (state,) = row.ok_or_else(|| Error::NotFound(format!("job {}", id.0)))?;
    if matches!(from_name("jobs.state", &state)?, JobState::Queued | JobState::Running) {
        return Err(Error::Conflict(format!(
            "job {} is {state}: only parked and dead jobs need a hand",
            id.0
        )));
    }
    Ok(sqlx::query_as("SELECT id, kind, version, payload, dedupe_key FROM jobs WHERE id = $1")
        .bind(id.0)
        .fetch_one(connection)
        .await?)
}
