//! Who a script speaks for, and what there is to choose from.

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::ask::{self, Asked, OfProject, Segments, Sent};
use crate::domain::dedupe::Mute;
use crate::domain::ids::ProjectKey;
use crate::domain::keeping::{self, ClassRecord, ReliabilityBin};
use crate::domain::people::{Role, Viewer};
use crate::domain::review::{MuteId, RejectReason};
use crate::http::State;
use crate::http::choices;
use crate::http::error::{HttpError, Problem};
use crate::http::guard::{self, Script};
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

/// The mutes in force.
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
    Asked(typed): Asked<Typed>,
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
    Asked(of): Asked<OfProject>,
) -> Result<Json<Mutes>, Problem> {
    let projects = viewer.narrowed(of.read()?);
    Ok(Json(Mutes { mutes: state.store().mutes(projects.as_deref()).await? }))
}

/// A class to mute everywhere in a project.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MuteWish {
    project: String,
    class: String,
    reason: RejectReason,
}

pub(super) async fn add_mute(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Sent(wish): Sent<MuteWish>,
) -> Result<(StatusCode, Json<MuteRow>), Problem> {
    let project = state.permitted(ask::project(Some(&wish.project))?)?;
    guard::check_role(&viewer, Role::Admin, project)?;
    let class = state.classes().iter().find(|class| class.name() == wish.class);
    let mute = Mute {
        class: class.ok_or(HttpError::NotFound("class"))?.clone(),
        location: None,
        until: None,
        reason: wish.reason,
        reviewer: viewer.person.name.clone(),
    };
    let id = state.store().add_mute(project, &mute, "", &viewer.person, state.now()).await?;
    let rows = state.store().mutes(Some(&[project])).await?;
    let row = rows.into_iter().find(|row| row.id == id).ok_or(HttpError::NotFound("mute"))?;
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
    Asked(of): Asked<OfProject>,
) -> Result<Json<Record>, Problem> {
    let review = state.review();
    let since = state.now() - SignedDuration::from_hours(24 * i64::from(review.record_days));
    let projects = viewer.narrowed(of.read()?);
    let rulings = state.store().rulings(projects.as_deref(), since, review.record_decisions_max).await?;
    let (reliability, calibration_error) = keeping::reliability(&rulings);
    let classes = keeping::class_records(&rulings, review.keep_window as usize, state.zone());
    Ok(Json(Record { days: review.record_days, classes, reliability, calibration_error }))
}

pub(super) async fn lift_mute(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Problem> {
    let id = MuteId(id.parse().map_err(|_| HttpError::NotFound("mute"))?);
    let rows = state.store().mutes(viewer.narrowed(None).as_deref()).await?;
    let mute = rows.into_iter().find(|row| row.id == id).ok_or(HttpError::NotFound("mute"))?;
    guard::check_role(&viewer, mute.mute.takes(), mute.project)?;
    state.store().lift_mute(id, &viewer.person, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
