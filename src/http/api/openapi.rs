//! The document that tells scripts what there is, served by the box itself.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// `OpenAPI` 3.1, written by hand. The tests hold it against the router and against real answers.
pub(in crate::http) const DOCUMENT: &str = include_str!("openapi.json");

/// The document. It holds nothing secret, so nobody has to sign in for it.
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
