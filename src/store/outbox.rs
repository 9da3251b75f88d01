//! Writes to Procore: the intent is on the disk before the call, so that after a crash everybody
//! knows that a look-up is due before anything is written again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::ids::{FindingId, PunchItemId};
use crate::domain::job::Job;
use crate::store::audit::{self, AuditSubject, Entry};
use crate::store::record::record;
use crate::store::rows::{from_json_option, instant, millis, to_json};
use crate::store::{Connection, Error, Lease, Store, queue};

/// What is to be done to the punch item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteKind {
    Create,
    Update,
    Delete,
}

impl WriteKind {
    /// The stable name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A write that is about to be attempted.
#[derive(Debug, Clone)]
pub struct WriteIntent {
    pub finding: FindingId,
    /// What is to be done.
    pub kind: WriteKind,
    /// The mark by which the punch item is found again.
    pub reference: String,
    /// What is to be sent.
    pub request: Value,
    /// When, by Procore's clock where it is known.
    pub at: Timestamp,
}

/// What is known of a write before it is attempted.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteState {
    /// Nothing was ever sent: go ahead.
    Fresh,
    /// An earlier attempt may have reached Procore: look the punch item up by its reference first.
    InDoubt {
        /// When the first attempt began.
        since: Timestamp,
    },
    /// It was done before: do not send it again.
    Done {
        punch_item: Option<PunchItemId>,
        /// The number that people see on it.
        position: Option<i64>,
        answer: Option<Value>,
    },
}

/// How a job on a finding's punch item ended.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteOutcome {
    /// Procore has it as decided.
    Delivered {
        /// The punch item; absent keeps the one that is known.
        punch_item: Option<PunchItemId>,
        /// The number that people see on it; absent keeps the one that is known.
        position: Option<i64>,
        answer: Value,
    },
    /// Procore refused it for good.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
    /// Somebody changed or deleted the punch item in Procore first.
    TakenOver { reason: String },
    /// Nothing is to be written (shadow mode, or rejected before anything was made).
    Withheld,
}

impl WriteOutcome {
    /// The outbox row's state, the finding's delivery, the audit row's kind.
    const fn names(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Delivered { .. } => ("delivered", "delivered", "write.delivered"),
            Self::Refused { .. } => ("refused", "refused", "write.refused"),
            Self::TakenOver { .. } => ("taken_over", "delivered", "write.taken_over"),
            Self::Withheld => ("unsent", "withheld", "write.withheld"),
        }
    }

    const fn reason(&self) -> Option<&String> {
        match self {
            Self::Refused { reason } | Self::TakenOver { reason } => Some(reason),
            Self::Delivered { .. } | Self::Withheld => None,
        }
    }

    fn detail(&self) -> Value {
        match self {
            Self::Delivered { punch_item, position, answer } => {
                json!({ "punch_item": punch_item, "position": position, "answer": answer })
            }
            Self::Refused { reason } | Self::TakenOver { reason } => json!({ "reason": reason }),
            Self::Withheld => json!({}),
        }
    }
}

record! {
    struct Record {
        id: i64,
        request: String,
        state: String,
        begun_at: i64,
        punch_item: Option<i64>,
        position: Option<i64>,
        answer: Option<String>,
    }
}

impl Record {
    fn done(&self) -> Result<WriteState, Error> {
        Ok(WriteState::Done {
            punch_item: self.punch_item.map(PunchItemId::new),
            position: self.position,
            answer: from_json_option("outbox.answer", self.answer.as_deref())?,
        })
    }
}

impl Store {
    /// Stores that a write is about to be sent, and tells what is known of earlier attempts.
    ///
    /// A create is done once and for all; an update or delete is a new write when it asks for
    /// something else than the last one.
    pub async fn begin_write(
        &self,
        lease: &Lease,
        intent: &WriteIntent,
        now: Timestamp,
    ) -> Result<WriteState, Error> {
        let mut transaction = self.begin_for(intent.finding).await?;
        let held = queue::held(&mut transaction, lease).await?;
        let request = to_json(&intent.request)?;
        let last = last_write(&mut transaction, intent.finding, intent.kind).await?;
        let state = match last {
            Some(last) if last.state == "sending" => {
                sqlx::query(
                    "UPDATE outbox SET attempts = attempts + 1, request = $2, job = $3, job_kind = $4, tried_at = $5
                     WHERE id = $1",
                )
                .bind(last.id)
                .bind(&request)
                .bind(held.id)
                .bind(&held.kind)
                .bind(millis(intent.at))
                .execute(&mut *transaction)
                .await?;
                WriteState::InDoubt { since: instant(last.begun_at)? }
            }
            Some(last)
                if matches!(last.state.as_str(), "delivered" | "taken_over")
                    && (intent.kind == WriteKind::Create || last.request == request) =>
            {
                return last.done();
            }
            _ => {
                insert(&mut transaction, intent, &request, &held).await?;
                WriteState::Fresh
            }
        };
        let detail = json!({
            "write": intent.kind,
            "reference": intent.reference,
            "request": intent.request,
            "may_have_been_sent_before": state != WriteState::Fresh,
        });
        let entry = Entry::by_service("write.begun", AuditSubject::Finding(intent.finding), detail);
        audit::append(&mut transaction, entry, now).await?;
        self.commit(transaction).await?;
        Ok(state)
    }

