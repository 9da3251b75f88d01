//! Photos not analysed.

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use serde::Serialize;

use super::ask::{ProjectParam, QueryParams, Segments};
use crate::http::State;
use crate::http::error::Problem;
use crate::http::guard::Script;
use crate::http::skipped_photos;
use crate::store::SkippedPhoto;

/// Those that are tried, failed ones, skipped ones.
#[derive(Debug, Serialize)]
pub(super) struct Photos {
    photos: Vec<SkippedPhoto>,
}

pub(super) async fn left_out(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    QueryParams(of): QueryParams<ProjectParam>,
) -> Result<Json<Photos>, Problem> {
    let projects = viewer.narrowed(of.read()?);
    Ok(Json(Photos { photos: state.store().photos_left_out(projects.as_deref()).await? }))
}

pub(super) async fn look_again(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Segments(photo): Segments<String>,
) -> Result<StatusCode, Problem> {
    skipped_photos::look_again(&state, &viewer, &photo).await?;
    Ok(StatusCode::ACCEPTED)
}
