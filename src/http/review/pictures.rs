//! The pictures that review needs: a photo reduced, and what lies over it for a finding.

use axum::extract::{self, Path};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::Page;
use crate::domain::ids::{FindingId, PhotoId};
use crate::domain::people;
use crate::http::State;
use crate::http::error::HttpError;
use crate::http::guard::{self, Reviewer};
use crate::store::{Layer, StoredPicture};

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
    Ok(overlay(&state, &session.viewer, &finding, Layer::Crop).await?)
}

/// How sure the model was of a finding, cell by cell, for those who may see its project.
pub(in crate::http) async fn score_map(
    extract::State(state): extract::State<State>,
    Reviewer(session): Reviewer,
    Path(finding): Path<String>,
) -> Page {
    Ok(overlay(&state, &session.viewer, &finding, Layer::ScoreMap).await?)
}

async fn overlay(
    state: &State,
    viewer: &people::Viewer,
    finding: &str,
    layer: Layer,
) -> Result<Response, HttpError> {
    let finding: FindingId = finding.parse().map_err(|_| HttpError::NotFound("finding"))?;
    let projects = state.store().projects_of(&[finding]).await?;
    let project = projects.get(&finding).ok_or(HttpError::NotFound("finding"))?;
    guard::check_sight(viewer, *project, "finding")?;
    served(state.store().overlay(finding, layer).await?.ok_or(HttpError::NotFound("picture"))?)
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
