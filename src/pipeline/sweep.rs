//! Find what webhooks lost, or everything where there are none: what changed since the last sweep, what Procore
//! gave up delivering, what is gone.

mod heal;
mod roll_call;

use std::time::Duration;

use jiff::Timestamp;

use super::{Context, Failure, clock, item_history};
use crate::domain::ids::{PhotoId, ProjectKey};
use crate::domain::job::Job;
use crate::failpoint;
use crate::procore::images::ImageFilter;
use crate::store::{Lease, PhotoRow};

/// When discarded deliveries were last read.
const HEALED: &str = "healed";
/// When what is kept was last compared with what is there.
const ROLL_CALL: &str = "roll_call";

/// Sweeps a project. Each part is done whatever becomes of the others; the first failure is told.
///
/// # Errors
/// When Procore or the store does not answer.
pub async fn run(context: &Context, lease: &Lease, project: ProjectKey) -> Result<(), Failure> {
    context.permitted(project)?;
    let config = &context.config;
    let photos = photos(context, project).await;
    let items = item_history::read(context, &context.procore.background(), project).await;
    let healed = if let Some(namespace) = &context.hook_namespace {
        now_and_then(context, project, HEALED, config.heal_every_s, heal::run(context, project, namespace))
            .await
    } else {
        Ok(())
    };
    let roll_call = roll_call::run(context, project);
    let called = now_and_then(context, project, ROLL_CALL, config.roll_call_every_s, roll_call).await;
    photos.and(items).and(healed).and(called)?;
    let again = context.store.complete_sweep(lease, project, context.now()).await?;
    if again > 0 {
        tracing::info!(%project, jobs = again, "the project answers again: what was parked meanwhile is queued");
    }
    Ok(())
}

/// Does `work` if it was not done for `every_s`.
async fn now_and_then(
    context: &Context,
    project: ProjectKey,
    kind: &str,
    every_s: u64,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let now = context.now();
    let every = Duration::from_secs(every_s);
    let done = context.store.mark(project, kind).await?;
    // What was done in the future was done by a clock that ran ahead.
    if every_s == 0 || done.is_some_and(|done| done <= now && done + every > now) {
        return Ok(());
    }
    work.await?;
    Ok(context.store.set_mark(project, kind, now).await?)
}

/// What to list since `last`, by Procore's clock, which shows `now`: this machine's may be set back.
fn span(context: &Context, last: Option<Timestamp>, now: Timestamp) -> (Timestamp, Timestamp) {
    let overlap = Duration::from_secs(context.config.sweep_overlap_s);
    clock::span(last, now, overlap, context.now())
}

/// Lists what changed since the watermark less the overlap, queues the unknown, moves the watermark.
async fn photos(context: &Context, project: ProjectKey) -> Result<(), Failure> {
    let now = context.now();
    let listed_at = clock::procores(context, project).await;
    let span = span(context, context.store.watermark(project).await?, listed_at);
    let filter = ImageFilter { ids: vec![], updated_between: Some(span) };
    let listed = context.procore.background().images(project, &filter).await?;
    let (mut jobs, mut described) = (Vec::new(), Vec::new());
    for image in listed {
        let known = context.store.photo(PhotoId::of(project, image.id)).await?;
        // One that was not shown before was told of nothing; a location that came later is told now.
        let as_it_was =
            |photo: &PhotoRow| photo.forgotten_at.is_none() && photo.told.as_ref() == Some(&image.told());
        if !known.as_ref().is_some_and(as_it_was) {
            jobs.push(Job::AnalyzePhoto { project, image: image.id });
            if described.len() < context.procore.config().ids_per_call {
                described.push(image);
            }
        }
    }
    failpoint::reached("sweep.listed");
    // What the list says of them need not be asked again.
    context.descriptions.keep(project, now, described, context.describe_max_age());
    let added = context.store.enqueue(&jobs, now, now).await?;
    failpoint::reached("sweep.queued");
    if added > 0 {
        tracing::info!(%project, photos = added, "the sweep found photos, or changes, that no webhook reported");
        context.metrics.swept(added);
    }
    // Only now: a crash before this line sweeps the same span again, which is harmless.
    Ok(context.store.set_watermark(project, listed_at).await?)
}
