//! How Procore's lists are read: once, by one reader, for all workers and for all boxes of one database.
//!
//! A list is kept in the store with its age. Whoever needs one that is missing or too old reads it page by page; the
//! others wait for that reader. Pages that were read before a failure are kept, and reading goes on behind them. A webhook
//! about one entry is noted, and applied when the list is needed next: many such events cost one call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Context, Failure};
use crate::domain::event::{List, ListKey};
use crate::domain::ids::{LocationId, ProjectKey, TradeId};
use crate::domain::retry::Disposition;
use crate::domain::tagging::{Person, Trade};
use crate::procore::lists::{LocationNode, changed, with_paths};
use crate::procore::{Pages, images, project_data};
use crate::store::{ListChange, ListPage};

/// How long a reader's claim holds without a page; longer than any call takes.
const CLAIM: Duration = Duration::from_secs(90);

/// How often it is looked whether another box has read the list.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a worker waits for another box's reader before its job goes back to the queue.
const WAIT_AT_MOST: Duration = Duration::from_secs(30);

/// How long an old list goes on being used where Procore cannot be asked for a new one.
const OLD_AT_MOST: Duration = Duration::from_hours(24);

/// How long after a failure an old list is used without another attempt, so that photos do not spend the calls.
const PAUSE: Duration = Duration::from_mins(1);

/// How far the clocks of two boxes may differ.
const AHEAD_AT_MOST: Duration = Duration::from_mins(10);

/// Changed entries up to which they are asked for one by one, and not with the whole list.
const CHANGES_AT_MOST: usize = 200;

/// Who reads the lists in this process.
#[derive(Debug)]
pub struct Lists {
    reader: String,
    turns: Mutex<HashMap<ListKey, Arc<ListTurn>>>,
}

/// The turn to read one list. Holds until when an old list is used without another attempt.
type ListTurn = tokio::sync::Mutex<Option<Instant>>;

impl Lists {
    /// `reader` tells this process from all others.
    pub fn new(reader: impl Into<String>) -> Self {
        Self { reader: reader.into(), turns: Mutex::default() }
    }

    fn turn(&self, key: ListKey) -> Arc<ListTurn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(key).or_default())
    }
}

/// A list as it is kept.
struct CachedList<T> {
    list: T,
    value: Value,
    read_at: Timestamp,
    changes: Vec<ListChange>,
}

/// The list that `project` uses.
///
/// # Errors
/// When Procore must be asked and does not answer.
pub(super) async fn read<T: DeserializeOwned>(
    context: &Context,
    project: ProjectKey,
    list: List,
) -> Result<T, Failure> {
    let key = list.of_project(project);
    if let Some(list) = good(context, kept(context, &key).await?) {
        return Ok(list);
    }
    let turn = context.lists.turn(key);
    let mut pause = turn.lock().await;
    // Whoever had the turn before may have read it.
    let old = kept(context, &key).await?;
    let paused = pause.is_some_and(|until| Instant::now() < until);
    match old {
        Some(old) if paused && usable(context, &old) => return Ok(old.list),
        old => {
            if let Some(list) = good(context, old) {
                return Ok(list);
            }
        }
    }
    match claimed(context, project, &key).await {
        Ok(list) => {
            *pause = None;
            Ok(list)
        }
        Err(failure) => match kept(context, &key).await? {
            Some(old) if passes(&failure) && usable(context, &old) => {
                tracing::warn!(list = %key, error = %failure, "an old list is used: Procore cannot be asked now");
                *pause = Some(Instant::now() + PAUSE);
                Ok(old.list)
            }
            _ => Err(failure),
        },
    }
}

/// Notes that an entry of a list changed.
///
/// # Errors
/// When the store does not answer.
pub(super) async fn note(context: &Context, key: &ListKey, entry: i64, gone: bool) -> Result<(), Failure> {
    Ok(context.store.note_list_change(key, ListChange { entry, gone, at: context.now() }).await?)
}

/// The list in the store, where it is there in a form that this version reads.
async fn kept<T: DeserializeOwned>(
    context: &Context,
    key: &ListKey,
) -> Result<Option<CachedList<T>>, Failure> {
    let Some((value, read_at)) = context.store.list(key).await? else { return Ok(None) };
    let Ok(list) = T::deserialize(&value) else { return Ok(None) };
    let changes = context.store.list_changes(key).await?;
    Ok(Some(CachedList { list, value, read_at, changes }))
}

