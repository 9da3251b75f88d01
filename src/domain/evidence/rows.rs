//! What the chain says of a finding or a photo, compared with its present row.

use serde::Serialize;
use serde_json::Value;

use super::Fact;
use crate::domain::capture::CaptureInfo;
use crate::domain::card::Card;
use crate::domain::detection::ClassScore;
use crate::domain::geometry::{Size, Upright};
use crate::domain::ids::{ImageId, PhotoId, ProjectKey, PunchItemId, Sha256Digest};
use crate::domain::place::Place;
use crate::domain::punch_item::PunchItemDraft;
use crate::domain::review::{Decision, FindingState, RejectReason, Verdict};

/// The longest value in a message, characters.
const SHOWN: usize = 80;

/// A finding's row.
#[derive(Debug, Clone)]
pub struct FindingRow {
    /// Whose it is.
    pub project: ProjectKey,
    /// The photo in which it was found first.
    pub photo: PhotoId,
    /// Its class.
    pub class: String,
    /// Its score.
    pub score: f64,
    /// When it was found, milliseconds since 1970.
    pub found_at: i64,
    /// When it was decided, milliseconds since 1970.
    pub decided_at: Option<i64>,
    /// The card as suggested, with state, decision and punch item as they are now.
    pub card: Card,
}

/// A photo's row.
#[derive(Debug, Clone)]
pub struct PhotoRow {
    /// Whose it is.
    pub project: ProjectKey,
    /// Procore's id.
    pub image: ImageId,
    /// `analysed`, `skipped` or `failed`.
    pub state: String,
    /// The beginning of the file's name.
    pub filename: String,
    /// SHA-256 of the original.
    pub content: Option<Sha256Digest>,
    /// Full upright size.
    pub size: Option<Size<Upright>>,
    /// What the file says about its making.
    pub capture: Option<CaptureInfo>,
    /// The model that looked at it.
    pub model: Option<String>,
    /// Every class of the model.
    pub class_scores: Vec<ClassScore>,
    /// When it was forgotten, milliseconds since 1970.
    pub forgotten_at: Option<i64>,
    /// SHA-256 of the reduced picture, while it is kept.
    pub picture: Option<Sha256Digest>,
}

/// Compares a finding's row with what the chain says of it, `facts`, oldest first. Returns what differs, a sentence
/// each; nothing when all agrees.
pub fn finding_differences(facts: &[Fact], row: Option<&FindingRow>) -> Vec<String> {
    let said = match said_of_finding(facts) {
        Ok(said) => said,
        Err(unreadable) => return vec![unreadable],
    };
    match (said, row) {
        (None, None) => Vec::new(),
        (None, Some(_)) => vec!["the chain does not know it".to_owned()],
        (Some(_), None) => vec!["the chain knows it, and its row is missing".to_owned()],
        (Some(said), Some(row)) => said.differences(row),
    }
}

/// As [`finding_differences`], for a photo.
pub fn photo_differences(facts: &[Fact], row: Option<&PhotoRow>) -> Vec<String> {
    let recorded = facts.iter().rev().find(|fact| fact.kind == "photo.recorded");
    match (recorded, row) {
        (None, None) => Vec::new(),
        (None, Some(_)) => vec!["the chain does not know it".to_owned()],
        (Some(_), None) => vec!["the chain knows it, and its row is missing".to_owned()],
        (Some(recorded), Some(row)) => match serde_json::from_str(&recorded.detail) {
            Ok(said) => photo_row_differences(facts, &said, row),
            Err(error) => vec![unreadable(recorded, &error)],
        },
    }
}

/// What the chain says of a finding.
struct AuditedFinding {
    card: Card,
    place: Place,
    draft: PunchItemDraft,
    state: FindingState,
    decision: Option<Decision>,
    /// Milliseconds since 1970.
    decided_at: Option<i64>,
    punch_item: Option<PunchItemId>,
}

fn said_of_finding(facts: &[Fact]) -> Result<Option<AuditedFinding>, String> {
    let mut said = None;
    for fact in facts {
        if fact.kind == "finding.proposed" {
            let card: Card = read(fact)?;
            said = Some(AuditedFinding {
                place: card.place.clone(),
                draft: card.draft.clone(),
                state: card.state,
                decision: card.decision.clone(),
                decided_at: None,
                punch_item: card.punch_item,
                card,
            });
        } else if let Some(said) = &mut said {
            said.follow(fact)?;
        }
    }
    Ok(said)
}

impl AuditedFinding {
    fn follow(&mut self, fact: &Fact) -> Result<(), String> {
        match fact.kind.as_str() {
            "finding.decided" => self.decide(read(fact)?),
            "finding.undone" => {
                (self.state, self.decision, self.decided_at) = (FindingState::Proposed, None, None);
            }
            "finding.folded" => {
                let at = jiff::Timestamp::from_millisecond(fact.at).unwrap_or_default();
                let verdict = Verdict::Reject { reason: RejectReason::Duplicate };
                self.decide(Decision { verdict, reviewer: "Punchlens".into(), person: None, at });
            }
            "finding.refiled" => {
                let detail: Value = read(fact)?;
                self.place = part(fact, &detail, "place")?;
                self.draft = part(fact, &detail, "draft")?;
            }
            "write.taken_over" => self.state = FindingState::TakenOver,
            "write.delivered" => {
                let detail: Value = read(fact)?;
                let made: Option<PunchItemId> = part(fact, &detail, "punch_item")?;
                self.punch_item = made.or(self.punch_item);
            }
            _ => {}
        }
        Ok(())
    }

