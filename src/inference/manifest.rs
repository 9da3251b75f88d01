//! `manifest.toml`: what a model folder says about its files, its input, its output and its classes.

mod input;

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

pub use self::input::{ColourOrder, Fit, Input, TensorLayout};
use super::coarse::Coarse;
use super::decode_output::OutputLayout;
use super::tiles::Tiles;
use crate::domain::ids::Sha256Digest;

/// The version of this schema.
pub const SCHEMA: u32 = 1;

/// A whole manifest, checked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the schema, [`SCHEMA`].
    pub schema: u32,
    /// The model's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is, in a sentence.
    pub summary: String,
    /// The file that runs unless another is asked for.
    pub default_precision: Precision,
    /// The files by precision.
    pub files: BTreeMap<Precision, ModelFile>,
    /// What it is fed.
    pub input: Input,
    /// What comes out.
    pub output: OutputLayout,
    /// The look that comes first and may be enough; without it every view is always looked at.
    pub coarse: Option<Coarse>,
    /// How thorough looks go; without it, the cut that is usual elsewhere.
    pub tiles: Option<Tiles>,
    /// What it knows, in the order of the output's channels.
    pub classes: Vec<Class>,
    /// What one may do with it.
    pub licence: Licence,
}

/// The number format of a model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    Fp32,
    /// 8-bit integers, quantised.
    Int8,
}

impl Precision {
    /// The manifest's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Int8 => "int8",
        }
    }
}

/// One ONNX file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its path inside the folder.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Sha256Digest,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Calibrated score from which on it is reported.
    pub threshold: f32,
    /// The rule that chose the threshold.
    pub threshold_rule: String,
    /// Logit from which on a cell belongs to a region; for layouts with a score map.
    pub cell_threshold: Option<f32>,
    /// Smaller regions are dropped, in cells; for layouts with a score map.
    pub min_cells: Option<usize>,
    /// From pooled logit to calibrated score.
    pub calibration: Calibration,
    /// Whether it is off unless enabled.
    pub experimental: bool,
}

impl Class {
    /// Whether findings of it are reported at all: experimental classes only where `enabled` names them.
    pub(super) fn is_reported(&self, enabled: &HashSet<String>) -> bool {
        !self.experimental || enabled.contains(&self.name)
    }
}

/// Score = sigmoid(scale × logit + offset). Where a model gives scores and no logits, theirs are taken.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Factor.
    pub scale: f64,
    /// Summand.
    pub offset: f64,
}

/// What one may do with the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// Of the weights.
    pub weights: String,
    /// Status of the data that it was trained on.
    pub training_data: DataStatus,
    /// The same in words, shown to people.
    pub statement: String,
}

/// How openly training data is licensed, by its least open part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataStatus {
    /// All of it under open licences.
    Open,
    /// Some of it only declared open by who passed it on.
    DeclaredOpen,
    /// Some of it of unknown or restricted licence.
    Unclear,
}

impl DataStatus {
    /// The manifest's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::DeclaredOpen => "declared-open",
            Self::Unclear => "unclear",
        }
    }
}

impl Manifest {
    /// How thorough looks go.
    pub(super) fn tiles(&self) -> Tiles {
        self.tiles.unwrap_or_else(|| Tiles::usual(self.input.largest_tile()))
    }

    /// Reads and checks `text`.
    ///
    /// # Errors
    /// Names the field and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let deserializer =
            toml::Deserializer::parse(text).map_err(|error| format!("manifest.toml: {error}"))?;
        let manifest: Self = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." { String::new() } else { format!(" at {path}") };
            format!("manifest.toml{place}: {}", error.inner().message())
        })?;
        manifest.check().map_err(|what| format!("manifest.toml: {what}"))?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        require(self.schema == SCHEMA, || format!("schema is {}, this version reads {SCHEMA}", self.schema))?;
        let default = self.default_precision;
        require(self.files.contains_key(&default), || {
            format!("files has no {} file, the default", default.name())
        })?;
        for file in self.files.values() {
            let plain = Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_)));
            require(plain && !file.path.is_empty(), || {
                format!("path '{}' leaves the model folder", file.path)
            })?;
        }
        self.input.check()?;
        self.output.check(&self.input, &self.classes)?;
        let longest = self.input.long_side();
        self.coarse.map_or(Ok(()), |coarse| coarse.check(longest))?;
        require(self.coarse.is_none() || self.input.fit == Fit::Rectangle, || {
            "[coarse] needs input.fit rectangle: in one fixed size no look is cheaper".into()
        })?;
        self.tiles.map_or(Ok(()), |tiles| tiles.check(self.input.largest_tile()))?;
        require(!self.classes.is_empty(), || "there are no classes".into())?;
        let mut names = HashSet::new();
        for class in &self.classes {
            require(names.insert(&class.name), || format!("class {} is there twice", class.name))?;
            class.check()?;
        }
        Ok(())
    }
}

