//! Procore's own lists (locations, trades, types, managers), kept in the store with an age.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Context, Failure};
use crate::domain::ids::{ProjectKey, PunchItemTypeId, UserId};
use crate::domain::place::{Location, LocationTree};
use crate::domain::tagging::{Catalogue, Person, Trade};

/// What tagging may choose from in one project.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The location tree.
    pub locations: LocationTree,
    /// Trades, types and people.
    pub catalogue: Catalogue,
}

/// The project's lists, read from Procore where the stored ones are too old.
///
/// # Errors
/// When Procore must be asked and does not answer.
pub async fn load(context: &Context, project: ProjectKey) -> Result<Reference, Failure> {
    let locations: Vec<Location> =
        cached(context, project, "locations", async { Ok(context.procore.locations(project).await?) })
            .await?;
    Ok(Reference { locations: LocationTree::new(locations), catalogue: catalogue(context, project).await? })
}

async fn catalogue(context: &Context, project: ProjectKey) -> Result<Catalogue, Failure> {
    let procore = &context.procore;
    let trades = cached(context, project, "trades", async {
        let listed = procore.trades(project.company).await?;
        let trade = |trade: crate::procore::project_data::Trade| Trade {
            id: trade.id,
            name: trade.name,
            active: trade.active,
        };
        Ok(listed.into_iter().map(trade).collect::<Vec<_>>())
    });
    let item_types = cached(context, project, "item_types", async {
        let listed = procore.punch_item_types(project).await?;
        Ok(listed.into_iter().map(|kind| (kind.id, kind.name)).collect::<Vec<(PunchItemTypeId, String)>>())
    });
    let managers = cached(context, project, "managers", async {
        let listed = procore.managers(project).await?;
        let person = |person: crate::procore::images::Person| Person {
            id: person.id,
            name: person.name.unwrap_or_default(),
            login: None,
        };
        Ok(listed.into_iter().map(person).collect::<Vec<_>>())
    });
    Ok(Catalogue {
        trades: trades.await?,
        item_types: item_types.await?,
        managers: managers.await?,
        approvers: Vec::new(),
    })
}

/// The service account's own user, against feedback loops.
///
/// # Errors
/// When Procore must be asked and does not answer.
pub async fn own_user(context: &Context, project: ProjectKey) -> Result<UserId, Failure> {
    cached(context, project, "own_user", async { Ok(context.procore.me(project.company).await?.id) }).await
}

async fn cached<T: Serialize + DeserializeOwned>(
    context: &Context,
    project: ProjectKey,
    kind: &str,
    read: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let max_age = Duration::from_secs(context.config.reference_max_age_s);
    if let Some((value, fetched_at)) = context.store.cached(project, kind).await?
        && fetched_at + max_age > context.now()
        // What an older version wrote in another form is simply read again.
        && let Ok(list) = serde_json::from_value(value)
    {
        return Ok(list);
    }
    let fresh = read.await?;
    let value = serde_json::to_value(&fresh).map_err(|error| Failure::give_up(error.to_string()))?;
    context.store.cache(project, kind, &value, context.now()).await?;
    Ok(fresh)
}
