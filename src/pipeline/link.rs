//! Bring a further photo to the punch item that it belongs to.
//!
//! Every attempt looks at the item first, so that what an earlier one has done is not done again; and while Procore may
//! still carry an earlier one out, nothing is sent again.

use serde_json::json;

use super::lease::LeaseGuard;
use super::{Context, Failure, OnKnown, clock};
use crate::domain::card::Card;
use crate::domain::delivery::{DRAFT, ProjectMode};
use crate::domain::ids::{FindingId, ImageId, PhotoId, PunchItemId};
use crate::domain::review::{FindingState, HoldReason};
use crate::failpoint;
use crate::procore;
use crate::procore::punch_items::{COMMENT_START, PunchItem, comment_mark};
use crate::store::{LinkHow, WriteKind};

/// Links `image` to the item of `finding`: its own, or the open one that says the same. Without an item there is
/// nothing to do: a draft that is made later has every photo.
///
/// # Errors
/// When Procore or the store does not answer; a refusal is recorded instead.
pub async fn run(
    context: &Context,
    hold: &LeaseGuard,
    finding: FindingId,
    image: ImageId,
) -> Result<(), Failure> {
    let Some(card) = context.store.card(finding).await? else {
        return Err(Failure::give_up(format!("finding {finding} is not in the store")));
    };
    let permitted = context.permitted(card.project)?;
    let outcome = match target(&card) {
        _ if permitted.mode == ProjectMode::Shadow => json!({ "left": "nothing is written in this project" }),
        None => {
            until_known(context, &card).await?;
            json!({ "left": "there is no punch item yet" })
        }
        Some(item) => match (Link { context, hold, card: &card, image }).bring_to(item).await {
            Ok(how) => json!({ "punch_item": item, "image": image, "how": how }),
            Err(Refusal::Left) => {
                json!({ "punch_item": item, "image": image, "left": "Procore does not let this service change it" })
            }
            Err(Refusal::Failed(failure)) => return Err(failure),
        },
    };
    failpoint::reached("link.answered");
    tracing::debug!(finding.id = %finding, photo.image = %image, %outcome, "photo brought to its punch item");
    Ok(context.store.finish_link(hold.lease(), (finding, image), outcome, context.now()).await?)
}

/// The item that the photos of `card` belong to; `None` for what was thrown out.
fn target(card: &Card) -> Option<PunchItemId> {
    match (card.state, card.held.as_ref().map(|held| held.by)) {
        (FindingState::Rejected, _) | (FindingState::Proposed, Some(HoldReason::Mute(_))) => None,
        (FindingState::Proposed, Some(HoldReason::OpenItem(item))) => Some(item),
        _ => card.punch_item,
    }
}

/// Waits while the draft may have been made without this photo: once it is found, the photo is brought to it.
async fn until_known(context: &Context, card: &Card) -> Result<(), Failure> {
    let now = clock::procores(context, card.project).await;
    let open = context.store.open_writes(card.finding.id).await?;
    let create = open.iter().find(|write| write.kind == Some(WriteKind::Create));
    let wanted = card.state != FindingState::Rejected;
    match create.filter(|_| wanted).and_then(|write| write.doubt.next_look(now, context.horizon())) {
        Some(wait) => {
            let reason =
                "whether the draft was made is not known yet; the photo is brought to it then".to_owned();
            Err(Failure::InDoubt { wait, reason })
        }
        None => Ok(()),
    }
}

/// Why a photo was not brought to an item.
enum Refusal {
    /// Procore does not let this service do it.
    Left,
    /// It is to be tried again.
    Failed(Failure),
}

impl<F: Into<Failure>> From<F> for Refusal {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}

/// One photo on its way to an item.
struct Link<'a> {
    context: &'a Context,
    hold: &'a LeaseGuard,
    card: &'a Card,
    image: ImageId,
}

