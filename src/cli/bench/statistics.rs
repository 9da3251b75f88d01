//! Percentiles and how far they can be trusted, arrivals by chance, and the search for the highest rate. Pure.

use serde::{Deserialize, Serialize};

/// The confidence with which an upper bound holds.
pub(super) const CONFIDENCE: f64 = 0.99;

/// Latencies in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Latencies {
    /// How many were measured.
    pub count: usize,
    /// Half were no slower.
    pub p50: Quantile,
    /// Nine in ten were no slower.
    pub p90: Quantile,
    /// All but one in a hundred were no slower.
    pub p99: Quantile,
    /// The slowest.
    pub max: f64,
}

/// One percentile of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Quantile {
    /// As measured.
    pub ms: f64,
    /// The true value lies at or below this with [`CONFIDENCE`]; none where there were too few to say.
    pub at_most: Option<f64>,
}

impl Latencies {
    /// Of `samples` in any order; none of none.
    pub(super) fn of(mut samples: Vec<f64>) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        let max = *samples.last()?;
        let quantile = |p| Quantile { ms: nearest_rank(&samples, p), at_most: upper_bound(&samples, p) };
        Some(Self { count: samples.len(), p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max })
    }
}

/// The smallest of the sorted `samples` that at least the share `p` of them does not exceed.
pub(super) fn nearest_rank(samples: &[f64], p: f64) -> f64 {
    let rank = (p * samples.len() as f64 - 1e-9).ceil().max(1.0) as usize;
    samples.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// The upper bound of the `p` quantile by order statistics, as the early stopping of `MLPerf` does it: the largest number of
/// samples that may be set aside at the top without losing [`CONFIDENCE`] that the rest reaches the quantile.
fn upper_bound(samples: &[f64], p: f64) -> Option<f64> {
    set_aside(samples.len(), p).map(|aside| samples[samples.len() - 1 - aside])
}

/// How many of `count` samples may be set aside; none where even the largest proves nothing.
///
/// Each sample exceeds the true quantile with the chance 1 − p. If no more than t of them do so only with a chance of
/// 1 − confidence, then the (t + 1)th largest lies at or above the quantile with that confidence.
fn set_aside(count: usize, p: f64) -> Option<usize> {
    let over = 1.0 - p;
    // The binomial distribution term by term, in logarithms: p^n underflows for large n.
    let mut term = count as f64 * p.ln();
    let mut sum = term.exp();
    let mut aside = None;
    let mut t = 0;
    while t < count && sum <= 1.0 - CONFIDENCE {
        aside = Some(t);
        term += ((count - t) as f64 / (t + 1) as f64).ln() + (over / p).ln();
        sum += term.exp();
        t += 1;
    }
    aside
}

/// How many samples it takes for an upper bound of the `p` quantile.
pub(super) fn samples_needed(p: f64) -> usize {
    ((1.0 - CONFIDENCE).ln() / p.ln()).ceil() as usize
}

/// The middle value; the mean of the two middle ones of an even number; NaN of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

/// Seconds from the start at which requests come that know nothing of each other, at `rate` a second over `seconds`.
/// `draws` are even in 0..1.
pub(super) fn arrivals(rate: f64, seconds: f64, mut draws: impl FnMut() -> f64) -> Vec<f64> {
    let (mut at, mut arrivals) = (0.0, Vec::new());
    loop {
        at -= (1.0 - draws()).ln() / rate;
        if at >= seconds {
            return arrivals;
        }
        arrivals.push(at);
    }
}

/// Finds the highest rate that holds, between one that did and one that did not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Search {
    holds: f64,
    fails: f64,
    trials: usize,
}

impl Search {
    /// Below `ceiling`, a rate that cannot hold, in `trials` trials.
    pub(super) fn below(ceiling: f64, trials: usize) -> Self {
        Self { holds: 0.0, fails: ceiling, trials }
    }

    /// The next rate to try, until the trials are spent.
    pub(super) fn next(&self) -> Option<f64> {
        (self.trials > 0).then(|| f64::midpoint(self.holds, self.fails))
    }

