//! The `detr` layout: RT-DETR, D-FINE and their like.

use serde::Deserialize;

use super::boxes::{Candidate, ViewOutput, corners};
use super::{Side, Tensor};
use crate::inference::manifest::require;
use crate::inference::preprocess::View;

/// Two outputs: a logit for each query and class, `[1, n, classes]`, and the queries' boxes,
/// `[1, n, 4]`: centre x, centre y, width and height as shares of the input. Scores are the logistic
/// function of the logits; a query may stand for several classes; nothing is suppressed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetrLayout {
    /// The name of the logits in the graph.
    pub logits: String,
    /// The name of the boxes in the graph.
    pub boxes: String,
    /// At most so many boxes are kept, the best.
    pub max_boxes: usize,
}

impl DetrLayout {
    pub(super) fn check(&self) -> Result<(), String> {
        require(self.logits != self.boxes, || "output.logits and output.boxes must differ".into())?;
        require(self.max_boxes >= 1, || "output.max_boxes must be at least 1".into())
    }

    /// Of the logits and of the boxes.
    pub(super) fn shapes(classes: usize) -> [Vec<Side>; 2] {
        [
            vec![Side::Is(1), Side::Any, Side::Classes { classes, more: 0 }],
            vec![Side::Is(1), Side::Any, Side::Is(4)],
        ]
    }

    pub(super) fn proposed(
        &self,
        tensors: &[Tensor],
        view: &View,
        classes: usize,
    ) -> Result<ViewOutput, String> {
        let [logits, boxes] = tensors else {
            return Err(format!("there are {} outputs, not 2", tensors.len()));
        };
        let queries = logits.shape.get(1).copied().unwrap_or(0);
        logits.require_shape(&self.logits, &[1, queries, classes])?;
        boxes.require_shape(&self.boxes, &[1, queries, 4])?;
        let (width, height) = (view.padded_width as f32, view.padded_height as f32);
        let mut proposed = ViewOutput::of(classes);
        for (logits, own) in logits.values.chunks_exact(classes).zip(boxes.values.chunks_exact(4)) {
            let corners = corners([own[0] * width, own[1] * height, own[2] * width, own[3] * height]);
            for (class, logit) in logits.iter().enumerate() {
                let score = 1.0 / (1.0 + (-logit).exp());
                proposed.saw(class, score);
                proposed.candidates.push(Candidate { class, score, corners });
            }
        }
        Ok(proposed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> DetrLayout {
        DetrLayout { logits: "logits".into(), boxes: "pred_boxes".into(), max_boxes: 300 }
    }

    fn view() -> View {
        View { width: 64, height: 32, left: 0, top: 0, padded_width: 64, padded_height: 32, tensor: vec![] }
    }

    #[test]
    fn shares_of_the_input_become_its_pixels() {
        let logits = Tensor { shape: vec![1, 1, 2], values: vec![0.0, 100.0] };
        let boxes = Tensor { shape: vec![1, 1, 4], values: vec![0.5, 0.5, 0.25, 0.5] };
        let proposed = layout().proposed(&[logits, boxes], &view(), 2).expect("shaped");
        let corners = [24.0, 8.0, 40.0, 24.0];
        let expected =
            [Candidate { class: 0, score: 0.5, corners }, Candidate { class: 1, score: 1.0, corners }];
        assert_eq!(proposed.candidates, expected);
    }

    #[test]
    fn both_outputs_must_fit() {
        let logits = |queries: usize| Tensor { shape: vec![1, queries, 2], values: vec![0.0; queries * 2] };
        let boxes = |queries: usize| Tensor { shape: vec![1, queries, 4], values: vec![0.0; queries * 4] };
        assert!(layout().proposed(&[logits(3), boxes(3)], &view(), 2).is_ok());
        for tensors in [vec![logits(3)], vec![logits(3), boxes(2)], vec![boxes(3), logits(3)]] {
            assert!(layout().proposed(&tensors, &view(), 2).is_err(), "{tensors:?}");
        }
    }
}
