//! The finding's item as Procore has it now, also where we never heard that it was made.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::card::Card;
use crate::domain::delivery::{Doubt, RemoteItem};
use crate::domain::ids::PunchItemId;
use crate::pipeline::lease::LeaseGuard;
use crate::pipeline::{Context, Failure, clock, create, item_history};
use crate::procore;
use crate::procore::punch_items::PunchItem;
use crate::store::{OpenWrite, WriteKind};

/// By how much an item may be older than its finding, by two clocks that differ.
const MADE_BEFORE: Duration = Duration::from_hours(24);

/// When an item is asked for again that Procore lists and does not find.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// The doubt about the finding's create, if its answer never came.
fn create_in_doubt(open: &[OpenWrite]) -> Option<Doubt> {
    open.iter().find(|write| write.kind == Some(WriteKind::Create)).map(|write| write.doubt)
}

/// The finding's item; one that is not there any more counts as deleted. An item that is found only now becomes the
/// finding's.
pub(super) async fn existing(
    context: &Context,
    hold: &LeaseGuard,
    card: &Card,
    open: &[OpenWrite],
    now: Timestamp,
) -> Result<Option<RemoteItem>, Failure> {
    if let Some(item) = card.punch_item {
        return shown(context, card, item).await.map(Some);
    }
    let found = match stray(context, hold, card).await? {
        Some(item) => Some(item),
        None => match create_in_doubt(open) {
            Some(doubt) => look(context, card, doubt, now).await?,
            None => None,
        },
    };
    if let Some(item) = &found {
        context.store.adopt(hold.lease(), card.finding.id, item, context.now()).await?;
        tracing::info!(finding.id = %card.finding.id, punch_item.id = %item.id, "adopted what was found in Procore");
        create::found(context, card, item).await?;
    }
    Ok(found)
}

/// An item as Procore has it now; one that Procore's list does not show either is gone.
pub(super) async fn shown(context: &Context, card: &Card, item: PunchItemId) -> Result<RemoteItem, Failure> {
    match context.procore.punch_item(card.project, item).await {
        Err(procore::Error::NotFound { .. }) => missing(context, card, item).await,
        other => Ok(other?.to_remote()),
    }
}

/// A single "not found" can be a passing fault of Procore's or of a proxy, so the list has to agree.
///
/// # Errors
/// [`Failure::NotYet`] where the list shows the item, or says "not found" too.
async fn missing(context: &Context, card: &Card, item: PunchItemId) -> Result<RemoteItem, Failure> {
    let now = clock::procores(context, card.project).await;
    let from = card.found_at.min(now) - MADE_BEFORE;
    match context.procore.punch_items_with(card.project, &card.draft.reference, from, now).await {
        Ok(listed) if listed.iter().all(|listed| listed.id != item) => Ok(RemoteItem::gone(item)),
        Ok(_) => {
            tracing::warn!(punch_item.id = %item, "Procore lists the item and says that it is not found; asking again");
            Err(Failure::NotYet { after: ASK_AGAIN })
        }
        Err(procore::Error::NotFound { message }) => {
            tracing::warn!(punch_item.id = %item, message, "the Punch List is not found either; asking again");
            Err(Failure::NotYet { after: ASK_AGAIN })
        }
        Err(error) => Err(error.into()),
    }
}

/// The oldest item that was found under the finding's reference and is there; else the oldest that was there.
async fn stray(context: &Context, hold: &LeaseGuard, card: &Card) -> Result<Option<RemoteItem>, Failure> {
    let mut gone: Option<RemoteItem> = None;
    for item in context.store.strays(card.project, &card.draft.reference).await? {
        let remote = shown(context, card, item).await?;
        if !remote.deleted {
            return Ok(Some(remote));
        }
        context.store.forget_stray(hold.lease(), item).await?;
        gone.get_or_insert(remote);
    }
    Ok(gone)
}

/// Looks for what a create may have made. While Procore may still carry it out, what changed lately is enough to look at;
/// after that the look is to be proof, so it also looks where no filter by time and no deletion hides it.
async fn look(
    context: &Context,
    card: &Card,
    doubt: Doubt,
    now: Timestamp,
) -> Result<Option<RemoteItem>, Failure> {
    let (procore, project, reference) = (&context.procore, card.project, &card.draft.reference);
    let mut found = procore.punch_items_with(project, reference, doubt.since.min(now), now).await?;
    if found.is_empty() && doubt.left(now, context.horizon()).is_none() {
        if let Some(location) = card.draft.location {
            found = procore.open_punch_items(project, &[location]).await?;
        }
        if !found.iter().any(|item| item.reference.as_ref() == Some(reference)) {
            found = binned(context, card).await?;
        }
        found.retain(|item| item.reference.as_ref() == Some(reference));
    }
    item_history::note(context, project, found.get(1..).unwrap_or_default()).await?;
    Ok(found.first().map(PunchItem::to_remote))
}

async fn binned(context: &Context, card: &Card) -> Result<Vec<PunchItem>, Failure> {
    match context.procore.binned_punch_items(card.project).await {
        // Who may not read it may still write; what lies there is no live twin.
        Err(procore::Error::Forbidden { .. } | procore::Error::NotFound { .. }) => Ok(Vec::new()),
        other => Ok(other?),
    }
}

/// How long a write of the finding may still be carried out, seen now, with what a reviewer should know of it.
pub(super) fn wait_for(
    context: &Context,
    write: &OpenWrite,
    now: Timestamp,
    rejected: bool,
) -> Option<Failure> {
    let wait = write.doubt.next_look(now, context.horizon())?;
    let reason = match write.kind {
        Some(WriteKind::Create) if rejected => {
            "Procore did not answer when the draft was made, so it may still appear there. Punchlens keeps looking for it \
             and deletes it when it appears."
        }
        Some(WriteKind::Create) => {
            "Procore did not answer when the draft was made. Punchlens looks for it for some minutes before it makes it \
             again, so that it is not there twice."
        }
        Some(WriteKind::Update) | None => {
            "Procore did not answer when the item was changed. Punchlens looks for some minutes whether the change arrives \
             before it sends it again."
        }
        Some(WriteKind::Delete) => {
            "Procore did not answer when the draft was deleted. Punchlens looks for some minutes whether it is gone before \
             it deletes it again."
        }
    };
    Some(Failure::InDoubt { wait, reason: reason.to_owned() })
}
