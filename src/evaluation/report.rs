//! The numbers: per source, all sources together, and per class.
//!
//! As JSON (schema 1; new keys may come, none goes or changes its meaning):
//!
//! - `sources` holds a [`Measured`] for each source, `together` one for all pictures that were looked
//!   at; so the average precision against another source's clean photos is in `together` of a run with
//!   `--source` naming both.
//! - A rate that has no ground (precision where nothing was flagged, say) is `null`.
//! - `mean_ap`, `macro_f1` and `worst_f1` are over the classes that the service reports and of which the
//!   source has pictures with and without; `ece` and `reliability` over all their scores.
//! - Only classes that the service reports raise alarms on clean photos.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::labels::Row;
use super::look::PictureResult;
use crate::domain::ids::Sha256Digest;
use crate::domain::measure::{self, Bin, BoxCounts, CellCounts, Counts, ScoredLabel};
use crate::domain::thoroughness::Thoroughness;
use crate::inference::manifest::{DataStatus, Precision};
use crate::inference::{ClassInfo, ModelInfo, Provider};

/// The version of the JSON's schema.
pub const SCHEMA: u32 = 1;

/// Parts of 0..=1 in which scores are held against what holds.
const BINS: usize = 10;

/// Everything that was measured in one run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The manifest as it was named.
    pub manifest: String,
    /// The part that was looked at.
    pub split: String,
    pub model: ModelStamp,
    pub looked: AnalysisSettings,
    /// Pictures that were looked at.
    pub pictures: usize,
    pub seconds: f64,
    /// Medians over the pictures.
    pub milliseconds: Milliseconds,
    /// Pictures that could not be looked at.
    pub failed: Vec<Failed>,
    pub sources: BTreeMap<String, Measured>,
    pub together: Measured,
}

/// What proves which model looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelStamp {
    pub name: String,
    pub version: String,
    /// SHA-256 of the file that ran.
    pub sha256: Sha256Digest,
    /// Which of its files ran.
    pub precision: Precision,
    /// What it ran on.
    pub provider: Provider,
    /// How openly its training data is licensed.
    pub training_data: DataStatus,
}

/// How pictures were looked at: the configuration's say, as the numbers depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnalysisSettings {
    /// Standard, or thorough with tiles.
    pub mode: Thoroughness,
    /// Whether a cheap look came first and could be enough.
    pub coarse_to_fine: bool,
    /// Pictures for which it was.
    pub ended_early: usize,
    /// Experimental classes that were reported like the others.
    pub experimental_classes: Vec<String>,
}

impl AnalysisSettings {
    /// The same in a sentence.
    pub fn words(&self) -> String {
        let coarse = if self.coarse_to_fine {
            format!("coarse to fine ({} ended early)", self.ended_early)
        } else {
            "every view".to_owned()
        };
        let with = if self.experimental_classes.is_empty() { "" } else { ", experimental: " };
        format!("Looks: {}, {coarse}{with}{}.", self.mode.name(), self.experimental_classes.join(", "))
    }
}

/// Medians by stage, in milliseconds, while all cores were busy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Milliseconds {
    /// Bytes to upright pixels.
    pub decode: f64,
    pub preprocess: f64,
    pub infer: f64,
    pub postprocess: f64,
}

/// A picture that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Its path in the manifest.
    pub image: String,
    pub reason: String,
}

/// What was measured on some pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    pub pictures: usize,
    /// Those labelled as showing nothing.
    pub clean: usize,
    /// Clean ones with any finding.
    pub clean_with_finding: usize,
    /// The same as a share.
    pub clean_with_finding_rate: Option<f64>,
    /// Findings on clean photos, for each of them.
    pub false_alarms_per_clean: Option<f64>,
    /// Mean of the classes' average precisions.
    pub mean_ap: Option<f64>,
    /// Mean of the classes' F1 at the manifest's thresholds.
    pub macro_f1: Option<f64>,
    /// The lowest of them.
    pub worst_f1: Option<f64>,
    /// Expected calibration error of all reported classes' scores.
    pub ece: Option<f64>,
    /// The table behind it.
    pub reliability: Vec<Bin>,
    /// By class, in the model's order; those of which nothing is known are left out.
    pub classes: Vec<ClassMeasured>,
}

