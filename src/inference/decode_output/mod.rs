//! From a model's output tensors to what was seen: one pure function for each output layout.

mod regions;
mod score_map;

use std::collections::HashSet;

use serde::Deserialize;

pub use self::score_map::{ScoreMap, ScoreMapLayout};
use super::manifest::{Class, Input};
use super::preprocess::View;
use crate::domain::detection::Seen;
use crate::domain::geometry::{Size, Upright};

/// What a model puts out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "layout", rename_all = "kebab-case")]
pub enum OutputLayout {
    /// Logits for each class and cell of a grid over the view.
    ScoreMap(ScoreMapLayout),
}

/// An output tensor, `[1, …]` for one view.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its sides.
    pub shape: Vec<usize>,
    /// Its values, last axis fastest.
    pub values: Vec<f32>,
}

impl OutputLayout {
    /// The output's name in the graph.
    pub fn output_name(&self) -> &str {
        match self {
            Self::ScoreMap(layout) => &layout.name,
        }
    }

    /// Whether its numbers make sense together with `input`.
    pub(super) fn check(&self, input: &Input) -> Result<(), String> {
        match self {
            Self::ScoreMap(layout) => layout.check(input),
        }
    }

    /// The shape that the output must have for a view, for the check against the loaded graph.
    /// None stands for a side that depends on the view.
    pub(super) fn expected_shape(&self, classes: usize) -> Vec<Option<usize>> {
        match self {
            Self::ScoreMap(_) => vec![Some(1), Some(classes), None, None],
        }
    }

    /// Decodes the outputs of all views of a photo of size `photo`; `enabled` names the experimental
    /// classes that are reported.
    ///
    /// # Errors
    /// When a tensor has another shape than the layout says.
    pub fn decode(
        &self,
        outputs: &[(View, Tensor)],
        classes: &[Class],
        enabled: &HashSet<String>,
        photo: Size<Upright>,
    ) -> Result<(Seen, Option<ScoreMap>), String> {
        match self {
            Self::ScoreMap(layout) => {
                let maps = score_map::maps(layout, outputs, classes)?;
                let seen = score_map::decode(layout, &maps, classes, enabled, photo);
                Ok((seen, maps.into_iter().next()))
            }
        }
    }
}
