//! Model folders of each layout, right and wrong, through the real runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::domain::geometry::{PixelBox, Size, Upright};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tiny").join(name)
}

/// Whether there is a runtime; without one these tests can only say so, and with `CI=true` they fail.
pub(crate) fn runtime_is_there() -> bool {
    match ensure_runtime(&Config::shipped(), &|what| println!("{what}")) {
        Ok(_) => true,
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no ONNX Runtime: {error}");
            println!("SKIPPED: {error}");
            false
        }
    }
}

fn loaded(folder: &Path) -> Result<Arc<dyn Detector>, Error> {
    load(&Config { model: folder.display().to_string(), sessions: 1, ..Config::shipped() })
}

/// A grey wall of 128 × 64 with a dark square at (32, 0) to (64, 32).
fn wall() -> Picture {
    let pixel = |x: u32, y: u32| if (32..64).contains(&x) && y < 32 { 0 } else { 150 };
    let rgb = (0..64).flat_map(|y| (0..128).flat_map(move |x| [pixel(x, y); 3])).collect();
    Picture::new(Size::new(128, 64), Size::new(128, 64), rgb).expect("sized")
}

#[test]
fn models_of_each_box_layout_find_the_dark_square() {
    if !runtime_is_there() {
        return;
    }
    let table: [(&str, &[[f32; 4]]); 3] = [
        // Letterboxed to 64 × 32 below 16 rows of bar: the cell (1, 1), with the box 4 pixels wider each way.
        ("yolo", &[[24.0, 0.0, 72.0, 40.0]]),
        ("yolo-end2end", &[[32.0, 0.0, 64.0, 32.0]]),
        // Squashed to 64 × 64: the cells (0, 1) and (1, 1), which nothing joins.
        ("detr", &[[32.0, 0.0, 64.0, 16.0], [32.0, 16.0, 64.0, 32.0]]),
    ];
    for (layout, expected) in table {
        let detector = loaded(&folder(layout)).expect("loads");
        assert_eq!(detector.long_side(), 64);
        for mode in [Thoroughness::Standard, Thoroughness::Thorough] {
            let look = detector.detect(&wall(), mode).expect("looked");
            assert!(look.score_map.is_none());
            let names: Vec<&str> = look.seen.class_scores.iter().map(|score| score.class.name()).collect();
            assert_eq!(names, ["dark", "bright"]);
            assert!(look.seen.class_scores[0].score.value() > 0.9, "{layout}: {:?}", look.seen.class_scores);
            assert!(look.seen.detections.iter().all(|found| found.class.name() == "dark"));
            if mode == Thoroughness::Thorough {
                assert!(!look.seen.detections.is_empty(), "{layout}");
                continue;
            }
            let mut areas: Vec<[f32; 4]> =
                look.seen.detections.iter().map(|found| found.area.corners()).collect();
            areas.sort_by(|a, b| a[1].total_cmp(&b[1]));
            assert_eq!(areas.len(), expected.len(), "{layout}: {areas:?}");
            for (own, expected) in areas.into_iter().zip(expected) {
                let (own, expected) = (PixelBox::<Upright>::try_from(own), PixelBox::try_from(*expected));
                assert!(own.expect("a box").iou(expected.expect("a box")) > 0.999, "{layout}: {own:?}");
            }
        }
    }
}

/// A copy of a tiny model with another graph and a changed manifest.
struct Changed {
    model: &'static str,
    graph: &'static str,
    from: &'static str,
    to: &'static str,
}

impl Changed {
    fn load(&self) -> Result<Arc<dyn Detector>, Error> {
        let copy = tempfile::tempdir().expect("a folder");
        let graph = std::fs::read(folder(self.graph)).expect("there");
        let text = std::fs::read_to_string(folder(self.model).join("manifest.toml")).expect("there");
        let old = manifest::Manifest::parse(&text).expect("sound");
        let old_digest = old.files[&old.default_precision].sha256.to_string();
        assert!(text.contains(self.from), "{}", self.from);
        let text = text.replace(&old_digest, &Sha256Digest::of(&graph).to_string());
        let text = text.replacen(self.from, self.to, 1);
        std::fs::write(copy.path().join("model.onnx"), graph).expect("written");
        std::fs::write(copy.path().join("manifest.toml"), text).expect("written");
        loaded(copy.path())
    }

