//! A claimed job's lease, and until when it surely holds.
//!
//! Procore knows no fencing: a worker that was frozen longer than its lease (a suspended machine, a stopped container,
//! a long swap) and wakes up in the middle of a call would send what another has sent meanwhile. So what is written to
//! Procore goes through [`LeaseGuard::guard`], which looks at the lease before it lets the call get on.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Context, Failure};
use crate::store::{Error, Lease};

/// The right to work on a job, kept for as long as the work takes.
pub struct LeaseGuard {
    lease: Lease,
    term: Term,
}

impl LeaseGuard {
    /// Of a lease that was asked for at `asked`, for `length`.
    pub(super) fn new(lease: Lease, asked: Moment, length: Duration, context: &Context) -> Self {
        Self { lease, term: Term::new(asked, length, context.clock) }
    }

    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Extends the lease at a third of its length; returns only when it is lost.
    pub(super) async fn keep(&self, context: &Context) -> Failure {
        loop {
            tokio::time::sleep(self.term.length / 3).await;
            let asked = Moment::now(context.clock);
            match context.store.extend(&self.lease, asked.clock + self.term.length).await {
                Ok(()) => self.term.renewed(asked),
                Err(Error::LeaseLost) => return Failure::LeaseLost,
                Err(error) => tracing::warn!(%error, "the lease could not be extended; trying again"),
            }
        }
    }

    /// Runs `call` for as long as the lease surely holds, and not one step further.
    ///
    /// # Errors
    /// [`Failure::LeaseLost`] once it may be somebody else's.
    pub async fn guard<T>(&self, call: impl Future<Output = T>) -> Result<T, Failure> {
        self.term.guard(call).await
    }
}

/// A moment by both clocks: other boxes judge a lease by the clock on the wall, which may be set back; the steady one
/// stands still while the machine is suspended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    steady: Instant,
    clock: Timestamp,
}

impl Moment {
    pub(super) fn now(clock: fn() -> Timestamp) -> Self {
        Self { steady: Instant::now(), clock: clock() }
    }
}

/// How long a lease holds.
struct Term {
    length: Duration,
    clock: fn() -> Timestamp,
    asked: Mutex<Moment>,
}

impl Term {
    const fn new(asked: Moment, length: Duration, clock: fn() -> Timestamp) -> Self {
        Self { length, clock, asked: Mutex::new(asked) }
    }

    fn renewed(&self, asked: Moment) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    }

    /// How long it surely holds yet, or nothing once it may have run out.
    fn left(&self) -> Option<Duration> {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let by_clock = Duration::try_from((self.clock)().duration_since(asked.clock)).unwrap_or_default();
        self.length.checked_sub(asked.steady.elapsed().max(by_clock)).filter(|left| !left.is_zero())
    }

    async fn guard<T>(&self, call: impl Future<Output = T>) -> Result<T, Failure> {
        let (mut call, mut run_out) = (pin!(call), pin!(self.run_out()));
        std::future::poll_fn(|wakes| {
            // At each step, not by the timer alone: after a freeze both can go on.
            if self.left().is_none() || run_out.as_mut().poll(wakes).is_ready() {
                return Poll::Ready(Err(Failure::LeaseLost));
            }
            call.as_mut().poll(wakes).map(Ok)
        })
        .await
    }

    async fn run_out(&self) {
        while let Some(left) = self.left() {
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicI64, Ordering};

    use jiff::SignedDuration;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn standing() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    #[tokio::test]
    async fn a_call_goes_on_while_the_lease_holds() {
        let term = Term::new(Moment::now(standing), HOUR, standing);
        assert_eq!(term.guard(async { 7 }).await, Ok(7));
    }

    #[tokio::test]
    async fn no_step_is_made_on_a_lease_that_may_be_lost() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(1)).expect("the machine is up");
        let steady = Moment { steady: long_ago, clock: standing() };
        let clock = Moment { steady: Instant::now(), clock: standing() - SignedDuration::from_secs(1) };
        for asked in [steady, clock] {
            let term = Term::new(asked, Duration::from_secs(1), standing);
            let mut called = false;
            assert_eq!(term.guard(async { called = true }).await, Err(Failure::LeaseLost));
            assert!(!called, "it is somebody else's");
            term.renewed(Moment::now(standing));
            assert_eq!(term.guard(async {}).await, Ok(()));
        }
    }

    #[tokio::test]
    async fn what_wakes_up_too_late_gets_no_further() {
        static AHEAD: AtomicI64 = AtomicI64::new(0);
        let clock = || Timestamp::UNIX_EPOCH + SignedDuration::from_secs(AHEAD.load(Ordering::Relaxed));
        let term = Term::new(Moment::now(clock), HOUR, clock);
        let mut steps = 0;
        // Everything is frozen for two hours in its first step, and would go on at once.
        let frozen = poll_fn(|wakes| {
            steps += 1;
            AHEAD.store(7200, Ordering::Relaxed);
            wakes.waker().wake_by_ref();
            if steps == 1 { Poll::Pending } else { Poll::Ready(()) }
        });
        assert_eq!(term.guard(frozen).await, Err(Failure::LeaseLost));
        assert_eq!(steps, 1);
    }

    #[tokio::test]
    async fn what_never_answers_ends_with_the_lease() {
        let term = Term::new(Moment::now(standing), Duration::from_millis(20), standing);
        assert_eq!(term.guard(std::future::pending::<()>()).await, Err(Failure::LeaseLost));
    }
}
