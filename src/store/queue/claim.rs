//! Taking the next job.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::job::{Job, JobId};
use crate::store::dialect::Dialect;
use crate::store::queue::set_aside::aside;
use crate::store::queue::{ClaimedJob, JobState, Lease, LeasedRow, later, push_list};
use crate::store::record::record;
use crate::store::rows::{instant, millis};
use crate::store::sql::QueryBuilder;
use crate::store::{Error, Store, WriteLock};

/// Every kind that this build knows; rows of other kinds are set aside by whoever meets them.
pub(crate) const KINDS: [&str; 7] =
    ["route_event", "analyze_photo", "publish", "apply_decision", "sync_punch_item", "link_photo", "sweep"];

record! {
    struct ClaimedRow {
        @flatten held: LeasedRow,
        attempts: i64,
        crashes: i64,
        enqueued_at: i64,
        error: Option<String>,
    }
}

impl ClaimedRow {
    /// Why this job is not to be tried again, if its claims are spent. This claim is counted.
    fn spent(&self, max_attempts: u32, max_crashes: u32) -> Option<String> {
        let last = self.error.as_deref().unwrap_or("no error was recorded");
        if self.crashes > i64::from(max_crashes) {
            Some(format!("crashed the worker {} times in a row ({last})", self.crashes - 1))
        } else if self.attempts > i64::from(max_attempts) {
            Some(format!("all {} attempts are spent ({last})", self.attempts - 1))
        } else {
            None
        }
    }
}

impl Store {
    /// Takes the next job of `kinds` whose time has come, or whose lease has run out, for `lease`.
    /// Lower ranks first, then the one that waits longest.
    ///
    /// `owner` is the box's name, or that with `#` and a worker's: see [`Store::reclaim_own`].
    ///
    /// A job whose attempts are spent goes to the dead, one that this build cannot read is parked;
    /// the next is looked at then.
    pub async fn claim(
        &self,
        owner: &str,
        kinds: &[&str],
        lease: Duration,
        now: Timestamp,
    ) -> Result<Option<ClaimedJob>, Error> {
        if kinds.is_empty() {
            return Ok(None);
        }
        loop {
            let mut transaction = self.begin_as(WriteLock::Beside).await?;
            let token = format!("{:032x}", rand::random::<u128>());
            let found = statement(self.0.dialect, owner, kinds, &token, later(now, lease), millis(now))
                .build_query_as()
                .fetch_optional(&mut *transaction)
                .await;
            let taken: Option<ClaimedRow> = match found {
                // Two boxes took two jobs of one lane at once, and the other was faster: look again.
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => continue,
                found => found?,
            };
            let Some(taken) = taken else { return Ok(None) };
            let config = &self.0.config;
            if let Some(reason) = taken.spent(config.max_attempts, config.max_crashes) {
                // This look does not count: nobody has worked on it.
                sqlx::query("UPDATE jobs SET attempts = attempts - 1, crashes = crashes - 1 WHERE id = $1")
                    .bind(taken.held.id)
                    .execute(&mut *transaction)
                    .await?;
                aside(&mut transaction, &taken.held, JobState::Dead, self.reason(&reason), now).await?;
                self.commit(transaction).await?;
                continue;
            }
            match taken.held.job() {
                Ok(job) => {
                    let attempt = u32::try_from(taken.attempts).unwrap_or(u32::MAX);
                    let enqueued_at = instant(taken.enqueued_at)?;
                    // Nobody waits for a claim: no wake-up.
                    transaction.commit().await?;
                    let finding = match &job {
                        Job::Publish { finding }
                        | Job::ApplyDecision { finding }
                        | Job::SyncPunchItem { finding }
                        | Job::LinkPhoto { finding, .. } => Some(*finding),
                        Job::RouteEvent { .. } | Job::AnalyzePhoto { .. } | Job::Sweep { .. } => None,
                    };
                    let lease = Lease { job: JobId(taken.held.id), token, finding };
                    return Ok(Some(ClaimedJob { job, lease, attempt, enqueued_at }));
                }
                Err(reason) => {
                    aside(&mut transaction, &taken.held, JobState::Parked, self.reason(&reason), now).await?;
                    self.commit(transaction).await?;
                }
            }
        }
    }
}

/// The claim: the best of the ready and the best of the abandoned, taken in one statement.
///
/// The `+` keeps SQLite from collecting and sorting all that is ready: it shall walk along the
/// index that has them in order and stop at the first.
fn statement(
    dialect: Dialect,
    owner: &str,
    kinds: &[&str],
    token: &str,
    until: i64,
    now: i64,
) -> QueryBuilder {
    let mut sql = QueryBuilder::new(
        "UPDATE jobs SET state = 'running', attempts = attempts + 1, crashes = crashes + 1, lease_owner = ",
    );
    sql.push_bind(owner.to_owned()).push(", lease_token = ").push_bind(token.to_owned());
    sql.push(", lease_until = ").push_bind(until);
    sql.push(", changed_at = ").push_bind(now);
    sql.push(
        " WHERE id = (SELECT id FROM (SELECT * FROM (SELECT id, rank, run_at FROM jobs AS waiting
          WHERE state = 'queued' AND +run_at <= ",
    );
    sql.push_bind(now).push(
        " AND NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.state = 'running' AND other.lane = waiting.lane)",
    );
    push_kinds(&mut sql, kinds);
    let skip_locked = dialect.skip_locked();
    sql.push(format_args!(
        " ORDER BY rank, run_at, id LIMIT 1{skip_locked}) AS ready
          UNION ALL SELECT * FROM (SELECT id, rank, run_at FROM jobs WHERE state = 'running' AND lease_until <= "
    ));
    sql.push_bind(now);
    push_kinds(&mut sql, kinds);
    sql.push(format_args!(
        " ORDER BY rank, run_at, id LIMIT 1{skip_locked}) AS abandoned) AS candidates ORDER BY rank, run_at, id LIMIT 1)
          RETURNING id, kind, version, payload, dedupe_key, attempts, crashes, enqueued_at, error"
    ));
    sql
}

fn push_kinds(sql: &mut QueryBuilder, kinds: &[&str]) {
    sql.push(" AND (kind IN (");
    push_list(sql, kinds);
    sql.push(") OR kind NOT IN (");
    push_list(sql, &KINDS);
    sql.push("))");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{CompanyId, FindingId, ImageId, ProjectId, ProjectKey, Sha256Digest};
    use crate::domain::job::InboxId;

    #[test]
    fn every_kind_is_known() {
        let project = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };
        let finding = FindingId::of(project, &Sha256Digest::of(b"photo"), "crack");
        let jobs = [
            Job::RouteEvent { inbox: InboxId(1) },
            Job::AnalyzePhoto { project, image: ImageId::new(1) },
            Job::Publish { finding },
            Job::ApplyDecision { finding },
            Job::SyncPunchItem { finding },
            Job::LinkPhoto { finding, image: ImageId::new(1) },
            Job::Sweep { project },
        ];
        for job in &jobs {
            // A new variant stops here first: give it a line above, and its name to `KINDS`.
            match job {
                Job::RouteEvent { .. }
                | Job::AnalyzePhoto { .. }
                | Job::Publish { .. }
                | Job::ApplyDecision { .. }
                | Job::SyncPunchItem { .. }
                | Job::LinkPhoto { .. }
                | Job::Sweep { .. } => {}
            }
        }
        assert_eq!(jobs.each_ref().map(Job::kind), KINDS);
    }
}
