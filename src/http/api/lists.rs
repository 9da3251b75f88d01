//! Who a script speaks for, and what there is to choose from.

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ask::{self, Asked, OfProject, Segments};
use crate::domain::ids::ProjectKey;
use crate::domain::people::{Role, Viewer};
use crate::domain::review::MuteId;
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

pub(super) async fn lift_mute(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Problem> {
    let id = MuteId(id.parse().map_err(|_| HttpError::NotFound("mute"))?);
    let rows = state.store().mutes(viewer.narrowed(None).as_deref()).await?;
    let mute = rows.into_iter().find(|row| row.id == id).ok_or(HttpError::NotFound("mute"))?;
    guard::check_decision(&viewer, mute.project)?;
    state.store().lift_mute(id, &viewer.person, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
