//! A reviewer's word: one decision a finding, undone only while nothing has left the box.

use jiff::Timestamp;

use crate::domain::card::Card;
use crate::domain::dedupe::Muting;
use crate::domain::ids::{FindingId, ProjectKey};
use crate::domain::job::Job;
use crate::domain::review::{Decision, Delivery, FindingState, Verdict};
use crate::store::audit::{self, Entry, Subject};
use crate::store::rows::{millis, to_json};
use crate::store::{Connection, Error, Store, findings, mutes, queue};

/// What a rejection mutes, project by project.
pub type MutingOf<'a> = &'a (dyn Fn(ProjectKey) -> Muting + Send + Sync);

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
        let card = existing(&mut transaction, id).await?;
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
        .execute(&mut *transaction)
        .await?;
        let entry = Entry::by(
            &decision.reviewer,
            "finding.decided",
            Subject::Finding(id),
            serde_json::to_value(decision)?,
        );
        audit::append(&mut transaction, entry, decision.at).await?;
        mutes::follow(&mut transaction, &card, decision, muting(card.project)).await?;
        queue::insert(&mut transaction, &[Job::ApplyDecision { finding: id }], decision.at, decision.at)
            .await?;
        let card = existing(&mut transaction, id).await?;
        self.commit(transaction).await?;
        Ok(card)
    }

    /// Takes a decision back, as long as nothing of it can have reached Procore.
    ///
    /// # Errors
    /// [`Error::Conflict`] with the reason when it is too late.
    pub async fn undo(&self, id: FindingId, reviewer: &str, now: Timestamp) -> Result<Card, Error> {
        let mut transaction = self.begin().await?;
        let card = existing(&mut transaction, id).await?;
        if let Some(reason) = too_late(&mut transaction, &card).await? {
            return Err(Error::Conflict(reason));
        }
        queue::withdraw(&mut transaction, &Job::ApplyDecision { finding: id }).await?;
        // Publishing may have come to an end while the decision waited; its outcome stands.
        sqlx::query(
            "UPDATE findings SET state = 'proposed', decision = NULL, decided_at = NULL, prior_delivery = NULL,
             delivery = CASE WHEN punch_item IS NOT NULL THEN 'delivered' ELSE prior_delivery END,
             problem = CASE WHEN punch_item IS NULL AND prior_delivery = 'refused' THEN
                 (SELECT reason FROM outbox WHERE outbox.finding = findings.id AND outbox.state = 'refused'
                  ORDER BY outbox.id DESC LIMIT 1) END
             WHERE id = $1",
        )
        .bind(id.to_string())
        .execute(&mut *transaction)
        .await?;
        mutes::unfollow(&mut transaction, id, reviewer, now).await?;
        let detail = serde_json::json!({ "decision": card.decision });
        let entry = Entry::by(reviewer, "finding.undone", Subject::Finding(id), detail);
        audit::append(&mut transaction, entry, now).await?;
        let card = existing(&mut transaction, id).await?;
        if card.delivery == Delivery::Waiting {
            // The publishing may have passed it by as rejected.
            queue::insert(&mut transaction, &[Job::Publish { finding: id }], now, now).await?;
        }
        self.commit(transaction).await?;
        Ok(card)
    }
}

async fn existing(connection: &mut Connection, id: FindingId) -> Result<Card, Error> {
    findings::get(connection, id).await?.ok_or_else(|| Error::NotFound(format!("finding {id}")))
}

/// Who decided what, in a sentence.
fn decided_already(card: &Card) -> String {
    match &card.decision {
        Some(Decision { verdict, reviewer, at }) => {
            let what = match verdict {
                Verdict::Accept { .. } => "accepted",
                Verdict::Reject { .. } => "rejected",
            };
            format!("{reviewer} {what} this already, at {at:.0}")
        }
        None => "somebody changed the punch item in Procore first; their word stands".into(),
    }
}

/// Why the decision on `card` cannot be taken back any more, if so.
async fn too_late(connection: &mut Connection, card: &Card) -> Result<Option<String>, Error> {
    if !matches!(card.state, FindingState::Accepted | FindingState::Rejected) {
        return Ok(Some("there is no decision to take back".into()));
    }
    // Rejected before anything was made: there is nothing in Procore to go back on.
    if card.delivery == Delivery::Delivered && card.punch_item.is_some() {
        let place = card.position.map_or_else(String::new, |position| format!(" (#{position})"));
        return Ok(Some(format!("it was carried over to Procore already{place}: change it there")));
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
