//! Bring one finding's punch item in Procore in line with what was found and decided, once.
//!
//! Procore's create call is not idempotent, so the intent is written first. Whenever an earlier attempt may
//! have got through, the item is looked up by its reference and adopted before anything is made again.

use std::time::Duration;

use jiff::Timestamp;

use super::{Context, Failure, OnAccept, Permitted};
use crate::domain::card::Card;
use crate::domain::delivery::{DRAFT, Plan, RemoteItem, Situation, plan};
use crate::domain::ids::{FindingId, ProjectKey, PunchItemId};
use crate::domain::punch_item::PunchItemDraft;
use crate::domain::retry::Disposition;
use crate::procore;
use crate::store::{Lease, Outcome, WriteState};

/// How far before an intent a look-up by reference starts: clocks differ.
const LOOK_BACK: Duration = Duration::from_secs(300);

/// A plan is at most create, change, settle; more rounds mean that Procore does not do what it answers.
const ROUNDS_MAX: usize = 4;

/// Runs until Procore is as decided, or a person there had the last word.
///
/// # Errors
/// When Procore or the store does not answer; a refusal is recorded on the finding instead.
pub async fn run(context: &Context, lease: &Lease, finding: FindingId) -> Result<(), Failure> {
    let Some(card) = context.store.card(finding).await? else {
        return Err(Failure::give_up(format!("finding {finding} is not in the store")));
    };
    let permitted = context.permitted(card.project)?;
    let outcome = match reconcile(context, lease, &card, permitted).await {
        Ok(outcome) => outcome,
        Err(Failure::Step { disposition: Disposition::Park { reason } | Disposition::GiveUp { reason }, .. }) => {
            tracing::warn!(finding.id = %finding, reason, "Procore refused the punch item");
            Outcome::Refused { reason }
        }
        Err(other) => return Err(other),
    };
    Ok(context.store.finish_delivery(lease, finding, &outcome, context.now()).await?)
}

async fn reconcile(context: &Context, lease: &Lease, card: &Card, permitted: Permitted) -> Result<Outcome, Failure> {
    let mut remote = existing(context, lease, card).await?;
    for _ in 0..ROUNDS_MAX {
        let step = plan(&Situation {
            mode: permitted.mode,
            state: card.state,
            verdict: card.decision.as_ref().map(|decision| &decision.verdict),
            suggested: &card.draft,
            send_on_accept: context.config.on_accept == OnAccept::Initiated,
            remote: remote.as_ref(),
        });
        tracing::debug!(finding.id = %card.finding.id, plan = ?step, "planned");
        remote = Some(match step {
            Plan::Withhold => return Ok(Outcome::Withheld),
            Plan::Settled => return Ok(remote.map_or(Outcome::NeverMade, Outcome::InProcore)),
            Plan::Yield(reason) => return Ok(Outcome::TakenOver { reason }),
            Plan::Create(draft) => create(context, lease, card, &draft).await?,
            Plan::Change(item, change) => {
                context.procore.update_punch_item(card.project, item, &change).await?
            }
            Plan::Delete(item) => {
                context.procore.delete_punch_item(card.project, item).await?;
                seen(context, card.project, item).await?
            }
        });
    }
    Err(Failure::retry("the punch item does not become what Procore answered it would"))
}

/// The finding's item as Procore has it now, adopting one that a lost answer hid from us.
async fn existing(context: &Context, lease: &Lease, card: &Card) -> Result<Option<RemoteItem>, Failure> {
    if let Some(item) = card.punch_item {
        return Ok(Some(seen(context, card.project, item).await?));
    }
    let Some(since) = context.store.create_in_doubt(card.finding.id).await? else { return Ok(None) };
    let from = since.checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
    let reference = &card.draft.reference;
    let found = context.procore.find_by_reference(card.project, reference, from, context.now()).await?;
    if let Some(item) = &found {
        tracing::info!(finding.id = %card.finding.id, punch_item.id = %item.id, "adopted after a lost answer");
        context.store.record_item(lease, card.finding.id, item, context.now()).await?;
    }
    Ok(found)
}

/// Reads an item; one that is not there any more counts as deleted.
async fn seen(context: &Context, project: ProjectKey, item: PunchItemId) -> Result<RemoteItem, Failure> {
    match context.procore.punch_item(project, item).await {
        Err(procore::Error::NotFound { .. }) => Ok(RemoteItem::gone(item)),
        other => Ok(other?),
    }
}

async fn create(
    context: &Context,
    lease: &Lease,
    card: &Card,
    draft: &PunchItemDraft,
) -> Result<RemoteItem, Failure> {
    let finding = card.finding.id;
    match context.store.begin_create(lease, finding, draft, context.now()).await? {
        WriteState::Fresh | WriteState::InDoubt { .. } => {}
    }
    let made = context.procore.create_punch_item(card.project, draft).await?;
    context.store.record_item(lease, finding, &made, context.now()).await?;
    if made.workflow_status == DRAFT {
        return Ok(made);
    }
    Err(Failure::park(format!(
        "Procore made punch item {} as '{}' instead of a draft; stop the project in the config and tell Procore's support",
        made.id, made.workflow_status
    )))
}
