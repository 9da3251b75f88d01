//! What Procore says of a photo: asked for together with others that wait, as a call for a hundred costs as much of
//! the hourly limit as a call for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::Context;
use crate::domain::ids::{ImageId, PhotoId, ProjectKey};
use crate::procore::Error;
use crate::procore::images::{Image, ImageFilter};

/// Descriptions that came with others and wait for their photo's turn.
#[derive(Debug, Default)]
pub struct Descriptions {
    kept: Mutex<HashMap<PhotoId, (Timestamp, Image)>>,
    turns: Mutex<HashMap<ProjectKey, Arc<tokio::sync::Mutex<()>>>>,
}

impl Descriptions {
    /// Forgets what is known of a photo: it has changed.
    pub fn forget(&self, photo: PhotoId) {
        self.kept().remove(&photo);
    }

    /// The description of a photo, if it came between `since` and `now`.
    fn take(&self, photo: PhotoId, since: Timestamp, now: Timestamp) -> Option<Image> {
        let (at, image) = self.kept().remove(&photo)?;
        (since..=now).contains(&at).then_some(image)
    }

    /// Keeps what Procore said of photos at `at`, until their turn comes.
    pub(super) fn keep(&self, project: ProjectKey, at: Timestamp, images: Vec<Image>, max_age: Duration) {
        let mut kept = self.kept();
        kept.retain(|_, (kept_at, _)| *kept_at <= at && *kept_at + max_age > at);
        kept.extend(images.into_iter().map(|image| (PhotoId::of(project, image.id), (at, image))));
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<PhotoId, (Timestamp, Image)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, project: ProjectKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(project).or_default())
    }
}

/// The photo as Procore describes it, not older than `asked_at`, when it was asked to be looked at.
///
/// # Errors
/// As [`crate::procore::Client::image`].
pub async fn image(
    context: &Context,
    project: ProjectKey,
    id: ImageId,
    asked_at: Timestamp,
) -> Result<Image, Error> {
    let descriptions = &context.descriptions;
    let max_age = context.describe_max_age();
    let photo = PhotoId::of(project, id);
    // One asks, and the others find its answer.
    let turn = descriptions.turn(project);
    let asking = turn.lock().await;
    let now = context.now();
    let oldest = now.checked_sub(max_age).unwrap_or(Timestamp::MIN);
    if let Some(image) = descriptions.take(photo, asked_at.max(oldest), now) {
        return Ok(image);
    }
    let most = context.procore.config().ids_per_call;
    let mut ids = context.store.photos_in_line(project, most, now).await.unwrap_or_default();
    ids.retain(|other| *other != id);
    ids.truncate(most.saturating_sub(1));
    if ids.is_empty() {
        drop(asking);
        return context.procore.image(project, id).await;
    }
    ids.push(id);
    let filter = ImageFilter { ids, updated_between: None };
    let mut images = context.procore.images(project, &filter).await?;
    let own = images.iter().position(|image| image.id == id).map(|at| images.swap_remove(at));
    descriptions.keep(project, now, images, max_age);
    drop(asking);
    match own {
        Some(image) => Ok(image),
        // Lists leave out private photos; only the photo's own address tells whether it may be seen.
        None => context.procore.image(project, id).await,
    }
}
