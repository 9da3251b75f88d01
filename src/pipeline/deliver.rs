//! Bring one finding's punch item in Procore in line with what was found and decided, once.
//!
//! Procore's create call is not idempotent, so the intent is written first. Whenever an earlier attempt may
//! have got through, the item is looked up by its reference and adopted before anything is made again, and nothing is
//! made again while Procore may still carry out what was sent.

mod existing;

use serde_json::json;

use self::existing::{existing, shown, wait_for};
use super::lease::LeaseGuard;
use super::{Context, Failure, OnAccept, clock, create, item_history, manager, omit_fields, turns};
use crate::domain::card::Card;
use crate::domain::delivery::{
    DRAFT, DuplicateItems, ItemChange, Plan, ProjectMode, RemoteItem, Situation, nobody_chose_a_manager,
    plan, twins,
};
use crate::domain::ids::{FindingId, PunchItemId};
use crate::domain::item_status::ItemStatus;
use crate::domain::job::Job;
use crate::domain::omitted_field::{self, Field, OmittedField};
use crate::domain::punch_item::PunchItemDraft;
use crate::domain::refusal::{self, Refusal};
use crate::domain::retry::Disposition;
use crate::domain::review::{Delivery, FindingState, Verdict};
use crate::failpoint;
use crate::procore;
use crate::procore::config::PermittedProject;
use crate::store::{Lease, OpenWrite, WriteIntent, WriteKind, WriteOutcome, WriteState};

