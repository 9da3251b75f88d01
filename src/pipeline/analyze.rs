//! Look at one photo: the architecture on one screen.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::look::{LookError, Looked, look, review_picture};
use super::reference::{self, Reference};
use super::{Context, Failure, Permitted, cards};
use crate::domain::gate::{Gate, gate};
use crate::domain::ids::{ImageId, PhotoId, ProjectKey, Sha256Digest};
use crate::domain::job::Job;
use crate::domain::review::Delivery;
use crate::domain::{delivery::ProjectMode, finding::findings};
use crate::procore::{self, Image};
use crate::store::{Lease, PhotoRecord, PhotoState};

/// Fetches the photo, looks at it, records what was found and queues its delivery, all in one transaction.
///
/// # Errors
/// When Procore, the store or the model does not answer; a photo that cannot be read is recorded instead.
pub async fn run(context: &Context, lease: &Lease, project: ProjectKey, image: ImageId) -> Result<(), Failure> {
    let permitted = context.permitted(project)?;
    let limit = Duration::from_secs(context.config.photo_timeout_s);
    tokio::time::timeout(limit, analyze(context, lease, permitted, image))
        .await
        .unwrap_or_else(|_| Err(Failure::retry(format!("photo {image} was not through within {limit:?}"))))
}

async fn analyze(context: &Context, lease: &Lease, permitted: Permitted, id: ImageId) -> Result<(), Failure> {
    let started = Instant::now();
    let project = permitted.key;
    let image = match context.procore.image(project, id).await {
        Ok(image) => image,
        Err(procore::Error::NotFound { .. } | procore::Error::Forbidden { .. }) => {
            let reason = "Procore does not show this photo to the service: it is private or deleted";
            return skip(context, lease, PhotoRecord::unseen(project, id, PhotoState::Skipped, reason)).await;
        }
        Err(error) => return Err(error.into()),
    };
    let mut record = describe(project, &image);
    let own_user = context.own_users.get(&project.company).copied();
    if let Gate::Skip(reason) = gate(&image.facts(), own_user, &context.config.aggregation_albums) {
        return skip(context, lease, record.set_aside(PhotoState::Skipped, &reason)).await;
    }

    let size = image.size.unwrap_or(0).max(1);
    let _room = room(context, size).await?;
    let (bytes, content) = download(context, permitted, image).await?;
    record.content = Some(content);
    record.timings.push(("download".to_owned(), started.elapsed()));
    if let Some(twin) = context.store.photo_by_content(project, &content).await?
        && twin.id != record.id
    {
        record.same_as = Some(twin.id);
        return skip(context, lease, record.set_aside(PhotoState::Duplicate, "the same bytes as another photo")).await;
    }

    let looked = match look(&context.detector, &context.limits, bytes.clone()).await {
        Ok(looked) => looked,
        Err(LookError::Photo(error)) => {
            return skip(context, lease, record.set_aside(PhotoState::Failed, &error.to_string())).await;
        }
        Err(LookError::Machine(failure)) => return Err(failure),
    };
    fill(&mut record, &looked, context);
    let found = findings(project, &content, &looked.look.seen);
    let mut drafted = Vec::new();
    if !found.is_empty() {
        let reference: Reference = reference::load(context, project).await?;
        record.review_picture = Some(picture(context, bytes).await?);
        drafted = cards::draft(context, permitted, &reference, &record, found);
    }
    let jobs: Vec<Job> = drafted
        .iter()
        .filter(|card| permitted.mode == ProjectMode::Draft && card.delivery == Delivery::Waiting)
        .map(|card| Job::Deliver { finding: card.finding.id })
        .collect();
    observe(context, &record, &drafted);
    context.store.record_photo(lease, &record, &drafted, &jobs, context.now()).await?;
    Ok(())
}
