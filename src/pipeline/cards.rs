//! Findings of one photo to cards: place, trade, priority, wording.

use jiff::tz::TimeZone;

use super::reference::Reference;
use super::{Context, Permitted};
use crate::domain::capture::{CaptureInfo, GpsFix};
use crate::domain::card::{Card, CardPhoto};
use crate::domain::delivery::ProjectMode;
use crate::domain::finding::Finding;
use crate::domain::ids::{PhotoId, ProjectKey, Sha256Digest};
use crate::domain::place::{Place, PlaceQuery, resolve};
use crate::domain::review::{Delivery, FindingState};
use crate::domain::tagging::PhotoFacts;
use crate::procore::Image;

/// What is known of a photo when its findings are drafted.
pub struct Subject<'a> {
    /// Whose it is.
    pub project: ProjectKey,
    /// What Procore says of it.
    pub image: &'a Image,
    /// What the file says of itself.
    pub capture: &'a CaptureInfo,
    /// Digest of the bytes.
    pub content: Sha256Digest,
    /// Upright size.
    pub size: crate::domain::geometry::Size<crate::domain::geometry::Upright>,
}

/// Where the photo was taken, with the evidence.
pub fn place(context: &Context, reference: &Reference, subject: &Subject<'_>) -> Place {
    let query = PlaceQuery {
        photo_location: subject.image.location,
        capture: subject.capture,
        procore_gps: subject.image.gps(),
        filename: &subject.image.filename,
        description: subject.image.description.as_deref(),
        album: subject.image.album.as_deref(),
        neighbours: &[],
        uploader: subject.image.uploader_name.as_deref(),
    };
    resolve(&query, &reference.locations, context.site.as_ref(), &context.place_rules)
}

/// One card for each finding, as it will be reviewed and, where the project's mode allows, drafted.
pub fn draft(
    context: &Context,
    permitted: Permitted,
    reference: &Reference,
    subject: &Subject<'_>,
    found: Vec<Finding>,
) -> Vec<Card> {
    let place = place(context, reference, subject);
    found.into_iter().map(|finding| card(context, permitted, reference, subject, &place, finding)).collect()
}

fn card(
    context: &Context,
    permitted: Permitted,
    reference: &Reference,
    subject: &Subject<'_>,
    place: &Place,
    finding: Finding,
) -> Card {
    let now = context.now();
    let model = context.detector.model().words();
    let image = subject.image;
    let taken_at = subject.capture.taken_at.as_option().map(|taken| taken.local);
    let facts = PhotoFacts {
        size: subject.size,
        filename: &image.filename,
        taken_at,
        link: image.page_link.as_deref(),
        image: image.id,
    };
    let today = now.to_zoned(TimeZone::system()).date();
    let tagged = context.tagging.tag(&finding, &facts, place, &reference.catalogue, &model, today);
    Card {
        project: subject.project,
        photo: CardPhoto {
            id: PhotoId::of(subject.project, image.id),
            image: image.id,
            filename: image.filename.clone(),
            size: subject.size,
            taken_at,
            uploader: image.uploader_name.clone(),
            content: subject.content,
        },
        place: place.clone(),
        trade_name: tagged.trade_name,
        rules: tagged.rules.iter().map(ToString::to_string).collect(),
        draft: tagged.draft,
        finding,
        model,
        state: FindingState::Proposed,
        decision: None,
        delivery: match permitted.mode {
            ProjectMode::Draft => Delivery::Waiting,
            ProjectMode::ReviewFirst | ProjectMode::Shadow => Delivery::Withheld,
        },
        punch_item: None,
        position: None,
        problem: None,
        found_at: now,
    }
}
