//! Findings of one photo to cards: place, trade, priority, wording.

use jiff::tz::TimeZone;

use super::Context;
use super::reference::Reference;
use crate::domain::capture::{CaptureInfo, GpsFix};
use crate::domain::card::{Card, CardPhoto};
use crate::domain::delivery::ProjectMode;
use crate::domain::finding::Finding;
use crate::domain::geometry::{Size, Upright};
use crate::domain::ids::{PhotoId, ProjectKey, Sha256Digest};
use crate::domain::place::{Place, PlaceQuery, resolve};
use crate::domain::review::{Delivery, FindingState};
use crate::domain::tagging::PhotoFacts;
use crate::procore::images::Image;

/// What is known of a photo when its findings are drafted.
pub(super) struct Subject<'a> {
    /// Whose it is.
    pub project: ProjectKey,
    /// What Procore says of it.
    pub image: &'a Image,
    /// What the file says of itself.
    pub capture: &'a CaptureInfo,
    /// Digest of the bytes.
    pub content: Sha256Digest,
    /// Full upright size.
    pub size: Size<Upright>,
}

/// One card for each finding, as it will be reviewed and, where `mode` allows, drafted.
pub(super) fn draft(
    context: &Context,
    mode: ProjectMode,
    reference: &Reference,
    subject: &Subject<'_>,
    found: Vec<Finding>,
) -> Vec<Card> {
    let place = place(context, reference, subject);
    found.into_iter().map(|finding| card(context, mode, reference, subject, &place, finding)).collect()
}

fn place(context: &Context, reference: &Reference, subject: &Subject<'_>) -> Place {
    let image = subject.image;
    let procore_gps = image.gps().map(|(latitude, longitude)| GpsFix {
        latitude,
        longitude,
        altitude_m: None,
        accuracy_m: None,
        direction_deg: None,
    });
    let query = PlaceQuery {
        photo_location: image.location.as_ref().map(|location| location.id),
        capture: subject.capture,
        procore_gps,
        filename: &image.filename,
        description: image.description.as_deref(),
        album: image.image_category_name.as_deref(),
        neighbours: &[],
        uploader: image.uploader.as_ref().map(|uploader| uploader.id),
    };
    resolve(&query, &reference.locations, context.site.as_ref(), context.tagging.place())
}

fn card(
    context: &Context,
    mode: ProjectMode,
    reference: &Reference,
    subject: &Subject<'_>,
    place: &Place,
    finding: Finding,
) -> Card {
    let (now, image) = (context.now(), subject.image);
    let taken_at = subject.capture.taken_at.as_option().copied();
    let photo = PhotoFacts {
        size: subject.size,
        filename: image.filename.clone(),
        taken_at,
        link: None,
        image: image.id,
    };
    let model = context.detector.model();
    let model_words = format!("{} {}", model.name, model.version);
    let today = TimeZone::system().to_datetime(now).date();
    let tagged = context.tagging.tag(&finding, &photo, place, &reference.catalogue, &model_words, today);
    Card {
        project: subject.project,
        finding,
        photo: CardPhoto {
            id: PhotoId::of(subject.project, image.id),
            image: image.id,
            filename: photo.filename,
            size: subject.size,
            taken_at: taken_at.map(|taken| taken.local),
            uploader: image.uploader.as_ref().and_then(|uploader| uploader.name.clone()),
            content: subject.content,
        },
        place: place.clone(),
        draft: tagged.draft,
        trade_name: tagged.trade_name,
        rules: crate::domain::tagging::explain(&tagged.rules),
        model: model.label(),
        state: FindingState::Proposed,
        decision: None,
        delivery: if mode == ProjectMode::Draft { Delivery::Waiting } else { Delivery::Withheld },
        held: None,
        similar: None,
        punch_item: None,
        position: None,
        problem: None,
        found_at: now,
    }
}
