//! A photo recorded where many are already: from its job in the queue to its row, picture and entry in the chain of
//! evidence, all on the disk.

use divan::Bencher;
use jiff::Timestamp;
use punchlens::domain::capture::CaptureInfo;
use punchlens::domain::detection::{ClassScore, DefectClass};
use punchlens::domain::geometry::Size;
use punchlens::domain::ids::{ImageId, Sha256Digest};
use punchlens::domain::score::Score;
use punchlens::store::{PhotoRecord, PhotoState, StageTime, Store, StoredPicture};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::queue::{self, LEASE, PROJECT};

/// Of a reduced picture, as review keeps it.
const PICTURE_BYTES: usize = 200_000;

fn record(image: i64, picture: bool) -> PhotoRecord {
    let score = |name| ClassScore { class: DefectClass::new(name), score: Score::from_logit(-3.0) };
    let time = |stage: &str| StageTime { stage: stage.into(), ms: 12.5 };
    PhotoRecord {
        shown_at: None,
        project: PROJECT,
        image: ImageId::new(image),
        filename: format!("IMG_{image}.jpg"),
        state: PhotoState::Analysed,
        size: Some(Size::new(4032, 3024)),
        capture: Some(CaptureInfo::silent("the file has no EXIF")),
        content: Some(Sha256Digest::of(&image.to_be_bytes())),
        uploader: Some("Ana Ruiz".into()),
        uploader_id: None,
        location: None,
        told: Some(format!("told {image}")),
        model: Some("finish-defects 0.3.0 int8".into()),
        class_scores: ["crack", "spalling", "peeling_paint"].map(score).into(),
        timings: ["describe", "download", "decode", "infer"].map(time).into(),
        picture: picture
            .then(|| StoredPicture { media_type: "image/jpeg".into(), bytes: vec![7; PICTURE_BYTES] }),
        overlays: Vec::new(),
        evidence: json!({ "model": "finish-defects 0.3.0 int8" }),
    }
}

async fn work(store: &Store, image: i64, picture: bool, now: Timestamp) {
    store.enqueue(&[queue::job(image)], now, now).await.expect("queues");
    let claimed = store.claim("bench", &["analyze_photo"], LEASE, now).await.expect("claims");
    let lease = claimed.expect("work waits").lease;
    store.record_photo(&lease, &record(image, picture), None, now).await.expect("records");
}

/// How many are there before: few where the bench runs only once, as a test.
fn stored(wanted: i64) -> i64 {
    if std::env::args().any(|argument| argument == "--bench") { wanted } else { wanted.min(100) }
}

#[divan::bench(args = [100, 10_000], sample_count = 50)]
fn photo_recorded(bencher: Bencher<'_, '_>, wanted: i64) {
    let now = queue::now();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = Runtime::new().expect("a runtime");
    let mut next = stored(wanted);
    let store = runtime.block_on(async {
        let store = Store::open(&queue::config(&folder), now).await.expect("opens");
        for image in 0..next {
            work(&store, image, false, now).await;
        }
        store
    });
    bencher.bench_local(|| {
        next += 1;
        runtime.block_on(work(&store, next, true, now));
    });
}
