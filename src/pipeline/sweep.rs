//! Find what webhooks lost: list a project's photos since the last sweep and queue those that are not known, or of
//! which Procore tells something else now.

use std::time::Duration;

use jiff::Timestamp;

use super::{Context, Failure};
use crate::domain::ids::{PhotoId, ProjectKey};
use crate::domain::job::Job;
use crate::procore::images::ImageFilter;
use crate::store::{Lease, PhotoRow};

/// Lists what changed since the watermark less the overlap, queues the unknown, moves the watermark.
///
/// # Errors
/// When Procore or the store does not answer.
pub async fn run(context: &Context, lease: &Lease, project: ProjectKey) -> Result<(), Failure> {
    context.permitted(project)?;
    let now = context.now();
    let overlap = Duration::from_secs(context.config.sweep_overlap_s);
    let last = context.store.watermark(project).await?.unwrap_or(now);
    let from = last.checked_sub(overlap).unwrap_or(Timestamp::MIN);
    let filter = ImageFilter { ids: vec![], updated_between: Some((from, now)) };
    let listed = context.procore.background().images(project, &filter).await?;
    let mut jobs = Vec::new();
    for image in listed {
        let known = context.store.photo(PhotoId::of(project, image.id)).await?;
        // One that was left alone on purpose was told of nothing; a location that came later is told now.
        let as_it_was = |photo: &PhotoRow| photo.told.is_none() || photo.told.as_ref() == Some(&image.told());
        if !known.as_ref().is_some_and(as_it_was) {
            jobs.push(Job::AnalyzePhoto { project, image: image.id });
        }
    }
    if !jobs.is_empty() {
        tracing::info!(%project, photos = jobs.len(), "the sweep found photos, or news of them, that no webhook told of");
    }
    context.store.enqueue(&jobs, now, now).await?;
    // Only now: a crash before this line sweeps the same span again, which is harmless.
    context.store.set_watermark(project, now).await?;
    Ok(context.store.complete(lease).await?)
}
