//! The model's calibrated confidence.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A confidence in 0..=1, never NaN, so it can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Score(f32);

/// A number that is no score.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a score: it must lie in 0..=1")]
pub struct InvalidScore(f32);

impl Score {
    /// Wraps a number in 0..=1.
    ///
    /// # Errors
    /// When it is outside or NaN.
    pub fn new(value: f32) -> Result<Self, InvalidScore> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(InvalidScore(value)) }
    }

    /// The logistic function of `logit`: 1 ÷ (1 + e^−logit). NaN gives 0, the absence of evidence.
    pub fn from_logit(logit: f32) -> Self {
        let value = 1.0 / (1.0 + (-logit).exp());
        Self(if value.is_nan() { 0.0 } else { value })
    }

    /// The number.
    pub const fn value(self) -> f32 {
        self.0
    }

    /// How a person would say it. Scores are calibrated, so the words can be plain about odds.
    pub fn words(self) -> &'static str {
        match self.0 {
            v if v >= 0.95 => "almost certain",
            v if v >= 0.80 => "very likely",
            v if v >= 0.60 => "likely",
            v if v >= 0.40 => "about even",
            _ => "doubtful",
        }
    }
}

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl TryFrom<f32> for Score {
    type Error = InvalidScore;
    fn try_from(value: f32) -> Result<Self, InvalidScore> {
        Self::new(value)
    }
}

impl From<Score> for f32 {
    fn from(score: Score) -> Self {
        score.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_in_range_are_scores() {
        assert!(Score::new(0.0).is_ok() && Score::new(1.0).is_ok());
        for bad in [-0.01, 1.01, f32::NAN, f32::INFINITY] {
            assert!(Score::new(bad).is_err(), "{bad}");
        }
        assert!(Score::from_logit(f32::NAN).value().abs() < f32::EPSILON);
        assert!((Score::from_logit(0.0).value() - 0.5).abs() < 1e-6);
    }
}
