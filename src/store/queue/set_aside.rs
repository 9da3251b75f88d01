//! Jobs that are set aside for a person, and freed again.

use jiff::Timestamp;

use crate::domain::job::Job;
use crate::store::queue::{JobState, LeasedRow, requeue};
use crate::store::rows::millis;
use crate::store::{Connection, Error};

/// Queues `held`, which had been set aside, with its attempts counted anew.
pub(crate) async fn free(connection: &mut Connection, held: &LeasedRow, now: Timestamp) -> Result<(), Error> {
    requeue(connection, held).await?;
    sqlx::query(
        "UPDATE jobs SET state = 'queued', attempts = 0, crashes = 0, run_at = $2, changed_at = $2
         WHERE id = $1",
    )
    .bind(held.id)
    .bind(millis(now))
    .execute(&mut *connection)
    .await?;
    note_problem(connection, held, None).await
}

/// Parks or buries `held` in place of earlier ones of the same work, and tells the finding that
/// waits for it.
pub(super) async fn aside(
    connection: &mut Connection,
    held: &LeasedRow,
    state: JobState,
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query("DELETE FROM jobs WHERE dedupe_key = $1 AND state IN ('parked', 'dead') AND id <> $2")
        .bind(&held.dedupe_key)
        .bind(held.id)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE jobs SET state = $2, error = $3, changed_at = $4,
         lease_owner = NULL, lease_token = NULL, lease_until = NULL WHERE id = $1",
    )
    .bind(held.id)
    .bind(state.name())
    .bind(reason)
    .bind(millis(now))
    .execute(&mut *connection)
    .await?;
    note_problem(connection, held, Some(reason)).await
}

/// Writes on the finding that `held` works for why it does not get on, or that it does again.
async fn note_problem(
    connection: &mut Connection,
    held: &LeasedRow,
    problem: Option<&str>,
) -> Result<(), Error> {
    let Ok(job) = held.job() else { return Ok(()) };
    let (Job::Publish { finding } | Job::ApplyDecision { finding }) = job else { return Ok(()) };
    sqlx::query("UPDATE findings SET problem = $2 WHERE id = $1 AND delivery = 'waiting'")
        .bind(finding.to_string())
        .bind(problem)
        .execute(connection)
        .await?;
    Ok(())
}
