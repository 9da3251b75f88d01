//! Another look at a photo that was not looked at, for the page and for scripts alike.

use crate::domain::ids::{PhotoId, ProjectKey};
use crate::domain::people::{Role, Viewer};
use crate::http::State;
use crate::http::error::HttpError;
use crate::http::guard;

/// Queues it, and tells in which project. Reviewers may.
pub(crate) async fn look_again(state: &State, viewer: &Viewer, id: &str) -> Result<ProjectKey, HttpError> {
    let photo: PhotoId = id.parse().map_err(|_| HttpError::NotFound("photo"))?;
    let row = state.store().photo_left_out(photo).await?.ok_or(HttpError::NotFound("photo"))?;
    guard::check_sight(viewer, row.project, "photo")?;
    guard::check_role(viewer, Role::Reviewer, row.project)?;
    state.store().look_again(photo, &viewer.person, state.now()).await?;
    Ok(row.project)
}
