//! What to do after a failure, as values: the queue acts on them, tests read them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a failed step deserves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Try again, not before `after` if the far side named a wait.
    RetryLater {
        /// The wait that was asked for (`Retry-After`, `X-Rate-Limit-Reset`).
        after: Option<Duration>,
    },
    /// Fetch a fresh token, then try once more.
    Reauthorise,
    /// Try again some times over hours, then keep the job aside until a person has acted on the reason.
    RetryThenPark {
        /// What is wrong and what to do about it.
        reason: String,
    },
    /// Keep the job aside until a person has acted on the reason.
    Park {
        /// What is wrong and what to do about it.
        reason: String,
    },
    /// It can never work.
    GiveUp {
        /// Why.
        reason: String,
    },
}

impl Disposition {
    /// What the failure deserves after attempt number `attempt`.
    #[must_use]
    pub fn after(self, attempt: u32) -> Self {
        match self {
            Self::RetryThenPark { .. } if attempt < TRIES_BEFORE_PARKING => Self::RetryLater { after: None },
            Self::RetryThenPark { reason } => Self::Park { reason },
            other => other,
        }
    }
}

/// The attempt after which [`Disposition::RetryThenPark`] parks. With waits that double from 2 s to an hour these take
/// about five hours.
pub const TRIES_BEFORE_PARKING: u32 = 20;

/// Bounds of the exponential backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub base: Duration,
    /// The longest wait.
    pub cap: Duration,
}

impl Backoff {
    /// How long to wait after attempt number `attempt` (1 is the first): exponential with full
    /// jitter, never shorter than what the far side asked for.
    ///
    /// `jitter` is a draw from 0..=1, passed in so that this stays a function.
    pub fn wait(&self, attempt: u32, asked: Option<Duration>, jitter: f64) -> Duration {
        let ceiling = self
            .base
            .checked_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(30)))
            .map_or(self.cap, |grown| grown.min(self.cap));
        let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
        let drawn = ceiling.mul_f64(jitter);
        match asked {
            // Jitter on top keeps fifty boxes from coming back in the same second.
            Some(asked) => asked.saturating_add(drawn.min(asked.max(self.base))),
            None => drawn.max(self.base / 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(2), cap: Duration::from_mins(10) };

    #[test]
    fn waits_grow_to_the_cap_and_never_vanish() {
        let full: Vec<u64> = (1..=12).map(|n| BACKOFF.wait(n, None, 1.0).as_secs()).collect();
        assert_eq!(full, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
        assert_eq!(BACKOFF.wait(5, None, 0.0), Duration::from_secs(1));
        assert_eq!(BACKOFF.wait(u32::MAX, None, f64::NAN), BACKOFF.cap);
    }

    #[test]
    fn some_failures_park_after_hours_only() {
        let failure = || Disposition::RetryThenPark { reason: "odd".into() };
        assert_eq!(failure().after(1), Disposition::RetryLater { after: None });
        assert_eq!(failure().after(TRIES_BEFORE_PARKING), Disposition::Park { reason: "odd".into() });
        let tried: Duration = (1..TRIES_BEFORE_PARKING).map(|n| BACKOFF.wait(n, None, 0.5)).sum();
        assert!(tried > Duration::from_mins(45), "{tried:?}");
    }

    #[test]
    fn the_far_sides_wait_is_a_lower_bound() {
        let asked = Duration::from_secs(30);
        for jitter in [0.0, 0.5, 1.0] {
            assert!(BACKOFF.wait(1, Some(asked), jitter) >= asked);
        }
    }
}
