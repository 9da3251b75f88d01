//! Pictures to detections, through ONNX Runtime. One seam: [`Detector`].
//!
//! [`load`] finds the runtime library and the model, refuses a wrong model with the exact reason,
//! opens one single-thread session per core behind a bounded queue, warms them up and gives a
//! [`Detector`] back. Nothing falls back silently: what was asked for, what was got and why is in
//! [`ModelInfo`].
#![warn(missing_docs)]

mod batcher;
pub mod coarse;
pub mod decode_output;
mod detector;
mod gpu;
mod install;
pub mod manifest;
mod model_run;
mod open;
pub mod package;
pub mod preprocess;
mod provider;
pub mod runtime;
mod session;
mod sessions;
mod single_session;
pub mod tiles;

use std::time::Duration;

pub use detector::{load, load_package};
pub use install::{Build, install};
pub use runtime::{ensure_runtime, locate as locate_runtime, opt_out_of_telemetry};
use serde::{Deserialize, Serialize};
pub use single_session::{Echo, SingleSession};

pub use self::decode_output::ScoreMap;
use self::manifest::{Licence, Precision};
pub use self::provider::{Fallback, GpuConfig, Provider, ProviderReport};
use crate::domain::detection::Predictions;
use crate::domain::ids::Sha256Digest;
use crate::domain::picture::Picture;
use crate::domain::thoroughness::Thoroughness;

/// Section `[inference]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model: its name below `models`, or its folder. Empty: `models/finish-defects` in the working directory, else beside
    /// the executable, else the one built into the executable.
    pub model: String,
    /// Which of the model's files runs.
    pub precision: PrecisionChoice,
    /// Single-thread sessions, each on a thread of its own. 0: one for each core, measured as the
    /// fastest on CPU.
    pub sessions: usize,
    /// Pictures that may wait for a session; more wait with their callers.
    pub queue_depth: usize,
    /// Longest wait for one answer, in milliseconds, queueing included: a session that hangs must
    /// not take its callers with it.
    pub timeout_ms: u64,
    /// How long a session may take over one picture before it is given up and another is opened, in
    /// milliseconds.
    pub hang_timeout_ms: u64,
    /// How closely photos are looked at where no rule says otherwise.
    pub mode: Thoroughness,
    /// Whether a cheap look comes first and decides what is looked at closely.
    pub coarse_to_fine: bool,
    /// Where the model runs. What cannot be had is an error, but for `gpu.fallback`.
    pub provider: Provider,
    /// The settings of the providers that are a GPU.
    pub gpu: GpuConfig,
    /// Whether models may run whose training data is not openly licensed.
    pub accept_unclear_licence: bool,
    /// Experimental classes of the model that are reported all the same.
    pub experimental_classes: Vec<String>,
    /// The ONNX Runtime library, 1.24 or later. Empty: `ORT_DYLIB_PATH`, else the cache folder.
    pub runtime_library: String,
    /// Longest time for fetching the runtime, in seconds.
    pub install_timeout_s: u64,
}

/// The commented default of this section.
pub const DEFAULT_CONFIG: &str = include_str!("default.toml");

/// Which file of a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PrecisionChoice {
    /// The one that the manifest recommends, written as an empty text.
    #[serde(rename = "")]
    Recommended,
    /// 32-bit floating point.
    #[serde(rename = "fp32")]
    Fp32,
    /// 8-bit integers.
    #[serde(rename = "int8")]
    Int8,
}

/// A class of the running model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassInfo {
    /// Its manifest name.
    pub name: String,
    /// Calibrated score from which on it is reported.
    pub threshold: f32,
    /// Whether the manifest calls it experimental.
    pub experimental: bool,
    /// Whether it is reported at all: experimental classes only when enabled.
    pub reported: bool,
}

/// Which model runs, on what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelInfo {
    /// The manifest's name for it.
    pub name: String,
    /// The manifest's version.
    pub version: String,
    /// What it is, in a sentence.
    pub summary: String,
    /// SHA-256 of the file that runs.
    pub sha256: Sha256Digest,
    /// Which of its files runs.
    pub precision: Precision,
    /// The folder that it came from, or that it is built in.
    pub origin: String,
    /// What it runs on.
    pub provider: ProviderReport,
    /// Version and place of the runtime library.
    pub runtime: String,
    /// Sessions side by side.
    pub sessions: usize,
    /// Its classes, in the manifest's order.
    pub classes: Vec<ClassInfo>,
    /// The licence of its weights and data.
    pub licence: Licence,
}

