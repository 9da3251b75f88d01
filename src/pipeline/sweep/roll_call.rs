//! Whether what is kept is still there: a deletion whose webhook was lost is honoured all the same.

use std::collections::{HashMap, HashSet};

use crate::domain::delivery::{DRAFT, RemoteItem};
use crate::domain::ids::{ImageId, PhotoId, ProjectKey, PunchItemId};
use crate::domain::item_status::ItemStatus;
use crate::domain::job::Job;
use crate::pipeline::{Context, Failure};
use crate::procore::Error;
use crate::procore::images::ImageFilter;

/// Asks after every photo of which a picture is kept, and every punch item that is still followed, in batches.
pub(super) async fn run(context: &Context, project: ProjectKey) -> Result<(), Failure> {
    photos(context, project).await?;
    items(context, project).await
}

async fn photos(context: &Context, project: ProjectKey) -> Result<(), Failure> {
    let procore = context.procore.background();
    let most = procore.config().ids_per_call;
    let mut last = None;
    loop {
        let kept = context.store.kept_photos(project, last, most).await?;
        let Some(end) = kept.last() else { return Ok(()) };
        last = Some(*end);
        let filter = ImageFilter { ids: kept.clone(), updated_between: None };
        let listed = procore.images(project, &filter).await?;
        let there: HashSet<ImageId> =
            listed.iter().filter(|image| !image.permanently_deleted).map(|image| image.id).collect();
        let mut jobs = Vec::new();
        for image in kept.into_iter().filter(|image| !there.contains(image)) {
            // Lists leave out private photos too: only the photo's own address is believed, and that over hours.
            match procore.image(project, image).await {
                Ok(found) if !found.permanently_deleted => {}
                Ok(_) => {
                    tracing::info!(%project, photo.image = %image, "gone from Procore: its picture is deleted here");
                    context.store.forget_photo(None, PhotoId::of(project, image), context.now()).await?;
                }
                Err(Error::NotFound { .. } | Error::Forbidden { .. }) => {
                    jobs.push(Job::AnalyzePhoto { project, image });
                }
                Err(error) => return Err(error.into()),
            }
        }
        context.store.enqueue(&jobs, context.now(), context.now()).await?;
    }
}

async fn items(context: &Context, project: ProjectKey) -> Result<(), Failure> {
    let procore = context.procore.background();
    let most = procore.config().ids_per_call;
    let mut last = None;
    loop {
        let ours = context.store.followed_items(project, last, most).await?;
        let Some((end, _)) = ours.last() else { return Ok(()) };
        last = Some(*end);
        let ids: Vec<PunchItemId> = ours.iter().map(|(item, _)| *item).collect();
        let listed = procore.punch_items(project, &ids).await?;
        let there: HashMap<PunchItemId, RemoteItem> =
            listed.iter().map(|item| (item.id, item.to_remote())).collect();
        for (item, finding) in &ours {
            if let Some(item) = there.get(item).filter(|item| item.workflow_status != DRAFT) {
                context.store.note_standing(*finding, &ItemStatus::of(item, context.now())).await?;
            }
        }
        let gone = ours.into_iter().filter(|(item, _)| !there.contains_key(item));
        let jobs: Vec<Job> = gone.map(|(_, finding)| Job::SyncPunchItem { finding }).collect();
        context.store.enqueue(&jobs, context.now(), context.now()).await?;
    }
}
