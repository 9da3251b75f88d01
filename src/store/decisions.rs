//! A reviewer's word: one decision a finding, alone or in a batch, undone while nothing has left the box, and after that as far as
//! Procore lets it.

use jiff::Timestamp;

use crate::domain::card::Card;
use crate::domain::dedupe::Muting;
use crate::domain::ids::{FindingId, ProjectKey};
use crate::domain::job::Job;
use crate::domain::review::{Decision, Delivery, FindingState, Verdict};
use crate::store::audit::{self, Actor, AuditSubject, Entry};
use crate::store::rows::{millis, to_json};
use crate::store::{Connection, Error, Store, findings, mutes, queue};

/// What a rejection mutes, project by project.
pub type MutingOf<'a> = &'a (dyn Fn(ProjectKey) -> Muting + Send + Sync);

/// What became of a decision about several findings.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The cards that were decided, or undone.
    pub done: Vec<Card>,
    /// The findings that were left as they are, each with the reason.
    pub left: Vec<(FindingId, String)>,
}

impl Store {
    /// Records `decision`, queues what carries it to Procore, and mutes what follows from it by `muting`.
    ///
    /// # Errors
    /// [`Error::Conflict`], telling who decided what, unless the finding is still proposed.
    pub async fn decide(
        &self,
        id: FindingId,
        decision: &Decision,
        muting: MutingOf<'_>,
    ) -> Result<Card, Error> {
        let mut transaction = self.begin().await?;
        let card = self.decide_one(&mut transaction, id, decision, muting).await?;
        self.commit(transaction).await?;
        Ok(card)
    }

    /// Records `decision` about each of `ids` in one transaction; those that are not proposed any more
    /// are left as they are.
    pub async fn decide_batch(
        &self,
        ids: &[FindingId],
        decision: &Decision,
        muting: MutingOf<'_>,
    ) -> Result<Batch, Error> {
        let mut transaction = self.begin().await?;
        let mut batch = Batch::default();
        for &id in ids {
            batch.note(id, self.decide_one(&mut transaction, id, decision, muting).await)?;
        }
        self.commit(transaction).await?;
        Ok(batch)
    }

    /// Takes a decision back: what has not reached Procore, and an acceptance that has; a rejected draft lies in
    /// Procore's recycle bin and is restored there.
    ///
    /// # Errors
    /// [`Error::Conflict`] with the reason when it is too late.
    pub async fn undo(&self, id: FindingId, by: impl Into<Actor<'_>>, now: Timestamp) -> Result<Card, Error> {
        let by = by.into();
        let mut transaction = self.begin().await?;
        let card = undo_one(&mut transaction, id, by, now).await?;
        self.commit(transaction).await?;
        Ok(card)
    }

    /// Takes the decisions about `ids` back in one transaction; those for which it is too late stand.
    pub async fn undo_batch(
        &self,
        ids: &[FindingId],
        by: impl Into<Actor<'_>>,
        now: Timestamp,
    ) -> Result<Batch, Error> {
        let by = by.into();
        let mut transaction = self.begin().await?;
        let mut batch = Batch::default();
        for &id in ids {
            batch.note(id, undo_one(&mut transaction, id, by, now).await)?;
        }
        self.commit(transaction).await?;
        Ok(batch)
    }

