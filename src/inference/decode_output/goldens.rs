//! Tensors of the real exporters, and what their own post-processing made of them: `fixtures/model_outputs`.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{OutputLayout, Tensor};
use crate::domain::geometry::{PixelBox, Size, Upright};
use crate::domain::picture::Picture;
use crate::inference::manifest::{Calibration, Class, ColourOrder, Fit, Input, TensorLayout};
use crate::inference::preprocess;

/// How far an edge may lie from the reference's, in photo pixels: both compute in 32 bits.
const EDGE: f32 = 0.05;

/// How far a score may lie from the reference's.
const SCORE: f32 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    made_by: String,
    output: OutputLayout,
    photo: [u32; 2],
    input: [u32; 2],
    classes: usize,
    threshold: f32,
    outputs: BTreeMap<String, Vec<usize>>,
    expected: Vec<Expected>,
}

#[derive(Debug, Deserialize)]
struct Expected {
    class: usize,
    score: f32,
    #[serde(rename = "box")]
    area: [f32; 4],
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/model_outputs")
}

fn tensor(golden: &str, name: &str, shape: &[usize]) -> Tensor {
    let bytes = std::fs::read(folder().join(format!("{golden}-{name}.f32"))).expect("there");
    let value = |four: &[u8]| f32::from_le_bytes(four.try_into().expect("four bytes"));
    Tensor { shape: shape.to_vec(), values: bytes.chunks_exact(4).map(value).collect() }
}

fn classes(golden: &Golden) -> Vec<Class> {
    let class = |number: usize| Class {
        name: format!("class-{number}"),
        threshold: golden.threshold,
        threshold_rule: String::new(),
        cell_threshold: None,
        min_cells: None,
        calibration: Calibration { scale: 1.0, offset: 0.0 },
        experimental: false,
    };
    (0..golden.classes).map(class).collect()
}

fn input(golden: &Golden) -> Input {
    let size = golden.input;
    let fit = match golden.output {
        OutputLayout::Detr(_) => Fit::Squash { size },
        _ => Fit::Letterbox { size, fill: 114 },
    };
    Input {
        name: "images".into(),
        layout: TensorLayout::Nchw,
        colour: ColourOrder::Rgb,
        mean: [0.0; 3],
        std: [255.0; 3],
        fit,
        views: vec![size[0]],
        max_upscale: 1.0,
        multiple: 1,
    }
}

fn check(name: &str) -> usize {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).expect("there");
    let golden: Golden = serde_json::from_str(&text).expect("a golden output");
    let photo: Size<Upright> = Size::new(golden.photo[0], golden.photo[1]);
    let grey = vec![0; photo.pixels() as usize * 3];
    let picture = Picture::new(Size::new(photo.width, photo.height), photo, grey).expect("sized");
    let view = preprocess::views(&picture, &input(&golden)).remove(0);
    let outputs = golden.output.outputs(golden.classes);
    let tensors = outputs.iter().map(|(output, _)| tensor(name, output, &golden.outputs[*output])).collect();
    let (seen, map) = golden
        .output
        .decode(&[(view, tensors)], &classes(&golden), &HashSet::new(), photo)
        .expect("the layout fits");
    assert!(map.is_none());
    assert_eq!(seen.class_scores.len(), golden.classes);
    // The reference keeps boxes of which the photo's edge leaves nothing.
    let area = |expected: &Expected| PixelBox::<Upright>::try_from(expected.area).expect("a box").area();
    let expected: Vec<&Expected> = golden.expected.iter().filter(|expected| area(expected) > 0.0).collect();
    let by = &golden.made_by;
    assert_eq!(seen.detections.len(), expected.len(), "{name} ({by})");
    for one in &expected {
        let agrees = seen.detections.iter().any(|found| {
            let edges = found.area.corners().into_iter().zip(one.area);
            found.class.name() == format!("class-{}", one.class)
                && (found.score.value() - one.score).abs() <= SCORE
                && edges.into_iter().all(|(own, expected)| (own - expected).abs() <= EDGE)
        });
        assert!(agrees, "{name} ({by}): {one:?} is not among {:#?}", seen.detections);
    }
    for class in 0..golden.classes {
        let best = golden.expected.iter().filter(|one| one.class == class).map(|one| one.score);
        let best = best.fold(0.0, f32::max);
        let own = seen.class_scores[class].score.value();
        assert!(
            best == 0.0 && own < golden.threshold || (own - best).abs() <= SCORE,
            "{name}: {class} {own}"
        );
    }
    expected.len()
}

#[test]
fn every_exporters_tensors_give_its_own_detections() {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("there")
        .filter_map(|entry| {
            entry.expect("read").file_name().to_str()?.strip_suffix(".json").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert_eq!(names, ["d-fine", "rt-detr", "yolo11", "yolo26", "yolov10", "yolov5", "yolov8"]);
    for name in names {
        assert!(check(&name) > 10, "{name}");
    }
}
