//! Findings of the past, put into the store as a worker would have.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use punchlens::domain::card::{Card, CardPhoto};
use punchlens::domain::dedupe::{Candidate, Intake, Sighting};
use punchlens::domain::delivery::ProjectMode;
use punchlens::domain::detection::DefectClass;
use punchlens::domain::finding::Finding;
use punchlens::domain::ids::{FindingId, ImageId, PhotoId, PunchItemId, Sha256Digest};
use punchlens::domain::image_hash::ImageHash;
use punchlens::domain::job::Job;
use punchlens::domain::place::Location;
use punchlens::domain::punch_item::Edits;
use punchlens::domain::review::{Decision, RejectReason, Verdict};
use punchlens::domain::score::Score;
use punchlens::domain::tagging::Tagging;
use punchlens::store::{Lease, PhotoRecord, PhotoState, Store, StoredPicture, WriteOutcome};

use crate::support::{PROJECT, muting};

/// One finding as it was.
pub(crate) struct Past {
    /// Makes its photo another than all others.
    pub seed: i64,
    /// Where it lies, if elsewhere than the sample.
    pub place: Option<Location>,
    /// Its class.
    pub class: &'static str,
    /// The model's score.
    pub score: f32,
    /// When it was found.
    pub found: Timestamp,
    /// When it was decided, and why it was thrown out if it was.
    pub decided: Option<(Timestamp, Option<RejectReason>)>,
    /// Why Procore refused what was decided, if it did.
    pub refused: Option<&'static str>,
}

/// The jobs of the past are claimed this far ahead: no worker of the box does them.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 365 * 10);

/// Records findings of one photo that look like `sample`, and decides about them. Decisions must be held back for
/// longer than the past lies back, and nothing else may be under way.
pub(crate) async fn record(store: &Store, sample: &Card, past: &[Past]) {
    let Some(first) = past.first() else { return };
    let image = ImageId::new(90_000_000 + first.seed);
    let cards: Vec<Card> = past.iter().map(|past| card(sample, past, image)).collect();
    let job = Job::AnalyzePhoto { project: PROJECT, image };
    store.enqueue(std::slice::from_ref(&job), Timestamp::now() + AHEAD, first.found).await.expect("queues");
    let lease = claim(store, &job).await;
    let picture = store.picture(sample.photo.id).await.expect("reads").expect("the sample's picture");
    let photo = photo_record(sample, image, cards[0].photo.content, picture);
    store.record_photo(&lease, &photo, Some(&intake(&cards, past)), first.found).await.expect("records");
    for (card, past) in cards.iter().zip(past) {
        let Some((at, rejected)) = past.decided else { continue };
        let verdict = rejected
            .map_or_else(|| Verdict::Accept { edits: Edits::NONE }, |reason| Verdict::Reject { reason });
        let decision = Decision { verdict, reviewer: "Ana Ruiz".into(), person: None, at };
        store.decide(card.finding.id, &decision, &muting).await.expect("decides");
        let lease = claim(store, &Job::ApplyDecision { finding: card.finding.id }).await;
        store.finish_write(&lease, &outcome(past, rejected.is_none()), &[], at).await.expect("finishes");
    }
}

fn outcome(past: &Past, kept: bool) -> WriteOutcome {
    let punch_item = kept.then(|| PunchItemId::new(90_000_000 + past.seed));
    past.refused.map_or_else(
        || WriteOutcome::Delivered { punch_item, position: None, answer: serde_json::json!("long ago") },
        |reason| WriteOutcome::Refused { reason: reason.to_owned() },
    )
}

/// Takes `job`, which must be the next of its kind.
async fn claim(store: &Store, job: &Job) -> Lease {
    let then = Timestamp::now() + AHEAD + AHEAD;
    let claimed = store.claim("past", &[job.kind()], Duration::from_mins(5), then).await;
    let claimed = claimed.expect("claims").expect("a job");
    assert_eq!(&claimed.job, job);
    claimed.lease
}

fn card(sample: &Card, past: &Past, image: ImageId) -> Card {
    let content = Sha256Digest::of(&past.seed.to_be_bytes());
    let id = FindingId::of(PROJECT, &content, past.class);
    let score = Score::new(past.score).expect("a score");
    let mut card = sample.clone();
    card.finding = Finding { id, class: DefectClass::new(past.class), score, ..sample.finding.clone() };
    card.photo = CardPhoto { id: PhotoId::of(PROJECT, image), image, content, ..sample.photo.clone() };
    card.draft.reference = id.reference();
    card.draft.images = vec![image];
    card.found_at = past.found;
    if let Some(place) = &past.place {
        card.draft.location = Some(place.id);
        card.place.location = Some(place.clone());
    }
    (card.decision, card.punch_item, card.position) = (None, None, None);
    card
}

fn photo_record(sample: &Card, image: ImageId, content: Sha256Digest, picture: StoredPicture) -> PhotoRecord {
    PhotoRecord {
        shown_at: None,
        project: PROJECT,
        image,
        filename: sample.photo.filename.clone(),
        state: PhotoState::Analysed,
        size: Some(sample.photo.size),
        content: Some(content),
        uploader: sample.photo.uploader.clone(),
        model: Some(sample.model.clone()),
        picture: Some(picture),
        overlays: Vec::new(),
        capture: None,
        uploader_id: None,
        location: None,
        told: None,
        class_scores: Vec::new(),
        timings: Vec::new(),
        evidence: serde_json::json!({}),
    }
}

/// As a worker of a review-first project hands it in; no two of them look alike.
fn intake(cards: &[Card], past: &[Past]) -> Intake {
    let rules = Tagging::default_rules();
    let candidate = |(card, past): (&Card, &Past)| {
        let digest = Sha256Digest::of(&past.seed.to_be_bytes()).to_string();
        let half = |at: usize| u64::from_str_radix(&digest[at..at + 16], 16).expect("hex");
        let print = ImageHash::from_parts(half(0), half(16) | half(32), [(past.seed % 251) as u8; 64]);
        let sighting = Sighting {
            finding: card.finding.id,
            seen_in: card.photo.id,
            class: card.finding.class.clone(),
            location: card.place.location.clone(),
            taken_at: None,
            photo: print,
            region: print,
        };
        Candidate { card: card.clone(), sighting, on_the_list: None }
    };
    Intake {
        candidates: cards.iter().zip(past).map(candidate).collect(),
        once: rules.rules().once,
        caps: rules.rules().caps,
        mode: ProjectMode::ReviewFirst,
        today: jiff::civil::date(2026, 3, 5),
    }
}
