//! Bring one finding's punch item in Procore in line with what was found and decided, once.
//!
//! Procore's create call is not idempotent, so the intent is written first. Whenever an earlier attempt may
//! have got through, the item is looked up by its reference and adopted before anything is made again.

use jiff::Timestamp;
use serde_json::json;

use super::hold::Hold;
use super::{Context, Failure, OnAccept, create, leaving_out, managing};
use crate::domain::card::Card;
use crate::domain::delivery::{DRAFT, ItemChange, Plan, RemoteItem, Situation, nobody_chose_a_manager, plan};
use crate::domain::ids::{FindingId, PunchItemId};
use crate::domain::job::Job;
use crate::domain::left_out::{self, Field, LeftOut};
use crate::domain::punch_item::PunchItemDraft;
use crate::domain::refusal::{self, Refusal};
use crate::domain::retry::Disposition;
use crate::domain::review::{Delivery, FindingState, Verdict};
use crate::domain::standing::Standing;
use crate::failpoint;
use crate::procore;
use crate::procore::config::PermittedProject;
use crate::store::{Lease, WriteIntent, WriteKind, WriteOutcome, WriteState};

/// Takes the one step that the plan calls for; where a further one is due, it is queued with the result.
///
/// # Errors
/// When Procore or the store does not answer; a refusal is recorded on the finding instead.
pub async fn run(context: &Context, hold: &Hold, finding: FindingId) -> Result<(), Failure> {
    let Some(card) = context.store.card(finding).await? else {
        return Err(Failure::give_up(format!("finding {finding} is not in the store")));
    };
    let permitted = context.permitted(card.project)?;
    let (outcome, next) = match reconcile(context, hold, &card, permitted).await {
        Ok(step) => step,
        Err(Failure::Step {
            disposition: Disposition::Park { reason } | Disposition::GiveUp { reason },
            ..
        }) => {
            tracing::warn!(finding.id = %finding, reason, "Procore refused the punch item");
            (WriteOutcome::Refused { reason }, None)
        }
        Err(other) => return Err(other),
    };
    let jobs: Vec<Job> = next.into_iter().collect();
    context.store.finish_write(hold.lease(), &outcome, &jobs, context.now()).await?;
    context.store.end_turn(card.project, finding).await?;
    failpoint::reached("deliver.finished");
    Ok(())
}

type Step = (WriteOutcome, Option<Job>);

async fn reconcile(
    context: &Context,
    hold: &Hold,
    card: &Card,
    permitted: PermittedProject,
) -> Result<Step, Failure> {
    let remote = existing(context, card).await?;
    let history = context.store.history(card.finding.id).await?;
    let manager = managing::default_for(context, card).await?;
    let suggested = left_out::without(&card.draft, &card.left_out);
    let verdict = card.decision.as_ref().map(|decision| sendable(&decision.verdict, card));
    let situation = Situation {
        mode: permitted.mode,
        state: card.state,
        carried_over: card.delivery == Delivery::Delivered,
        verdict: verdict.as_ref(),
        held: card.held.as_ref().map(|held| held.by),
        suggested: &suggested,
        earlier: &card.earlier,
        manager: manager.manager,
        send_on_accept: context.config.on_accept == OnAccept::Initiated,
        remote: remote.as_ref(),
        history: &history,
    };
    let step = plan(&situation);
    tracing::debug!(finding.id = %card.finding.id, plan = ?step, "planned");
    failpoint::reached("deliver.planned");
    if let Some(because) = manager.note.filter(|_| writes(&step) && nobody_chose_a_manager(&situation)) {
        let news = vec![LeftOut { field: Field::Manager, id: None, because }];
        context.store.note_left_out(card.finding.id, &left_out::with_news(&card.left_out, news)).await?;
    }
    Ok(match step {
        Plan::Withhold => (WriteOutcome::Withheld, None),
        Plan::Settled => {
            see(context, card, remote.as_ref()).await?;
            (remote.map_or_else(never_made, |item| in_procore(&item)), None)
        }
        Plan::Yield(reason) => {
            see(context, card, remote.as_ref()).await?;
            (WriteOutcome::TakenOver { reason }, None)
        }
        Plan::Create(draft) => {
            let images = context.store.images_of(card.finding.id).await?;
            let made = create::run(context, hold, card, PunchItemDraft { images, ..*draft }).await?;
            if made.workflow_status != DRAFT && card.state != FindingState::Accepted {
                // What was made is known, and what has become of it stands.
                return Ok((in_procore(&made), Some(Job::SyncPunchItem { finding: card.finding.id })));
            }
            // An accepted draft that has yet to be sent on is the next run's plan.
            let more = card.state == FindingState::Accepted;
            (in_procore(&made), more.then_some(Job::ApplyDecision { finding: card.finding.id }))
        }
        Plan::Change(item, change) => {
            let changed = change_item(context, hold, card, remote.as_ref(), item, &change).await?;
            see(context, card, Some(&changed)).await?;
            (in_procore(&changed), None)
        }
        Plan::Delete(item) => {
            begin(context, hold.lease(), card, WriteKind::Delete, &item).await?;
            hold.guard(context.procore.delete_punch_item(card.project, item)).await??;
            (
                WriteOutcome::Delivered { punch_item: Some(item), position: None, answer: json!("deleted") },
                None,
            )
        }
    })
}

const fn writes(step: &Plan) -> bool {
    matches!(step, Plan::Create(_) | Plan::Change(..))
}

