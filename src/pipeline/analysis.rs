//! Bytes to detections: decode on rayon's threads, inference behind the detector's queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Failure;
use crate::domain::thoroughness::Thoroughness;
use crate::inference::{Detector, ModelOutput};
use crate::photo::{self, Limits, Photo};

/// What was made of one photo.
pub struct Analysis {
    /// The photo's format, size and capture information.
    pub photo: Photo,
    /// What the model said.
    pub look: ModelOutput,
    pub decode: Duration,
}

/// Why a photo could not be looked at.
pub enum AnalysisError {
    /// The photo itself is at fault: recorded with the reason, never tried again.
    Photo(photo::Error),
    /// The box is at fault: tried again later.
    Machine(Failure),
}

/// What one photo is looked at with.
#[derive(Clone)]
pub struct Analyzer {
    pub detector: Arc<dyn Detector>,
    pub limits: Limits,
    pub thoroughness: Thoroughness,
}

impl Analyzer {
    /// The memory that decoding for the look takes.
    ///
    /// # Errors
    /// When the photo's header is at fault.
    pub fn memory(&self, bytes: &[u8]) -> Result<u64, photo::Error> {
        photo::decoded_bytes(bytes, &self.limits, self.detector.wants(self.thoroughness))
    }

    /// Decodes as large as the model looks. A photo whose full size does not fit into memory is looked at as usual:
    /// that is better than not at all.
    fn decode(&self, bytes: &[u8]) -> Result<(Photo, Thoroughness), photo::Error> {
        let decode = |thoroughness| {
            let photo = photo::decode_near(bytes, &self.limits, self.detector.wants(thoroughness))?;
            Ok((photo, thoroughness))
        };
        match decode(self.thoroughness) {
            Err(photo::Error::TooLarge { key: "max_decoded_bytes", .. })
                if self.thoroughness == Thoroughness::Thorough =>
            {
                tracing::warn!("the photo is too large for a thorough look; it gets a standard one");
                decode(Thoroughness::Standard)
            }
            outcome => outcome,
        }
    }

    /// Decodes `bytes` and runs the model, off the async threads.
    ///
    /// # Errors
    /// See [`AnalysisError`].
    pub async fn look(&self, bytes: Bytes) -> Result<Analysis, AnalysisError> {
        let own = self.clone();
        let work = move || {
            let started = Instant::now();
            let (photo, thoroughness) = own.decode(&bytes).map_err(AnalysisError::Photo)?;
            let decode = started.elapsed();
            let look = own.detector.detect(&photo.picture, thoroughness);
            let look = look.map_err(|error| AnalysisError::Machine(error.into()))?;
            Ok(Analysis { photo, look, decode })
        };
        off_thread(work)
            .await
            .unwrap_or_else(|| Err(AnalysisError::Machine(Failure::retry("the analysis thread ended"))))
    }
}

/// Runs `work` on a rayon thread inside the current span; `None` when it panicked.
pub(super) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let span = tracing::Span::current();
    let (answer, answered) = tokio::sync::oneshot::channel();
    rayon::spawn(move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| span.in_scope(work)));
        // Nobody waits any more when the lease was lost; the answer may be dropped.
        let _unheard = answer.send(outcome.ok());
    });
    answered.await.ok().flatten()
}
