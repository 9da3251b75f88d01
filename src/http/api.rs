//! The same for scripts: JSON in, JSON out, errors as problem documents.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{self, Path, Query};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::card::Card;
use crate::domain::ids::{CompanyId, FindingId, ProjectId, ProjectKey};
use crate::domain::people::Viewer;
use crate::domain::punch_item::Edits;
use crate::domain::review::{Decision, Delivery, FindingState, RejectReason, Verdict};
use crate::http::State;
use crate::http::error::{HttpError, Problem};
use crate::http::guard::{self, Script};
use crate::http::review;
use crate::http::session::tidy_name;
use crate::store::{Actor, CardQuery, Counts};

/// Which findings to list. Everything is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<FindingState>,
    delivery: Option<Delivery>,
    company: Option<i64>,
    project: Option<i64>,
    class: Option<String>,
    q: Option<String>,
    problems: bool,
    decided_since: Option<Timestamp>,
    limit: Option<u32>,
    offset: u32,
}

/// Some findings, and where the rest begins.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    findings: Vec<Card>,
    next_offset: Option<u32>,
}

/// A decision as a script sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    verdict: WishedVerdict,
    #[serde(default)]
    edits: Edits,
    #[serde(default)]
    reason: Option<RejectReason>,
    /// For whom the script speaks.
    #[serde(default)]
    reviewer: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WishedVerdict {
    Accept,
    Reject,
}

/// For whom a script takes a decision back.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Speaker {
    reviewer: String,
}

pub(super) async fn counts(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
) -> Result<Json<Counts>, Problem> {
    let now = state.now();
    let midnight = now.to_zoned_datetime(state.zone().clone()).start_of_day();
    let midnight = midnight.map_or(now, |midnight| midnight.timestamp());
    Ok(Json(state.store().counts(viewer.narrowed(None).as_deref(), midnight).await?))
}

pub(super) async fn findings(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Listing>, Problem> {
    let Query(query) =
        query.map_err(|rejection| HttpError::unreadable(rejection.status(), &rejection.body_text()))?;
    let limit = query.limit.unwrap_or(state.review().page_size).clamp(1, state.store().config().list_rows);
    let offset = query.offset;
    let query = card_query(query, &viewer)?;
    let findings = state.store().cards(&CardQuery { limit: Some(limit), ..query }).await?;
    let full = findings.len() == limit as usize;
    Ok(Json(Listing { findings, next_offset: full.then(|| offset.saturating_add(limit)) }))
}

fn card_query(query: ListQuery, viewer: &Viewer) -> Result<CardQuery, HttpError> {
    let project = match (query.company, query.project) {
        (None, None) => None,
        (Some(company), Some(project)) => {
            Some(ProjectKey { company: CompanyId::new(company), project: ProjectId::new(project) })
        }
        _ => return Err(HttpError::Invalid("Give company and project together.".into())),
    };
    Ok(CardQuery {
        projects: viewer.narrowed(project),
        states: query.state.into_iter().collect(),
        deliveries: query.delivery.into_iter().collect(),
        class: query.class,
        text: query.q,
        problems: query.problems,
        decided_since: query.decided_since,
        offset: query.offset,
        ..CardQuery::default()
    })
}

pub(super) async fn finding(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
) -> Result<Json<Card>, Problem> {
    Ok(Json(seen_card(&state, &viewer, &id).await?))
}

pub(super) async fn decide(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Result<Json<Card>, Problem> {
    let Json(wish) =
        wish.map_err(|rejection| HttpError::unreadable(rejection.status(), &rejection.body_text()))?;
    let card = seen_card(&state, &viewer, &id).await?;
    guard::check_decision(&viewer, card.project)?;
    let reviewer = speaker(&wish.reviewer, &viewer);
    let (at, verdict) = (state.now(), verdict(wish)?);
    let decision = Decision { reviewer, person: Some(viewer.person), at, verdict };
    Ok(Json(state.store().decide(card.finding.id, &decision, &state.muting()).await?))
}

pub(super) async fn undo(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
    Query(who): Query<Speaker>,
) -> Result<Json<Card>, Problem> {
    let card = seen_card(&state, &viewer, &id).await?;
    guard::check_decision(&viewer, card.project)?;
    let reviewer = speaker(&who.reviewer, &viewer);
    let by = Actor { name: &reviewer, person: Some(&viewer.person) };
    Ok(Json(state.store().undo(card.finding.id, by, state.now()).await?))
}

pub(super) async fn picture(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Path(photo): Path<String>,
) -> Result<Response, Problem> {
    Ok(review::stored_picture(&state, &viewer, &photo).await?)
}

fn verdict(wish: Wish) -> Result<Verdict, HttpError> {
    match (wish.verdict, wish.reason) {
        (WishedVerdict::Accept, None) => {
            review::check_texts(&wish.edits)?;
            Ok(Verdict::Accept { edits: wish.edits })
        }
        (WishedVerdict::Reject, Some(reason)) if wish.edits.is_empty() => Ok(Verdict::Reject { reason }),
        (WishedVerdict::Accept, Some(_)) => Err(HttpError::Invalid("Accepting needs no reason.".into())),
        (WishedVerdict::Reject, None) => {
            let names: Vec<&str> = RejectReason::ALL.iter().map(|reason| reason.name()).collect();
            Err(HttpError::Invalid(format!("Rejecting needs a reason, one of: {}.", names.join(", "))))
        }
        (WishedVerdict::Reject, Some(_)) => {
            Err(HttpError::Invalid("What is rejected is not edited: leave edits out.".into()))
        }
    }
}

/// The name beside a decision: for whom the script says that it speaks, else its account's.
fn speaker(name: &str, viewer: &Viewer) -> String {
    let name = tidy_name(name);
    if name.is_empty() { viewer.person.name.clone() } else { name }
}

async fn seen_card(state: &State, viewer: &Viewer, id: &str) -> Result<Card, HttpError> {
    let card = state.store().card(parse_id(id)?).await?.ok_or(HttpError::NotFound("finding"))?;
    guard::check_sight(viewer, card.project, "finding")?;
    Ok(card)
}

fn parse_id(id: &str) -> Result<FindingId, HttpError> {
    id.parse().map_err(|_| HttpError::NotFound("finding"))
}