impl Class {
    /// The logit from which on a cell belongs to a region: [`Manifest::parse`] sees that it is there where
    /// there are cells.
    pub(super) fn cell_threshold(&self) -> f32 {
        self.cell_threshold.unwrap_or(f32::INFINITY)
    }

    /// The same class, reported from `logits` more on.
    #[must_use]
    pub(super) fn stricter(&self, logits: f64) -> Self {
        let threshold = f64::from(self.threshold);
        let odds = threshold / (1.0 - threshold) * logits.exp();
        let threshold = if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 };
        Self { threshold: threshold as f32, ..self.clone() }
    }

    fn check(&self) -> Result<(), String> {
        let Self { name, threshold, calibration, .. } = self;
        require(!name.is_empty(), || "a class has no name".into())?;
        require((0.0..=1.0).contains(threshold), || format!("threshold of {name} must lie in 0 to 1"))?;
        require(self.cell_threshold.is_none_or(f32::is_finite), || {
            format!("cell_threshold of {name} must be finite")
        })?;
        let sound =
            calibration.scale.is_finite() && calibration.offset.is_finite() && calibration.scale > 0.0;
        require(sound, || format!("calibration of {name} must be finite, its scale above 0"))
    }
}

/// `Err` with the reason unless `holds`.
pub(super) fn require(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../models/finish-defects/manifest.toml");

    #[test]
    fn the_shipped_manifest_is_sound() {
        let manifest = Manifest::parse(SHIPPED).expect("sound");
        assert_eq!((manifest.name.as_str(), manifest.input.long_side() % 32), ("finish-defects", 0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            ("schema = 1", "schema = 2", "schema is 2"),
            ("schema = 1", "schema = 1\ncolour = 3", "unknown field `colour`"),
            ("multiple = 32", "", "missing field `multiple`"),
            ("multiple = 32", "multiple = 24", "input.multiple"),
            ("stride = 16", "stride = 0", "output.stride"),
            ("stride = 16", "stride = 16\nextra = 1", "unknown field `extra`"),
            ("layout = \"score-map\"", "layout = \"yolo9\"", "unknown variant `yolo9`"),
            ("default_precision = \"int8\"", "default_precision = \"fp16\"", "unknown variant `fp16`"),
            ("[files.int8]", "[files.int4]", "unknown variant `int4`"),
            ("path = \"model.onnx\"", "path = \"../model.onnx\"", "leaves the model folder"),
            ("mean = [0.0, 0.0, 0.0]", "mean = [0.0, 0.0]", "input.mean"),
            ("std = [1.0, 1.0, 1.0]", "std = [1.0, 0.0, 1.0]", "std not 0"),
            ("name = \"spalling\"", "name = \"crack\"", "class crack is there twice"),
            ("training_data = \"unclear\"", "training_data = \"maybe\"", "unknown variant `maybe`"),
            ("views = [", "views = [] # [", "input.views"),
            ("cell_threshold =", "# cell_threshold =", "missing field `cell_threshold` of class crack"),
            ("\nmin_cells =", "\n# min_cells =", "missing field `min_cells` of class crack"),
            ("[licence]", "[license]", "unknown field `license`"),
            ("[coarse]\nview = 192", "[coarse]\nview = 4096", "coarse.view"),
            ("side = 640", "side = 0", "tiles.side"),
        ];
        for (from, to, words) in table {
            assert!(SHIPPED.contains(from), "{from}");
            let error = Manifest::parse(&SHIPPED.replacen(from, to, 1)).expect_err(words);
            assert!(error.contains(words), "{from} -> {to}: {error}");
        }
        assert!(Manifest::parse("this is no toml").is_err());
    }

    #[test]
    fn a_stricter_class_asks_for_more_logits() {
        let class = Manifest::parse(SHIPPED).expect("sound").classes.remove(0);
        let at =
            |threshold: f32, logits: f64| Class { threshold, ..class.clone() }.stricter(logits).threshold;
        for (threshold, logits, expected) in
            [(0.5, 0.0, 0.5), (0.5, 2.0, 0.880_797), (0.9, 1.0, 0.960_734), (1.0, 1.0, 1.0), (0.0, 1.0, 0.0)]
        {
            assert!((at(threshold, logits) - expected).abs() < 1e-5, "{threshold} {logits}");
        }
    }

    #[test]
    fn thresholds_lie_in_range() {
        let mut manifest = Manifest::parse(SHIPPED).expect("sound");
        manifest.classes[0].threshold = f32::NAN;
        assert!(manifest.check().expect_err("refused").contains("threshold of crack"));
    }
}
