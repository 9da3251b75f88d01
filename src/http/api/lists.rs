//! Who a script speaks for, and what there is to choose from.

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::ask::{self, JsonBody, ProjectParam, QueryParams, Segments};
use crate::domain::ids::ProjectKey;
use crate::domain::keep_rate::{self, ClassRecord, ReliabilityBin};
use crate::domain::people::{Role, Viewer};
use crate::domain::review::{MuteId, RejectReason};
use crate::http::State;
use crate::http::choices;
use crate::http::error::{HttpError, Problem};
use crate::http::guard::{self, Script};
use crate::http::mutes;
use crate::store::MuteRow;

/// A project with its name and what the caller may do there.
#[derive(Debug, Serialize)]
pub(super) struct Project {
    #[serde(flatten)]
    key: ProjectKey,
    name: Option<String>,
    role: Role,
}

/// Entries of one of Procore's lists.
#[derive(Debug, Serialize)]
pub(super) struct Choices {
    choices: Vec<Choice>,
}

#[derive(Debug, Serialize)]
struct Choice {
    id: i64,
    label: String,
}

/// What entries of a list must hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Typed {
    q: String,
}

/// The mutes that nobody lifted; some may have run out.
#[derive(Debug, Serialize)]
pub(super) struct Mutes {
    mutes: Vec<MuteRow>,
}

pub(super) async fn me(Script(viewer): Script) -> Json<Viewer> {
    Json(viewer)
}

pub(super) async fn projects(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
) -> Result<Json<Vec<Project>>, Problem> {
    let mut projects = Vec::new();
    for &key in state.projects() {
        let Some(role) = viewer.rights.role_in(key) else { continue };
        projects.push(Project { key, name: choices::project_name(state.store(), key).await?, role });
    }
    Ok(Json(projects))
}

pub(super) async fn choices(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Segments((project, list)): Segments<(String, String)>,
    QueryParams(typed): QueryParams<Typed>,
) -> Result<Json<Choices>, Problem> {
    let project = ask::project(Some(&project)).ok().flatten().ok_or(HttpError::NotFound("project"))?;
    guard::check_sight(&viewer, project, "project")?;
    let lists = choices::of(state.store(), project).await?;
    let list = lists.named(&list).ok_or(HttpError::NotFound("list"))?;
    let held = choices::holding(list, &typed.q);
    let choices = held.map(|choice| Choice { id: choice.id, label: choice.label.clone() }).collect();
    Ok(Json(Choices { choices }))
}

pub(super) async fn mutes(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    QueryParams(of): QueryParams<ProjectParam>,
) -> Result<Json<Mutes>, Problem> {
    let projects = viewer.narrowed(of.read()?);
    Ok(Json(Mutes { mutes: state.store().mutes(projects.as_deref()).await? }))
}

/// A class to mute everywhere in a project.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MuteRequest {
    project: String,
    class: String,
    reason: RejectReason,
}

pub(super) async fn add_mute(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    JsonBody(wish): JsonBody<MuteRequest>,
) -> Result<(StatusCode, Json<MuteRow>), Problem> {
    let project = ask::project(Some(&wish.project))?;
    let id = mutes::add(&state, &viewer, project, &wish.class, wish.reason).await?;
    let row = state.store().mute(id).await?.ok_or(HttpError::NotFound("mute"))?;
    Ok((StatusCode::CREATED, Json(row)))
}

/// How suggestions were kept, class by class, and how far scores can be believed.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    days: u32,
    classes: Vec<ClassRecord>,
    reliability: Vec<ReliabilityBin>,
    calibration_error: Option<f64>,
}

pub(super) async fn record(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    QueryParams(of): QueryParams<ProjectParam>,
) -> Result<Json<Record>, Problem> {
    let review = state.review();
    let since = state.now() - SignedDuration::from_hours(24 * i64::from(review.record_days));
    let projects = viewer.narrowed(of.read()?);
    let rulings = state.store().rulings(projects.as_deref(), since, review.record_decisions_max).await?;
    let (reliability, calibration_error) = keep_rate::reliability(&rulings);
    let classes = keep_rate::class_records(&rulings, review.keep_window as usize, state.zone());
    Ok(Json(Record { days: review.record_days, classes, reliability, calibration_error }))
}

pub(super) async fn lift_mute(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Problem> {
    let id = MuteId(id.parse().map_err(|_| HttpError::NotFound("mute"))?);
    mutes::lift(&state, &viewer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
