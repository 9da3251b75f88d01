//! From a model's output tensors to what was seen: one pure function for each output layout.

mod boxes;
mod detr;
#[cfg(test)]
mod goldens;
mod regions;
mod score_map;
mod yolo;

use std::collections::HashSet;

use serde::Deserialize;

use self::boxes::{BoxLimits, ViewOutput};
pub use self::detr::DetrLayout;
pub use self::score_map::{ScoreMap, ScoreMapLayout};
pub use self::yolo::{EndToEndLayout, YoloLayout};
use super::manifest::{Class, Input};
use super::preprocess::View;
use crate::domain::detection::Predictions;
use crate::domain::geometry::{Size, Upright};

/// What a model puts out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "layout", rename_all = "kebab-case")]
pub enum OutputLayout {
    /// Logits for each class and cell of a grid over the view.
    ScoreMap(ScoreMapLayout),
    /// Boxes and class scores, many for each thing.
    Yolo(YoloLayout),
    /// Boxes that the model has sorted out itself.
    #[serde(rename = "yolo-end2end")]
    YoloEndToEnd(EndToEndLayout),
    /// Logits and boxes of queries.
    Detr(DetrLayout),
}

/// An output tensor, `[1, …]` for one view.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its sides.
    pub shape: Vec<usize>,
    /// Its values, last axis fastest.
    pub values: Vec<f32>,
}

impl Tensor {
    /// Holds the tensor, which the graph calls `name`, against the shape that it must have.
    fn require_shape(&self, name: &str, expected: &[usize]) -> Result<(), String> {
        if self.shape == expected && self.values.len() == expected.iter().product::<usize>() {
            Ok(())
        } else {
            Err(format!("output {name} has shape {:?}, not {expected:?}", self.shape))
        }
    }
}

/// A side of an output, as the layout wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// This long.
    Is(usize),
    /// As many as the manifest's classes, and so many more.
    Classes {
        /// The manifest's classes.
        classes: usize,
        /// What stands beside them.
        more: usize,
    },
    /// Depends on the view, so it may not be fixed in the graph.
    Follows,
    /// Whatever the graph says.
    Any,
}

impl OutputLayout {
    /// The outputs that it reads, by their names in the graph, and the shape that each must have: for the
    /// check against the loaded graph.
    pub(super) fn outputs(&self, classes: usize) -> Vec<(&str, Vec<Side>)> {
        match self {
            Self::ScoreMap(layout) => vec![(&layout.name, ScoreMapLayout::shape(classes))],
            Self::Yolo(layout) => vec![(&layout.name, layout.shape(classes))],
            Self::YoloEndToEnd(layout) => vec![(&layout.name, EndToEndLayout::shape())],
            Self::Detr(layout) => {
                let [logits, boxes] = DetrLayout::shapes(classes);
                vec![(&layout.logits, logits), (&layout.boxes, boxes)]
            }
        }
    }

    /// Whether its numbers make sense together with `input` and `classes`.
    pub(super) fn check(&self, input: &Input, classes: &[Class]) -> Result<(), String> {
        match self {
            Self::ScoreMap(layout) => layout.check(input, classes),
            Self::Yolo(layout) => layout.check(),
            Self::YoloEndToEnd(layout) => layout.check(),
            Self::Detr(layout) => layout.check(),
        }
    }

    /// Decodes the outputs of all views of a photo of size `photo`, each view's in the order of
    /// the outputs that the layout reads; `enabled` names the experimental classes that are reported.
    ///
    /// # Errors
    /// When a tensor has another shape than the layout says.
    pub fn decode(
        &self,
        outputs: &[(View, Vec<Tensor>)],
        classes: &[Class],
        enabled: &HashSet<String>,
        photo: Size<Upright>,
    ) -> Result<(Predictions, Option<ScoreMap>), String> {
        let count = classes.len();
        let keep = match self {
            Self::ScoreMap(layout) => {
                let maps = score_map::maps(layout, outputs, classes)?;
                let seen = score_map::decode(layout, &maps, classes, enabled, photo);
                return Ok((seen, maps.into_iter().next()));
            }
            Self::Yolo(layout) => BoxLimits { iou: Some(layout.iou), most: layout.max_boxes },
            Self::YoloEndToEnd(layout) => BoxLimits { iou: None, most: layout.max_boxes },
            Self::Detr(layout) => BoxLimits { iou: None, most: layout.max_boxes },
        };
        let proposed = |(view, tensors): &(View, Vec<Tensor>)| -> Result<ViewOutput, String> {
            match self {
                Self::ScoreMap(_) => Ok(ViewOutput::of(count)),
                Self::Yolo(layout) => layout.proposed(only(tensors)?, count),
                Self::YoloEndToEnd(layout) => layout.proposed(only(tensors)?, count),
                Self::Detr(layout) => layout.proposed(tensors, view, count),
            }
        };
        let views: Vec<(&View, ViewOutput)> =
            outputs.iter().map(|output| Ok((&output.0, proposed(output)?))).collect::<Result<_, String>>()?;
        Ok((boxes::seen(&views, keep, classes, enabled, photo), None))
    }
}

/// The tensor of a layout that reads one output.
fn only(tensors: &[Tensor]) -> Result<&Tensor, String> {
    match tensors {
        [tensor] => Ok(tensor),
        _ => Err(format!("there are {} outputs, not 1", tensors.len())),
    }
}
