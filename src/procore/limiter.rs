//! How many calls may be made: Procore's headers decide, shared by all workers of a company.
//!
//! Procore counts calls for each company in two windows, 10 s and one hour, and describes in
//! `X-Rate-Limit-*` the one that is likelier to be hit. The decision is a pure function of what was
//! sent, what was told and the time; [`Limiter`] only keeps the ledgers and sleeps.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;

use crate::domain::ids::CompanyId;
use crate::procore::error::Error;

const SPIKE: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_hours(1);

/// How long a background call stands back when a foreground call waits for room.
const FOREGROUND_FIRST: Duration = Duration::from_millis(500);

/// The `[procore.limiter]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimiterConfig {
    /// Calls in any 10 s until the headers tell the real limit.
    pub per_10_s: u32,
    /// Calls in any hour until the headers tell the real limit.
    pub per_hour: u32,
    /// Percent of both limits that background work leaves free.
    pub background_reserve_percent: u32,
    /// Milliseconds to wait after a 429 that does not say how long.
    pub fallback_wait_ms: u64,
    /// The most random milliseconds added to a wait.
    pub jitter_ms: u64,
    /// The longest wait, milliseconds, for which a worker is held.
    pub max_wait_ms: u64,
}

/// Who is waiting for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Class {
    /// New photos and people's decisions.
    #[default]
    Foreground,
    /// Sweeps and refreshes; they leave a reserve to the foreground.
    Background,
}

/// What an answer said about limits, in durations so that the two clocks need not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimitHeaders {
    /// `X-Rate-Limit-Limit`.
    pub limit: Option<u32>,
    /// `X-Rate-Limit-Remaining`.
    pub remaining: Option<u32>,
    /// `X-Rate-Limit-Reset`, from now.
    pub reset_in: Option<Duration>,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl RateLimitHeaders {
    /// How long to stay away after a refusal: the longer of the two, as Procore's pages disagree.
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after.max(self.reset_in)
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    limit: u32,
    remaining: u32,
    until: Timestamp,
}

/// What is known of one company's quota.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    sent: VecDeque<Timestamp>,
    in_flight: u32,
    /// Foreground calls that wait for room.
    in_line: u32,
    spike: Option<Window>,
    hour: Option<Window>,
    closed_until: Option<Timestamp>,
}

impl Ledger {
    /// How long a call of `class` must wait; zero when it may go now.
    pub fn wait(&self, now: Timestamp, class: Class, config: &LimiterConfig) -> Duration {
        let reserve = |limit: u32| match class {
            Class::Foreground => 0,
            Class::Background => {
                (limit.saturating_mul(config.background_reserve_percent) / 100).min(limit.saturating_sub(1))
            }
        };
        let told = |window: Option<Window>| {
            window.filter(|window| window.remaining <= reserve(window.limit)).map(|window| window.until)
        };
        // Once Procore talks, the hour's limit is what it says; until then it is the config's.
        let first = class == Class::Background && self.in_line > 0;
        let hour = self.hour.map(|window| window.limit);
        let hour = hour.or(self.spike.is_none().then_some(config.per_hour));
        let spike = self.spike.map_or(config.per_10_s, |window| window.limit);
        [
            first.then(|| after(now, FOREGROUND_FIRST)),
            self.closed_until,
            told(self.spike),
            told(self.hour),
            self.counted(now, SPIKE, spike.saturating_sub(reserve(spike))),
            hour.and_then(|limit| self.counted(now, HOUR, limit.saturating_sub(reserve(limit)))),
        ]
        .into_iter()
        .flatten()
        .map(|until| between(now, until))
        .max()
        .unwrap_or_default()
    }

    /// Notes that a foreground call waits for room: background calls stay behind it.
    pub fn queue_up(&mut self) {
        self.in_line += 1;
    }

    /// Notes that it waits no longer.
    pub fn step_out(&mut self) {
        self.in_line = self.in_line.saturating_sub(1);
    }

    /// When `window` has room again for one more call, if it has none now.
    fn counted(&self, now: Timestamp, window: Duration, allowed: u32) -> Option<Timestamp> {
        let allowed = usize::try_from(allowed.max(1)).unwrap_or(usize::MAX);
        let inside = self.sent.iter().filter(|at| between(**at, now) < window).count();
        let over = (inside + 1).checked_sub(allowed).filter(|over| *over > 0)?;
        let oldest_inside = self.sent.len() - inside;
        self.sent.get(oldest_inside + over - 1).map(|at| after(*at, window))
    }

    /// Notes that a call leaves now.
    pub fn sent(&mut self, now: Timestamp) {
        self.sent.push_back(now);
        self.in_flight += 1;
        while self.sent.front().is_some_and(|at| between(*at, now) >= HOUR) {
            self.sent.pop_front();
        }
        for window in [&mut self.spike, &mut self.hour].into_iter().flatten() {
            window.remaining = window.remaining.saturating_sub(1);
        }
    }