/// The list, if it can be used as it is.
fn good<T>(context: &Context, kept: Option<CachedList<T>>) -> Option<T> {
    kept.filter(|kept| kept.changes.is_empty() && is_younger(context, kept.read_at, max_age(context)))
        .map(|kept| kept.list)
}

/// Whether the list can be used where no better one is to be had.
fn usable<T>(context: &Context, kept: &CachedList<T>) -> bool {
    is_younger(context, kept.read_at, max_age(context).max(OLD_AT_MOST))
}

fn max_age(context: &Context) -> Duration {
    Duration::from_secs(context.config.reference_max_age_s)
}

/// The clocks of boxes differ a little. What was read much later than now was read by a clock that was wrong, and its
/// age is not known.
fn is_younger(context: &Context, read_at: Timestamp, age: Duration) -> bool {
    let now = context.now();
    read_at <= now + AHEAD_AT_MOST && read_at + age > now
}

fn passes(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Step { disposition: Disposition::RetryLater { .. } | Disposition::Reauthorise, .. }
    )
}

/// Reads the list as the only reader of all boxes, or waits until another box has.
async fn claimed<T: DeserializeOwned>(
    context: &Context,
    project: ProjectKey,
    key: &ListKey,
) -> Result<T, Failure> {
    let (store, reader) = (&context.store, &context.lists.reader);
    let waiting = Instant::now();
    while !store.claim_list(key, reader, context.now(), CLAIM).await? {
        if waiting.elapsed() > WAIT_AT_MOST {
            return Err(Failure::retry(format!("another box is reading the {key}; the photo waits for it")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        if let Some(list) = good(context, kept(context, key).await?) {
            return Ok(list);
        }
    }
    let outcome = match good(context, kept(context, key).await?) {
        Some(list) => Ok(list),
        None => refreshed(context, project, key).await,
    };
    store.release_list(key, reader).await?;
    outcome
}

/// The list as Procore has it now: the changed entries alone where that does, else all of it.
async fn refreshed<T: DeserializeOwned>(
    context: &Context,
    project: ProjectKey,
    key: &ListKey,
) -> Result<T, Failure> {
    if let Some(old) = kept::<T>(context, key).await?
        && is_younger(context, old.read_at, max_age(context))
        && let Some(value) = with_changes(context, project, key, &old).await?
    {
        context.store.keep_changed_list(key, &value, old.read_at, &old.changes).await?;
        tracing::info!(list = %key, changes = old.changes.len(), "a list was brought up to date");
        return typed(value);
    }
    let (value, began) = whole(context, project, key).await?;
    context.store.keep_list(key, &value, began, context.now()).await?;
    typed(value)
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| Failure::give_up(error.to_string()))
}

fn untyped(list: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(list).map_err(|error| Failure::give_up(error.to_string()))
}

/// The kept list with its changes applied; `None` where the whole list must be read.
async fn with_changes<T>(
    context: &Context,
    project: ProjectKey,
    key: &ListKey,
    old: &CachedList<T>,
) -> Result<Option<Value>, Failure> {
    let (gone, fresh): (Vec<ListChange>, Vec<ListChange>) =
        old.changes.iter().partition(|change| change.gone);
    let Some(first) = old.changes.first().filter(|_| old.changes.len() <= CHANGES_AT_MOST) else {
        return Ok(None);
    };
    match key.list {
        List::Locations => {
            let Ok(nodes) = Vec::<LocationNode>::deserialize(&old.value) else { return Ok(None) };
            let ids: Vec<LocationId> = fresh.iter().map(|change| LocationId::new(change.entry)).collect();
            let now = context.procore.locations_by_id(project, &ids).await?;
            let missing = ids.into_iter().filter(|id| now.iter().all(|node| node.id != *id));
            let gone: Vec<LocationId> =
                gone.iter().map(|change| LocationId::new(change.entry)).chain(missing).collect();
            untyped(&changed(nodes, now, &gone)).map(Some)
        }
        List::Trades => {
            let Ok(mut trades) = Vec::<Trade>::deserialize(&old.value) else { return Ok(None) };
            if !fresh.is_empty() {
                let now = context.procore.trades_changed(key.company, first.at, context.now()).await?;
                let found = |change: &ListChange| now.iter().any(|trade| trade.id.value() == change.entry);
                if !fresh.iter().all(found) {
                    return Ok(None);
                }
                trades.retain(|trade| now.iter().all(|fresh| fresh.id != trade.id));
                trades.extend(now.into_iter().map(trade));
            }
            let gone: Vec<TradeId> = gone.iter().map(|change| TradeId::new(change.entry)).collect();
            trades.retain(|trade| !gone.contains(&trade.id));
            untyped(&trades).map(Some)
        }
        List::ItemTypes
        | List::Managers
        | List::Approvers
        | List::Fields
        | List::CostCodes
        | List::OwnUser => Ok(None),
    }
}

/// All of the list, and when its reading began.
async fn whole(context: &Context, project: ProjectKey, key: &ListKey) -> Result<(Value, Timestamp), Failure> {
    let procore = &context.procore;
    Ok(match key.list {
        List::Locations => {
            let (nodes, began) =
                pages::<LocationNode>(context, key, procore.location_pages(project)?).await?;
            (untyped(&with_paths(nodes))?, began)
        }
        List::Trades => {
            let (rows, began) = pages(context, key, procore.trade_pages(key.company)?).await?;
            (untyped(&rows.into_iter().map(trade).collect::<Vec<Trade>>())?, began)
        }
        List::ItemTypes => {
            let (rows, began) = pages(context, key, procore.punch_item_type_pages(project)?).await?;
            let named = rows.into_iter().map(|kind: project_data::PunchItemType| (kind.id, kind.name));
            (untyped(&named.collect::<Vec<_>>())?, began)
        }
        List::Managers => people(context, key, procore.manager_pages(project)?).await?,
        List::Approvers => people(context, key, procore.final_approver_pages(project)?).await?,
        List::Fields => {
            let began = context.now();
            (untyped(&procore.punch_item_fields(project).await?)?, began)
        }
        List::CostCodes => {
            let began = context.now();
            (untyped(&procore.cost_codes(project).await?)?, began)
        }
        List::OwnUser => {
            let began = context.now();
            (json!(procore.me(key.company).await?.id), began)
        }
    })
}

async fn people(context: &Context, key: &ListKey, pages_of: Pages) -> Result<(Value, Timestamp), Failure> {
    let (rows, began) = pages(context, key, pages_of).await?;
    Ok((untyped(&rows.into_iter().map(person).collect::<Vec<Person>>())?, began))
}

/// Every row of `pages`, behind those that an earlier reading came to.
async fn pages<T: Serialize + DeserializeOwned>(
    context: &Context,
    key: &ListKey,
    mut pages: Pages,
) -> Result<(Vec<T>, Timestamp), Failure> {
    let mut began = context.now();
    let since = began.checked_sub(max_age(context)).unwrap_or(Timestamp::MIN);
    let mut rows: Vec<T> = Vec::new();
    let before = context.store.list_pages(key, pages.size(), since).await?;
    if let (Some(first), Some(last)) = (before.first(), before.last()) {
        let (read_at, next) = (first.read_at, last.page + 1);
        let read: Vec<Value> = before.into_iter().flat_map(|page| page.rows).collect();
        if let Ok(typed) = typed::<Vec<T>>(Value::Array(read.clone())) {
            tracing::info!(list = %key, page = next, "reading goes on where it stopped");
            pages.resume(next, &read);
            (rows, began) = (typed, read_at);
        }
    }
    while let Some(page) = pages.page() {
        let Some(more) = pages.read::<T>().await? else { break };
        if pages.page().is_some() {
            let rows = more.iter().map(untyped).collect::<Result<Vec<_>, _>>()?;
            let read = ListPage { page, rows, read_at: context.now() };
            context.store.keep_list_page(key, pages.size(), &read).await?;
            // As long as pages come, nobody else has to begin.
            context.store.claim_list(key, &context.lists.reader, context.now(), CLAIM).await?;
        }
        rows.extend(more);
    }
    Ok((rows, began))
}

/// A trade as tagging knows it.
pub(super) fn trade(trade: project_data::Trade) -> Trade {
    Trade { id: trade.id, name: trade.name, active: trade.active }
}

/// Somebody as tagging knows them.
pub(super) fn person(person: images::Person) -> Person {
    Person { id: person.id, name: person.name.unwrap_or_default(), login: person.login }
}
