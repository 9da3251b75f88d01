//! Look at one photo: the architecture on one screen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::tz::TimeZone;
use serde_json::json;

use super::analysis::{Analysis, AnalysisError, Analyzer};
use super::cards::{self, PhotoSubject};
use super::photo_retries::{self, PhotoLookup, UnusableDownload};
use super::{Context, Failure, reference, review_images, score_maps};
use crate::domain::capture::{CaptureInfo, Known, Origin, Source, TakenAt};
use crate::domain::dedupe::Intake;
use crate::domain::finding::findings;
use crate::domain::gate::{Gate, gate};
use crate::domain::ids::{ImageId, PhotoId, ProjectKey, Sha256Digest};
use crate::domain::merge::merge;
use crate::domain::retry::Disposition;
use crate::domain::thoroughness;
use crate::failpoint;
use crate::inference::ModelInfo;
use crate::procore;
use crate::procore::config::PermittedProject;
use crate::procore::images::Image;
use crate::store::{ClaimedJob, Lease, PhotoRecord, PhotoState, StageTime};

/// Room that is asked for when Procore does not tell a photo's size, bytes.
const USUAL_BYTES: u64 = 8 << 20;

/// Fetches the photo, looks at it, records what was found and queues its delivery, all in one transaction.
///
/// # Errors
/// When Procore, the store or the model does not answer; a photo that cannot be read is recorded instead.
pub async fn run(
    context: &Context,
    claimed: &ClaimedJob,
    project: ProjectKey,
    image: ImageId,
) -> Result<(), Failure> {
    let permitted = context.permitted(project)?;
    let limit = Duration::from_secs(context.config.photo_timeout_s);
    tokio::time::timeout(limit, Box::pin(analyze(context, claimed, permitted, image)))
        .await
        .unwrap_or_else(|_| Err(Failure::retry(format!("photo {image} was not through within {limit:?}"))))
}