    /// Notes that a call is over, answered or not.
    pub fn ended(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Notes what the answer to a call in flight said. Returns how long to stay away if it was a refusal.
    pub fn heard(
        &mut self,
        now: Timestamp,
        status: u16,
        told: RateLimitHeaders,
        config: &LimiterConfig,
    ) -> Option<Duration> {
        if let (Some(limit), Some(remaining), Some(reset_in)) = (told.limit, told.remaining, told.reset_in) {
            let slot =
                if reset_in > SPIKE + Duration::from_secs(1) { &mut self.hour } else { &mut self.spike };
            // Other calls in flight may not be in Procore's count yet.
            let remaining = remaining.saturating_sub(self.in_flight.saturating_sub(1));
            *slot = Some(Window { limit, remaining, until: after(now, reset_in) });
        }
        let wait = match status {
            429 => told.wait().or(Some(Duration::from_millis(config.fallback_wait_ms))),
            503 => told.retry_after,
            _ => None,
        }?;
        self.closed_until = self.closed_until.max(Some(after(now, wait)));
        Some(wait)
    }
}

/// From `a` to `b`, zero when `b` is not later.
fn between(a: Timestamp, b: Timestamp) -> Duration {
    b.duration_since(a).try_into().unwrap_or_default()
}

fn after(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_add(wait.min(HOUR)).unwrap_or(Timestamp::MAX)
}

/// Time that passes evenly, whatever is done to the clock on the wall.
#[derive(Debug)]
struct SteadyClock {
    started: Instant,
    wall: Timestamp,
}

impl SteadyClock {
    fn new() -> Self {
        Self { started: Instant::now(), wall: Timestamp::now() }
    }

    fn now(&self) -> Timestamp {
        self.wall.checked_add(self.started.elapsed()).unwrap_or(Timestamp::MAX)
    }
}

/// The ledgers of all companies.
#[derive(Debug)]
pub struct Limiter {
    config: LimiterConfig,
    clock: SteadyClock,
    ledgers: Mutex<HashMap<CompanyId, Ledger>>,
}

impl Limiter {
    /// With nothing sent yet.
    pub fn new(config: LimiterConfig) -> Self {
        Self { config, clock: SteadyClock::new(), ledgers: Mutex::default() }
    }

    /// Waits until a call for `company` may leave, and counts it.
    ///
    /// # Errors
    /// When the wait would be longer than a worker should be held.
    pub async fn admit(&self, company: CompanyId, class: Class) -> Result<Admission<'_>, Error> {
        let longest = Duration::from_millis(self.config.max_wait_ms);
        let mut waited = Duration::ZERO;
        loop {
            let now = self.clock.now();
            let wait = self.with(company, |ledger| {
                let wait = ledger.wait(now, class, &self.config);
                if wait.is_zero() {
                    ledger.sent(now);
                }
                wait
            });
            if wait.is_zero() {
                return Ok(Admission { limiter: self, company });
            }
            if waited + wait > longest {
                return Err(Error::RateLimited {
                    retry_after: Some(wait),
                    message: format!("company {company} has no calls left for {} s", wait.as_secs()),
                });
            }
            let wait = wait + Duration::from_millis(rand::random_range(0..=self.config.jitter_ms));
            waited += wait;
            let _place = (class == Class::Foreground).then(|| InLine::new(self, company));
            tokio::time::sleep(wait).await;
        }
    }

    fn with<T>(&self, company: CompanyId, act: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        act(ledgers.entry(company).or_default())
    }
}

/// A foreground call that waits, until this is dropped.
struct InLine<'a> {
    limiter: &'a Limiter,
    company: CompanyId,
}

impl<'a> InLine<'a> {
    fn new(limiter: &'a Limiter, company: CompanyId) -> Self {
        limiter.with(company, Ledger::queue_up);
        Self { limiter, company }
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.limiter.with(self.company, Ledger::step_out);
    }
}

/// A call that may leave; it counts as in flight until this is dropped.
#[derive(Debug)]
pub struct Admission<'a> {
    limiter: &'a Limiter,
    company: CompanyId,
}

impl Admission<'_> {
    /// Notes what the answer said. Returns how long to stay away if it was a refusal.
    pub fn heard(&self, status: u16, told: RateLimitHeaders) -> Option<Duration> {
        let config = &self.limiter.config;
        let now = self.limiter.clock.now();
        self.limiter.with(self.company, |ledger| ledger.heard(now, status, told, config))
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        self.limiter.with(self.company, Ledger::ended);
    }
}

#[cfg(test)]
mod tests;
