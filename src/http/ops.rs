//! For machines that watch the box: alive, ready, numbers.

use std::time::Duration;

use axum::Json;
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::http::State;
use crate::http::error::{HttpError, Problem};
use crate::http::guard::DetailAccess;

/// How long the database may take for the write that proves readiness. A database locked by another program would
/// keep whoever asks waiting for the whole busy time.
const READY_WITHIN: Duration = Duration::from_millis(1500);

/// How one part of the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    Ok,
    /// It works with less than was asked for, or will again by itself.
    Degraded,
    /// It does not work.
    Failing,
}

/// One part of the service and how it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Which part, e.g. `model`.
    pub name: &'static str,
    pub status: CheckState,
    /// The same in words; when it fails, what to do.
    pub detail: String,
    /// Facts beside it, e.g. the execution provider asked for and the one got. An object.
    pub facts: Value,
}

impl Check {
    /// A part that works.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: CheckState::Ok,
            detail: detail.into(),
            facts: Value::Object(serde_json::Map::new()),
        }
    }

    /// The same part in another state.
    #[must_use]
    pub fn with_status(self, status: CheckState) -> Self {
        Self { status, ..self }
    }

    /// The same part with facts.
    #[must_use]
    pub fn with_facts(self, facts: Value) -> Self {
        Self { facts, ..self }
    }
}

/// How the service is, apart from its store, which is asked at every request.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Health {
    pub checks: Vec<Check>,
}

/// The process answers.
pub(super) async fn live() -> &'static str {
    "alive\n"
}

/// Whether the service can do its work. 503 while one part fails. The parts, with their counts and paths, are for this
/// machine and for callers with an API token.
pub(super) async fn ready(
    extract::State(state): extract::State<State>,
    DetailAccess(inside): DetailAccess,
) -> Response {
    let mut health = state.health();
    health.checks.insert(0, store_check(&state).await);
    let failing = health.checks.iter().any(|check| check.status == CheckState::Failing);
    let body = if inside {
        serde_json::json!({ "ready": !failing, "checks": health.checks })
    } else {
        serde_json::json!({ "ready": !failing })
    };
    let status = if failing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(body)).into_response()
}

async fn store_check(state: &State) -> Check {
    let failing = |detail: String| Check::ok("store", detail).with_status(CheckState::Failing);
    match tokio::time::timeout(READY_WITHIN, state.store().ping()).await {
        Ok(Ok(())) => Check::ok("store", "takes writes"),
        Ok(Err(error)) => failing(error.to_string()),
        Err(_) => failing(format!(
            "the database took no write within {} ms: another program holds its lock, or the disk hangs",
            READY_WITHIN.as_millis()
        )),
    }
}

/// The numbers, in Prometheus' text form: for this machine, and for callers with an API token.
pub(super) async fn metrics(
    extract::State(state): extract::State<State>,
    DetailAccess(inside): DetailAccess,
) -> Response {
    if !inside {
        return Problem(HttpError::Unauthorized).into_response();
    }
    let headers = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    (headers, state.metrics_text()).into_response()
}
