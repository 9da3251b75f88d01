//! The pictures that review needs: a photo reduced, a finding in the photo's own resolution.

use axum::extract::{self, Path};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::Page;
use crate::domain::ids::{FindingId, PhotoId};
use crate::domain::people;
use crate::http::State;
use crate::http::error::HttpError;
use crate::http::guard::{self, Reviewer};
use crate::store::StoredPicture;

pub(in crate::http) async fn picture(
    extract::State(state): extract::State<State>,
    Reviewer(session): Reviewer,
    Path(photo): Path<String>,
) -> Page {
    Ok(stored_picture(&state, &session.viewer, &photo).await?)
}

/// The reduced picture of a photo, for people and scripts alike who may see its project.
pub(in crate::http) async fn stored_picture(
    state: &State,
    viewer: &people::Viewer,
    photo: &str,
) -> Result<Response, HttpError> {
    let photo: PhotoId = photo.parse().map_err(|_| HttpError::NotFound("photo"))?;
    let row = state.store().photo(photo).await?.ok_or(HttpError::NotFound("photo"))?;
    guard::check_sight(viewer, row.project, "photo")?;
    served(state.store().picture(photo).await?.ok_or(HttpError::NotFound("photo"))?)
}

/// A finding in its photo's own resolution, for those who may see its project.
pub(in crate::http) async fn crop(
    extract::State(state): extract::State<State>,
    Reviewer(session): Reviewer,
    Path(finding): Path<String>,
) -> Page {
    let finding: FindingId = finding.parse().map_err(|_| HttpError::NotFound("finding"))?;
    let projects = state.store().projects_of(&[finding]).await.map_err(HttpError::from)?;
    let project = projects.get(&finding).ok_or(HttpError::NotFound("finding"))?;
    guard::check_sight(&session.viewer, *project, "finding")?;
    let crop = state.store().crop(finding).await.map_err(HttpError::from)?;
    Ok(served(crop.ok_or(HttpError::NotFound("picture"))?.picture)?)
}

fn served(picture: StoredPicture) -> Result<Response, HttpError> {
    let media_type = match picture.media_type.as_str() {
        "image/jpeg" => "image/jpeg",
        "image/png" => "image/png",
        "image/webp" => "image/webp",
        other => {
            tracing::error!(media_type = other, "a stored picture is of a type that is not served");
            return Err(HttpError::Internal);
        }
    };
    let headers =
        [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "private, max-age=86400, immutable")];
    Ok((headers, picture.bytes).into_response())
}
