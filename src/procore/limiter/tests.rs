use proptest::prelude::*;

use super::*;

const CONFIG: LimiterConfig = LimiterConfig {
    per_10_s: 4,
    per_hour: 10,
    background_reserve_percent: 50,
    fallback_wait_ms: 10_000,
    jitter_ms: 0,
    max_wait_ms: 1_000,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + seconds).expect("in range")
}

fn told(limit: u32, remaining: u32, reset_s: u64) -> RateLimitHeaders {
    RateLimitHeaders {
        limit: Some(limit),
        remaining: Some(remaining),
        reset_in: Some(Duration::from_secs(reset_s)),
        retry_after: None,
    }
}

fn waits(ledger: &Ledger, now: i64) -> (u64, u64) {
    let wait = |class| ledger.wait(at(now), class, &CONFIG).as_secs();
    (wait(Class::Foreground), wait(Class::Background))
}

fn sent_at(times: &[i64]) -> Ledger {
    let mut ledger = Ledger::default();
    for time in times {
        ledger.sent(at(*time));
        ledger.ended();
    }
    ledger
}

#[test]
fn own_count_holds_until_procore_speaks() {
    assert_eq!(waits(&sent_at(&[]), 0), (0, 0));
    assert_eq!(waits(&sent_at(&[0]), 0), (0, 0));
    assert_eq!(waits(&sent_at(&[0, 1]), 1), (0, 9));
    assert_eq!(waits(&sent_at(&[0, 1, 2, 3]), 3), (7, 9));
    assert_eq!(waits(&sent_at(&[0, 1, 2, 3]), 10), (0, 2));
    let spread: Vec<i64> = (0..10).map(|n| n * 60).collect();
    assert_eq!(waits(&sent_at(&spread), 600), (3000, 3300));
}

#[test]
fn headers_override_the_config() {
    let mut ledger = sent_at(&[0, 0, 0, 0]);
    ledger.heard(at(0), 200, told(25, 21, 8), &CONFIG);
    assert_eq!(waits(&ledger, 0), (0, 0));
    ledger.heard(at(1), 200, told(25, 12, 7), &CONFIG);
    assert_eq!(waits(&ledger, 1), (0, 7), "the last half is for the foreground");
    ledger.heard(at(2), 200, told(25, 0, 6), &CONFIG);
    assert_eq!(waits(&ledger, 2), (6, 6));
    assert_eq!(waits(&ledger, 8), (0, 0), "a window that is over says nothing");
}

#[test]
fn the_hour_is_told_by_a_far_reset() {
    let mut ledger = Ledger::default();
    ledger.heard(at(0), 200, told(600, 0, 1800), &CONFIG);
    assert_eq!(waits(&ledger, 0), (1800, 1800));
}

#[test]
fn calls_in_flight_count() {
    let mut ledger = Ledger::default();
    ledger.heard(at(0), 200, told(25, 2, 9), &CONFIG);
    ledger.sent(at(0));
    ledger.sent(at(0));
    ledger.heard(at(0), 200, told(25, 1, 9), &CONFIG);
    assert_eq!(waits(&ledger, 0), (9, 9), "the second call was not in the first one's count");
}

#[test]
fn refusals_close_the_door() {
    let check = |status, told: RateLimitHeaders, expected: Option<u64>| {
        let mut ledger = Ledger::default();
        let wait = ledger.heard(at(0), status, told, &CONFIG);
        assert_eq!(wait.map(|wait| wait.as_secs()), expected);
        assert_eq!(waits(&ledger, 0), (expected.unwrap_or(0), expected.unwrap_or(0)));
    };
    let retry = |seconds| RateLimitHeaders {
        retry_after: Some(Duration::from_secs(seconds)),
        ..RateLimitHeaders::default()
    };
    check(429, RateLimitHeaders::default(), Some(10));
    check(429, retry(3), Some(3));
    check(429, RateLimitHeaders { retry_after: retry(3).retry_after, ..told(25, 0, 8) }, Some(8));
    check(503, retry(30), Some(30));
    check(503, RateLimitHeaders::default(), None);
    check(200, RateLimitHeaders::default(), None);
}

#[test]
fn foreground_goes_before_sweeps() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.wait(at(0), Class::Background, &CONFIG), Duration::ZERO);
    ledger.queue_up();
    assert_eq!(ledger.wait(at(0), Class::Background, &CONFIG), FOREGROUND_FIRST);
    assert_eq!(ledger.wait(at(0), Class::Foreground, &CONFIG), Duration::ZERO);
    ledger.step_out();
    assert_eq!(ledger.wait(at(0), Class::Background, &CONFIG), Duration::ZERO);
}

#[tokio::test]
async fn a_long_wait_goes_back_to_the_queue() {
    let limiter = Limiter::new(CONFIG);
    let company = CompanyId::new(8);
    let away = RateLimitHeaders { retry_after: Some(Duration::from_mins(1)), ..RateLimitHeaders::default() };
    limiter.admit(company, Class::Foreground).await.expect("open").heard(429, away);
    let error = limiter.admit(company, Class::Foreground).await.expect_err("closed");
    assert!(matches!(error, Error::RateLimited { retry_after: Some(wait), .. } if wait.as_secs() >= 59));
    limiter.admit(CompanyId::new(9), Class::Foreground).await.expect("another company's quota is its own");
}

proptest! {
    /// Whoever obeys the ledger never exceeds either window, whatever the pace.
    #[test]
    fn no_window_is_ever_exceeded(gaps in prop::collection::vec(0_i64..40, 1..60)) {
        let (mut ledger, mut sent, mut now) = (Ledger::default(), Vec::new(), at(0));
        for gap in gaps {
            now = after(now, Duration::from_secs(gap.unsigned_abs()));
            now = after(now, ledger.wait(now, Class::Foreground, &CONFIG));
            ledger.sent(now);
            sent.push(now);
            for (window, limit) in [(SPIKE, 4), (HOUR, 10)] {
                let inside = sent.iter().filter(|at| between(**at, now) < window).count();
                prop_assert!(inside <= limit);
            }
        }
    }
}
