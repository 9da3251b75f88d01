//! Scores against yes or no: average precision, and the counts at a threshold.

use serde::Serialize;

use super::ratio;

/// A score, and whether what it stands for holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredLabel {
    /// The model's calibrated score.
    pub score: f32,
    /// What is known.
    pub holds: bool,
}

/// The area under the steps of precision over recall; equal scores count together. None where nothing holds.
pub fn average_precision(judged: &[ScoredLabel]) -> Option<f64> {
    let positive = judged.iter().filter(|one| one.holds).count();
    let mut ranked = judged.to_vec();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    let (mut seen, mut hits, mut area) = (0, 0, 0.0);
    for equals in ranked.chunk_by(|a, b| a.score.total_cmp(&b.score).is_eq()) {
        let new = equals.iter().filter(|one| one.holds).count();
        seen += equals.len();
        hits += new;
        area += ratio(new, positive)? * ratio(hits, seen)?;
    }
    (positive > 0).then_some(area)
}

/// What a threshold made of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// At or above it, and rightly so.
    pub hits: usize,
    /// At or above it.
    pub flagged: usize,
    /// Should have been.
    pub positive: usize,
}

impl Counts {
    /// Counts scores at or above `threshold` as flagged.
    pub fn at(judged: &[ScoredLabel], threshold: f32) -> Self {
        let flagged = |one: &&ScoredLabel| one.score >= threshold;
        Self {
            hits: judged.iter().filter(flagged).filter(|one| one.holds).count(),
            flagged: judged.iter().filter(flagged).count(),
            positive: judged.iter().filter(|one| one.holds).count(),
        }
    }

    /// The share of what was flagged that holds.
    pub fn precision(self) -> Option<f64> {
        ratio(self.hits, self.flagged)
    }

    /// The share of what holds that was flagged.
    pub fn recall(self) -> Option<f64> {
        ratio(self.hits, self.positive)
    }

    /// The harmonic mean of the two.
    pub fn f1(self) -> Option<f64> {
        ratio(2 * self.hits, self.flagged + self.positive)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Pairs = [(f32, bool)];

    fn judged(pairs: &Pairs) -> Vec<ScoredLabel> {
        pairs.iter().map(|&(score, holds)| ScoredLabel { score, holds }).collect()
    }

    #[test]
    fn average_precision_by_hand() {
        let table: [(&Pairs, Option<f64>); 7] = [
            (&[], None),
            (&[(0.9, false)], None),
            (&[(0.9, true), (0.1, false)], Some(1.0)),
            (&[(0.1, true), (0.9, false)], Some(0.5)),
            // Hits at ranks 1 and 3: 1/2 × 1 + 1/2 × 2/3.
            (&[(0.9, true), (0.8, false), (0.7, true)], Some(0.5 + 1.0 / 3.0)),
            // Both ties together: precision 1/2 at full recall, in whichever order they stand.
            (&[(0.5, true), (0.5, false)], Some(0.5)),
            (&[(0.5, false), (0.5, true)], Some(0.5)),
        ];
        for (pairs, expected) in table {
            match (average_precision(&judged(pairs)), expected) {
                (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12, "{pairs:?}"),
                (found, expected) => assert_eq!(found, expected, "{pairs:?}"),
            }
        }
    }

    #[test]
    fn counts_by_hand() {
        let four = judged(&[(0.9, true), (0.5, false), (0.4, true), (0.1, false)]);
        let counts = Counts::at(&four, 0.5);
        assert_eq!(counts, Counts { hits: 1, flagged: 2, positive: 2 });
        assert_eq!((counts.precision(), counts.recall(), counts.f1()), (Some(0.5), Some(0.5), Some(0.5)));
        let none = Counts::at(&four, 0.95);
        assert_eq!((none.precision(), none.recall(), none.f1()), (None, Some(0.0), Some(0.0)));
        assert_eq!(Counts::default().f1(), None);
    }

    fn any_scores() -> impl Strategy<Value = Vec<ScoredLabel>> {
        let one = (0..20_u8, any::<bool>());
        let one = one.prop_map(|(score, holds)| ScoredLabel { score: f32::from(score) / 20.0, holds });
        prop::collection::vec(one, 1..40)
    }

    proptest! {
        #[test]
        fn only_the_ranking_counts((judged, shuffled) in any_scores().prop_flat_map(|judged| {
            (Just(judged.clone()), Just(judged).prop_shuffle())
        })) {
            let area = average_precision(&judged);
            let squared: Vec<ScoredLabel> =
                shuffled.iter().map(|one| ScoredLabel { score: one.score * one.score, ..*one }).collect();
            match (area, average_precision(&squared)) {
                (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-9 && (0.0..=1.0 + 1e-9).contains(&a)),
                (a, b) => prop_assert_eq!(a, b),
            }
        }

        #[test]
        fn f1_lies_between_precision_and_recall(judged in any_scores(), threshold in 0.0_f32..1.0) {
            let counts = Counts::at(&judged, threshold);
            if let (Some(precision), Some(recall), Some(f1)) = (counts.precision(), counts.recall(), counts.f1()) {
                prop_assert!(precision.min(recall) - 1e-9 <= f1 && f1 <= precision.max(recall) + 1e-9);
            }
        }
    }
}
