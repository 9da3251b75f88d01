//! Findings of one photo to cards that are ready to be taken in: place, trade, priority, wording, likeness.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Context, Failure, ProjectRules, open_items, placing, reference};
use crate::domain::capture::{CaptureInfo, TakenAt};
use crate::domain::card::{Card, CardPhoto};
use crate::domain::dedupe::{Candidate, Intake, Listed, OpenItems, Sighting, match_open_item};
use crate::domain::delivery::ProjectMode;
use crate::domain::finding::Finding;
use crate::domain::ids::{PhotoId, ProjectKey, PunchItemId, Sha256Digest};
use crate::domain::image_hash::ImageHash;
use crate::domain::picture::Picture;
use crate::domain::place::Place;
use crate::domain::review::{Delivery, FindingState};
use crate::domain::tagging::{PhotoFacts, Tagged};
use crate::procore::config::PermittedProject;
use crate::procore::images::Image;

/// What is known of a photo when its findings are drafted.
pub(super) struct PhotoSubject<'a> {
    /// Whose it is, and how far the service may go there.
    pub permitted: PermittedProject,
    /// What Procore says of it.
    pub image: &'a Image,
    /// What the file says of itself.
    pub capture: &'a CaptureInfo,
    pub picture: &'a Picture,
    /// Digest of the bytes.
    pub content: Sha256Digest,
}

impl PhotoSubject<'_> {
    pub(super) fn project(&self) -> ProjectKey {
        self.permitted.key()
    }
}

/// All that deciding about the findings of one photo takes.
///
/// # Errors
/// When Procore must be asked and does not answer.
pub(super) async fn draft(
    context: &Context,
    subject: &PhotoSubject<'_>,
    found: Vec<Finding>,
) -> Result<Intake, Failure> {
    let rules = context.rules(subject.project())?;
    let mut reference = reference::load(context, subject.project()).await?;
    let place = placing::place(context, rules, &mut reference, subject).await?;
    let desk = PhotoContext {
        context,
        rules,
        reference: &reference,
        subject,
        open: &open_items::open_items(context, subject.project(), &place, &found).await?,
        photo: ImageHash::of_picture(subject.picture),
        place: &place,
    };
    let tagging = rules.tagging.rules();
    Ok(Intake {
        candidates: found.into_iter().map(|finding| desk.candidate(finding)).collect(),
        once: tagging.once,
        caps: tagging.caps,
        mode: subject.permitted.mode,
        today: context.today(),
    })
}

/// What all findings of one photo have in common.
struct PhotoContext<'a> {
    context: &'a Context,
    rules: &'a ProjectRules,
    reference: &'a reference::Reference,
    subject: &'a PhotoSubject<'a>,
    open: &'a OpenItems,
    photo: ImageHash,
    place: &'a Place,
}

impl PhotoContext<'_> {
    fn candidate(&self, finding: Finding) -> Candidate {
        let PhotoSubject { image, capture, picture, .. } = self.subject;
        let taken_at = capture.taken_at.as_option().copied();
        let facts = PhotoFacts {
            size: picture.photo(),
            filename: image.filename.clone(),
            taken_at,
            project: self.subject.project(),
            image: image.id,
        };
        let model = self.context.detector.model();
        let model_words = format!("{} {}", model.name, model.version);
        let (catalogue, today) = (&self.reference.catalogue, self.context.today());
        let tagged = self.rules.tagging.tag(&finding, &facts, self.place, catalogue, &model_words, today);
        let (punch_item, on_the_list) = match match_open_item(&tagged, self.open) {
            // The box that made it is not this one, or has forgotten.
            Some(Listed::Itself(id)) => (Some(id), None),
            Some(Listed::Alike(entry)) => (None, Some((entry.id, entry.words()))),
            None => (None, None),
        };
        let sighting = self.sighting(&finding, taken_at);
        Candidate { card: self.card(finding, tagged, taken_at, punch_item), sighting, on_the_list }
    }

    fn sighting(&self, finding: &Finding, taken_at: Option<TakenAt>) -> Sighting {
        let PhotoSubject { image, picture, .. } = self.subject;
        Sighting {
            finding: finding.id,
            seen_in: PhotoId::of(self.subject.project(), image.id),
            class: finding.class.clone(),
            location: self.place.location.clone(),
            taken_at: taken_at.and_then(|taken| instant(taken, &self.context.zone)),
            photo: self.photo,
            region: ImageHash::of_region(picture, finding.hull),
        }
    }

    fn card(
        &self,
        finding: Finding,
        tagged: Tagged,
        taken_at: Option<TakenAt>,
        punch_item: Option<PunchItemId>,
    ) -> Card {
        let PhotoSubject { image, capture, picture, content, .. } = *self.subject;
        let drafting = self.subject.permitted.mode == ProjectMode::Draft;
        Card {
            project: self.subject.project(),
            photo: CardPhoto {
                id: PhotoId::of(self.subject.project(), image.id),
                image: image.id,
                filename: image.filename.clone(),
                size: picture.photo(),
                taken_at: taken_at.map(|taken| taken.local),
                uploader: image.uploader.as_ref().and_then(|uploader| uploader.name.clone()),
                content,
                cut_off: capture.cut_off,
            },
            place: self.place.clone(),
            draft: tagged.draft,
            earlier: Vec::new(),
            trade_name: tagged.trade_name,
            rules: crate::domain::tagging::explain(&tagged.rules),
            model: self.context.detector.model().label(),
            state: FindingState::Proposed,
            decision: None,
            delivery: if drafting { Delivery::Waiting } else { Delivery::Withheld },
            held: None,
            similar: None,
            punch_item,
            position: None,
            problem: None,
            in_procore: None,
            left_out: vec![],
            notice: None,
            found_at: self.context.now(),
            finding,
        }
    }
}

/// When the shutter fell; a camera that tells no offset is taken to stand in the project's `zone`.
fn instant(taken: TakenAt, zone: &TimeZone) -> Option<Timestamp> {
    taken.instant.or_else(|| zone.to_timestamp(taken.local).ok())
}