    /// What is said instead of loading.
    fn refusal(&self) -> String {
        match self.load() {
            Err(Error::Model { what, .. }) => what,
            Err(error) => panic!("{} {}: {error}", self.graph, self.to),
            Ok(_) => panic!("{} {} was taken", self.graph, self.to),
        }
    }
}

const THIRD_CLASS: &str = "[[classes]]\nname = \"third\"\nthreshold = 0.5\nthreshold_rule = \"\"\ncell_threshold = 0.0\nmin_cells = 1\ncalibration = { scale = 1.0, offset = 0.0 }\nexperimental = false\n[licence]";

#[test]
fn a_wrong_model_is_refused_with_the_exact_reason() {
    if !runtime_is_there() {
        return;
    }
    let changed = |model, graph, from, to| Changed { model, graph, from, to };
    let schema = "schema = 1";
    let table = [
        ("input name", changed("", "model.onnx", "name = \"image\"", "name = \"picture\"")),
        ("output name", changed("", "model.onnx", "name = \"logits\"", "name = \"boxes\"")),
        (
            "second output name",
            changed("detr", "detr/model.onnx", "boxes = \"pred_boxes\"", "boxes = \"dets\""),
        ),
        ("stride", changed("", "model.onnx", "stride = 16", "stride = 8")),
        ("fixed input", changed("", "wrong/fixed_size.onnx", schema, schema)),
        ("input of another size", changed("yolo", "yolo/model.onnx", "size = [64, 64]", "size = [96, 64]")),
        ("element type", changed("", "wrong/bytes_in.onnx", schema, schema)),
        ("class count", changed("", "model.onnx", "[licence]", THIRD_CLASS)),
        ("class count, yolo", changed("yolo", "yolo/model.onnx", "[licence]", THIRD_CLASS)),
        ("class count, detr", changed("detr", "detr/model.onnx", "[licence]", THIRD_CLASS)),
        ("another layout", changed("yolo", "yolo-end2end/model.onnx", schema, schema)),
        (
            "axes",
            changed(
                "",
                "wrong/fixed_size.onnx",
                "layout = \"score-map\"\nname = \"logits\"\nstride = 16\ntop_share = 0.01\ntop_min_cells = 3\nclose_cells = 1",
                "layout = \"yolo\"\nname = \"logits\"\niou = 0.5\nmax_boxes = 9",
            ),
        ),
        (
            "layout and fit",
            changed(
                "yolo",
                "yolo/model.onnx",
                "layout = \"yolo\"\nname = \"output0\"\niou = 0.1\nmax_boxes = 300",
                "layout = \"score-map\"\nname = \"output0\"\nstride = 16\ntop_share = 0.01\ntop_min_cells = 3\nclose_cells = 1",
            ),
        ),
        ("missing field", changed("yolo", "yolo/model.onnx", "iou = 0.1\n", "")),
        ("missing field of a class", changed("", "model.onnx", "min_cells = 2\n", "")),
        (
            "missing file of a precision",
            changed("", "model.onnx", "default_precision = \"fp32\"", "default_precision = \"int8\""),
        ),
    ];
    let told: Vec<String> =
        table.iter().map(|(name, changed)| format!("{name}:\n  {}", changed.refusal())).collect();
    insta::assert_snapshot!(told.join("\n"));
    // In the runtime's own words, which change with its version.
    for (graph, words) in [("wrong/far_opset.onnx", "opset"), ("make.py", "protobuf")] {
        let told = changed("", graph, schema, schema).refusal();
        assert!(told.to_lowercase().contains(words), "{graph}: {told}");
    }
}