impl Link<'_> {
    async fn bring_to(&self, id: PunchItemId) -> Result<&'static str, Refusal> {
        let Self { context, card, image, .. } = *self;
        // Before the look: what is not there then and cannot come any more was never done.
        let now = clock::procores(context, card.project).await;
        let item = match context.procore.punch_item(card.project, id).await {
            Err(procore::Error::NotFound { .. } | procore::Error::Forbidden { .. }) => {
                return Err(Refusal::Left);
            }
            other => other?,
        };
        if item.deleted_at.is_some() {
            return Ok("left, as it is in the recycle bin");
        }
        if item.shows(image) {
            return Ok("attached already");
        }
        if item.comment_tells_of(image) {
            return Ok("already mentioned in a comment");
        }
        let open = context.store.open_links(card.finding.id, image, id).await?;
        if let Some(wait) = open.iter().find_map(|doubt| doubt.next_look(now, context.horizon())) {
            let reason =
                "Procore did not answer a change of the item; whether it was carried out is not known yet"
                    .to_owned();
            return Err(Failure::InDoubt { wait, reason }.into());
        }
        let own_draft = card.punch_item == Some(id) && item.workflow_status == DRAFT;
        if own_draft || context.config.on_known == OnKnown::Attachment {
            let images = self.all_images(id, own_draft).await?;
            // Pictures that a person added would be thrown off by a list without them.
            if item.has_only(&images) && self.attach(&item, &images).await? {
                return Ok("attached");
            }
        }
        self.comment(&item).await
    }

    /// Everything that the item is to have: by this service's own books, as Procore does not show it for certain.
    async fn all_images(&self, item: PunchItemId, own_draft: bool) -> Result<Vec<ImageId>, Failure> {
        let Self { context, card, image, .. } = *self;
        let mut images = if own_draft {
            context.store.images_of(card.finding.id).await?
        } else {
            context.store.images_of_item(card.project, item).await?
        };
        if !images.contains(&image) {
            images.push(image);
        }
        Ok(images)
    }

    /// Whether Procore took the list: with Standard permission only the creator of an item may change it.
    async fn attach(&self, item: &PunchItem, images: &[ImageId]) -> Result<bool, Failure> {
        self.begin(item.id, LinkHow::Attachment).await?;
        let Self { context, hold, card, .. } = *self;
        let answer =
            hold.guard(context.procore.attach_images(card.project, item.id, &item.name, images)).await?;
        match self.sent(answer).await? {
            Ok(_) => Ok(true),
            Err(procore::Error::Forbidden { .. } | procore::Error::Rejected { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn comment(&self, item: &PunchItem) -> Result<&'static str, Refusal> {
        let Self { context, hold, card, image, .. } = *self;
        let photo = context.store.photo(PhotoId::of(card.project, image)).await.ok().flatten();
        let name = photo.map_or_else(String::new, |photo| format!(" ({})", photo.filename));
        let words = format!(
            "{COMMENT_START}{}{name}: {}, {} (score {}). {}",
            comment_mark(image),
            card.draft.title,
            card.finding.score.words(),
            card.finding.score,
            card.draft.reference,
        );
        self.begin(item.id, LinkHow::Comment).await?;
        let answer = hold.guard(context.procore.comment_on_punch_item(card.project, item.id, &words)).await?;
        match self.sent(answer).await? {
            Ok(()) => Ok("mentioned in a comment"),
            Err(procore::Error::NotFound { .. } | procore::Error::Forbidden { .. }) => Err(Refusal::Left),
            Err(error) => Err(error.into()),
        }
    }

    async fn begin(&self, item: PunchItemId, how: LinkHow) -> Result<(), Failure> {
        let Self { context, hold, card, image } = *self;
        let at = clock::procores(context, card.project).await;
        Ok(context.store.begin_link(hold.lease(), (card.finding.id, image), item, how, at).await?)
    }

    /// Takes the doubt off a write that certainly never reached Procore.
    async fn sent<T>(&self, answer: Result<T, procore::Error>) -> Result<Result<T, procore::Error>, Failure> {
        let Self { context, hold, card, image } = *self;
        if answer.as_ref().is_err_and(|error| !error.outcome_in_doubt()) {
            context.store.unsent_link(hold.lease(), card.finding.id, image).await?;
        }
        Ok(answer)
    }
}
