//! Procore's own lists (locations, trades, types, managers), kept in the store with an age.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Context, Failure};
use crate::domain::ids::ProjectKey;
use crate::domain::place::{Location, LocationTree};
use crate::domain::tagging::{Catalogue, Manager, ItemType, Trade};

/// What tagging may choose from in one project.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The location tree.
    pub locations: LocationTree,
    /// Trades, types and managers.
    pub catalogue: Catalogue,
}

/// The project's lists, read from Procore where the stored ones are too old.
///
/// # Errors
/// When Procore must be asked and does not answer.
pub async fn load(context: &Context, project: ProjectKey) -> Result<Reference, Failure> {
    let procore = &context.procore;
    let locations: Vec<Location> =
        cached(context, project, "locations", || procore.locations(project)).await?;
    let trades: Vec<Trade> = cached(context, project, "trades", || procore.trades(project.company)).await?;
    let item_types: Vec<ItemType> =
        cached(context, project, "item_types", || procore.punch_item_types(project)).await?;
    let managers: Vec<Manager> = cached(context, project, "managers", || procore.managers(project)).await?;
    Ok(Reference { locations: LocationTree::new(locations), catalogue: Catalogue { trades, item_types, managers } })
}

async fn cached<T, F, R>(context: &Context, project: ProjectKey, kind: &str, read: R) -> Result<Vec<T>, Failure>
where
    T: Serialize + DeserializeOwned,
    F: Future<Output = Result<Vec<T>, crate::procore::Error>>,
    R: FnOnce() -> F,
{
    let max_age = Duration::from_secs(context.config.reference_max_age_s);
    if let Some((value, fetched_at)) = context.store.cached(project, kind).await?
        && fetched_at + max_age > context.now()
        // A list that an older version wrote in another form is simply read again.
        && let Ok(list) = serde_json::from_value(value)
    {
        return Ok(list);
    }
    let list = read().await?;
    let value = serde_json::to_value(&list).map_err(|error| Failure::give_up(error.to_string()))?;
    context.store.cache(project, kind, &value, context.now()).await?;
    Ok(list)
}
