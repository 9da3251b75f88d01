//! Slows down guessing: so many wrong passwords for one account or from one address, then a wait.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Keys that are remembered; beyond it the oldest go. An attacker with more addresses than this still meets
/// the limit of each account.
const KEYS_MAX: usize = 4096;

/// Counts failures by key.
#[derive(Debug)]
pub(crate) struct Limiter<K> {
    most: u32,
    window: SignedDuration,
    failures: Mutex<HashMap<K, Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since: Timestamp,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Allows `most` failures in `window_s` seconds.
    pub(crate) fn new(most: u32, window_s: u32) -> Self {
        Self { most, window: SignedDuration::from_secs(window_s.into()), failures: Mutex::default() }
    }

    /// How many seconds `key` has to wait, if it does.
    pub(crate) fn wait(&self, key: &K, now: Timestamp) -> Option<u64> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = failures.get(key).filter(|entry| entry.count >= self.most)?;
        let passed = now.duration_since(entry.since);
        // Failures of the future were noted by a clock that ran ahead.
        let left = if passed.is_negative() { SignedDuration::ZERO } else { self.window - passed };
        u64::try_from(left.as_secs()).ok().filter(|left| *left > 0)
    }

    /// Notes an attempt before it is checked, so that many at once are not more than many in a row.
    pub(crate) fn charge(&self, key: &K, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, entry| {
            let passed = now.duration_since(entry.since);
            !passed.is_negative() && passed < self.window
        });
        if failures.len() >= KEYS_MAX
            && let Some(oldest) =
                failures.iter().min_by_key(|(_, entry)| entry.since).map(|(key, _)| key.clone())
        {
            failures.remove(&oldest);
        }
        failures.entry(key.clone()).or_insert(Failures { count: 0, since: now }).count += 1;
    }

    /// Takes an attempt back: it was right.
    pub(crate) fn refund(&self, key: &K) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = failures.get_mut(key) {
            entry.count = entry.count.saturating_sub(1);
        }
    }
}

/// The limits of signing in: by address and by account.
#[derive(Debug)]
pub(crate) struct Throttle {
    addresses: Limiter<IpAddr>,
    logins: Limiter<String>,
}

impl Throttle {
    pub(crate) fn new(address_most: u32, login_most: u32, window_s: u32) -> Self {
        Self { addresses: Limiter::new(address_most, window_s), logins: Limiter::new(login_most, window_s) }
    }

    /// Counts an attempt, or tells how many seconds to wait before the next.
    pub(crate) fn admit(&self, address: IpAddr, login: &str, now: Timestamp) -> Result<Attempt<'_>, u64> {
        let login = login.to_owned();
        if let Some(seconds) = self.logins.wait(&login, now) {
            return Err(seconds);
        }
        let attempt = self.admit_address(address, now)?;
        self.logins.charge(&login, now);
        Ok(Attempt { login: Some(login), ..attempt })
    }

    /// The same for an attempt that names no account of this box.
    pub(crate) fn admit_address(&self, address: IpAddr, now: Timestamp) -> Result<Attempt<'_>, u64> {
        let address = network(address);
        if let Some(seconds) = self.addresses.wait(&address, now) {
            return Err(seconds);
        }
        self.addresses.charge(&address, now);
        Ok(Attempt { throttle: self, address, login: None })
    }
}

/// An attempt that counts as wrong until it turns out right.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    throttle: &'a Throttle,
    address: IpAddr,
    login: Option<String>,
}

impl Attempt<'_> {
    /// It was right and does not count.
    pub(crate) fn was_right(self) {
        self.throttle.addresses.refund(&self.address);
        if let Some(login) = &self.login {
            self.throttle.logins.refund(login);
        }
    }
}

/// Whoever has one IPv6 address has 2⁶⁴ of them: they count as one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => IpAddr::V4(mapped),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        },
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
    fn the_third_failure_makes_one_key_wait() {
        let limiter = Limiter::new(3, 60);
        for second in 0..3 {
            assert_eq!(limiter.wait(&ONE, at(second)), None);
            limiter.charge(&ONE, at(second));
        }
        assert_eq!(limiter.wait(&ONE, at(10)), Some(50));
        assert_eq!(limiter.wait(&OTHER, at(10)), None);
        assert_eq!(limiter.wait(&ONE, at(60)), None);
        limiter.charge(&ONE, at(61));
        assert_eq!(limiter.wait(&ONE, at(62)), None, "the old failures are forgotten");
    }

    #[test]
    fn addresses_and_accounts_wait_apart() {
        let throttle = Throttle::new(4, 2, 60);
        let attempt = |address, login| throttle.admit(address, login, at(0)).map(drop);
        assert_eq!((attempt(ONE, "ana"), attempt(OTHER, "ana")), (Ok(()), Ok(())));
        assert_eq!(attempt(ONE, "ana"), Err(60), "guessed at from two addresses");
        assert_eq!((attempt(ONE, "ben"), attempt(ONE, "cy"), attempt(ONE, "dee")), (Ok(()), Ok(()), Ok(())));
        assert_eq!(attempt(ONE, "eve"), Err(60), "one address tries many accounts");
    }

    #[test]
    fn what_was_right_does_not_count() {
        let throttle = Throttle::new(2, 2, 60);
        for _ in 0..10 {
            throttle.admit(ONE, "ana", at(0)).expect("never waits").was_right();
        }
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(network(parse("2001:db8::1:2:3:4")), network(parse("2001:db8::ffff")));
        assert_ne!(network(parse("2001:db8::1")), network(parse("2001:db8:0:1::1")));
        assert_eq!(network(parse("::ffff:10.0.0.1")), ONE);
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::new(3, 60);
        for number in 0..(KEYS_MAX as u32 + 10) {
            limiter.charge(&number, at(0));
        }
        assert_eq!(limiter.failures.lock().expect("no panic").len(), KEYS_MAX);
    }
}
