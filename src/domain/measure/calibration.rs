//! Whether scores mean what they say: of findings with score 0.8, about 80 % should hold.

use serde::Serialize;

use super::ScoredLabel;

/// The scores that lie in one part of 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Where the part begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Scores in it.
    pub count: usize,
    /// Their mean.
    pub mean_score: f64,
    /// The share of them that holds.
    pub share_that_holds: f64,
}

/// The scores by `bins` equal parts of 0..=1, parts without scores left out.
pub fn reliability(judged: &[ScoredLabel], bins: usize) -> Vec<Bin> {
    let part =
        |one: &ScoredLabel| ((f64::from(one.score) * bins as f64) as usize).min(bins.saturating_sub(1));
    let bin = |index: usize| {
        let inside: Vec<&ScoredLabel> = judged.iter().filter(|one| part(one) == index).collect();
        let count = inside.len();
        let sum: f64 = inside.iter().map(|one| f64::from(one.score)).sum();
        let hold = inside.iter().filter(|one| one.holds).count();
        (count > 0).then(|| Bin {
            from: index as f64 / bins as f64,
            to: (index + 1) as f64 / bins as f64,
            count,
            mean_score: sum / count as f64,
            share_that_holds: hold as f64 / count as f64,
        })
    };
    (0..bins).filter_map(bin).collect()
}

/// The expected calibration error: how far scores and what holds lie apart, on average over the
/// scores. None without scores.
pub fn calibration_error(judged: &[ScoredLabel], bins: usize) -> Option<f64> {
    let gap = |bin: &Bin| bin.count as f64 * (bin.mean_score - bin.share_that_holds).abs();
    let sum: f64 = reliability(judged, bins).iter().map(gap).sum();
    (!judged.is_empty()).then(|| sum / judged.len() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(pairs: &[(f32, bool)]) -> Vec<ScoredLabel> {
        pairs.iter().map(|&(score, holds)| ScoredLabel { score, holds }).collect()
    }

    #[test]
    fn bins_by_hand() {
        let five = judged(&[(0.0, false), (0.25, true), (0.25, false), (1.0, true), (0.75, false)]);
        let bins = reliability(&five, 4);
        let shown: Vec<_> =
            bins.iter().map(|bin| (bin.from, bin.count, bin.mean_score, bin.share_that_holds)).collect();
        assert_eq!(shown, [(0.0, 1, 0.0, 0.0), (0.25, 2, 0.25, 0.5), (0.75, 2, 0.875, 0.5)]);
        // (1 × 0 + 2 × 0.25 + 2 × 0.375) ÷ 5
        assert!(calibration_error(&five, 4).is_some_and(|error| (error - 0.25).abs() < 1e-12));
        assert_eq!(calibration_error(&[], 10), None);
    }

    proptest! {
        #[test]
        fn every_score_is_in_one_bin(scores in prop::collection::vec((0.0_f32..=1.0, any::<bool>()), 1..60), bins in 1_usize..20) {
            let judged = judged(&scores);
            let parts = reliability(&judged, bins);
            prop_assert_eq!(parts.iter().map(|bin| bin.count).sum::<usize>(), judged.len());
            for bin in &parts {
                prop_assert!(bin.from - 1e-6 <= bin.mean_score && bin.mean_score <= bin.to + 1e-6);
            }
            let error = calibration_error(&judged, bins).unwrap_or(f64::NAN);
            prop_assert!((0.0..=1.0).contains(&error));
        }

        #[test]
        fn scores_that_are_certain_and_right_have_no_error(truth in prop::collection::vec(any::<bool>(), 1..30)) {
            let sure: Vec<ScoredLabel> =
                truth.iter().map(|&holds| ScoredLabel { score: if holds { 1.0 } else { 0.0 }, holds }).collect();
            prop_assert!(calibration_error(&sure, 10).is_some_and(|error| error < 1e-12));
        }
    }
}
