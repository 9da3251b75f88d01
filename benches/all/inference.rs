//! A picture to detections, and a photo's bytes to detections, on the shipped model; and the queue in front of it alone.

use std::sync::Arc;
use std::sync::LazyLock;

use divan::Bencher;
use punchlens::domain::geometry::Size;
use punchlens::domain::picture::Picture;
use punchlens::domain::thoroughness::Thoroughness;
use punchlens::inference::{self, Config, Detector, Echo, SingleSession};
use punchlens::photo;

use crate::{decode, preprocess};

fn config() -> Config {
    let fragment: toml::Table =
        toml::from_str(inference::DEFAULT_CONFIG).expect("the shipped fragment parses");
    fragment["inference"].clone().try_into().expect("it is the section")
}

/// The shipped model on `sessions` sessions.
///
/// Panics without a runtime: a benchmark that measures nothing must not look like one that did.
fn detector(sessions: usize, coarse_to_fine: bool) -> Arc<dyn Detector> {
    let config = Config { sessions, coarse_to_fine, ..config() };
    inference::ensure_runtime(&config, &|_| {}).expect("a runtime");
    inference::load(&config).expect("the model loads")
}

#[divan::bench(args = [false, true])]
fn detect_1024(bencher: Bencher<'_, '_>, coarse_to_fine: bool) {
    let (detector, picture) = (detector(1, coarse_to_fine), preprocess::picture(1024, 768));
    bencher.bench(|| detector.detect(&picture, Thoroughness::Standard).expect("looks"));
}

/// The session alone, all views.
#[divan::bench]
fn bare_1024(bencher: Bencher<'_, '_>) {
    inference::ensure_runtime(&config(), &|_| {}).expect("a runtime");
    let mut bare = SingleSession::open(&config()).expect("opens");
    let views = bare.views(&preprocess::picture(1024, 768));
    bencher.bench_local(|| views.iter().try_for_each(|view| bare.run(view)).expect("runs"));
}

/// Every tile of a 12 MP photo, and those that the whole photo's map leaves.
#[divan::bench(args = [false, true], sample_count = 3, sample_size = 1)]
fn thorough_12mp(bencher: Bencher<'_, '_>, coarse_to_fine: bool) {
    let (width, height) = decode::SIZE;
    let size = Size::new(width, height);
    let picture = Picture::new(Size::new(width, height), size, decode::wall(width, height)).expect("sized");
    let detector = detector(2, coarse_to_fine);
    bencher.bench(|| detector.detect(&picture, Thoroughness::Thorough).expect("looks"));
}

#[divan::bench(threads = [1, 2], args = [false, true])]
fn jpeg_12mp_to_detections(bencher: Bencher<'_, '_>, coarse_to_fine: bool) {
    let (detector, limits) = (detector(2, coarse_to_fine), decode::limits());
    let wants = detector.wants(Thoroughness::Standard);
    bencher.bench(|| {
        let photo = photo::decode_near(&decode::JPEG, &limits, wants).expect("decodes");
        detector.detect(&photo.picture, Thoroughness::Standard).expect("looks")
    });
}

/// One question through the queue to a worker that gives it back, with one or two workers and with batches of up to
/// eight: what the batcher adds to each picture.
static ECHOES: LazyLock<[Echo; 3]> =
    LazyLock::new(|| [(1, 1), (2, 1), (1, 8)].map(|(workers, batch)| Echo::start(workers, batch)));

#[divan::bench(threads = [1, 2, 8], args = [0, 1, 2])]
fn batcher_with_an_identity_model(bencher: Bencher<'_, '_>, which: usize) {
    let echo = &ECHOES[which];
    bencher.bench(|| echo.ask(7));
}
