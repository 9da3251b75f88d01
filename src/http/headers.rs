//! Headers on every answer, and the time limit of every request.

use axum::extract::{self, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::State;
use crate::http::error::{HttpError, Problem};
use crate::http::guard::Peer;

/// No inline script or style, nothing from elsewhere, no frames.
const POLICY: &str = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Not no-referrer: with that, browsers send `Origin: null` with our own forms.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

/// For half a year; not for sub-domains, which are not ours to speak for.
const HTTPS_FROM_NOW_ON: HeaderValue = HeaderValue::from_static("max-age=15552000");

/// Adds the headers; answers that say nothing about caching are not to be kept.
pub(super) async fn secure(
    extract::State(state): extract::State<State>,
    peer: Peer,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if state.cookies_are_secure(peer) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_FROM_NOW_ON);
    }
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Ends a request that takes too long, be it the client's fault or ours.
pub(super) async fn limit_time(
    extract::State(state): extract::State<State>,
    request: Request,
    next: Next,
) -> Response {
    let limit = state.http().request_timeout();
    let for_script = request.uri().path().starts_with("/api/");
    if let Ok(response) = tokio::time::timeout(limit, next.run(request)).await {
        return response;
    }
    tracing::warn!(limit_ms = limit.as_millis() as u64, "a request took too long");
    if for_script {
        return Problem(HttpError::Unavailable).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response()
}
