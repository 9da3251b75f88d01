//! Who manages an item that is being sent on: see [`crate::domain::manager`].

use super::reference::{self, Reference};
use super::{Context, Failure};
use crate::domain::card::Card;
use crate::domain::ids::LocationId;
use crate::domain::manager::{Acceptor, ManagerChoice, default_manager};
use crate::domain::people::{PersonId, ProcoreUser};
use crate::domain::place::LocationTree;
use crate::domain::review::{Decision, Delivery, FindingState, Verdict};

/// The manager for `card`, if it was accepted without one and is yet to be sent on.
pub(super) async fn default_for(context: &Context, card: &Card) -> Result<ManagerChoice, Failure> {
    let Some(decision) = undelivered_acceptance(card) else { return Ok(ManagerChoice::default()) };
    let Reference { locations, catalogue } = reference::load(context, card.project).await?;
    let draft = card.decided_draft();
    let path = draft.location.map(|id| path(&locations, card, id)).unwrap_or_default();
    let (configured, _) = context.rules(card.project)?.tagging.manager(draft.trade, &path, &catalogue);
    let acceptor = Acceptor { name: decision.reviewer.clone(), user: procore_user(context, decision).await? };
    Ok(default_manager(&acceptor, configured, &catalogue.managers))
}

/// The acceptance that is yet to be carried over, if it names no manager.
fn undelivered_acceptance(card: &Card) -> Option<&Decision> {
    let decision = card.decision.as_ref()?;
    let open = card.state == FindingState::Accepted && card.delivery != Delivery::Delivered;
    match &decision.verdict {
        Verdict::Accept { edits } if open && edits.manager.is_none() => Some(decision),
        _ => None,
    }
}

async fn procore_user(context: &Context, decision: &Decision) -> Result<Option<ProcoreUser>, Failure> {
    Ok(match decision.person.as_ref().map(|person| person.who) {
        Some(PersonId::Procore(id)) => Some(ProcoreUser::Id(id)),
        Some(PersonId::Account(account)) => context.store.procore_user_of(account).await?,
        Some(PersonId::Key) | None => None,
    })
}

fn path(locations: &LocationTree, card: &Card, id: LocationId) -> Vec<String> {
    let listed = locations.locations().iter().find(|location| location.id == id);
    let own = card.place.location.as_ref().filter(|location| location.id == id);
    listed.or(own).map(|location| location.path.clone()).unwrap_or_default()
}
