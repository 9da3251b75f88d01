//! Look at one photo: the architecture on one screen.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;

use super::cards::{self, Subject};
use super::look::{LookError, Looked, look, review_picture};
use super::{Context, Failure, reference};
use crate::domain::card::Card;
use crate::domain::delivery::ProjectMode;
use crate::domain::finding::findings;
use crate::domain::gate::{Gate, gate};
use crate::domain::ids::{ImageId, ProjectKey, Sha256Digest};
use crate::domain::job::Job;
use crate::domain::merge::merge;
use crate::procore;
use crate::procore::config::PermittedProject;
use crate::procore::images::Image;
use crate::store::{Lease, PhotoRecord, PhotoState, StageTime, StoredPicture};

/// Room that is asked for when Procore does not tell a photo's size, bytes.
const USUAL_BYTES: u64 = 8 << 20;

/// Fetches the photo, looks at it, records what was found and queues its delivery, all in one transaction.
///
/// # Errors
/// When Procore, the store or the model does not answer; a photo that cannot be read is recorded instead.
pub async fn run(
    context: &Context,
    lease: &Lease,
    project: ProjectKey,
    image: ImageId,
) -> Result<(), Failure> {
    let permitted = context.permitted(project)?;
    let limit = Duration::from_secs(context.config.photo_timeout_s);
    tokio::time::timeout(limit, analyze(context, lease, permitted, image))
        .await
        .unwrap_or_else(|_| Err(Failure::retry(format!("photo {image} was not through within {limit:?}"))))
}

async fn analyze(
    context: &Context,
    lease: &Lease,
    permitted: PermittedProject,
    id: ImageId,
) -> Result<(), Failure> {
    let project = permitted.key();
    let started = Instant::now();
    let mut record = blank(project, id);
    let image = match context.procore.image(project, id).await {
        Ok(image) => image,
        Err(procore::Error::NotFound { .. } | procore::Error::Forbidden { .. }) => {
            let reason = "Procore does not show it to this service: it is private or deleted".to_owned();
            return settle(context, lease, record, PhotoState::Skipped { reason }).await;
        }
        Err(error) => return Err(error.into()),
    };
    record.filename.clone_from(&image.filename);
    record.uploader = image.uploader.as_ref().and_then(|uploader| uploader.name.clone());
    let own_user = reference::own_user(context, project).await?;
    if let Gate::Skip(reason) =
        gate(&image.facts(), Some(own_user), &context.procore.config().aggregation_albums)
    {
        return settle(context, lease, record, PhotoState::Skipped { reason: reason.to_string() }).await;
    }
    time(context, &mut record, "describe", started.elapsed());

    let _room = context.room(image.size.unwrap_or(USUAL_BYTES)).await?;
    let downloading = Instant::now();
    let (bytes, content) = download(context, project, &image).await?;
    record.content = Some(content);
    time(context, &mut record, "download", downloading.elapsed());

    let looked = match look(&context.detector, &context.limits, bytes.clone()).await {
        Ok(looked) => looked,
        Err(error) => return unreadable(context, lease, record, error).await,
    };
    note(context, &mut record, &looked);
    let seen = merge(&looked.look.seen, looked.photo.size, &context.tagging.rules().merge);
    let found = findings(project, &content, &seen);
    if found.is_empty() {
        return settle(context, lease, record, PhotoState::Analysed).await;
    }

    let reference = reference::load(context, project).await?;
    let subject =
        Subject { project, image: &image, capture: &looked.photo.capture, content, size: looked.photo.size };
    let drafted = cards::draft(context, permitted.mode, &reference, &subject, found);
    let reducing = Instant::now();
    match review_picture(
        &context.limits,
        bytes,
        context.config.review_long_side,
        context.config.review_quality,
    )
    .await
    {
        Ok(picture) => {
            record.picture = Some(StoredPicture { media_type: "image/jpeg".to_owned(), bytes: picture });
        }
        Err(error) => return unreadable(context, lease, record, error).await,
    }
    time(context, &mut record, "picture", reducing.elapsed());
    store(context, lease, record, &drafted, permitted.mode).await
}

