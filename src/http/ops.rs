//! For machines that watch the box: alive, ready, numbers.

use axum::Json;
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::http::State;

/// How one part of the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// It works.
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
    /// How it is.
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
    /// Part by part.
    pub checks: Vec<Check>,
}

/// The process answers.
pub(super) async fn live() -> &'static str {
    "alive\n"
}

/// Whether the service can do its work, part by part. 503 while one part fails.
pub(super) async fn ready(extract::State(state): extract::State<State>) -> Response {
    let mut health = state.health();
    health.checks.insert(0, store_check(&state).await);
    let failing = health.checks.iter().any(|check| check.status == CheckState::Failing);
    let body = serde_json::json!({ "ready": !failing, "checks": health.checks });
    let status = if failing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(body)).into_response()
}

async fn store_check(state: &State) -> Check {
    match state.store().ping().await {
        Ok(()) => Check::ok("store", "answers"),
        Err(error) => Check::ok("store", error.to_string()).with_status(CheckState::Failing),
    }
}

/// The numbers, in Prometheus' text form.
pub(super) async fn metrics(extract::State(state): extract::State<State>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    (headers, state.metrics_text()).into_response()
}
