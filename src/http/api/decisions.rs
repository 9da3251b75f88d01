//! Decisions, one by one and many at once.

use axum::Json;
use axum::extract;
use serde::{Deserialize, Serialize};

use super::ask::{JsonBody, QueryParams, Segments};
use super::findings::seen;
use crate::domain::card::Card;
use crate::domain::ids::FindingId;
use crate::domain::people::{Person, Viewer};
use crate::domain::punch_item::Edits;
use crate::domain::review::{Decision, RejectReason, Verdict};
use crate::http::State;
use crate::http::choices;
use crate::http::error::{HttpError, Problem};
use crate::http::guard::{self, Script};
use crate::http::review;
use crate::http::session::tidy_name;
use crate::store::{Actor, Batch};

/// A decision as a script sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionRequest {
    verdict: VerdictRequest,
    #[serde(default)]
    edits: EditsRequest,
    #[serde(default)]
    reason: Option<RejectReason>,
    /// For whom the script speaks.
    #[serde(default)]
    reviewer: String,
}

/// The same about several findings; they have nothing to edit in common.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchDecisionRequest {
    findings: Vec<FindingId>,
    verdict: VerdictRequest,
    #[serde(default)]
    reason: Option<RejectReason>,
    #[serde(default)]
    reviewer: String,
}

/// Which decisions to take back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UndoRequest {
    findings: Vec<FindingId>,
    #[serde(default)]
    reviewer: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum VerdictRequest {
    Accept,
    Reject,
}

/// [`Edits`], read strictly: a misspelt field must not look as if it had been taken.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EditsRequest {
    title: Option<String>,
    description: Option<String>,
    location: Option<i64>,
    trade: Option<i64>,
    priority: Option<crate::domain::punch_item::Priority>,
    due: Option<jiff::civil::Date>,
    manager: Option<i64>,
}

impl From<EditsRequest> for Edits {
    fn from(wished: EditsRequest) -> Self {
        Self {
            title: wished.title.map(|text| text.trim().to_owned()),
            description: wished.description,
            location: wished.location.map(crate::domain::ids::LocationId::new),
            trade: wished.trade.map(crate::domain::ids::TradeId::new),
            priority: wished.priority,
            due: wished.due,
            manager: wished.manager.map(crate::domain::ids::UserId::new),
        }
    }
}

/// For whom a script speaks.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OnBehalfOf {
    reviewer: String,
}

/// What became of a decision about several findings.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    done: Vec<Card>,
    left: Vec<Unchanged>,
}

/// A finding that was left as it is.
#[derive(Debug, Serialize)]
struct Unchanged {
    finding: FindingId,
    reason: String,
}

pub(super) async fn decide(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Segments(id): Segments<String>,
    JsonBody(wish): JsonBody<DecisionRequest>,
) -> Result<Json<Card>, Problem> {
    let card = seen(&state, &viewer, &id).await?;
    guard::check_decision(&viewer, card.project)?;
    let (at, reviewer) = (state.now(), speaker(&wish.reviewer, &viewer.person));
    let verdict = verdict(wish.verdict, wish.edits.into(), wish.reason)?;
    if let Verdict::Accept { edits } = &verdict {
        review::check_texts(edits)?;
        choices::of(state.store(), card.project).await?.check(edits).map_err(HttpError::Invalid)?;
    }
    let decision = Decision { reviewer, person: Some(viewer.person), at, verdict };
    Ok(Json(state.store().decide(card.finding.id, &decision, &state.muting()).await?))
}

pub(super) async fn undo(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Segments(id): Segments<String>,
    QueryParams(who): QueryParams<OnBehalfOf>,
) -> Result<Json<Card>, Problem> {
    let card = seen(&state, &viewer, &id).await?;
    guard::check_decision(&viewer, card.project)?;
    let name = speaker(&who.reviewer, &viewer.person);
    let by = Actor { name: &name, person: Some(&viewer.person) };
    Ok(Json(state.store().undo(card.finding.id, by, state.now()).await?))
}

