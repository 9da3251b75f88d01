//! Bring a further photo to the punch item that it belongs to.
//!
//! Every attempt looks at the item first, so that what an earlier one has done is not done again.

use serde_json::json;

use super::hold::Hold;
use super::{Context, Failure, OnKnown};
use crate::domain::card::Card;
use crate::domain::delivery::{DRAFT, ProjectMode};
use crate::domain::ids::{FindingId, ImageId, PhotoId, PunchItemId};
use crate::domain::review::{FindingState, Keeper};
use crate::failpoint;
use crate::procore;
use crate::procore::punch_items::PunchItem;

/// Links `image` to the item of `finding`: its own, or the open one that says the same. Without an item there is
/// nothing to do: a draft that is made later has every photo.
///
/// # Errors
/// When Procore or the store does not answer; a refusal is recorded instead.
pub async fn run(context: &Context, hold: &Hold, finding: FindingId, image: ImageId) -> Result<(), Failure> {
    let Some(card) = context.store.card(finding).await? else {
        return Err(Failure::give_up(format!("finding {finding} is not in the store")));
    };
    let permitted = context.permitted(card.project)?;
    let outcome = match target(&card) {
        _ if permitted.mode == ProjectMode::Shadow => json!({ "left": "nothing is written in this project" }),
        None => json!({ "left": "there is no punch item yet" }),
        Some(item) => match hold.guard(link(context, &card, item, image)).await? {
            Ok(how) => json!({ "punch_item": item, "image": image, "how": how }),
            Err(procore::Error::NotFound { .. } | procore::Error::Forbidden { .. }) => {
                json!({ "punch_item": item, "image": image, "left": "Procore does not let this service change it" })
            }
            Err(error) => return Err(error.into()),
        },
    };
    failpoint::reached("link.answered");
    tracing::debug!(finding.id = %finding, photo.image = %image, %outcome, "photo brought to its punch item");
    Ok(context.store.finish_link(hold.lease(), finding, outcome, context.now()).await?)
}

/// The item that the photos of `card` belong to; `None` for what was thrown out.
fn target(card: &Card) -> Option<PunchItemId> {
    match (card.state, card.held.as_ref().map(|held| held.by)) {
        (FindingState::Rejected, _) | (FindingState::Proposed, Some(Keeper::Mute(_))) => None,
        (FindingState::Proposed, Some(Keeper::OpenItem(item))) => Some(item),
        _ => card.punch_item,
    }
}

async fn link(
    context: &Context,
    card: &Card,
    id: PunchItemId,
    image: ImageId,
) -> Result<&'static str, procore::Error> {
    let item = context.procore.punch_item(card.project, id).await?;
    if item.deleted_at.is_some() {
        return Ok("left, as it is in the recycle bin");
    }
    if item.images().contains(&image) {
        return Ok("attached already");
    }
    let own_draft = card.punch_item == Some(id) && item.workflow_status == DRAFT;
    if own_draft || context.config.on_known == OnKnown::Attachment {
        match attach(context, card, &item, image).await {
            // Somebody else's item: with Standard permission only its creator may change it.
            Err(procore::Error::Forbidden { .. }) => {}
            other => return other,
        }
    }
    comment(context, card, &item, image).await
}

async fn attach(
    context: &Context,
    card: &Card,
    item: &PunchItem,
    image: ImageId,
) -> Result<&'static str, procore::Error> {
    let mut images = item.images();
    images.push(image);
    context.procore.attach_images(card.project, item.id, &item.name, &images).await?;
    Ok("attached")
}

async fn comment(
    context: &Context,
    card: &Card,
    item: &PunchItem,
    image: ImageId,
) -> Result<&'static str, procore::Error> {
    // Also how the comment is found again after an answer was lost.
    let mark = format!("photo {image}");
    if item.has_comment_with(&mark) {
        return Ok("told of in a comment already");
    }
    let photo = context.store.photo(PhotoId::of(card.project, image)).await.ok().flatten();
    let name = photo.map_or_else(String::new, |photo| format!(" ({})", photo.filename));
    let words = format!(
        "Seen again in {mark}{name}: {}, {} (score {}). {}",
        card.draft.title,
        card.finding.score.words(),
        card.finding.score,
        card.draft.reference,
    );
    context.procore.comment_on_punch_item(card.project, item.id, &words).await?;
    Ok("told of in a comment")
}
