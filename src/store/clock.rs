//! Rows that were written by a clock that ran ahead, after it was set right.

use jiff::Timestamp;

use crate::domain::job::JobId;
use crate::store::rows::millis;
use crate::store::{Error, Store, WriteLock};

/// By how much, milliseconds, a time may be later than it can be before it counts as written by a clock that ran ahead:
/// two boxes' clocks differ, and whoever writes first may have read the clock last.
pub(crate) const CLOCKS_APART_MS: i64 = 300_000;

/// The same where nothing but a correction depends on it, milliseconds.
const TOLERANCE_MS: i64 = 2_000;

/// A lease that a clock far ahead has given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeaseClockError {
    job: JobId,
    token: String,
    until: i64,
}

impl Store {
    /// Whether jobs or lists were written later than `now`.
    pub async fn is_ahead_of(&self, now: Timestamp) -> Result<bool, Error> {
        let later_rows: i64 = sqlx::query_scalar(
            "SELECT (SELECT COUNT(*) FROM jobs WHERE state = 'queued' AND changed_at > $1)
                  + (SELECT COUNT(*) FROM reference_data WHERE read_at > $1)",
        )
        .bind(millis(now).saturating_add(TOLERANCE_MS))
        .fetch_one(&self.0.readers)
        .await?;
        Ok(later_rows > 0)
    }

    /// Brings what was written later than `now` back to `now`: waiting jobs, with the waits that were meant, and the age
    /// of lists. Returns how many rows. Only for a `now` that can be relied on.
    pub async fn correct_times(&self, now: Timestamp) -> Result<u64, Error> {
        const STATEMENTS: [&str; 2] = [
            "UPDATE jobs SET run_at = run_at - (changed_at - $1), changed_at = $1,
                    enqueued_at = CASE WHEN enqueued_at > $1 THEN $1 ELSE enqueued_at END
             WHERE state = 'queued' AND changed_at > $2",
            "UPDATE reference_data SET read_at = $1 WHERE read_at > $2",
        ];
        let (now, later) = (millis(now), millis(now).saturating_add(TOLERANCE_MS));
        let mut transaction = self.begin().await?;
        let mut corrected = 0;
        for statement in STATEMENTS {
            let result = sqlx::query(statement).bind(now).bind(later).execute(&mut *transaction).await?;
            corrected += result.rows_affected();
        }
        self.commit(transaction).await?;
        Ok(corrected)
    }

    /// Leases that reach beyond `latest`, which no lease does that was given by the same clock.
    pub async fn odd_leases(&self, latest: Timestamp) -> Result<Vec<LeaseClockError>, Error> {
        let rows: Vec<(i64, String, i64)> = sqlx::query_as(
            "SELECT id, lease_token, lease_until FROM jobs WHERE state = 'running' AND lease_until > $1",
        )
        .bind(millis(latest).saturating_add(TOLERANCE_MS))
        .fetch_all(&self.0.readers)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(job, token, until)| LeaseClockError { job: JobId(job), token, until })
            .collect())
    }

    /// Lets `lease` run out at `now` unless it was extended since: nobody works on the job any more.
    pub async fn end_lease(&self, lease: &LeaseClockError, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin_as(WriteLock::Beside).await?;
        sqlx::query(
            "UPDATE jobs SET lease_until = $4 WHERE id = $1 AND lease_token = $2 AND lease_until = $3",
        )
        .bind(lease.job.0)
        .bind(&lease.token)
        .bind(lease.until)
        .bind(millis(now))
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }
}