impl ModelInfo {
    /// Name, version and digest in one line, e.g. `finish-defects 0.1.0 (sha256 1f3d8a0c…)`.
    pub fn label(&self) -> String {
        let digest = self.sha256.to_string();
        format!("{} {} (sha256 {}…)", self.name, self.version, &digest[..8])
    }
}

/// What one look took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Pixels to tensors.
    pub preprocess: Duration,
    /// Waiting for a session, summed over the views.
    pub queue: Duration,
    /// In the session, summed over the views.
    pub infer: Duration,
    /// Tensors to detections.
    pub postprocess: Duration,
    /// Whether the cheap look was enough.
    pub ended_early: bool,
    /// Tiles at full size that were looked at.
    pub tiles: u32,
    /// Tiles that the look at the whole photo ruled out.
    pub tiles_left_out: u32,
}

/// What the model made of one picture.
#[derive(Debug, Clone)]
pub struct ModelOutput {
    /// Scores and detections, in upright photo pixels.
    pub seen: Predictions,
    /// Where the time went.
    pub timings: Timings,
    /// The first view's scores cell by cell, for models that give them.
    pub score_map: Option<ScoreMap>,
}

/// A loaded model, ready to look at pictures from any number of threads.
pub trait Detector: Send + Sync {
    /// Which model it is.
    fn model(&self) -> &ModelInfo;

    /// What it runs on now, which on a GPU may change while it runs.
    fn provider(&self) -> ProviderReport {
        self.model().provider.clone()
    }

    /// How closely it looks where no rule says otherwise.
    fn usual(&self) -> Thoroughness {
        Thoroughness::Standard
    }

    /// The longer side, in pixels, of the picture that it wants for a standard look: no view is larger.
    fn long_side(&self) -> u32;

    /// The longer side that it wants for a look of this thoroughness; none for the full size.
    fn wants(&self, thoroughness: Thoroughness) -> Option<u32> {
        match thoroughness {
            Thoroughness::Standard => Some(self.long_side()),
            Thoroughness::Thorough => None,
        }
    }

    /// Looks at `picture`. Blocks while sessions are busy: call it from a thread that may wait.
    ///
    /// # Errors
    /// When the session fails or gives no answer in time; never an empty result instead.
    fn detect(&self, picture: &Picture, thoroughness: Thoroughness) -> Result<ModelOutput, Error>;
}

/// Why there is no detector, or no look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no usable ONNX Runtime library.
    #[error("ONNX Runtime: {what}. {remedy}")]
    Runtime {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The model, or its manifest, is wrong.
    #[error("model {origin}: {what}")]
    Model {
        /// The folder, or that it is built in.
        origin: String,
        /// What exactly is wrong.
        what: String,
    },
    /// The configuration forbids this model.
    #[error(
        "model {origin} is refused: its training data is '{training_data}' and inference.accept_unclear_licence is false. Choose a model trained on open data, or set it to true"
    )]
    Licence {
        /// The folder, or that it is built in.
        origin: String,
        /// The manifest's word for it.
        training_data: &'static str,
    },
    /// The execution provider could not be had.
    #[error("execution provider {}: {why}. Fix that, or choose another in inference.provider", asked.name())]
    Provider {
        /// Which was asked for.
        asked: Provider,
        /// Why it was not to be had.
        why: String,
    },
    /// No answer came in time.
    #[error(
        "the model gave no answer within {after_ms} ms (inference.timeout_ms): too many pictures wait, or a session hangs"
    )]
    Timeout {
        /// The limit.
        after_ms: u64,
    },
    /// The session hung and was given up.
    #[error("a session took longer than inference.hang_timeout_ms over this picture and was given up")]
    Hung,
    /// The session failed on this picture.
    #[error("the model failed on this picture: {what}")]
    Run {
        /// What it said.
        what: String,
    },
    /// The detector is shutting down.
    #[error("the detector is shutting down")]
    Closed,
}

impl Error {
    /// A stable name for logs and machine-read output.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Runtime { .. } => "runtime",
            Self::Model { .. } => "model",
            Self::Licence { .. } => "licence",
            Self::Provider { .. } => "provider",
            Self::Timeout { .. } => "timeout",
            Self::Hung => "hung",
            Self::Run { .. } => "inference",
            Self::Closed => "closed",
        }
    }
}

#[cfg(test)]
impl Config {
    /// The shipped section.
    pub(crate) fn shipped() -> Self {
        #[derive(Deserialize)]
        struct Fragment {
            inference: Config,
        }
        toml::from_str::<Fragment>(DEFAULT_CONFIG).expect("the shipped fragment parses").inference
    }
}

#[cfg(test)]
pub(crate) mod tests;
