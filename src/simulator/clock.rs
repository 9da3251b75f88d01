//! The simulator's time: the machine's, or one that only moves when it is told to.

use std::future::pending;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Which time the simulator lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// The machine's clock; `Simulator::advance` adds to it.
    Real,
    /// Stands still at this instant until `Simulator::advance` moves it.
    Manual(Timestamp),
}

/// A clock that can be pushed forward, and waited on.
#[derive(Debug)]
pub(super) struct Clock {
    time: Time,
    ahead: watch::Sender<Duration>,
}

impl Clock {
    pub(super) fn new(time: Time) -> Self {
        Self { time, ahead: watch::Sender::new(Duration::ZERO) }
    }

    pub(super) fn now(&self) -> Timestamp {
        let ahead = *self.ahead.borrow();
        let start = match self.time {
            Time::Real => Timestamp::now(),
            Time::Manual(start) => start,
        };
        later(start, ahead)
    }

    pub(super) fn advance(&self, by: Duration) {
        self.ahead.send_modify(|ahead| *ahead = ahead.saturating_add(by));
    }

    /// Returns once `now()` has reached `when`.
    pub(super) async fn reaches(&self, when: Timestamp) {
        let mut pushed = self.ahead.subscribe();
        loop {
            pushed.borrow_and_update();
            let Ok(left) = Duration::try_from(when.duration_since(self.now())) else { return };
            if left.is_zero() {
                return;
            }
            let passes = async {
                match self.time {
                    Time::Real => tokio::time::sleep(left).await,
                    Time::Manual(_) => pending().await,
                }
            };
            tokio::select! {
                () = passes => {}
                _ = pushed.changed() => {}
            }
        }
    }
}

/// `start` plus `by`, or the end of time.
pub(super) fn later(start: Timestamp, by: Duration) -> Timestamp {
    start.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn manual_time_moves_only_when_told() {
        let clock = Clock::new(Time::Manual(Timestamp::UNIX_EPOCH));
        let hour = later(Timestamp::UNIX_EPOCH, Duration::from_hours(1));
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        let (waited, ()) = tokio::join!(clock.reaches(hour), async {
            clock.advance(Duration::from_mins(30));
            tokio::task::yield_now().await;
            clock.advance(Duration::from_mins(30));
        });
        assert_eq!((waited, clock.now()), ((), hour));
    }
}
