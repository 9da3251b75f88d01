//! Writes whose answer never came: how long they may still be carried out, and when to look next.

use std::time::Duration;

use jiff::Timestamp;

/// The shortest wait between two looks for what a write may have done.
const BETWEEN_LOOKS: Duration = Duration::from_secs(20);

/// A write that Procore may have carried out, or may yet. Times are by Procore's clock where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// When it was first tried.
    pub since: Timestamp,
    /// When it was last tried.
    pub last: Timestamp,
}

impl Doubt {
    /// How long the write may still be carried out, at `now`; `None` when a look that finds nothing is proof that it
    /// was not. `horizon` is the longest time for which Procore may take a request before it carries it out.
    pub fn left(&self, now: Timestamp, horizon: Duration) -> Option<Duration> {
        let passed = Duration::try_from(now.duration_since(self.last)).unwrap_or_default();
        horizon.checked_sub(passed).filter(|left| !left.is_zero())
    }

    /// How long to wait for the next look after one at `now` that found nothing. The waits grow, and the last look comes
    /// when the write cannot be carried out any more.
    pub fn next_look(&self, now: Timestamp, horizon: Duration) -> Option<Duration> {
        let passed = Duration::try_from(now.duration_since(self.last)).unwrap_or_default();
        self.left(now, horizon).map(|left| left.min(BETWEEN_LOOKS.max(passed * 3)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_thin_out_and_the_last_comes_at_the_horizon() {
        let at = |second| Timestamp::from_second(1_780_000_000 + second).expect("in range");
        let doubt = Doubt { since: at(-500), last: at(0) };
        let horizon = Duration::from_mins(10);
        let mut looks = vec![2];
        while let Some(wait) = doubt.next_look(at(looks[looks.len() - 1]), horizon) {
            looks.push(looks[looks.len() - 1] + i64::try_from(wait.as_secs()).expect("short"));
        }
        assert_eq!(looks, [2, 22, 88, 352, 600]);
        assert_eq!(doubt.left(at(599), horizon), Some(Duration::from_secs(1)));
        assert_eq!(doubt.left(at(600), horizon), None);
        assert_eq!(doubt.left(at(-3600), horizon), Some(horizon), "a clock that was set back proves nothing");
    }
}