    /// Sends what Procore refused once more, after somebody has mended the reason.
    ///
    /// # Errors
    /// [`Error::Conflict`] when nothing was refused.
    pub async fn send_again(
        &self,
        id: FindingId,
        by: impl Into<Actor<'_>>,
        now: Timestamp,
    ) -> Result<Card, Error> {
        let by = by.into();
        let mut transaction = self.begin().await?;
        let card = existing(&mut transaction, id).await?;
        if card.delivery != Delivery::Refused {
            return Err(Error::Conflict("Procore refused nothing here".into()));
        }
        sqlx::query("UPDATE findings SET delivery = 'waiting', problem = NULL WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut *transaction)
            .await?;
        let detail = serde_json::json!({ "refusal": card.problem });
        let entry = Entry::by(by, "finding.sent_again", AuditSubject::Finding(id), detail);
        audit::append(&mut transaction, entry, now).await?;
        queue::insert(&mut transaction, &[Job::carrying(id, card.state)], now, now).await?;
        let card = existing(&mut transaction, id).await?;
        self.commit(transaction).await?;
        Ok(card)
    }

    async fn decide_one(
        &self,
        connection: &mut Connection,
        id: FindingId,
        decision: &Decision,
        muting: MutingOf<'_>,
    ) -> Result<Card, Error> {
        let card = existing(connection, id).await?;
        if card.state != FindingState::Proposed {
            return Err(Error::Conflict(decided_already(&card)));
        }
        let state = match decision.verdict {
            Verdict::Accept { .. } => FindingState::Accepted,
            Verdict::Reject { .. } => FindingState::Rejected,
        };
        sqlx::query(
            "UPDATE findings SET state = $2, prior_delivery = delivery, delivery = 'waiting', decision = $3,
             decided_at = $4, problem = NULL WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(state.name())
        .bind(to_json(decision)?)
        .bind(millis(decision.at))
        .execute(&mut *connection)
        .await?;
        let detail = serde_json::to_value(decision)?;
        let entry =
            Entry::by(decision.reviewer.as_str(), "finding.decided", AuditSubject::Finding(id), detail);
        audit::append(connection, entry, decision.at).await?;
        mutes::follow(connection, &card, decision, muting(card.project)).await?;
        let carry_over = decision.at.saturating_add(self.0.config.decision_hold()).unwrap_or(decision.at);
        queue::insert(connection, &[Job::ApplyDecision { finding: id }], carry_over, decision.at).await?;
        existing(connection, id).await
    }
}

impl Batch {
    /// A finding that cannot be decided is left; anything else that fails fails the batch.
    fn note(&mut self, id: FindingId, result: Result<Card, Error>) -> Result<(), Error> {
        match result {
            Ok(card) => self.done.push(card),
            Err(Error::Conflict(reason) | Error::NotFound(reason)) => self.left.push((id, reason)),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

async fn undo_one(
    connection: &mut Connection,
    id: FindingId,
    by: Actor<'_>,
    now: Timestamp,
) -> Result<Card, Error> {
    let card = existing(connection, id).await?;
    if let Some(reason) = too_late(connection, &card).await? {
        return Err(Error::Conflict(reason));
    }
    // What an acceptance did in Procore is taken back there, as far as nobody went on with it.
    let recall = card.delivery == Delivery::Delivered && card.punch_item.is_some();
    queue::withdraw(connection, &Job::ApplyDecision { finding: id }).await?;
    // Publishing may have come to an end while the decision waited; its outcome stands.
    sqlx::query(
        "UPDATE findings SET state = 'proposed', decision = NULL, decided_at = NULL, prior_delivery = NULL,
         delivery = CASE WHEN $2 THEN 'waiting' WHEN punch_item IS NOT NULL THEN 'delivered' ELSE prior_delivery END,
         problem = CASE WHEN punch_item IS NULL AND prior_delivery = 'refused' THEN
             (SELECT reason FROM outbox WHERE outbox.finding = findings.id AND outbox.state = 'refused'
              ORDER BY outbox.id DESC LIMIT 1) END
         WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(recall)
    .execute(&mut *connection)
    .await?;
    mutes::unfollow(connection, id, by, now).await?;
    let detail = serde_json::json!({ "decision": card.decision });
    let entry = Entry::by(by, "finding.undone", AuditSubject::Finding(id), detail);
    audit::append(connection, entry, now).await?;
    let card = existing(connection, id).await?;
    if card.delivery == Delivery::Waiting {
        // The publishing may have passed it by as rejected.
        let job = if recall { Job::ApplyDecision { finding: id } } else { Job::Publish { finding: id } };
        queue::insert(connection, &[job], now, now).await?;
    }
    Ok(card)
}

async fn existing(connection: &mut Connection, id: FindingId) -> Result<Card, Error> {
    findings::get(connection, id).await?.ok_or_else(|| Error::NotFound(format!("finding {id}")))
}

/// Who decided what, in a sentence.
fn decided_already(card: &Card) -> String {
    match &card.decision {
        Some(Decision { verdict, reviewer, at, .. }) => {
            let what = match verdict {
                Verdict::Accept { .. } => "accepted",
                Verdict::Reject { .. } => "rejected",
            };
            format!("{reviewer} {what} this already, at {at:.0}")
        }
        None => "someone changed the punch item in Procore first; their change stays".into(),
    }
}

/// Why the decision on `card` cannot be taken back any more, if so.
async fn too_late(connection: &mut Connection, card: &Card) -> Result<Option<String>, Error> {
    if !matches!(card.state, FindingState::Accepted | FindingState::Rejected) {
        return Ok(Some("there is no decision to take back".into()));
    }
    // Rejected before anything was made: there is nothing in Procore to go back on.
    let carried_over = card.delivery == Delivery::Delivered && card.punch_item.is_some();
    if carried_over && card.state == FindingState::Rejected {
        let place = card.position.map_or_else(String::new, |position| format!(" (#{position})"));
        return Ok(Some(format!("its draft{place} is in Procore's recycle bin already: restore it there")));
    }
    if let Some(standing) =
        card.in_procore.as_ref().filter(|_| carried_over).filter(|seen| seen.has_moved_on())
    {
        return Ok(Some(format!("people went on with it ({}): change it there", standing.words())));
    }
    let job = Job::ApplyDecision { finding: card.finding.id };
    let under_way: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM jobs WHERE dedupe_key = $1 AND state = 'running')
              + (SELECT COUNT(*) FROM outbox WHERE finding = $2 AND state = 'sending' AND job_kind = $3)",
    )
    .bind(job.dedupe_key())
    .bind(card.finding.id.to_string())
    .bind(job.kind())
    .fetch_one(connection)
    .await?;
    Ok((under_way > 0).then(|| "it is being carried over to Procore right now".into()))
}