async fn analyze(
    context: &Context,
    claimed: &ClaimedJob,
    permitted: PermittedProject,
    id: ImageId,
) -> Result<(), Failure> {
    let (project, lease) = (permitted.key(), &claimed.lease);
    let started = Instant::now();
    let mut record = blank(project, id);
    let image = match Box::pin(photo_retries::shown(context, claimed, project, id)).await? {
        PhotoLookup::Yes(image) => *image,
        PhotoLookup::No { reason } => return hidden(context, lease, record, reason).await,
    };
    record.shown_at = Some(context.now());
    record.filename.clone_from(&image.filename);
    record.uploader = image.uploader.as_ref().and_then(|uploader| uploader.name.clone());
    remember(&mut record, &image);
    let own_user = reference::own_user(context, project).await?;
    if let Gate::Skip(reason) = gate(&image.facts(), own_user, &context.procore.config().aggregation_albums) {
        return settle(context, lease, record, PhotoState::Skipped { reason: reason.to_string() }).await;
    }
    failpoint::reached("analyze.described");
    time(context, &mut record, "describe", started.elapsed());
    if known_as_is(context, &record).await? {
        tracing::debug!(photo.image = %id, "analysed before, and nothing new in Procore");
        return Ok(context.store.complete(lease).await?);
    }

    let _room = context.room(image.size.unwrap_or(USUAL_BYTES)).await?;
    let downloading = Instant::now();
    let (bytes, content) = match download(context, project, &image).await {
        Ok(downloaded) => downloaded,
        // Too large is a reason, and the same tomorrow, unless Procore says that it is not.
        Err(Failure::Step { disposition: Disposition::GiveUp { reason }, message }) => {
            let most = context.procore.config().download.max_bytes as u64;
            if image.size.is_some_and(|size| (1..=most).contains(&size)) {
                return Err(Failure::retry(message));
            }
            return settle(context, lease, record, PhotoState::Failed { reason }).await;
        }
        Err(failure) => return Err(failure),
    };
    failpoint::reached("analyze.downloaded");
    record.content = Some(content);
    let came = UnusableDownload::of(&bytes, content);
    time(context, &mut record, "download", downloading.elapsed());

    let looker = looker(context, project, &image);
    let decoded = match looker.memory(&bytes) {
        Ok(decoded) => decoded,
        Err(error) => {
            return unreadable(context, lease, record, (&image, &came), AnalysisError::Photo(error)).await;
        }
    };
    let room = context.decoded_room(decoded).await?;
    let looked = match looker.look(bytes.clone()).await {
        Ok(looked) => looked,
        Err(error) => return unreadable(context, lease, record, (&image, &came), error).await,
    };
    let part = looked.photo.capture.cut_off.is_some();
    photo_retries::readable(context, project, &image, &came, part).await?;
    failpoint::reached("analyze.looked");
    note(context, &mut record, &looked, &image);
    let merging = &context.rules(project)?.tagging.rules().merge;
    let seen = merge(&looked.look.seen, looked.photo.size, merging);
    let found = findings(project, &content, &seen);
    if found.is_empty() {
        return settle(context, lease, record, PhotoState::Analysed).await;
    }

    let kept = match review_images::make(context, room, looked.photo.picture, bytes, &found).await {
        Ok(kept) => kept,
        Err(error) => return unreadable(context, lease, record, (&image, &came), error).await,
    };
    if let Some(took) = kept.decode {
        time(context, &mut record, "decode_again", took);
    }
    time(context, &mut record, "picture", kept.encode);
    let drafting = Instant::now();
    let capture = record.capture.clone().unwrap_or(looked.photo.capture);
    let (image, capture, picture) = (&image, &capture, &kept.picture);
    let intake =
        Box::pin(cards::draft(context, &PhotoSubject { permitted, image, capture, picture, content }, found))
            .await?;
    failpoint::reached("analyze.drafted");
    time(context, &mut record, "draft", drafting.elapsed());
    record.picture = Some(kept.review);
    record.overlays = kept.crops;
    let (map, classes) = (looked.look.score_map.as_ref(), &context.detector.model().classes);
    record.overlays.extend(score_maps::make(map, classes, looked.photo.size, &intake));
    store(context, lease, record, &intake).await
}

/// What the photo is looked at with: as closely as the rules say.
fn looker(context: &Context, project: ProjectKey, image: &Image) -> Analyzer {
    let album = image.facts().album;
    let usual = context.detector.usual();
    Analyzer {
        detector: Arc::clone(&context.detector),
        limits: context.limits.clone(),
        thoroughness: thoroughness::choose(usual, &context.config.thorough, project, album.as_deref()),
    }
}

async fn store(
    context: &Context,
    lease: &Lease,
    record: PhotoRecord,
    intake: &Intake,
) -> Result<(), Failure> {
    let recorded = context.store.record_photo(lease, &record, Some(intake), context.now()).await?;
    failpoint::reached("analyze.recorded");
    for candidate in &intake.candidates {
        let finding = &candidate.card.finding;
        if recorded.new.contains(&finding.id) {
            let kept = recorded.kept.iter().find(|(id, _)| *id == finding.id);
            let delivery = kept.map_or(candidate.card.delivery.name(), |(_, keeper)| keeper.name());
            context.metrics.finding(finding.class.name(), delivery);
        }
    }
    tracing::info!(
        photo.image = %record.image,
        findings.new = recorded.new.len(),
        findings.known = recorded.known.len(),
        findings.kept = recorded.kept.len(),
        findings.folded = recorded.folded.len(),
        "photo analysed"
    );
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
    context.store.record_photo(lease, &record, None, context.now()).await?;
    Ok(())
}

