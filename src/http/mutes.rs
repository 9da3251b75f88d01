//! Muting by hand and lifting, for the page and for scripts alike.

use crate::domain::dedupe::Mute;
use crate::domain::ids::ProjectKey;
use crate::domain::people::{Role, Viewer};
use crate::domain::review::{MuteId, RejectReason};
use crate::http::State;
use crate::http::error::HttpError;
use crate::http::guard;

/// Mutes a class of the model everywhere in a permitted project.
pub(crate) async fn add(
    state: &State,
    viewer: &Viewer,
    project: Option<ProjectKey>,
    class: &str,
    reason: RejectReason,
) -> Result<MuteId, HttpError> {
    let project = state.permitted(project)?;
    guard::check_role(viewer, Role::Admin, project)?;
    let class = state.classes().iter().find(|known| known.name() == class);
    let mute = Mute {
        class: class.ok_or(HttpError::NotFound("class"))?.clone(),
        location: None,
        until: None,
        reason,
        reviewer: viewer.person.name.clone(),
    };
    Ok(state.store().add_mute(project, &mute, "", &viewer.person, state.now()).await?)
}

/// Ends a mute and tells in which project: what it kept back comes among those to review. One that has run out can
/// be lifted too, as findings that came before stay behind it.
pub(crate) async fn lift(state: &State, viewer: &Viewer, id: MuteId) -> Result<ProjectKey, HttpError> {
    let row = state.store().mute(id).await?.ok_or(HttpError::NotFound("mute"))?;
    guard::check_sight(viewer, row.project, "mute")?;
    guard::check_role(viewer, row.mute.takes(), row.project)?;
    state.store().lift_mute(id, &viewer.person, state.now()).await?;
    Ok(row.project)
}