pub(super) async fn send_again(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Segments(id): Segments<String>,
) -> Result<Json<Card>, Problem> {
    let card = seen(&state, &viewer, &id).await?;
    guard::check_decision(&viewer, card.project)?;
    Ok(Json(state.store().send_again(card.finding.id, &viewer.person, state.now()).await?))
}

pub(super) async fn decide_batch(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    JsonBody(wish): JsonBody<BatchDecisionRequest>,
) -> Result<Json<Outcome>, Problem> {
    let verdict = verdict(wish.verdict, Edits::NONE, wish.reason)?;
    let (mine, mut left) = sorted_out(&state, &viewer, &wish.findings).await?;
    let reviewer = speaker(&wish.reviewer, &viewer.person);
    let decision = Decision { reviewer, person: Some(viewer.person), at: state.now(), verdict };
    let batch = state.store().decide_batch(&mine, &decision, &state.muting()).await?;
    Ok(Json(outcome(batch, &mut left)))
}

pub(super) async fn undo_batch(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    JsonBody(wish): JsonBody<UndoRequest>,
) -> Result<Json<Outcome>, Problem> {
    let (mine, mut left) = sorted_out(&state, &viewer, &wish.findings).await?;
    let name = speaker(&wish.reviewer, &viewer.person);
    let by = Actor { name: &name, person: Some(&viewer.person) };
    let batch = state.store().undo_batch(&mine, by, state.now()).await?;
    Ok(Json(outcome(batch, &mut left)))
}

/// Those of `ids` about which `viewer` may decide, and the others with the reason.
async fn sorted_out(
    state: &State,
    viewer: &Viewer,
    ids: &[FindingId],
) -> Result<(Vec<FindingId>, Vec<Unchanged>), HttpError> {
    let most = state.store().config().list_rows as usize;
    if ids.is_empty() || ids.len() > most {
        return Err(HttpError::Invalid(format!("findings must name 1 to {most} findings.")));
    }
    let projects = state.store().projects_of(ids).await?;
    let (mut mine, mut left) = (Vec::new(), Vec::new());
    for &id in ids {
        let project = projects.get(&id).ok_or(HttpError::NotFound("finding"));
        match project.and_then(|project| guard::check_decision(viewer, *project)) {
            Ok(()) => mine.push(id),
            Err(error) => left.push(Unchanged { finding: id, reason: error.to_string() }),
        }
    }
    Ok((mine, left))
}

fn outcome(batch: Batch, left: &mut Vec<Unchanged>) -> Outcome {
    left.extend(batch.left.into_iter().map(|(finding, reason)| Unchanged { finding, reason }));
    Outcome { done: batch.done, left: std::mem::take(left) }
}

fn verdict(wished: VerdictRequest, edits: Edits, reason: Option<RejectReason>) -> Result<Verdict, HttpError> {
    match (wished, reason) {
        (VerdictRequest::Accept, None) => Ok(Verdict::Accept { edits }),
        (VerdictRequest::Reject, Some(reason)) if edits.is_empty() => Ok(Verdict::Reject { reason }),
        (VerdictRequest::Accept, Some(_)) => Err(HttpError::Invalid("Accepting needs no reason.".into())),
        (VerdictRequest::Reject, None) => {
            let names: Vec<&str> = RejectReason::ALL.iter().map(|reason| reason.name()).collect();
            Err(HttpError::Invalid(format!("Rejecting needs a reason, one of: {}.", names.join(", "))))
        }
        (VerdictRequest::Reject, Some(_)) => {
            Err(HttpError::Invalid("What is rejected is not edited: leave edits out.".into()))
        }
    }
}

/// The name beside a decision: for whom the script says that it speaks, else its account's.
fn speaker(name: &str, person: &Person) -> String {
    let name = tidy_name(name);
    if name.is_empty() { person.name.clone() } else { name }
}
