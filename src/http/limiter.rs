//! Slows down guessing: so many wrong keys from one address, then a wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Addresses that are remembered; beyond it the oldest entries go, which an attacker with that many
/// addresses could use, but not to guess 130 bits.
const ADDRESSES_MAX: usize = 4096;

/// Counts failures by address.
#[derive(Debug)]
pub(crate) struct Limiter {
    most: u32,
    window: SignedDuration,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since: Timestamp,
}

impl Limiter {
    /// Allows `most` failures in `window_s` seconds.
    pub(crate) fn new(most: u32, window_s: u32) -> Self {
        Self { most, window: SignedDuration::from_secs(window_s.into()), failures: Mutex::default() }
    }

    /// How many seconds `address` has to wait, if it does.
    pub(crate) fn wait(&self, address: IpAddr, now: Timestamp) -> Option<u64> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = failures.get(&address).filter(|entry| entry.count >= self.most)?;
        let left = self.window - now.duration_since(entry.since);
        u64::try_from(left.as_secs()).ok().filter(|left| *left > 0)
    }

    /// Notes a failure of `address`.
    pub(crate) fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, entry| now.duration_since(entry.since) < self.window);
        if failures.len() >= ADDRESSES_MAX
            && let Some(oldest) =
                failures.iter().min_by_key(|(_, entry)| entry.since).map(|(address, _)| *address)
        {
            failures.remove(&oldest);
        }
        failures.entry(address).or_insert(Failures { count: 0, since: now }).count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    #[test]
    fn the_third_failure_makes_one_address_wait() {
        let limiter = Limiter::new(3, 60);
        for second in 0..3 {
            assert_eq!(limiter.wait(ONE, at(second)), None);
            limiter.failed(ONE, at(second));
        }
        assert_eq!(limiter.wait(ONE, at(10)), Some(50));
        assert_eq!(limiter.wait(OTHER, at(10)), None);
        assert_eq!(limiter.wait(ONE, at(60)), None);
        limiter.failed(ONE, at(61));
        assert_eq!(limiter.wait(ONE, at(62)), None, "the old failures are forgotten");
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::new(3, 60);
        for number in 0..(ADDRESSES_MAX as u32 + 10) {
            limiter.failed(IpAddr::V4(number.into()), at(0));
        }
        assert_eq!(limiter.failures.lock().expect("no panic").len(), ADDRESSES_MAX);
    }
}
