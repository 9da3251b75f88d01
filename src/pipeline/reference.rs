//! Procore's own lists (locations, trades, types, managers), kept in the store with an age.

use serde::de::DeserializeOwned;

use super::optional_lists::optional;
use super::{Context, Failure, lists};
use crate::domain::event::List;
use crate::domain::ids::{ProjectKey, PunchItemTypeId, UserId};
use crate::domain::place::{Location, LocationTree};
use crate::domain::tagging::{Catalogue, Person, Trade};
use crate::procore::{self, Client};

/// What tagging may choose from in one project.
#[derive(Debug, Clone)]
pub struct Reference {
    pub locations: LocationTree,
    /// Trades, types and people.
    pub catalogue: Catalogue,
}

/// The project's lists, read from Procore where the stored ones are too old. One that Procore refuses, or has not
/// answered for a while, is as it was last, or empty: findings are recorded without it.
///
/// # Errors
/// While an answer of Procore is worth waiting for.
pub async fn load(context: &Context, project: ProjectKey) -> Result<Reference, Failure> {
    let locations: Vec<Location> = at_hand(context, project, List::Locations).await?;
    Ok(Reference { locations: LocationTree::new(locations), catalogue: catalogue(context, project).await? })
}

async fn catalogue(context: &Context, project: ProjectKey) -> Result<Catalogue, Failure> {
    // The one list that nobody needs unless the rules name somebody of it.
    let approving = !context.rules(project)?.tagging.rules().people.approver.is_empty();
    Ok(Catalogue {
        trades: at_hand(context, project, List::Trades).await?,
        item_types: at_hand(context, project, List::ItemTypes).await?,
        managers: at_hand(context, project, List::Managers).await?,
        approvers: if approving { at_hand(context, project, List::Approvers).await? } else { Vec::new() },
    })
}

/// The project's lists as Procore has them now, for reports.
///
/// # Errors
/// When Procore does not answer.
pub async fn fresh(procore: &Client, project: ProjectKey) -> Result<Reference, procore::Error> {
    Ok(Reference {
        locations: LocationTree::new(procore.locations(project).await?),
        catalogue: Catalogue {
            trades: trades(procore, project).await?,
            item_types: item_types(procore, project).await?,
            managers: managers(procore, project).await?,
            approvers: approvers(procore, project).await?,
        },
    })
}

/// Trades and people as Procore has them now: what choosing a manager takes.
///
/// # Errors
/// When Procore does not answer.
pub async fn people(procore: &Client, project: ProjectKey) -> Result<Catalogue, procore::Error> {
    Ok(Catalogue {
        trades: trades(procore, project).await?,
        managers: managers(procore, project).await?,
        ..Catalogue::default()
    })
}

async fn trades(procore: &Client, project: ProjectKey) -> Result<Vec<Trade>, procore::Error> {
    Ok(procore.trades(project.company).await?.into_iter().map(lists::trade).collect())
}

async fn item_types(
    procore: &Client,
    project: ProjectKey,
) -> Result<Vec<(PunchItemTypeId, String)>, procore::Error> {
    let listed = procore.punch_item_types(project).await?;
    Ok(listed.into_iter().map(|kind| (kind.id, kind.name)).collect())
}

async fn managers(procore: &Client, project: ProjectKey) -> Result<Vec<Person>, procore::Error> {
    Ok(procore.managers(project).await?.into_iter().map(lists::person).collect())
}

async fn approvers(procore: &Client, project: ProjectKey) -> Result<Vec<Person>, procore::Error> {
    Ok(procore.final_approvers(project).await?.into_iter().map(lists::person).collect())
}

/// The service account's own user, against feedback loops, if Procore tells.
///
/// # Errors
/// While an answer of Procore is worth waiting for.
pub async fn own_user(context: &Context, project: ProjectKey) -> Result<Option<UserId>, Failure> {
    at_hand(context, project, List::OwnUser).await
}

/// A list, or what was last known of it where it cannot be had.
async fn at_hand<T: Default + DeserializeOwned>(
    context: &Context,
    project: ProjectKey,
    list: List,
) -> Result<T, Failure> {
    match optional(context, project, list.name(), Box::pin(lists::read(context, project, list))).await {
        Ok(Some(list)) => return Ok(list),
        Ok(None) => {}
        Err(Failure::LeaseLost) => return Err(Failure::LeaseLost),
        Err(failure) => {
            return last_known(context, project, list).await?.ok_or(failure);
        }
    }
    Ok(last_known(context, project, list).await?.unwrap_or_default())
}

async fn last_known<T: DeserializeOwned>(
    context: &Context,
    project: ProjectKey,
    list: List,
) -> Result<Option<T>, Failure> {
    let kept = context.store.cached(project, list.name()).await?;
    Ok(kept.and_then(|(value, _)| serde_json::from_value(value).ok()))
}
