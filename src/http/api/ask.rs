//! What a script asks, read strictly; what cannot be read is a problem document that says why.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::ids::{FindingId, ProjectKey};
use crate::http::State;
use crate::http::error::{HttpError, Problem};
use crate::http::review::parse_project;

/// Segments of the path.
#[derive(Debug)]
pub(super) struct Segments<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<State> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(Problem(HttpError::NotFound("operation"))),
        }
    }
}

/// The query.
#[derive(Debug)]
pub(super) struct QueryParams<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<State> for QueryParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem(HttpError::unreadable(rejection.status(), &rejection.body_text()))),
        }
    }
}

/// The body.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<State> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(Problem(HttpError::unreadable(rejection.status(), &rejection.body_text()))),
        }
    }
}

/// A project to narrow to: `8-6778`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProjectParam {
    project: Option<String>,
}

impl ProjectParam {
    pub(super) fn read(&self) -> Result<Option<ProjectKey>, HttpError> {
        project(self.project.as_deref())
    }
}

pub(super) fn project(text: Option<&str>) -> Result<Option<ProjectKey>, HttpError> {
    let read = |text| {
        parse_project(text)
            .ok_or_else(|| HttpError::Invalid("project is COMPANY-PROJECT, such as 8-6778.".into()))
    };
    text.map(read).transpose()
}

pub(super) fn finding(id: &str) -> Result<FindingId, HttpError> {
    id.parse().map_err(|_| HttpError::NotFound("finding"))
}
