//! The two request limits of a company: by the hour and by ten seconds.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::clock::later;

const HOUR: Duration = Duration::from_hours(1);
const SPIKE: Duration = Duration::from_secs(10);

/// How many requests a company may make. Procore's numbers are no contract; these are its
/// published examples.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Whether they are enforced; the headers are sent in any case.
    pub enabled: bool,
    /// Requests in 60 minutes.
    pub hourly: u32,
    /// Requests in 10 seconds.
    pub spike: u32,
    /// Whether a 429 carries `Retry-After`: Procore's pages disagree, so both must be survived.
    pub retry_after: bool,
}

impl Limits {
    /// So wide that a client on one machine never meets them; the headers say so.
    pub fn generous() -> Self {
        Self { hourly: 10_000_000, spike: 1_000_000, ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { enabled: true, hourly: 600, spike: 25, retry_after: true }
    }
}

/// What the rate limit headers say after a request was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meter {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    pub(super) reset: Timestamp,
    /// Whether this request was one too many.
    pub(super) exceeded: bool,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    started: Timestamp,
    used: u32,
}

impl Window {
    fn count(&mut self, now: Timestamp, length: Duration, limit: u32) -> Meter {
        if now >= later(self.started, length) {
            *self = Self { started: now, used: 0 };
        }
        let exceeded = self.used >= limit;
        self.used = self.used.saturating_add(1);
        Meter {
            limit,
            remaining: limit.saturating_sub(self.used),
            reset: later(self.started, length),
            exceeded,
        }
    }
}

/// The windows of every company.
#[derive(Debug, Default)]
pub(super) struct Meters(HashMap<String, [Window; 2]>);

impl Meters {
    /// Counts one request of `company`; failed ones count like any other.
    pub(super) fn count(&mut self, company: &str, limits: &Limits, now: Timestamp) -> Meter {
        let fresh = Window { started: now, used: 0 };
        let [hour, spike] = self.0.entry(company.to_owned()).or_insert([fresh; 2]);
        let hour = hour.count(now, HOUR, limits.hourly);
        let spike = spike.count(now, SPIKE, limits.spike);
        let share = |meter: &Meter| f64::from(meter.remaining) / f64::from(meter.limit.max(1));
        let nearer = match (hour.exceeded, spike.exceeded) {
            (true, _) => hour,
            (_, true) => spike,
            _ if share(&hour) < share(&spike) => hour,
            _ => spike,
        };
        Meter { exceeded: limits.enabled && nearer.exceeded, ..nearer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_limit_speaks_and_windows_reopen() {
        let limits = Limits { hourly: 5, spike: 2, ..Limits::default() };
        let mut meters = Meters::default();
        let start = Timestamp::UNIX_EPOCH;
        let mut at = |seconds| {
            let meter = meters.count("8", &limits, later(start, Duration::from_secs(seconds)));
            (meter.limit, meter.remaining, meter.reset.as_second(), meter.exceeded)
        };
        assert_eq!(at(0), (2, 1, 10, false));
        assert_eq!(at(1), (2, 0, 10, false));
        assert_eq!(at(2), (2, 0, 10, true));
        assert_eq!(at(10), (5, 1, 3600, false));
        assert_eq!(at(11), (2, 0, 20, false));
        assert_eq!(at(21), (5, 0, 3600, true));
        assert_eq!(at(3600), (2, 1, 3610, false));
    }
}
