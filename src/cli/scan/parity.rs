//! The same findings as the Python pipeline, photo by photo: `fixtures/golden/*.json`, made by
//! `fixtures/golden/make.py`.
//!
//! Stated tolerance: photo scores within 0.02; the same number of regions of each class; every
//! region overlaps its counterpart by at least 0.8 of their union and its score is within 0.05. The
//! two differ in the JPEG decoder and in the last bit of resizing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files::Found;
use super::look::Scanner;
use super::record::{Outcome, Seen};
use crate::domain::geometry::{PixelBox, Upright};
use crate::domain::thoroughness::Thoroughness;
use crate::inference::{self, Config, PrecisionChoice, ensure_runtime};
use crate::photo::Limits;

#[derive(Deserialize)]
struct Golden {
    model: String,
    precision: PrecisionChoice,
    sha256: String,
    photos_in: String,
    photos: BTreeMap<String, GoldenPhoto>,
}

#[derive(Deserialize)]
struct GoldenPhoto {
    width: u32,
    height: u32,
    class_scores: BTreeMap<String, f32>,
    regions: Vec<GoldenRegion>,
}

#[derive(Deserialize)]
struct GoldenRegion {
    class: String,
    score: f32,
    #[serde(rename = "box")]
    area: [f32; 4],
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `[x, y, width, height]` as Python writes it.
fn corners([x, y, width, height]: [f32; 4]) -> PixelBox<Upright> {
    PixelBox::new(x, y, x + width, y + height).expect("a box")
}

fn agree(name: &str, seen: &Seen, golden: &GoldenPhoto) {
    assert_eq!(seen.size, [golden.width, golden.height], "{name}");
    assert_eq!(seen.class_scores.len(), golden.class_scores.len(), "{name}");
    for score in &seen.class_scores {
        let (class, expected) = (score.class.name(), golden.class_scores[score.class.name()]);
        assert!(
            (score.score.value() - expected).abs() <= 0.02,
            "{name}: {class} {} not {expected}",
            score.score
        );
        let found: Vec<_> = seen.findings.iter().filter(|finding| finding.class.name() == class).collect();
        let expected: Vec<_> = golden.regions.iter().filter(|region| region.class == class).collect();
        assert_eq!(found.len(), expected.len(), "{name}: regions of {class}");
        for region in expected {
            let area = corners(region.area);
            let near =
                found.iter().max_by(|a, b| a.area.iou(area).total_cmp(&b.area.iou(area))).expect("counted");
            assert!(near.area.iou(area) >= 0.8, "{name}: {class} at {area:?} is {:?}", near.area);
            assert!(
                (near.score.value() - region.score).abs() <= 0.05,
                "{name}: {class} {} not {}",
                near.score,
                region.score
            );
        }
    }
}

fn check(golden: &Golden, file: &Path) {
    let shipped = Config::shipped();
    let config = Config {
        model: root().join(&golden.model).display().to_string(),
        precision: golden.precision,
        sessions: 1,
        // The reference looks at every photo whole.
        coarse_to_fine: false,
        ..shipped
    };
    let package = inference::package::open(&config).expect("the model is whole");
    let stale = format!("{} is of another model file: run fixtures/golden/make.py", file.display());
    assert_eq!(package.sha256.to_string(), golden.sha256, "{stale}");
    // The reference reports experimental classes too.
    let experimental = package.manifest.classes.iter().filter(|class| class.experimental);
    let config =
        Config { experimental_classes: experimental.map(|class| class.name.clone()).collect(), ..config };
    let detector = inference::load(&config).expect("the model loads");
    let scanner = Scanner {
        detector: detector.as_ref(),
        limits: &Limits::shipped(),
        annotate: None,
        score_map: false,
        tagger: None,
        thoroughness: Thoroughness::Standard,
    };
    for (name, expected) in &golden.photos {
        let record = scanner.look(&Found::File(root().join(&golden.photos_in).join(name)));
        match record.outcome {
            Outcome::Seen(seen) => agree(name, &seen, expected),
            Outcome::Failed { error } => panic!("{name}: {error:?}"),
        }
    }
}

#[test]
fn rust_and_python_agree_on_every_golden_photo() {
    if let Err(error) = ensure_runtime(&Config::shipped(), &|what| println!("{what}")) {
        println!("SKIPPED: {error}");
        return;
    }
    let entries = std::fs::read_dir(root().join("fixtures/golden")).expect("there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    assert!(!files.is_empty(), "there are goldens");
    for file in files {
        let golden =
            serde_json::from_slice(&std::fs::read(&file).expect("there")).expect("golden detections");
        check(&golden, &file);
    }
}
