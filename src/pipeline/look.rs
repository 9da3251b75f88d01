//! Bytes to detections: decode on rayon's threads, inference behind the detector's queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Failure;
use crate::domain::picture::Picture;
use crate::inference::{Detector, Look};
use crate::photo::{self, Limits, Photo};

/// What was made of one photo.
pub struct Looked {
    /// The photo's format, size and capture information.
    pub photo: Photo,
    /// What the model said.
    pub look: Look,
    /// Time spent decoding.
    pub decode: Duration,
}

/// Why a photo could not be looked at.
pub enum LookError {
    /// The photo itself is at fault: recorded with the reason, never tried again.
    Photo(photo::Error),
    /// The box is at fault: tried again later.
    Machine(Failure),
}

/// Decodes `bytes` to what the detector wants and runs it, off the async threads.
///
/// # Errors
/// See [`LookError`].
pub async fn look(detector: &Arc<dyn Detector>, limits: &Limits, bytes: Bytes) -> Result<Looked, LookError> {
    let (detector, limits) = (Arc::clone(detector), limits.clone());
    off_thread(move || {
        let started = Instant::now();
        let photo = photo::decode(&bytes, &limits, Some(detector.long_side())).map_err(LookError::Photo)?;
        let decode = started.elapsed();
        let look = detector.detect(&photo.picture).map_err(|error| LookError::Machine(error.into()))?;
        Ok(Looked { photo, look, decode })
    })
    .await
    .unwrap_or_else(|| Err(LookError::Machine(Failure::retry("the thread that looked at the photo ended"))))
}

/// The reduced picture that review needs, as JPEG.
///
/// # Errors
/// See [`LookError`].
pub async fn review_picture(
    limits: &Limits,
    bytes: Bytes,
    long_side: u32,
    quality: u8,
) -> Result<Vec<u8>, LookError> {
    let limits = limits.clone();
    off_thread(move || {
        let photo = photo::decode(&bytes, &limits, Some(long_side)).map_err(LookError::Photo)?;
        let picture: &Picture = &photo.picture;
        photo::encode::review_jpeg(picture, quality).map_err(LookError::Photo)
    })
    .await
    .unwrap_or_else(|| Err(LookError::Machine(Failure::retry("the thread that reduced the photo ended"))))
}

/// Runs `work` on a rayon thread inside the current span; `None` when it panicked.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let span = tracing::Span::current();
    let (answer, answered) = tokio::sync::oneshot::channel();
    rayon::spawn(move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| span.in_scope(work)));
        // Nobody waits any more when the lease was lost; the answer may be dropped.
        let _unheard = answer.send(outcome.ok());
    });
    answered.await.ok().flatten()
}
