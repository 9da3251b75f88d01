//! What is measured: the way of a photo from its bytes to what was seen, as `scan` goes it; `serve` decodes
//! photos with findings once more, for what review wants of them (`pipeline.review_long_side`, `crop_side`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::domain::thoroughness::Thoroughness;
use crate::inference::{Detector, Timings};
use crate::photo::{self, Limits};

/// The photos and what looks at them.
pub(super) struct Subject<'a> {
    pub(super) detector: &'a dyn Detector,
    pub(super) limits: &'a Limits,
    pub(super) photos: &'a [Vec<u8>],
    pub(super) thoroughness: Thoroughness,
    next: AtomicUsize,
}

/// Where the time of one photo went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) decode: Duration,
    pub(super) model: Timings,
    pub(super) found: bool,
    pub(super) total: Duration,
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        detector: &'a dyn Detector,
        limits: &'a Limits,
        photos: &'a [Vec<u8>],
        thoroughness: Thoroughness,
    ) -> Self {
        Self { detector, limits, photos, thoroughness, next: AtomicUsize::new(0) }
    }

    /// Threads that keep every session busy: one photo for each, and one that is being decoded.
    pub(super) fn threads(&self) -> usize {
        self.detector.model().sessions + 1
    }

    /// Looks at the next photo in turn.
    pub(super) fn look(&self) -> anyhow::Result<Spent> {
        let started = Instant::now();
        let bytes = &self.photos[self.next.fetch_add(1, Ordering::Relaxed) % self.photos.len()];
        let photo = photo::decode_near(bytes, self.limits, self.detector.wants(self.thoroughness))?;
        let decode = started.elapsed();
        let look = self.detector.detect(&photo.picture, self.thoroughness)?;
        let found = !look.seen.detections.is_empty();
        Ok(Spent { decode, model: look.timings, found, total: started.elapsed() })
    }
}

/// Milliseconds.
pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