/// What was measured of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassMeasured {
    pub class: String,
    /// Whether the manifest calls it experimental.
    pub experimental: bool,
    /// Whether the service reports it as configured.
    pub reported: bool,
    pub threshold: f32,
    /// Pictures of which it is known whether they show it.
    pub pictures: usize,
    pub positive: usize,
    pub ap: Option<f64>,
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    pub f1: Option<f64>,
    pub ece: Option<f64>,
    /// The table behind it.
    pub reliability: Vec<Bin>,
    /// Regions against labelled boxes.
    pub boxes: Option<BoxesMeasured>,
    pub cells: Option<CellsMeasured>,
}

impl ClassMeasured {
    /// Whether there are pictures with it and without it: without both, only recall says anything.
    pub fn is_mixed(&self) -> bool {
        0 < self.positive && self.positive < self.pictures
    }
}

/// Regions against labelled boxes, after merging as in the service.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BoxesMeasured {
    #[serde(flatten)]
    pub counts: BoxCounts,
    /// The share of true boxes that a region overlaps by 0.3 of their union.
    pub hit_rate: Option<f64>,
    /// The share of regions of which 70 % lie in a true box.
    pub inside_rate: Option<f64>,
}

/// Cells against masks, with one cell of slack.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CellsMeasured {
    #[serde(flatten)]
    pub counts: CellCounts,
    /// The share of marked cells that are right.
    pub precision: Option<f64>,
    /// The share of true cells that are covered.
    pub recall: Option<f64>,
}

impl From<&ModelInfo> for ModelStamp {
    fn from(model: &ModelInfo) -> Self {
        Self {
            name: model.name.clone(),
            version: model.version.clone(),
            sha256: model.sha256,
            precision: model.precision,
            provider: model.provider.got,
            training_data: model.licence.training_data,
        }
    }
}

/// What was looked at, with what, and what came of it.
pub struct Run<'a> {
    /// The manifest as it was named.
    pub manifest: String,
    /// The part of it.
    pub split: String,
    pub model: &'a ModelInfo,
    /// How closely it looked.
    pub mode: Thoroughness,
    /// Whether a cheap look came first.
    pub coarse_to_fine: bool,
    pub rows: &'a [Row],
    /// What came of each.
    pub looked: &'a [Result<PictureResult, String>],
    /// How long it took.
    pub took: Duration,
}

