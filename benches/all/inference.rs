//! A picture to detections, and a photo's bytes to detections, on the built-in model.

use std::sync::Arc;

use divan::Bencher;
use punchlens::inference::{self, Config, Detector};
use punchlens::photo;

use crate::{decode, preprocess};

/// The built-in model on `sessions` sessions.
///
/// Panics without a runtime: a benchmark that measures nothing must not look like one that did.
fn detector(sessions: usize) -> Arc<dyn Detector> {
    let fragment: toml::Table =
        toml::from_str(inference::DEFAULT_CONFIG).expect("the shipped fragment parses");
    let shipped: Config = fragment["inference"].clone().try_into().expect("it is the section");
    let config = Config { sessions, ..shipped };
    inference::ensure_runtime(&config, &|_| {}).expect("a runtime");
    inference::load(&config).expect("the model loads")
}

#[divan::bench]
fn detect_1024(bencher: Bencher<'_, '_>) {
    let (detector, picture) = (detector(1), preprocess::picture(1024, 768));
    bencher.bench(|| detector.detect(&picture).expect("looks"));
}

#[divan::bench(threads = [1, 2])]
fn jpeg_12mp_to_detections(bencher: Bencher<'_, '_>) {
    let (detector, limits) = (detector(2), decode::limits());
    let long_side = Some(detector.long_side());
    bencher.bench(|| {
        let photo = photo::decode(&decode::JPEG, &limits, long_side).expect("decodes");
        detector.detect(&photo.picture).expect("looks")
    });
}
