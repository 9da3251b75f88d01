//! The layouts of the YOLO family.

use serde::Deserialize;

use super::boxes::{Candidate, ViewOutput, corners};
use super::{Side, Tensor};
use crate::inference::manifest::require;

/// `yolo`: boxes and class scores as the network puts them out, most of them on top of each other.
///
/// Ultralytics' v5, v8, v9 and v11 exports are `[1, 4 + classes, n]`: centre x, centre y, width and height
/// in pixels of the input, then a score for each class. With `objectness`, as the original `YOLOv5`
/// exports, `[1, n, 5 + classes]`: the same box, the score that anything is there, and those of the classes
/// given that. A box is taken for its best class.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YoloLayout {
    /// The output's name in the graph.
    pub name: String,
    /// Whether it is the form with objectness.
    #[serde(default)]
    pub objectness: bool,
    /// Of boxes of one class that overlap by more than this share of their union, the best is kept.
    pub iou: f32,
    /// At most so many boxes are kept, the best.
    pub max_boxes: usize,
}

/// `yolo-end2end`: v10 and v26 exports, and others that sort boxes out themselves: `[1, n, 6]`, each row
/// the corners in pixels of the input, the score and the number of the class.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndToEndLayout {
    /// The output's name in the graph.
    pub name: String,
    /// At most so many boxes are kept, the best.
    pub max_boxes: usize,
}

impl YoloLayout {
    pub(super) fn check(&self) -> Result<(), String> {
        require((0.0..=1.0).contains(&self.iou), || "output.iou must lie in 0 to 1".into())?;
        require(self.max_boxes >= 1, || "output.max_boxes must be at least 1".into())
    }

    pub(super) fn shape(&self, classes: usize) -> Vec<Side> {
        if self.objectness {
            vec![Side::Is(1), Side::Any, Side::Classes { classes, more: 5 }]
        } else {
            vec![Side::Is(1), Side::Classes { classes, more: 4 }, Side::Any]
        }
    }

    pub(super) fn proposed(&self, tensor: &Tensor, classes: usize) -> Result<ViewOutput, String> {
        let more = if self.objectness { 5 } else { 4 };
        let along = if self.objectness { 1 } else { 2 };
        let boxes = tensor.shape.get(along).copied().unwrap_or(0);
        tensor.require_shape(
            &self.name,
            &if self.objectness { [1, boxes, more + classes] } else { [1, more + classes, boxes] },
        )?;
        let value = |at: usize, of: usize| {
            if self.objectness {
                tensor.values[at * (more + classes) + of]
            } else {
                tensor.values[of * boxes + at]
            }
        };
        let mut proposed = ViewOutput::of(classes);
        for at in 0..boxes {
            let anything = if self.objectness { value(at, 4) } else { 1.0 };
            let mut best = (0, f32::NEG_INFINITY);
            for class in 0..classes {
                let score = value(at, more + class) * anything;
                if score > best.1 {
                    best = (class, score);
                }
            }
            let corners = corners([0, 1, 2, 3].map(|of| value(at, of)));
            // What another class outdoes in every box is not reported, so it has no score either.
            proposed.saw(best.0, best.1);
            proposed.candidates.push(Candidate { class: best.0, score: best.1, corners });
        }
        Ok(proposed)
    }
}

impl EndToEndLayout {
    pub(super) fn check(&self) -> Result<(), String> {
        require(self.max_boxes >= 1, || "output.max_boxes must be at least 1".into())
    }

    pub(super) fn shape() -> Vec<Side> {
        vec![Side::Is(1), Side::Any, Side::Is(6)]
    }

    pub(super) fn proposed(&self, tensor: &Tensor, classes: usize) -> Result<ViewOutput, String> {
        let boxes = tensor.shape.get(1).copied().unwrap_or(0);
        tensor.require_shape(&self.name, &[1, boxes, 6])?;
        let mut proposed = ViewOutput::of(classes);
        for row in tensor.values.chunks_exact(6) {
            let (score, class) = (row[4], row[5]);
            // What fills the rows that are left over has no score.
            if score <= 0.0 || score.is_nan() {
                continue;
            }
            let number = class as usize;
            if class < 0.0 || class.fract() != 0.0 || number >= classes {
                return Err(format!(
                    "output {} names class {class}, but the manifest has {classes}",
                    self.name
                ));
            }
            proposed.saw(number, score);
            proposed.candidates.push(Candidate {
                class: number,
                score,
                corners: [row[0], row[1], row[2], row[3]],
            });
        }
        Ok(proposed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(objectness: bool) -> YoloLayout {
        YoloLayout { name: "output0".into(), objectness, iou: 0.7, max_boxes: 300 }
    }

    #[test]
    fn a_box_is_taken_for_its_best_class() {
        // Two boxes, three classes, column by column.
        let values = vec![10.0, 50.0, 20.0, 60.0, 4.0, 8.0, 6.0, 2.0, 0.1, 0.6, 0.7, 0.5, 0.2, 0.9];
        let tensor = Tensor { shape: vec![1, 7, 2], values };
        let proposed = layout(false).proposed(&tensor, 3).expect("shaped");
        let expected = [
            Candidate { class: 1, score: 0.7, corners: [8.0, 17.0, 12.0, 23.0] },
            Candidate { class: 2, score: 0.9, corners: [46.0, 59.0, 54.0, 61.0] },
        ];
        assert_eq!(
            (proposed.candidates.as_slice(), proposed.best.as_slice()),
            (&expected[..], &[0.0, 0.7, 0.9][..])
        );
    }

    #[test]
    fn with_objectness_scores_are_products() {
        let values = vec![10.0, 20.0, 4.0, 6.0, 0.5, 0.8, 0.4];
        let tensor = Tensor { shape: vec![1, 1, 7], values };
        let proposed = layout(true).proposed(&tensor, 2).expect("shaped");
        assert_eq!(
            proposed.candidates,
            [Candidate { class: 0, score: 0.4, corners: [8.0, 17.0, 12.0, 23.0] }]
        );
        assert_eq!(proposed.best, [0.4, 0.0]);
    }

    #[test]
    fn rows_that_are_left_over_are_passed_over_and_foreign_classes_named() {
        let layout = EndToEndLayout { name: "output0".into(), max_boxes: 300 };
        let rows = |class: f32, score: f32| Tensor {
            shape: vec![1, 2, 6],
            values: vec![1.0, 2.0, 3.0, 4.0, 0.9, 1.0, 0.0, 0.0, 0.0, 0.0, score, class],
        };
        let proposed = layout.proposed(&rows(-1.0, 0.0), 2).expect("sound");
        assert_eq!(proposed.candidates, [Candidate { class: 1, score: 0.9, corners: [1.0, 2.0, 3.0, 4.0] }]);
        for class in [2.0, -1.0, 0.5] {
            let error = layout.proposed(&rows(class, 0.1), 2).expect_err("refused");
            assert!(error.contains(&format!("names class {class}, but the manifest has 2")), "{error}");
        }
    }

    #[test]
    fn wrong_shapes_are_named() {
        let tensor = Tensor { shape: vec![1, 84, 2], values: vec![0.0; 168] };
        let error = layout(false).proposed(&tensor, 3).expect_err("refused");
        assert!(error.contains("[1, 84, 2]") && error.contains("[1, 7, 2]"), "{error}");
        let short = Tensor { shape: vec![1, 7, 2], values: vec![0.0; 3] };
        assert!(layout(false).proposed(&short, 3).is_err());
    }
}
