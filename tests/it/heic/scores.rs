//! The model sees the same in a photo whether it comes as JPEG or as HEIC, by day and in the dark.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::DynamicImage;
use image::codecs::jpeg::JpegEncoder;
use punchlens::config::load_from;
use punchlens::inference;
use serde_json::Value;
use tempfile::TempDir;

use super::{cases, libheif};

/// How far the scores of one class may lie apart.
const APART: f64 = 0.03;

/// The best score of each class that is found.
fn look(path: &Path) -> BTreeMap<String, f64> {
    let output = Command::new(env!("CARGO_BIN_EXE_punchlens"))
        .arg("scan")
        .arg(path)
        .arg("--json")
        .output()
        .expect("the binary starts");
    let line: Value = serde_json::from_slice(&output.stdout).expect("a JSON line");
    assert!(line["error"].is_null(), "{line}");
    let mut best = BTreeMap::new();
    for finding in line["findings"].as_array().expect("a list of findings") {
        let score = finding["score"].as_f64().expect("a score");
        let known = best.entry(finding["class"].as_str().expect("a class").to_owned()).or_insert(score);
        *known = score.max(*known);
    }
    best
}

fn compare(title: &str, heic: &Path, jpeg: &Path) {
    let (heic, jpeg) = (look(heic), look(jpeg));
    println!("{title}: HEIC {heic:?}, JPEG {jpeg:?}");
    assert!(heic.keys().eq(jpeg.keys()), "{title}: {heic:?} and {jpeg:?}");
    for (class, score) in &heic {
        assert!((score - jpeg[class]).abs() <= APART, "{title}: {class} {score} and {}", jpeg[class]);
    }
}

fn runtime() -> bool {
    let config = load_from(None, std::iter::empty()).expect("the defaults are sound").config;
    let there = inference::ensure_runtime(&config.inference, &|_| {});
    there.inspect_err(|error| println!("SKIPPED: no ONNX Runtime here: {error}")).is_ok()
}

#[test]
fn a_dark_photo_of_a_crack_is_found_as_in_its_jpeg() {
    if runtime() {
        let folder = cases().join("heic-colour");
        compare("dark-crack", &folder.join("dark-crack.heic"), &folder.join("dark-crack.jpg"));
    }
}

#[test]
fn the_same_photo_gives_the_same_scores_at_any_brightness() {
    if !libheif::there() || !runtime() {
        return;
    }
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos");
    let folder = TempDir::new().expect("a folder");
    for name in ["peel-crack.jpg", "crack-masonry.jpg"] {
        let photo = image::open(photos.join(name)).expect("a fixture").into_rgb8();
        for brightness in [0.2, 0.5, 1.0] {
            let mut dimmed = photo.clone();
            dimmed.iter_mut().for_each(|value| *value = (f64::from(*value) * brightness).round() as u8);
            let file = |ending: &str| -> PathBuf { folder.path().join(format!("photo.{ending}")) };
            let mut jpeg = std::fs::File::create(file("jpg")).expect("made");
            JpegEncoder::new_with_quality(&mut jpeg, 95).encode_image(&dimmed).expect("encodes");
            let heic = libheif::encode(&DynamicImage::ImageRgb8(dimmed), &["-q", "95"]);
            std::fs::write(file("heic"), heic).expect("written");
            compare(&format!("{name} at {brightness}"), &file("heic"), &file("jpg"));
        }
    }
}
