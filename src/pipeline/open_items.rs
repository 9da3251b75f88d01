//! What Procore's list has open where a photo was taken.

use super::optional_lists::optional;
use super::{Context, Failure, item_lookups};
use crate::domain::dedupe::{ListedItem, OpenItem, OpenItems, listed_kind};
use crate::domain::delivery::DRAFT;
use crate::domain::finding::Finding;
use crate::domain::ids::{ProjectKey, REFERENCE_MARK};
use crate::domain::place::Place;
use crate::procore::punch_items::PunchItem;

/// The open items at `place`, without drafts of this service: whether a finding repeats one of those is told by
/// likeness, and nobody has taken them for items of the list yet. Drafts of `found` themselves stay.
///
/// Where Procore does not show its list, nothing is known of it.
///
/// # Errors
/// While an answer of Procore is worth waiting for.
pub(super) async fn open_items(
    context: &Context,
    project: ProjectKey,
    place: &Place,
    found: &[Finding],
) -> Result<OpenItems, Failure> {
    let Some(location) = place.id() else { return Ok(OpenItems::default()) };
    let references: Vec<String> = found.iter().map(|finding| finding.id.reference()).collect();
    let undecided = |item: &PunchItem| {
        let own = item.reference.as_deref().filter(|reference| reference.starts_with(REFERENCE_MARK));
        item.workflow_status == DRAFT && own.is_some_and(|own| !references.iter().any(|of| of == own))
    };
    let listing = async { Ok(item_lookups::open_items(context, project, location).await?) };
    let Some(items) = optional(context, project, "open punch items", listing).await? else {
        return Ok(OpenItems::default());
    };
    let listed: Vec<PunchItem> = items.into_iter().filter(|item| !undecided(item)).collect();
    let shown: Vec<ListedItem> = listed.iter().map(to_listed).collect();
    // For the reviewer, who sees beside a card what is on the list at its place.
    context.store.cache(project, &listed_kind(location), &serde_json::json!(shown), context.now()).await?;
    Ok(OpenItems::new(listed.into_iter().map(|item| OpenItem {
        id: item.id,
        position: item.position,
        location: item.location(),
        trade: item.trade(),
        title: item.name,
        reference: item.reference,
    })))
}

fn to_listed(item: &PunchItem) -> ListedItem {
    ListedItem {
        id: item.id,
        position: item.position,
        title: item.name.clone(),
        status: item.workflow_status.clone(),
    }
}