    /// Notes that what was begun under `lease` certainly never reached Procore (no connection, rate
    /// limited), so that the next attempt needs no look-up. An earlier doubt stays, and is as old as it was.
    pub async fn unsent_write(&self, lease: &Lease) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        let held = queue::held(&mut transaction, lease).await?;
        sqlx::query(
            "UPDATE outbox SET state = 'unsent' WHERE job = $1 AND state = 'sending' AND attempts = 1",
        )
        .bind(held.id)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("UPDATE outbox SET tried_at = begun_at WHERE job = $1 AND state = 'sending'")
            .bind(held.id)
            .execute(&mut *transaction)
            .await?;
        self.commit(transaction).await
    }

    /// Records how the leased job on a finding's punch item ended, queues `jobs` and completes it,
    /// all or nothing. Works with or without a write begun before. While `jobs` go on with the same
    /// punch item, its delivery goes on waiting.
    pub async fn finish_write(
        &self,
        lease: &Lease,
        outcome: &WriteOutcome,
        jobs: &[Job],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = match lease.finding() {
            Some(finding) => self.begin_for(finding).await?,
            None => self.begin().await?,
        };
        let held = queue::finish(&mut transaction, lease).await?;
        let (Job::Publish { finding } | Job::ApplyDecision { finding } | Job::SyncPunchItem { finding }) =
            held.job().map_err(Error::Other)?
        else {
            return Err(Error::Other(format!("a {} job writes no punch item", held.kind)));
        };
        let reason = outcome.reason().map(|reason| self.reason(reason));
        settle(&mut transaction, finding, outcome, reason, now).await?;
        let more = jobs.iter().any(|job| {
            matches!(job, Job::Publish { finding: next } | Job::ApplyDecision { finding: next } if *next == finding)
        });
        carry_over(&mut transaction, finding, &held.kind, more, outcome, reason).await?;
        let (.., kind) = outcome.names();
        let entry = Entry::by_service(kind, AuditSubject::Finding(finding), outcome.detail());
        audit::append(&mut transaction, entry, now).await?;
        queue::insert(&mut transaction, jobs, now, now).await?;
        self.commit(transaction).await
    }
}

async fn last_write(
    connection: &mut Connection,
    finding: FindingId,
    kind: WriteKind,
) -> Result<Option<Record>, Error> {
    Ok(sqlx::query_as("SELECT * FROM outbox WHERE finding = $1 AND kind = $2 ORDER BY id DESC LIMIT 1")
        .bind(finding.to_string())
        .bind(kind.name())
        .fetch_optional(connection)
        .await?)
}

async fn insert(
    connection: &mut Connection,
    intent: &WriteIntent,
    request: &str,
    held: &queue::LeasedRow,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO outbox (finding, kind, reference, request, state, job, job_kind, attempts, begun_at, tried_at)
         VALUES ($1, $2, $3, $4, 'sending', $5, $6, 1, $7, $7)",
    )
    .bind(intent.finding.to_string())
    .bind(intent.kind.name())
    .bind(&intent.reference)
    .bind(request)
    .bind(held.id)
    .bind(&held.kind)
    .bind(millis(intent.at))
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the outcome on what was begun for the finding. Only an outcome that names a punch item takes the doubt off a
/// create.
async fn settle(
    connection: &mut Connection,
    finding: FindingId,
    outcome: &WriteOutcome,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    let (state, ..) = outcome.names();
    let (punch_item, position, answer) = match outcome {
        WriteOutcome::Delivered { punch_item, position, answer } => {
            (punch_item.map(PunchItemId::value), *position, Some(to_json(answer)?))
        }
        _ => (None, None, None),
    };
    sqlx::query(
        "UPDATE outbox SET state = $2, finished_at = $3, punch_item = $4, position = $5, answer = $6, reason = $7
         WHERE finding = $1 AND state = 'sending' AND NOT (kind = 'create' AND $4 IS NULL)",
    )
    .bind(finding.to_string())
    .bind(state)
    .bind(millis(now))
    .bind(punch_item)
    .bind(position)
    .bind(answer)
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the outcome on the finding. A decision that was made while the draft was being published
/// has yet to be carried over, and so has what `more` jobs are queued for: then only the punch item
/// is noted and the delivery goes on waiting.
async fn carry_over(
    connection: &mut Connection,
    finding: FindingId,
    job_kind: &str,
    more: bool,
    outcome: &WriteOutcome,
    reason: Option<&str>,
) -> Result<(), Error> {
    let (_, delivery, _) = outcome.names();
    let (punch_item, position) = match outcome {
        WriteOutcome::Delivered { punch_item, position, .. } => {
            (punch_item.map(PunchItemId::value), *position)
        }
        _ => (None, None),
    };
    let taken_over = matches!(outcome, WriteOutcome::TakenOver { .. });
    sqlx::query(
        "UPDATE findings SET
             punch_item = COALESCE($2, punch_item),
             position = COALESCE($3, position),
             delivery = CASE WHEN overtaken THEN delivery ELSE $4 END,
             prior_delivery = CASE WHEN overtaken AND ($4 <> 'delivered' OR COALESCE($2, punch_item) IS NOT NULL)
                                   THEN $4 ELSE prior_delivery END,
             problem = CASE WHEN overtaken OR (state = 'taken_over' AND $5 IS NULL) THEN problem ELSE $5 END,
             notice = NULL,
             state = CASE WHEN $6 THEN 'taken_over' ELSE state END
         FROM (SELECT id AS same, NOT $6 AND delivery = 'waiting'
                      AND ($8 OR ($7 <> 'apply_decision' AND state IN ('accepted', 'rejected'))) AS overtaken
               FROM findings WHERE id = $1) AS before
         WHERE id = same",
    )
    .bind(finding.to_string())
    .bind(punch_item)
    .bind(position)
    .bind(delivery)
    .bind(reason)
    .bind(taken_over)
    .bind(job_kind)
    .bind(more)
    .execute(connection)
    .await?;
    Ok(())
}