impl Run<'_> {
    /// Counts everything.
    pub fn report(&self) -> Report {
        let pairs = self.rows.iter().zip(self.looked);
        let seen: Vec<(&Row, &PictureResult)> =
            pairs.clone().filter_map(|(row, looked)| Some((row, looked.as_ref().ok()?))).collect();
        let failed = pairs.filter_map(|(row, looked)| {
            Some(Failed { image: row.name.clone(), reason: looked.as_ref().err()?.clone() })
        });
        let mut by_source: BTreeMap<String, Vec<(&Row, &PictureResult)>> = BTreeMap::new();
        for &(row, looked) in &seen {
            by_source.entry(row.source.clone()).or_default().push((row, looked));
        }
        let sources = by_source.into_iter().map(|(source, seen)| (source, self.measured(&seen)));
        Report {
            schema: SCHEMA,
            manifest: self.manifest.clone(),
            split: self.split.clone(),
            model: ModelStamp::from(self.model),
            looked: self.how_looked(&seen),
            pictures: seen.len(),
            seconds: self.took.as_secs_f64(),
            milliseconds: milliseconds(&seen),
            failed: failed.collect(),
            sources: sources.collect(),
            together: self.measured(&seen),
        }
    }

    fn how_looked(&self, seen: &[(&Row, &PictureResult)]) -> AnalysisSettings {
        let enabled = self.model.classes.iter().filter(|class| class.experimental && class.reported);
        AnalysisSettings {
            mode: self.mode,
            coarse_to_fine: self.coarse_to_fine,
            ended_early: seen.iter().filter(|(_, looked)| looked.timings.ended_early).count(),
            experimental_classes: enabled.map(|class| class.name.clone()).collect(),
        }
    }

    fn measured(&self, seen: &[(&Row, &PictureResult)]) -> Measured {
        let mut scores = Vec::new();
        let mut classes = Vec::new();
        for (index, class) in self.model.classes.iter().enumerate() {
            let judged = judged(seen, class, index);
            if judged.is_empty() {
                continue;
            }
            if class.reported {
                scores.extend_from_slice(&judged);
            }
            classes.push(self.class(seen, index, &judged));
        }
        let compared = || classes.iter().filter(|class| class.reported && class.is_mixed());
        let f1 = compared().filter_map(|class| class.f1);
        let clean: Vec<&PictureResult> =
            seen.iter().filter(|(row, _)| row.clean).map(|(_, looked)| *looked).collect();
        let alarms: Vec<usize> = clean.iter().map(|looked| looked.found.len()).collect();
        let with_finding = alarms.iter().filter(|&&count| count > 0).count();
        let per_clean = |count: usize| (!clean.is_empty()).then(|| count as f64 / clean.len() as f64);
        Measured {
            pictures: seen.len(),
            clean: clean.len(),
            clean_with_finding: with_finding,
            clean_with_finding_rate: per_clean(with_finding),
            false_alarms_per_clean: per_clean(alarms.iter().sum()),
            mean_ap: mean(compared().filter_map(|class| class.ap)),
            macro_f1: mean(f1.clone()),
            worst_f1: f1.reduce(f64::min),
            ece: measure::calibration_error(&scores, BINS),
            reliability: measure::reliability(&scores, BINS),
            classes,
        }
    }

    fn class(&self, seen: &[(&Row, &PictureResult)], index: usize, judged: &[ScoredLabel]) -> ClassMeasured {
        let class = &self.model.classes[index];
        let counts = Counts::at(judged, class.threshold);
        let of_class = || seen.iter().map(|(_, looked)| &looked.classes[index]);
        let boxes = of_class().filter_map(|looked| looked.boxes).reduce(|mut sum, counts| {
            sum += counts;
            sum
        });
        let cells = of_class().filter_map(|looked| looked.cells).reduce(|mut sum, counts| {
            sum += counts;
            sum
        });
        ClassMeasured {
            class: class.name.clone(),
            experimental: class.experimental,
            reported: class.reported,
            threshold: class.threshold,
            pictures: judged.len(),
            positive: counts.positive,
            ap: measure::average_precision(judged),
            precision: counts.precision(),
            recall: counts.recall(),
            f1: counts.f1(),
            ece: measure::calibration_error(judged, BINS),
            reliability: measure::reliability(judged, BINS),
            boxes: boxes.map(|counts| BoxesMeasured {
                counts,
                hit_rate: counts.hit_rate(),
                inside_rate: counts.inside_rate(),
            }),
            cells: cells.map(|counts| CellsMeasured {
                counts,
                precision: counts.precision(),
                recall: counts.recall(),
            }),
        }
    }
}

/// The scores of one class on the pictures that say whether they show it.
fn judged(seen: &[(&Row, &PictureResult)], class: &ClassInfo, index: usize) -> Vec<ScoredLabel> {
    let one = |(row, looked): &(&Row, &PictureResult)| {
        Some(ScoredLabel { score: looked.classes[index].score, holds: row.shows(&class.name)? })
    };
    seen.iter().filter_map(one).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn milliseconds(seen: &[(&Row, &PictureResult)]) -> Milliseconds {
    let median = |stage: fn(&PictureResult) -> Duration| {
        let mut times: Vec<Duration> = seen.iter().map(|(_, looked)| stage(looked)).collect();
        times.sort_unstable();
        times.get(times.len() / 2).map_or(0.0, |time| (time.as_secs_f64() * 100_000.0).round() / 100.0)
    };
    Milliseconds {
        decode: median(|looked| looked.decode),
        preprocess: median(|looked| looked.timings.preprocess),
        infer: median(|looked| looked.timings.infer),
        postprocess: median(|looked| looked.timings.postprocess),
    }
}

#[cfg(test)]
pub(crate) mod tests;
