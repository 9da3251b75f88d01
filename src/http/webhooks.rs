//! Where Procore delivers: authenticated, stored on the disk, and only then acknowledged.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;

use crate::http::State;
use crate::http::error::HttpError;
use crate::store::{NewDelivery, Received};

/// Says whether a delivery with this `Authorization` may be genuine.
pub type Authenticator = dyn Fn(Option<&[u8]>) -> bool + Send + Sync;

/// Says whether this signature is one of this body, where signatures are asked for.
pub type Verifier = dyn Fn(Option<&[u8]>, &[u8]) -> bool + Send + Sync;

/// Who may deliver events.
#[derive(Clone)]
pub struct Webhook {
    /// Tells genuine deliveries from forgeries before a byte of the body is read.
    pub authorized: Arc<Authenticator>,
    /// Tells them by their body.
    pub signed: Arc<Verifier>,
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
    body: Body,
) -> Response {
    let webhook = state.webhook();
    let value = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    if !(webhook.authorized)(value(&header::AUTHORIZATION)) {
        tracing::warn!("a delivery with a wrong or missing secret was refused");
        return refuse(&HttpError::Unauthorized);
    }
    // Held until the answer: as many bodies are in memory as there are places.
    let Some(_place) = state.place_for_delivery() else {
        tracing::warn!("too many deliveries at once: one was put off");
        return refuse(&HttpError::Unavailable);
    };
    let Ok((body, cut)) = read(body, state.http().webhook_max_bytes).await else {
        return refuse(&HttpError::Invalid("unreadable body".to_owned()));
    };
    if !(webhook.signed)(value(&webhook.signature_header), &body) {
        tracing::warn!(size_bytes = body.len(), "a delivery with a wrong or missing signature was refused");
        return refuse(&HttpError::Unauthorized);
    }
    if cut {
        tracing::warn!(kept_bytes = body.len(), "an oversized delivery is kept in part");
    }
    let delivery = NewDelivery { dedupe_key: (webhook.dedupe_key)(&body), body };
    match state.store().receive(&delivery, state.now()).await {
        Ok(Received::Stored(id)) => tracing::debug!(delivery.id = id.0, "a delivery was stored"),
        Ok(Received::Duplicate) => tracing::debug!("a delivery came again"),
        Err(error) => {
            tracing::error!(%error, "a delivery could not be stored");
            return refuse(&HttpError::Unavailable);
        }
    }
    crate::failpoint::reached("receive.stored");
    StatusCode::NO_CONTENT.into_response()
}

/// The first `most` bytes of the body, and whether there were more. Those are read and dropped, because a
/// refusal would stall everything behind this delivery.
async fn read(body: Body, most: usize) -> Result<(Vec<u8>, bool), axum::Error> {
    let (mut kept, mut cut) = (Vec::new(), false);
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        let room = (most - kept.len()).min(chunk.len());
        kept.extend_from_slice(&chunk[..room]);
        cut |= room < chunk.len();
    }
    Ok((kept, cut))
}

/// No body: whoever is not authenticated learns nothing.
fn refuse(error: &HttpError) -> Response {
    error.with_retry_after(error.status().into_response())
}