/// Takes the one step that the plan calls for; where a further one is due, it is queued with the result.
///
/// # Errors
/// When Procore or the store does not answer; a refusal is recorded on the finding instead.
pub async fn run(context: &Context, hold: &LeaseGuard, finding: FindingId) -> Result<(), Failure> {
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
        Err(Failure::InDoubt { wait, reason }) => {
            context.store.note(hold.lease(), finding, &reason).await?;
            return Err(Failure::InDoubt { wait, reason });
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
    hold: &LeaseGuard,
    card: &Card,
    permitted: PermittedProject,
) -> Result<Step, Failure> {
    if permitted.mode == ProjectMode::Shadow {
        return Ok((WriteOutcome::Withheld, None));
    }
    let finding = card.finding.id;
    let open = context.store.open_writes(finding).await?;
    // Before the look: what is not there then and cannot come any more was never made.
    let now = clock::procores(context, card.project).await;
    let remote = existing(context, hold, card, &open, now).await?;
    let history = context.store.history(finding, remote.as_ref().map(|item| item.id)).await?;
    let manager = manager::default_for(context, card).await?;
    let suggested = omitted_field::without(&card.draft, &card.left_out);
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
    let rejected = card.state == FindingState::Rejected;
    let in_doubt = |writes: bool| {
        let blocks = |write: &&OpenWrite| match write.kind {
            Some(WriteKind::Create) => remote.is_none(),
            _ => writes,
        };
        open.iter().filter(blocks).find_map(|write| wait_for(context, write, now, rejected))
    };
    if let Some(own) = &remote
        && let Some(step) = settle_twins(context, hold, card, &situation, (own, in_doubt(true))).await?
    {
        return Ok(step);
    }
    let step = plan(&situation);
    tracing::debug!(finding.id = %card.finding.id, plan = ?step, "planned");
    failpoint::reached("deliver.planned");
    if let Some(wait) = in_doubt(matches!(step, Plan::Change(..) | Plan::Delete(_))) {
        return Err(wait);
    }
    if let Some(because) = manager.note.filter(|_| writes(&step) && nobody_chose_a_manager(&situation)) {
        let news = vec![OmittedField { field: Field::Manager, id: None, because }];
        context.store.note_left_out(card.finding.id, &omitted_field::with_news(&card.left_out, news)).await?;
    }
    Ok(match step {
        Plan::Withhold => (WriteOutcome::Withheld, None),
        Plan::Settled => {
            see(context, card, remote.as_ref()).await?;
            (remote.map_or_else(never_made, |item| seen(&item)), None)
        }
        Plan::Yield(reason) => {
            see(context, card, remote.as_ref()).await?;
            (WriteOutcome::TakenOver { reason }, None)
        }
        Plan::Conflict(reason) => (WriteOutcome::Refused { reason }, None),
        Plan::Create(draft) => {
            turns::may_create(context, card.project).await?;
            if older_life(context, card).await? {
                return Box::pin(reconcile(context, hold, card, permitted)).await;
            }
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
            let answer = hold.guard(context.procore.delete_punch_item(card.project, item)).await?;
            sent(context, hold.lease(), answer).await?;
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
            Verdict::Accept { edits: omitted_field::edits_without(edits, &card.left_out) }
        }
        reject @ Verdict::Reject { .. } => reject.clone(),
    }
}

/// Keeps how the item stands, for its card; that it is still our own draft needs no words.
async fn see(context: &Context, card: &Card, item: Option<&RemoteItem>) -> Result<(), Failure> {
    if let Some(item) = item.filter(|item| item.deleted || item.workflow_status != DRAFT) {
        let standing = ItemStatus::of(item, context.now());
        context.store.note_standing(card.finding.id, &standing).await?;
    }
    Ok(())
}

/// Procore's answer to a write of ours.
fn in_procore(item: &RemoteItem) -> WriteOutcome {
    WriteOutcome::Delivered { punch_item: Some(item.id), position: item.position, answer: json!(item) }
}

/// What Procore has, which nothing was written for just now.
fn seen(item: &RemoteItem) -> WriteOutcome {
    let answer = json!({ "seen": item });
    WriteOutcome::Delivered { punch_item: Some(item.id), position: item.position, answer }
}

/// Rejected before anything was made: there is nothing to undo in Procore.
fn never_made() -> WriteOutcome {
    WriteOutcome::Delivered { punch_item: None, position: None, answer: json!("never made") }
}

/// Whether an earlier life of this box made the finding's item, which is now known as a stray.
async fn older_life(context: &Context, card: &Card) -> Result<bool, Failure> {
    if let Err(failure) = item_history::catch_up_once(context, card.project).await {
        if let Failure::Step { disposition: Disposition::Park { reason }, .. } = &failure {
            let reason = format!(
                "the Punch List cannot be read, and nothing is made unseen ({reason}). Switch the tool on in the project's \
                 settings, and give the app Punch List Standard"
            );
            turns::stop(context, card, &reason).await?;
            turns::may_create(context, card.project).await?;
        }
        return Err(failure);
    }
    Ok(!context.store.strays(card.project, &card.draft.reference).await?.is_empty())
}

/// Puts right, one at a time, what was found under the finding's reference besides `own`, its item; not while a write is
/// in doubt.
async fn settle_twins(
    context: &Context,
    hold: &LeaseGuard,
    card: &Card,
    situation: &Situation<'_>,
    (own, in_doubt): (&RemoteItem, Option<Failure>),
) -> Result<Option<Step>, Failure> {
    let (lease, finding, store) = (hold.lease(), card.finding.id, &context.store);
    for stray in store.strays(card.project, &card.draft.reference).await? {
        if stray == own.id {
            store.forget_stray(lease, stray).await?;
            continue;
        }
        let other = shown(context, card, stray).await?;
        match twins(situation, own, &other) {
            DuplicateItems::Gone => store.forget_stray(lease, stray).await?,
            DuplicateItems::Binned => {
                store.twin_binned(lease, finding, (own.id, stray), context.now()).await?;
                return Ok(Some((seen(&other), Some(Job::carrying(finding, card.state)))));
            }
            DuplicateItems::Bin { .. } if in_doubt.is_some() => return in_doubt.map_or(Ok(None), Err),
            DuplicateItems::Leave(because) => {
                tracing::warn!(finding.id = %finding, because, "two items of one finding");
                store.leave_stray(lease, finding, stray, &because, context.now()).await?;
            }
            DuplicateItems::Bin { goes, stays } => {
                begin(context, lease, card, WriteKind::Delete, &goes).await?;
                let answer = hold.guard(context.procore.delete_punch_item(card.project, goes)).await?;
                sent(context, lease, answer).await?;
                store.twin_binned(lease, finding, (goes, stays), context.now()).await?;
                tracing::warn!(finding.id = %finding, %goes, %stays, "of two items of one finding one was deleted");
                let kept = shown(context, card, stays).await?;
                return Ok(Some((seen(&kept), Some(Job::carrying(finding, card.state)))));
            }
        }
    }
    Ok(None)
}

async fn change_item(
    context: &Context,
    hold: &LeaseGuard,
    card: &Card,
    remote: Option<&RemoteItem>,
    item: PunchItemId,
    change: &ItemChange,
) -> Result<RemoteItem, Failure> {
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
            omit_fields::note(context, card, &mut known, &refused, message).await?;
            // One field less at least, each time.
            change.edits = omitted_field::edits_without(&change.edits, &known);
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
    let (finding, reference) = (card.finding.id, card.draft.reference.clone());
    let at = clock::procores(context, card.project).await;
    let intent = WriteIntent { finding, kind, reference, request, at };
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