    fn decide(&mut self, decision: Decision) {
        self.state = match decision.verdict {
            Verdict::Accept { .. } => FindingState::Accepted,
            Verdict::Reject { .. } => FindingState::Rejected,
        };
        self.decided_at = Some(decision.at.as_millisecond());
        self.decision = Some(decision);
    }

    fn differences(&self, row: &FindingRow) -> Vec<String> {
        let (said, card) = (&self.card, &row.card);
        let mut differ = Differences::default();
        differ.unless_same("project", row.project, said.project);
        differ.unless_same("project", card.project, said.project);
        differ.unless_same("photo", row.photo, said.photo.id);
        differ.unless_same("photo", &card.photo, &said.photo);
        differ.unless_same("class", row.class.as_str(), said.finding.class.name());
        differ.unless_same("score", row.score, f64::from(said.finding.score.value()));
        differ.unless_same("finding", &card.finding, &said.finding);
        differ.unless_same("time", row.found_at, said.found_at.as_millisecond());
        differ.unless_same("model", &card.model, &said.model);
        differ.unless_same("place", &card.place, &self.place);
        differ.unless_same("draft", &card.draft, &self.draft);
        differ.unless_same("state", card.state, self.state);
        differ.unless_same(
            "decision",
            at_millisecond(card.decision.as_ref()),
            at_millisecond(self.decision.as_ref()),
        );
        differ.unless_same("time of decision", row.decided_at, self.decided_at);
        if self.punch_item.is_some() {
            differ.unless_same("punch item", card.punch_item, self.punch_item);
        }
        differ.0
    }
}

/// A fold is known to the millisecond only.
fn at_millisecond(decision: Option<&Decision>) -> Option<Decision> {
    let at = |at: jiff::Timestamp| jiff::Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    decision.map(|decision| Decision { at: at(decision.at), ..decision.clone() })
}

fn photo_row_differences(facts: &[Fact], said: &Value, row: &PhotoRow) -> Vec<String> {
    let mut differ = Differences::default();
    differ.unless_said("project", row.project, said, "project");
    differ.unless_said("image", row.image, said, "image");
    differ.unless_same("state", row.state.as_str(), said["outcome"]["state"].as_str().unwrap_or_default());
    let named = said["filename"].as_str().unwrap_or_default();
    if !named.starts_with(&row.filename) || row.filename.is_empty() && !named.is_empty() {
        differ.unless_same("file name", row.filename.as_str(), named);
    }
    differ.unless_said("content", row.content, said, "content_sha256");
    differ.unless_said("size", row.size, said, "size");
    differ.unless_said("capture", row.capture.clone(), said, "capture");
    differ.unless_said("model", row.model.clone(), said, "model");
    differ.unless_said("class scores", row.class_scores.clone(), said, "class_scores");
    let last = |kind: &str| facts.iter().rposition(|fact| fact.kind == kind);
    let (forgotten, recorded) = (last("photo.forgotten"), last("photo.recorded"));
    // One that Procore shows again is recorded again, and remembered unless it was deleted in the meantime.
    if row.forgotten_at.is_some() || forgotten > recorded {
        let forgotten = forgotten.map(|at| facts[at].at);
        differ.unless_same("time of deletion", row.forgotten_at, forgotten);
    }
    let pictures = facts.iter().rev().filter(|fact| fact.kind == "photo.recorded");
    let mut pictures = pictures.filter_map(|fact| {
        let detail: Value = serde_json::from_str(&fact.detail).ok()?;
        detail["picture_sha256"].as_str().map(str::to_owned)
    });
    if let (Some(kept), Some(recorded)) = (row.picture, pictures.next()) {
        differ.unless_same("picture", kept.to_string(), recorded);
    }
    differ.0
}

/// What was found to differ.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "ids, names and references alike are compared with one call"
    )]
    fn unless_same<T: PartialEq + Serialize>(&mut self, name: &str, row: T, said: T) {
        if row != said {
            self.0.push(format!("its {name} is {}, the chain says {}", shown(&row), shown(&said)));
        }
    }

    fn unless_said<T>(&mut self, name: &str, row: T, said: &Value, key: &str)
    where
        T: PartialEq + Serialize + serde::de::DeserializeOwned,
    {
        match serde_json::from_value(said[key].clone()) {
            Ok(said) => self.unless_same(name, row, said),
            Err(error) => self.0.push(format!("what the chain says of its {name} cannot be read: {error}")),
        }
    }
}

fn shown(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn read<T: serde::de::DeserializeOwned>(fact: &Fact) -> Result<T, String> {
    serde_json::from_str(&fact.detail).map_err(|error| unreadable(fact, &error))
}

fn part<T: serde::de::DeserializeOwned>(fact: &Fact, detail: &Value, key: &str) -> Result<T, String> {
    serde_json::from_value(detail[key].clone()).map_err(|error| unreadable(fact, &error))
}

fn unreadable(fact: &Fact, error: &serde_json::Error) -> String {
    format!("row {} of the chain ({}) cannot be read by this version: {error}", fact.seq, fact.kind)
}