async fn store(
    context: &Context,
    lease: &Lease,
    record: PhotoRecord,
    drafted: &[Card],
    mode: ProjectMode,
) -> Result<(), Failure> {
    let publish = |card: &Card| Job::Publish { finding: card.finding.id };
    let jobs: Vec<Job> =
        if mode == ProjectMode::Draft { drafted.iter().map(publish).collect() } else { Vec::new() };
    let recorded = context.store.record_photo(lease, &record, drafted, &jobs, context.now()).await?;
    for card in drafted.iter().filter(|card| recorded.new.contains(&card.finding.id)) {
        context.metrics.finding(card.finding.class.name(), card.delivery.name());
    }
    tracing::info!(photo.image = %record.image, findings.new = recorded.new.len(), "photo analysed");
    Ok(())
}

/// Records a photo in which nothing is to be reviewed.
async fn settle(
    context: &Context,
    lease: &Lease,
    mut record: PhotoRecord,
    state: PhotoState,
) -> Result<(), Failure> {
    tracing::info!(photo.image = %record.image, outcome = ?state, "photo settled");
    record.state = state;
    context.store.record_photo(lease, &record, &[], &[], context.now()).await?;
    Ok(())
}

async fn unreadable(
    context: &Context,
    lease: &Lease,
    record: PhotoRecord,
    error: LookError,
) -> Result<(), Failure> {
    match error {
        LookError::Photo(error) => {
            settle(context, lease, record, PhotoState::Failed { reason: error.to_string() }).await
        }
        LookError::Machine(failure) => Err(failure),
    }
}

/// The bytes by the photo's link. Links live for a short while, so an expired one is asked for afresh, once.
async fn download(
    context: &Context,
    project: ProjectKey,
    image: &Image,
) -> Result<(Bytes, Sha256Digest), Failure> {
    let link = |image: &Image| {
        image
            .url
            .clone()
            .ok_or_else(|| Failure::retry(format!("Procore gives no link for photo {}", image.id)))
    };
    let downloaded = match context.procore.download(project, &link(image)?).await {
        Err(procore::Error::LinkExpired { .. }) => {
            let fresh = context.procore.image(project, image.id).await?;
            context.procore.download(project, &link(&fresh)?).await?
        }
        other => other?,
    };
    Ok((downloaded.bytes, downloaded.sha256))
}

fn blank(project: ProjectKey, image: ImageId) -> PhotoRecord {
    PhotoRecord {
        project,
        image,
        filename: String::new(),
        state: PhotoState::Analysed,
        size: None,
        capture: None,
        content: None,
        uploader: None,
        model: None,
        class_scores: Vec::new(),
        timings: Vec::new(),
        picture: None,
        evidence: json!({}),
    }
}

fn note(context: &Context, record: &mut PhotoRecord, looked: &Looked) {
    let model = context.detector.model();
    record.size = Some(looked.photo.size);
    record.capture = Some(looked.photo.capture.clone());
    record.model = Some(model.label());
    record.class_scores.clone_from(&looked.look.seen.class_scores);
    record.evidence = json!({ "model": model });
    let timings = looked.look.timings;
    for (stage, took) in [
        ("decode", looked.decode),
        ("preprocess", timings.preprocess),
        ("queue", timings.queue),
        ("infer", timings.infer),
        ("postprocess", timings.postprocess),
    ] {
        time(context, record, stage, took);
    }
}

fn time(context: &Context, record: &mut PhotoRecord, stage: &str, took: Duration) {
    context.metrics.stage(stage, took);
    record.timings.push(StageTime { stage: stage.to_owned(), ms: took.as_secs_f64() * 1000.0 });
}
