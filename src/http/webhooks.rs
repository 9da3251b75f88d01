//! Where Procore delivers: authenticated, stored on the disk, and only then acknowledged.

use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::State;
use crate::http::error::HttpError;
use crate::store::{NewDelivery, Received};

/// Says whether a delivery with this `Authorization`, this signature and this body is genuine.
pub type Authenticator = dyn Fn(Option<&[u8]>, Option<&[u8]>, &[u8]) -> bool + Send + Sync;

/// Who may deliver events.
#[derive(Clone)]
pub struct Webhook {
    /// Tells genuine deliveries from forgeries.
    pub accept: Arc<Authenticator>,
    /// What makes a body the same delivery when it comes again.
    pub dedupe_key: fn(&[u8]) -> String,
    /// The header with the signature that a gateway in front adds.
    pub signature_header: HeaderName,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("signature_header", &self.signature_header).finish_non_exhaustive()
    }
}

/// Stores a delivery. Whatever is authenticated is acknowledged, junk too: any other answer would make
/// Procore hold back everything behind it. What cannot be stored is not acknowledged.
pub(super) async fn receive(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return refuse(&HttpError::unreadable(rejection.status(), "unreadable body")),
    };
    let webhook = state.webhook();
    let value = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    if !(webhook.accept)(value(&header::AUTHORIZATION), value(&webhook.signature_header), &body) {
        tracing::warn!(size_bytes = body.len(), "a delivery with a wrong or missing secret was refused");
        return refuse(&HttpError::Unauthorized);
    }
    let delivery = NewDelivery { dedupe_key: (webhook.dedupe_key)(&body), body: body.into() };
    match state.store().receive(&delivery, state.now()).await {
        Ok(Received::Stored(id)) => tracing::debug!(delivery.id = id.0, "a delivery was stored"),
        Ok(Received::Duplicate) => tracing::debug!("a delivery came again"),
        Err(error) => {
            tracing::error!(%error, "a delivery could not be stored");
            return refuse(&HttpError::Unavailable);
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

/// No body: whoever is not authenticated learns nothing.
fn refuse(error: &HttpError) -> Response {
    error.with_retry_after(error.status().into_response())
}
