//! Find what webhooks lost: list a project's photos since the last sweep and queue those not yet known.

use std::time::Duration;

use jiff::Timestamp;

use super::{Context, Failure};
use crate::domain::ids::{PhotoId, ProjectKey};
use crate::domain::job::Job;
use crate::store::Lease;

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
    let listed = context.procore.images_updated(project, from, now).await?;
    let mut jobs = Vec::new();
    for image in listed {
        if context.store.photo(PhotoId::of(project, image.id)).await?.is_none() {
            jobs.push(Job::AnalyzePhoto { project, image: image.id });
        }
    }
    if !jobs.is_empty() {
        tracing::info!(%project, photos = jobs.len(), "the sweep found photos that no webhook told of");
    }
    Ok(context.store.settle_sweep(lease, project, now, &jobs, now).await?)
}
