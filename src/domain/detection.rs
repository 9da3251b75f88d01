//! What the model saw: class, score and box, without meaning yet.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::geometry::{PixelBox, Upright};
use super::score::Score;

/// The name of a class of defect, as the model's manifest spells it, e.g. `peeling_paint`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DefectClass(Arc<str>);

impl DefectClass {
    /// A class by its manifest name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The manifest name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DefectClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One region of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// What it is taken for.
    pub class: DefectClass,
    /// Calibrated confidence.
    pub score: Score,
    /// Where, in upright photo pixels.
    #[serde(rename = "box")]
    pub area: PixelBox<Upright>,
    /// Share of the photo's area that the region covers, 0..=1. For a model with a score map this
    /// counts cells, so it can be much less than the box's share.
    pub area_share: f32,
}

/// A class and how sure the model is that the photo shows it anywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// The class.
    pub class: DefectClass,
    /// Calibrated confidence for the whole photo, also below the reporting threshold.
    pub score: Score,
}

/// Everything a model said about one photo. An empty `detections` means that it looked and saw
/// nothing; a failure to look is an error, never this.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Predictions {
    /// Regions above their class's threshold, best first.
    pub detections: Vec<Detection>,
    /// Every class of the model, in the manifest's order.
    pub class_scores: Vec<ClassScore>,
}
