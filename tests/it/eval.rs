//! `punchlens eval` with the tiny model, the real ONNX Runtime and the real binary, against counts made by hand.

use std::path::Path;
use std::process::{Command, Output};

use punchlens::config::load_from;
use punchlens::domain::geometry::Size;
use punchlens::domain::picture::Picture;
use punchlens::inference;
use punchlens::photo::encode::review_jpeg;
use serde_json::{Value, json};

const BAR: [u32; 4] = [320, 160, 640, 192];

/// A grey wall of 1024 × 768 with a bar of another grey.
fn wall(file: &Path, grey: u8, bar: u8) {
    let [x0, y0, x1, y1] = BAR;
    let pixel = |x: u32, y: u32| if (x0..x1).contains(&x) && (y0..y1).contains(&y) { bar } else { grey };
    let rgb = (0..768).flat_map(|y| (0..1024).flat_map(move |x| [pixel(x, y); 3])).collect();
    let picture = Picture::new(Size::new(1024, 768), Size::new(1024, 768), rgb).expect("sized");
    std::fs::write(file, review_jpeg(&picture, 95).expect("encoded")).expect("written");
}

fn labelled_set(folder: &Path) {
    for (name, grey, bar) in [
        ("bar", 150, 0),
        ("missed", 150, 150),
        ("clean", 150, 150),
        ("alarm", 150, 16),
        ("bright", 255, 255),
        ("mask", 0, 255),
    ] {
        wall(&folder.join(format!("{name}.jpg")), grey, bar);
    }
    let rows = [
        json!({ "image": "bar.jpg", "width": 512, "height": 384, "source": "walls", "split": "val",
                "boxes": [{ "class": "dark", "x": 160, "y": 80, "w": 160, "h": 16 }], "masks": { "dark": "mask.jpg" } }),
        json!({ "image": "missed.jpg", "source": "walls", "split": "val", "labels": ["dark"] }),
        json!({ "image": "clean.jpg", "source": "walls", "split": "val", "labels": [] }),
        json!({ "image": "alarm.jpg", "source": "rooms", "split": "val", "labels": [] }),
        json!({ "image": "bright.jpg", "source": "rooms", "split": "val", "labels": ["bright"] }),
        json!({ "image": "gone.jpg", "source": "rooms", "split": "val", "labels": [] }),
        json!({ "image": "other.jpg", "source": "rooms", "split": "test", "labels": [] }),
    ];
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    std::fs::write(folder.join("manifest.jsonl"), lines.join("\n")).expect("written");
}

fn eval(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_punchlens"))
        .arg("eval")
        .arg(folder.join("manifest.jsonl"))
        .args(["--model", "fixtures/tiny", "--out"])
        .arg(folder.join("out"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary starts")
}

/// Why the runtime cannot be had here, if so.
fn no_runtime() -> Option<String> {
    let config = load_from(None, std::iter::empty()).expect("the defaults are sound").config;
    inference::ensure_runtime(&config.inference, &|_| {}).err().map(|error| error.to_string())
}

/// The number at `path`, to three digits.
fn number(value: &Value, path: &str) -> String {
    let number = value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} of {value:#}"));
    format!("{number:.3}")
}

#[test]
fn numbers_are_those_made_by_hand() {
    if let Some(reason) = no_runtime() {
        return println!("SKIPPED: no ONNX Runtime here: {reason}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    labelled_set(folder.path());
    let output = eval(folder.path(), &["--json"]);
    assert_eq!(output.status.code(), Some(3), "one picture is gone: {output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["pictures"], &report["failed"][0]["image"]), (&json!(5), &json!("gone.jpg")));

    let dark = &report["together"]["classes"][0];
    assert_eq!(
        (&dark["class"], &dark["pictures"], &dark["positive"]),
        (&json!("dark"), &json!(5), &json!(2))
    );
    // bar before alarm before missed and clean, which are equal: ½ × 1 + ½ × 2/4.
    let shown = ["/ap", "/precision", "/recall", "/f1"].map(|path| number(dark, path));
    assert_eq!(shown, ["0.750", "0.500", "0.500", "0.500"]);
    // Labelled at half the size; the region is the bar to the pixel.
    assert_eq!((&dark["boxes"]["found"], &dark["boxes"]["inside"]), (&json!(1), &json!(1)));
    assert_eq!((&dark["cells"]["right"], &dark["cells"]["covered"]), (&json!(40), &json!(40)));
    assert_eq!(["/cells/precision", "/cells/recall"].map(|path| number(dark, path)), ["1.000"; 2]);

    // Experimental: numbers of its own, no part of the means, no alarm.
    let bright = &report["together"]["classes"][1];
    assert_eq!((&bright["experimental"], &bright["reported"]), (&json!(true), &json!(false)));
    assert_eq!(["/ap", "/recall"].map(|path| number(bright, path)), ["1.000"; 2]);
    let how =
        json!({ "mode": "standard", "coarse_to_fine": false, "ended_early": 0, "experimental_classes": [] });
    assert_eq!(report["looked"], how, "the tiny model has one view");
    let means = ["/together/mean_ap", "/together/macro_f1"].map(|path| number(&report, path));
    assert_eq!(means, ["0.750", "0.500"]);

    let (walls, rooms) = (&report["sources"]["walls"], &report["sources"]["rooms"]);
    assert_eq!((&walls["clean"], &walls["clean_with_finding"]), (&json!(1), &json!(0)));
    assert_eq!((&rooms["clean"], &rooms["clean_with_finding"]), (&json!(1), &json!(1)));
    assert_eq!(number(rooms, "/false_alarms_per_clean"), "1.000");
    assert_eq!(number(&report, "/together/clean_with_finding_rate"), "0.500");

    let saved = std::fs::read(folder.path().join("out/eval.json")).expect("saved");
    assert_eq!(serde_json::from_slice::<Value>(&saved).expect("JSON"), report);
    let page = std::fs::read_to_string(folder.path().join("out/eval.html")).expect("saved");
    for shown in ["dark: missed", "dark: false alarms", "missed.jpg", "alarm.jpg", "data:image/jpeg;base64,"]
    {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains("src=\"http") && !page.contains("<script"), "the page needs nothing else");
}

#[test]
fn experimental_classes_count_like_the_others_when_asked_for() {
    if let Some(reason) = no_runtime() {
        return println!("SKIPPED: no ONNX Runtime here: {reason}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    labelled_set(folder.path());
    let output = eval(folder.path(), &["--json", "--experimental"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["looked"]["experimental_classes"], json!(["bright"]));
    assert_eq!(report["together"]["classes"][1]["reported"], json!(true));
    // Dark's 0.750 and bright's 1.
    assert_eq!(number(&report, "/together/mean_ap"), "0.875");
}

#[test]
fn a_part_or_source_that_is_not_there_is_told_with_those_that_are() {
    let folder = tempfile::tempdir().expect("a folder");
    labelled_set(folder.path());
    for arguments in [["--split", "tset"], ["--source", "roofs"]] {
        let output = eval(folder.path(), &arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{message}");
        assert!(
            message.contains("parts are test, val") && message.contains("sources rooms, walls"),
            "{message}"
        );
    }
    let output = eval(folder.path(), &["--precision", "fp16"]);
    assert_eq!(output.status.code(), Some(2));
}