/// `verdict` without edits that Procore did not take before.
fn sendable(verdict: &Verdict, card: &Card) -> Verdict {
    match verdict {
        Verdict::Accept { edits } => {
            Verdict::Accept { edits: left_out::edits_without(edits, &card.left_out) }
        }
        reject @ Verdict::Reject { .. } => reject.clone(),
    }
}

/// Keeps how the item stands, for its card; that it is still our own draft needs no words.
async fn see(context: &Context, card: &Card, item: Option<&RemoteItem>) -> Result<(), Failure> {
    if let Some(item) = item.filter(|item| item.deleted || item.workflow_status != DRAFT) {
        let standing = Standing::of(item, context.now());
        context.store.note_standing(card.finding.id, &standing).await?;
    }
    Ok(())
}

fn in_procore(item: &RemoteItem) -> WriteOutcome {
    WriteOutcome::Delivered { punch_item: Some(item.id), position: item.position, answer: json!(item) }
}

/// Rejected before anything was made: there is nothing to undo in Procore.
fn never_made() -> WriteOutcome {
    WriteOutcome::Delivered { punch_item: None, position: None, answer: json!("never made") }
}

/// The finding's item as Procore has it now; one that is not there any more counts as deleted. While a create
/// is in doubt it is looked for, so that what was made without our hearing of it is not left behind.
async fn existing(context: &Context, card: &Card) -> Result<Option<RemoteItem>, Failure> {
    let Some(item) = card.punch_item else {
        return match context.store.create_in_doubt(card.finding.id).await? {
            Some(since) => adopt(context, card, since).await,
            None => Ok(None),
        };
    };
    match context.procore.punch_item(card.project, item).await {
        Err(procore::Error::NotFound { .. }) => Ok(Some(RemoteItem::gone(item))),
        other => Ok(Some(other?.to_remote())),
    }
}

/// Looks for an item that an earlier attempt may have made without our hearing of it.
async fn adopt(context: &Context, card: &Card, since: Timestamp) -> Result<Option<RemoteItem>, Failure> {
    let reference = &card.draft.reference;
    let found = context.procore.find_punch_item(card.project, reference, since, context.now()).await?;
    let found = found.map(|item| item.to_remote());
    if let Some(item) = &found {
        tracing::info!(finding.id = %card.finding.id, punch_item.id = %item.id, "adopted after a lost answer");
        create::found(context, card, item).await?;
    }
    Ok(found)
}

async fn change_item(
    context: &Context,
    hold: &Hold,
    card: &Card,
    remote: Option<&RemoteItem>,
    item: PunchItemId,
    change: &ItemChange,
) -> Result<RemoteItem, Failure> {
    // Changing twice to the same is harmless, so doubt needs no look-up here.
    let title = remote.map_or(card.draft.title.as_str(), |remote| remote.title.as_str());
    let (mut change, mut known) = (change.clone(), card.left_out.clone());
    loop {
        begin(context, hold.lease(), card, WriteKind::Update, &change).await?;
        let answer =
            hold.guard(context.procore.update_punch_item(card.project, item, title, &change)).await?;
        if let Err(procore::Error::Rejected { message, .. }) = &answer
            && let Refusal::Gone(fields) =
                refusal::read(message, |field| field.of_edits(&change.edits).is_some())
        {
            context.store.unsent_write(hold.lease()).await?;
            let refused: Vec<_> =
                fields.into_iter().map(|field| (field, field.of_edits(&change.edits))).collect();
            leaving_out::note(context, card, &mut known, &refused, message).await?;
            // One field less at least, each time.
            change.edits = left_out::edits_without(&change.edits, &known);
            continue;
        }
        let sent_on = answer.as_ref().err().and_then(|error| sent_on(remote, error));
        return match (sent(context, hold.lease(), answer).await, sent_on) {
            (Err(_), Some(reason)) => Err(Failure::park(reason)),
            (answer, _) => Ok(answer?.to_remote()),
        };
    }
}

/// Procore's word against changing an item that is no draft any more, with what is left to do.
fn sent_on(remote: Option<&RemoteItem>, error: &procore::Error) -> Option<String> {
    let refused = matches!(error, procore::Error::Forbidden { .. } | procore::Error::Rejected { .. });
    let no_draft = remote.is_some_and(|remote| remote.workflow_status != DRAFT);
    (refused && no_draft).then(|| {
        format!("the item was sent on in Procore, which does not let this app change it any more: change or delete it there ({error})")
    })
}

pub(super) async fn begin(
    context: &Context,
    lease: &Lease,
    card: &Card,
    kind: WriteKind,
    request: &impl serde::Serialize,
) -> Result<WriteState, Failure> {
    let request = serde_json::to_value(request).map_err(|error| Failure::give_up(error.to_string()))?;
    let intent =
        WriteIntent { finding: card.finding.id, kind, reference: card.draft.reference.clone(), request };
    Ok(context.store.begin_write(lease, &intent, context.now()).await?)
}

/// Takes the doubt off a write that certainly never reached Procore, so that no look-up is spent on it.
async fn sent<T>(context: &Context, lease: &Lease, answer: Result<T, procore::Error>) -> Result<T, Failure> {
    if let Err(error) = &answer
        && !error.outcome_in_doubt()
    {
        context.store.unsent_write(lease).await?;
    }
    Ok(answer?)
}
