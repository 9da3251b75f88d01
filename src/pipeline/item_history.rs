//! Punch items in Procore that carry this service's references: which of them no finding here accounts for.
//!
//! A create may be carried out long after the box stopped waiting, and an earlier life of the box may have made items
//! that a restored or new database knows nothing of. What is found goes to the store as a stray; [`super::deliver`] adopts it or
//! puts it right.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::{Context, Failure, clock};
use crate::domain::delivery::{DRAFT, ProjectMode};
use crate::domain::ids::{FindingId, ProjectKey, PunchItemId};
use crate::domain::item_status::ItemStatus;
use crate::domain::job::Job;
use crate::domain::review::FindingState;
use crate::procore::punch_items::PunchItem;
use crate::procore::{Client, Error};

/// Up to when changes of punch items were read.
const ITEMS: &str = "punch_items";

/// Projects whose items were read in this life of the process.
#[derive(Debug, Default)]
pub struct ItemHistory {
    whole: Mutex<HashMap<ProjectKey, Arc<OnceCell<()>>>>,
    /// Those whose list was read; the recycle bin may not have been.
    listed: Mutex<HashSet<ProjectKey>>,
}

impl ItemHistory {
    fn of(&self, project: ProjectKey) -> Arc<OnceCell<()>> {
        Arc::clone(self.whole.lock().unwrap_or_else(PoisonError::into_inner).entry(project).or_default())
    }

    fn note_listed(&self, project: ProjectKey) {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).insert(project);
    }

    fn is_listed(&self, project: ProjectKey) -> bool {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).contains(&project)
    }
}

/// Reads, once in the life of the process, what an earlier life may have made in a project: all that changed since this
/// database last read the project's items, and everything where it never did. A database that was restored from a copy
/// is told by that, too. Two calls, and more only where there are more items than a page holds.
///
/// # Errors
/// When Procore or the store does not answer: nothing may be made then.
pub(super) async fn catch_up_once(context: &Context, project: ProjectKey) -> Result<(), Failure> {
    let once = context.caught_up.of(project);
    once.get_or_try_init(|| async {
        // A sweep may have read it a moment ago.
        if !context.caught_up.is_listed(project) {
            read(context, &context.procore, project).await?;
        }
        match context.procore.binned_punch_items(project).await {
            Ok(binned) => note(context, project, &binned).await,
            Err(error @ (Error::Forbidden { .. } | Error::NotFound { .. })) => {
                tracing::warn!(%project, %error, "the recycle bin cannot be read: drafts deleted there may be made again");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
    .map(drop)
}

/// Reads what changed since the last time, and notices what people did to our drafts without our hearing of it.
pub(super) async fn read(context: &Context, procore: &Client, project: ProjectKey) -> Result<(), Failure> {
    let now = clock::procores(context, project).await;
    let changed = match context.store.mark(project, ITEMS).await? {
        Some(mark) => {
            let overlap = Duration::from_secs(context.config.sweep_overlap_s);
            let (from, to) = clock::span(Some(mark), now, overlap, context.now());
            procore.punch_items_changed(project, from, to).await?
        }
        None => procore.all_punch_items(project).await?,
    };
    note(context, project, &changed).await?;
    let untouched = |item: &PunchItem| item.deleted_at.is_none() && item.workflow_status == DRAFT;
    let mut jobs = Vec::new();
    for item in changed.iter().filter(|item| !untouched(item)) {
        let Some(finding) = context.store.finding_of_punch_item(project, item.id).await? else { continue };
        match context.store.card(finding).await?.map(|card| card.state) {
            Some(FindingState::Proposed) => jobs.push(Job::SyncPunchItem { finding }),
            // What the list tells is all that its card shows.
            Some(FindingState::Accepted | FindingState::TakenOver) => {
                let standing = ItemStatus::of(&item.to_remote(), context.now());
                context.store.note_standing(finding, &standing).await?;
            }
            Some(FindingState::Rejected) | None => {}
        }
    }
    context.store.enqueue(&jobs, context.now(), context.now()).await?;
    context.store.set_mark(project, ITEMS, now).await?;
    context.caught_up.note_listed(project);
    Ok(())
}

/// Remembers those of `items` that carry our reference and are no finding's, and has their findings looked at.
pub(super) async fn note(context: &Context, project: ProjectKey, items: &[PunchItem]) -> Result<(), Failure> {
    if context.permitted(project)?.mode == ProjectMode::Shadow {
        return Ok(());
    }
    let ours = |item: &PunchItem| -> Option<(PunchItemId, String)> {
        let reference = item.reference.clone()?;
        FindingId::start_of(&reference).map(|_| (item.id, reference))
    };
    let ours: Vec<_> = items.iter().filter_map(ours).collect();
    let findings = context.store.note_strays(project, &ours, context.now()).await?;
    let jobs: Vec<Job> = findings.into_iter().map(|finding| Job::SyncPunchItem { finding }).collect();
    context.store.enqueue(&jobs, context.now(), context.now()).await?;
    Ok(())
}