/// Settles a photo that Procore has not shown over hours. What was seen of it before stays, without its picture.
async fn hidden(
    context: &Context,
    lease: &Lease,
    record: PhotoRecord,
    reason: String,
) -> Result<(), Failure> {
    let id = PhotoId::of(record.project, record.image);
    let before = context.store.photo(id).await?;
    if before.is_some_and(|before| before.state == PhotoState::Analysed) {
        tracing::info!(photo.image = %record.image, "gone from Procore: its picture is deleted here");
        return Ok(context.store.forget_photo(Some(lease), id, context.now()).await?);
    }
    settle(context, lease, record, PhotoState::Skipped { reason }).await
}

async fn unreadable(
    context: &Context,
    lease: &Lease,
    record: PhotoRecord,
    (image, came): (&Image, &UnusableDownload),
    error: AnalysisError,
) -> Result<(), Failure> {
    match error {
        AnalysisError::Photo(error) => {
            photo_retries::unreadable(context, record.project, image, came, &error).await?;
            settle(context, lease, record, PhotoState::Failed { reason: error.to_string() }).await
        }
        AnalysisError::Machine(failure) => Err(failure),
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
            let fresh = match context.procore.image(project, image.id).await {
                Ok(fresh) => fresh,
                // It was shown a moment ago: the next attempt asks again.
                Err(error @ (procore::Error::NotFound { .. } | procore::Error::Forbidden { .. })) => {
                    return Err(Failure::retry(error.to_string()));
                }
                Err(error) => return Err(error.into()),
            };
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
        shown_at: None,
        filename: String::new(),
        state: PhotoState::Analysed,
        size: None,
        capture: None,
        content: None,
        uploader: None,
        uploader_id: None,
        location: None,
        told: None,
        model: None,
        class_scores: Vec::new(),
        timings: Vec::new(),
        picture: None,
        overlays: Vec::new(),
        evidence: json!({}),
    }
}

/// What Procore says of the photo, kept to tell whether another look is due.
fn remember(record: &mut PhotoRecord, image: &Image) {
    record.uploader_id = image.uploader.as_ref().map(|uploader| uploader.id);
    record.location = image.location.as_ref().map(|location| location.id);
    record.told = Some(image.told());
}

/// Whether this model has looked at the photo, and Procore tells the same of it as it did then: webhooks come twice,
/// and photos are changed in ways that do not matter here.
async fn known_as_is(context: &Context, record: &PhotoRecord) -> Result<bool, Failure> {
    let Some(before) = context.store.photo(PhotoId::of(record.project, record.image)).await? else {
        return Ok(false);
    };
    let same_model = before.model.as_deref() == Some(context.detector.model().label().as_str());
    let looked_at = before.state == PhotoState::Analysed && before.forgotten_at.is_none();
    Ok(looked_at && same_model && before.told == record.told)
}

fn note(context: &Context, record: &mut PhotoRecord, looked: &Analysis, image: &Image) {
    let detector = &context.detector;
    // What looked at this photo, which on a GPU may be another provider than at the start.
    let model = ModelInfo { provider: detector.provider(), ..detector.model().clone() };
    record.size = Some(looked.photo.size);
    record.capture = Some(with_time(&looked.photo.capture, image, &context.zone));
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

/// What the file says, with the time that Procore tells where the file has none.
fn with_time(capture: &CaptureInfo, image: &Image, zone: &TimeZone) -> CaptureInfo {
    let mut capture = capture.clone();
    if let (None, Some(instant)) = (capture.taken_at.as_option(), image.taken_at) {
        let local = zone.to_datetime(instant);
        capture.taken_at = Known::Known(TakenAt { local, instant: Some(instant) });
        capture.origins.taken_at = Some(Origin::certain(Source::Procore));
    }
    capture
}

fn time(context: &Context, record: &mut PhotoRecord, stage: &str, took: Duration) {
    context.metrics.stage(stage, took);
    record.timings.push(StageTime { stage: stage.to_owned(), ms: took.as_secs_f64() * 1000.0 });
}