    /// Takes in whether `rate` held.
    pub(super) fn tell(&mut self, rate: f64, held: bool) {
        self.trials = self.trials.saturating_sub(1);
        if held {
            self.holds = self.holds.max(rate);
        } else {
            self.fails = self.fails.min(rate);
        }
    }

    /// The highest rate that held; 0 when none did.
    pub(super) fn best(&self) -> f64 {
        self.holds
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to(count: usize) -> Vec<f64> {
        (1..=count).map(|value| value as f64).collect()
    }

    #[test]
    fn percentiles_are_samples_that_were_measured() {
        let table = [
            (1, 0.5, 1.0),
            (2, 0.5, 1.0),
            (4, 0.5, 2.0),
            (10, 0.9, 9.0),
            (100, 0.99, 99.0),
            (101, 0.99, 100.0),
            (1, 0.99, 1.0),
        ];
        for (count, p, expected) in table {
            assert!((nearest_rank(&to(count), p) - expected).abs() < f64::EPSILON, "{p} of {count}");
        }
        assert_eq!(Latencies::of(vec![]), None);
        let latencies = Latencies::of(vec![3.0, 1.0, 2.0]).expect("some");
        assert!((latencies.p50.ms - 2.0).abs() < f64::EPSILON && (latencies.max - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn bounds_are_those_of_the_binomial_distribution() {
        // 0.9^44 = 0.0097 and 0.9^43 = 0.0108; 0.99^459 = 0.0099.
        assert_eq!((set_aside(43, 0.9), set_aside(44, 0.9)), (None, Some(0)));
        assert_eq!((set_aside(458, 0.99), set_aside(459, 0.99)), (None, Some(0)));
        // P(at most 1 of 64 | 0.1) = 0.0096, of 63: 0.0105.
        assert_eq!((set_aside(63, 0.9), set_aside(64, 0.9)), (Some(0), Some(1)));
        assert_eq!((samples_needed(0.5), samples_needed(0.9), samples_needed(0.99)), (7, 44, 459));
        assert_eq!(Latencies::of(to(500)).and_then(|l| l.p99.at_most), Some(500.0));
        assert_eq!(Latencies::of(to(100)).and_then(|l| l.p99.at_most), None);
        assert!(set_aside(1_000_000, 0.99).is_some_and(|aside| (9_700..9_800).contains(&aside)));
    }

    #[test]
    fn the_middle_is_the_middle() {
        assert!((median(vec![5.0, 1.0, 3.0]) - 3.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn a_search_closes_in_on_the_highest_rate_that_holds() {
        let mut search = Search::below(16.0, 7);
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            tried.push(rate);
            search.tell(rate, rate <= 5.3);
        }
        assert_eq!(tried.len(), 7);
        assert!(search.best() <= 5.3 && search.best() > 5.0, "{tried:?}");
        let mut hopeless = Search::below(16.0, 3);
        while let Some(rate) = hopeless.next() {
            hopeless.tell(rate, false);
        }
        assert!(hopeless.best().abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn an_upper_bound_is_no_lower_than_its_percentile(samples in prop::collection::vec(0.0_f64..1e6, 1..600)) {
            let latencies = Latencies::of(samples).expect("some");
            for quantile in [latencies.p50, latencies.p90, latencies.p99] {
                prop_assert!(quantile.at_most.is_none_or(|bound| bound >= quantile.ms && bound <= latencies.max));
            }
        }

        #[test]
        fn arrivals_rise_and_keep_their_rate(rate in 1.0_f64..50.0, seed in any::<u64>()) {
            use rand::{RngExt, SeedableRng};
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let arrivals = arrivals(rate, 200.0, || rng.random());
            prop_assert!(arrivals.is_sorted());
            prop_assert!(arrivals.iter().all(|at| (0.0..200.0).contains(at)));
            // Six standard deviations of a Poisson count.
            let expected = rate * 200.0;
            prop_assert!((arrivals.len() as f64 - expected).abs() <= 6.0 * expected.sqrt());
        }
    }
}
