//! The same findings as the Python pipeline, photo by photo: `fixtures/golden/*.json`, made by
//! `python -m training.reference` (models/training/README.md): the shipped models, both precisions, every
//! fixture photo, every orientation.
//!
//! The two differ in the JPEG decoder and in the last bit of resizing; [`tolerance`] states by how much.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files::FoundFiles;
use super::look::Scanner;
use super::record::Outcome;
use crate::domain::detection::{ClassScore, DefectClass, Detection, Predictions};
use crate::domain::geometry::{PixelBox, Upright};
use crate::domain::score::Score;
use crate::domain::thoroughness::Thoroughness;
use crate::inference::manifest::Manifest;
use crate::inference::tests::runtime_is_there;
use crate::inference::{self, Config, PrecisionChoice};
use crate::photo::Limits;

#[derive(Deserialize)]
struct Golden {
    model: String,
    precision: PrecisionChoice,
    sha256: String,
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
    cells: usize,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `[x, y, width, height]` as Python writes it.
fn corners([x, y, width, height]: [f32; 4]) -> PixelBox<Upright> {
    PixelBox::new(x, y, x + width, y + height).expect("a box")
}

/// How far apart the two may be.
struct Tolerance {
    /// A photo's score of a class.
    photo_score: f32,
    /// A region's score.
    region_score: f32,
    /// Shared area of a region and its counterpart, as a share of their union, ...
    overlap: f32,
    /// ... or else how many cells their edges may lie apart: small regions are a few cells.
    cells: f32,
    /// Whether another spot may stand for a class that has no region above its least size: which of several weak ones
    /// is the best, or large enough, then turns on the last step of eight bits.
    weak_spots: bool,
}

/// Floats carry the decoders' last bits through; eight bits round them to steps first: noise of one grey level moves
/// the int8 file's scores of these photos by up to 0.12, the fp32 file's by 0.02.
const fn tolerance(precision: PrecisionChoice) -> Tolerance {
    match precision {
        PrecisionChoice::Int8 => {
            Tolerance { photo_score: 0.08, region_score: 0.08, overlap: 0.75, cells: 2.0, weak_spots: true }
        }
        _ => Tolerance { photo_score: 0.02, region_score: 0.04, overlap: 0.8, cells: 1.0, weak_spots: false },
    }
}

impl Tolerance {
    /// Whether a region of one is that of the other, with cells of `cell` photo pixels.
    fn same(&self, (own, own_score): Region, (other, other_score): Region, cell: f32) -> bool {
        let edges = own.corners().into_iter().zip(other.corners());
        let near = edges.into_iter().all(|(a, b)| (a - b).abs() <= self.cells * cell + 0.5);
        (own_score - other_score).abs() <= self.region_score && (near || own.iou(other) >= self.overlap)
    }
}

/// A place and its score.
type Region = (PixelBox<Upright>, f32);

/// What holds all of `regions`, with the best of their scores.
fn joined(regions: &[Region]) -> Option<Region> {
    regions.iter().copied().reduce(|(area, score), (other, best)| (area.hull(other), score.max(best)))
}

/// What the two do not agree on: the classes, a score, a region's place or score. A class or a region whose score
/// stands on the threshold may be reported by one alone.
fn disagreements(
    seen: &Predictions,
    golden: &GoldenPhoto,
    manifest: &Manifest,
    allowed: &Tolerance,
) -> Vec<String> {
    let mut found = Vec::new();
    if seen.class_scores.len() != golden.class_scores.len() {
        found.push(format!("{} classes", seen.class_scores.len()));
    }
    let long_side = golden.width.max(golden.height) as f32;
    let cell = 16.0 * (long_side / manifest.input.long_side() as f32).max(1.0);
    for (score, class) in seen.class_scores.iter().zip(&manifest.classes) {
        let (own, expected) = (score.score.value(), golden.class_scores[&class.name]);
        if (own - expected).abs() > allowed.photo_score {
            found.push(format!("{} scores {own}, not {expected}", class.name));
        }
        let of_class = seen.detections.iter().filter(|finding| finding.class.name() == class.name);
        let own: Vec<Region> = of_class.map(|finding| (finding.area, finding.score.value())).collect();
        let of_class = || golden.regions.iter().filter(|region| region.class == class.name);
        let expected: Vec<Region> = of_class().map(|region| (corners(region.area), region.score)).collect();
        let weak = of_class().all(|region| region.cells <= class.min_cells.unwrap_or(0));
        if allowed.weak_spots && weak && own.len() == 1 && expected.len() == 1 {
            continue;
        }
        // Parts that lie as far apart as the closing reaches are one region to the one and several to the other.
        if own.len() != expected.len()
            && let (Some(own), Some(expected)) = (joined(&own), joined(&expected))
            && allowed.same(own, expected, cell)
        {
            continue;
        }
        let mut lone = |regions: &[Region], others: &[Region], whose: &str| {
            for region in regions {
                let on_the_threshold = (region.1 - class.threshold).abs() <= allowed.region_score;
                if !on_the_threshold && !others.iter().any(|other| allowed.same(*region, *other, cell)) {
                    found.push(format!("{}: {whose} {region:?} is not among {others:?}", class.name));
                }
            }
        };
        lone(&own, &expected, "own");
        lone(&expected, &own, "expected");
    }
    found
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
    let stale = format!(
        "{} is of another model file: run python -m training.reference (models/training/README.md)",
        file.display()
    );
    assert_eq!(package.sha256.to_string(), golden.sha256, "{stale}");
    let manifest = package.manifest.clone();
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
    let mut found = Vec::new();
    for (name, expected) in &golden.photos {
        let record = scanner.look(&FoundFiles::File(root().join(name)));
        let differences = match record.outcome {
            Outcome::Seen(seen) => {
                assert_eq!(seen.size, [expected.width, expected.height], "{name}");
                let seen = Predictions { detections: seen.findings, class_scores: seen.class_scores };
                disagreements(&seen, expected, &manifest, &tolerance(golden.precision))
            }
            Outcome::Failed { error } => vec![format!("{error:?}")],
        };
        found.extend(differences.into_iter().map(|what| format!("{}: {name}: {what}", file.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The goldens of the model called `name`, one file for each of its files.
fn hold_against_goldens(name: &str, expected: usize) {
    if !runtime_is_there() {
        return;
    }
    let entries = std::fs::read_dir(root().join("fixtures/golden")).expect("there");
    let named = |file: &PathBuf| {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        stem.starts_with(&format!("{name}-")) && file.extension().is_some_and(|kind| kind == "json")
    };
    let files: Vec<PathBuf> = entries.map(|entry| entry.expect("read").path()).filter(named).collect();
    assert_eq!(files.len(), expected, "goldens of {name}: {files:?}");
    for file in files {
        let golden: Golden =
            serde_json::from_slice(&std::fs::read(&file).expect("there")).expect("golden detections");
        assert!(golden.photos.len() > 10, "{}", file.display());
        check(&golden, &file);
    }
}

#[test]
fn rust_and_python_agree_about_the_tiny_model() {
    hold_against_goldens("tiny", 1);
}

#[test]
fn rust_and_python_agree_about_finish_defects_on_every_fixture_photo() {
    hold_against_goldens("finish-defects", 2);
}

#[test]
fn rust_and_python_agree_about_crack_open_on_every_fixture_photo() {
    hold_against_goldens("crack-open", 2);
}

#[test]
fn a_difference_is_seen() {
    let golden = |score: f32| GoldenPhoto {
        width: 100,
        height: 80,
        class_scores: BTreeMap::from([("dark".to_owned(), score)]),
        regions: vec![GoldenRegion {
            class: "dark".to_owned(),
            score,
            area: [10.0, 10.0, 40.0, 40.0],
            cells: 9,
        }],
    };
    let text = std::fs::read_to_string(root().join("fixtures/tiny/manifest.toml")).expect("there");
    let mut manifest = Manifest::parse(&text).expect("sound");
    manifest.classes.truncate(1);
    let seen = |score: f32, x: f32| {
        let (class, score) = (DefectClass::new("dark"), Score::new(score).expect("in range"));
        let area = PixelBox::new(x, 10.0, x + 40.0, 50.0).expect("a box");
        let found = Detection { class: class.clone(), score, area, area_share: 0.2 };
        Predictions { detections: vec![found], class_scores: vec![ClassScore { class, score }] }
    };
    let count = |seen: &Predictions, golden: &GoldenPhoto| {
        disagreements(seen, golden, &manifest, &tolerance(PrecisionChoice::Fp32)).len()
    };
    assert_eq!(count(&seen(0.9, 10.0), &golden(0.9)), 0);
    assert_eq!(count(&seen(0.9, 26.0), &golden(0.9)), 0, "a cell apart");
    assert_eq!(count(&seen(0.9, 27.0), &golden(0.9)), 2, "elsewhere, to both");
    assert_eq!(count(&seen(0.95, 10.0), &golden(0.9)), 3, "the photo's score, and the region's to both");
    let elsewhere = |cells, precision| {
        let mut golden = golden(0.9);
        golden.regions[0].cells = cells;
        disagreements(&seen(0.9, 60.0), &golden, &manifest, &tolerance(precision)).len()
    };
    assert_eq!(elsewhere(2, PrecisionChoice::Int8), 0, "another weak spot: `min_cells` are two");
    assert_eq!(elsewhere(3, PrecisionChoice::Int8), 2, "no weak one");
    assert_eq!(elsewhere(1, PrecisionChoice::Fp32), 2, "floats have no steps");
    let nothing = |score| Predictions { detections: Vec::new(), ..seen(score, 0.0) };
    assert_eq!(count(&nothing(0.49), &golden(0.501)), 0, "on the threshold of 0.5");
    assert_eq!(count(&nothing(0.59), &golden(0.6)), 1, "the region");
    assert_eq!(count(&nothing(0.49), &golden(0.6)), 2, "the score and the region");
}
