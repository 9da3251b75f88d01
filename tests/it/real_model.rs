//! The shipped model, the real ONNX Runtime and the real binary on the committed fixture photos.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use punchlens::config::load_from;
use punchlens::inference;
use serde_json::Value;

/// Of the fixtures' defects, at least this share must be found by class.
const FOUND_AT_LEAST: f64 = 0.75;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos")
}

/// The lines of `punchlens scan --json` over `paths`, or why the runtime cannot be had here.
fn scan(paths: &[PathBuf]) -> Result<Vec<Value>, String> {
    scan_with(paths, &[])
}

fn scan_with(paths: &[PathBuf], arguments: &[&str]) -> Result<Vec<Value>, String> {
    let config = load_from(None, std::iter::empty()).expect("the defaults are sound").config;
    inference::ensure_runtime(&config.inference, &|_| {}).map_err(|error| error.to_string())?;
    let output = Command::new(env!("CARGO_BIN_EXE_punchlens"))
        .arg("scan")
        .args(paths)
        .args(arguments)
        .arg("--json")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    Ok(text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect())
}

fn classes(line: &Value) -> BTreeSet<String> {
    let findings = line["findings"].as_array().expect("a list of findings");
    findings.iter().map(|finding| finding["class"].as_str().expect("a class").to_owned()).collect()
}

#[test]
fn the_shipped_model_finds_the_painted_defects_and_nothing_on_clean_walls() {
    let truth = std::fs::read_to_string(fixtures().join("truth.json")).expect("the fixtures' truth");
    let truth: Vec<Value> = serde_json::from_str(&truth).expect("JSON");
    let files: Vec<PathBuf> =
        truth.iter().map(|photo| fixtures().join(photo["file"].as_str().expect("a name"))).collect();
    let lines = match scan(&files) {
        Ok(lines) => lines,
        Err(reason) => return println!("SKIPPED: no ONNX Runtime here: {reason}"),
    };
    assert_eq!(lines.len(), truth.len(), "one line a photo");
    let (mut painted, mut found, mut false_alarms) = (0, 0, Vec::new());
    for (photo, line) in truth.iter().zip(&lines) {
        let seen = classes(line);
        let defects = photo["defects"].as_array().expect("a list");
        let wanted: BTreeSet<String> =
            defects.iter().map(|defect| defect["class"].as_str().expect("a class").to_owned()).collect();
        painted += wanted.len();
        found += wanted.intersection(&seen).count();
        println!("{}: painted {wanted:?}, found {seen:?}", photo["file"]);
        if wanted.is_empty() && !seen.is_empty() {
            false_alarms.push(format!("{}: {seen:?}", photo["file"]));
        }
        let size = (&photo["size"]["width"], &photo["size"]["height"]);
        assert_eq!((&line["size"][0], &line["size"][1]), size, "upright size of {}", photo["file"]);
    }
    assert!(false_alarms.is_empty(), "{false_alarms:#?}");
    let share =
        f64::from(u32::try_from(found).expect("few")) / f64::from(u32::try_from(painted).expect("few"));
    assert!(share >= FOUND_AT_LEAST, "found {found} of {painted} painted defects");
}

#[test]
fn broken_photos_are_lines_with_a_reason_and_do_not_end_the_run() {
    let odd = fixtures().join("odd");
    let files =
        ["truncated.jpg", "huge-header.jpg", "no-exif.jpg", "sample.png", "sample.webp", "missing.jpg"];
    let lines = match scan(&files.map(|name| odd.join(name))) {
        Ok(lines) => lines,
        Err(reason) => return println!("SKIPPED: no ONNX Runtime here: {reason}"),
    };
    let outcome = |line: &Value| line["error"]["code"].as_str().unwrap_or("looked at").to_owned();
    let outcomes: Vec<String> = lines.iter().map(outcome).collect();
    assert_eq!(outcomes.len(), files.len(), "{lines:#?}");
    assert_eq!(outcomes[1], "too_large");
    assert_eq!(outcomes[2..5], ["looked at", "looked at", "looked at"]);
    assert_eq!(outcomes[5], "not_found");
    let explained = lines.iter().filter(|line| !line["error"].is_null());
    assert!(explained.clone().count() >= 2);
    assert!(
        explained.clone().all(|line| line["error"]["message"].as_str().is_some_and(|text| !text.is_empty()))
    );
}

#[test]
fn the_fixtures_building_tells_place_trade_and_priority_of_every_photo_and_why() {
    let names =
        ["peel-crack.jpg", "peel-wall.jpg", "growth-marks.jpg", "crack-masonry.jpg", "clean-drywall.jpg"];
    let files: Vec<PathBuf> = names.iter().map(|name| fixtures().join(name)).collect();
    let building = [
        "--site",
        "fixtures/building/site.geojson",
        "--trades",
        "fixtures/building/trades.txt",
        "--tagging",
        "fixtures/building/tagging.toml",
    ];
    let lines = match scan_with(&files, &building) {
        Ok(lines) => lines,
        Err(reason) => return println!("SKIPPED: no ONNX Runtime here: {reason}"),
    };
    let place = |number: usize| lines[number]["tags"]["place"].as_str().expect("words").to_owned();
    assert!(place(0).starts_with("Building C – from GPS ±"), "{}", place(0));
    assert!(place(2).starts_with("Building B – from GPS ±"), "{}", place(2));
    assert!(place(3).starts_with("unknown, because"), "{}", place(3));
    assert!(place(4).starts_with("Building B – from GPS ±"), "{}", place(4));
    for line in &lines {
        let items = line["tags"]["items"].as_array().expect("a list");
        let found = classes(line);
        assert_eq!(items.len(), found.len(), "one item a class: {line}");
        for item in items {
            let rules = item["rules"].as_array().expect("a list");
            let class = item["class"].as_str().expect("a class");
            let fired =
                |part: &str| rules.iter().any(|rule| rule.as_str().is_some_and(|text| text.contains(part)));
            assert!(
                fired("Place: ") && fired(&format!("class.{class}.trades")) && fired("Priority "),
                "{item}"
            );
            assert!(
                item["priority"].is_string() && item["due"].is_string() && item["trade"].is_string(),
                "{item}"
            );
        }
    }
}
