//! How well a model's scores, boxes and cells agree with what is known: plain functions over numbers.
//!
//! `models/training/metrics.py` and `evaluate.py` measure the same in Python.

mod calibration;
mod places;
mod ranking;

pub use self::calibration::{Bin, calibration_error, reliability};
pub use self::places::{BoxCounts, CellCounts, CellGrid, boxes, cells};
pub use self::ranking::{Counts, ScoredLabel, average_precision};

/// `part` of `whole`; none where there is no whole.
fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
