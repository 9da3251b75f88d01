//! What a worker holds, so that its callers can be told when it never comes back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::queue::{Lost, Reply};

/// Those who wait for a batch, with the time that each waited in the queue.
type Callers<A> = Vec<(Duration, Reply<A>)>;

enum State<A> {
    Idle,
    Holds { since: Instant, callers: Callers<A> },
    GivenUp,
}

/// One worker's place.
pub(super) struct Slot<A> {
    number: usize,
    state: Mutex<State<A>>,
}

impl<A> Slot<A> {
    pub(super) fn new(number: usize) -> Self {
        Self { number, state: Mutex::new(State::Idle) }
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker takes up a batch of `callers`.
    pub(super) fn take(&self, callers: Callers<A>) {
        *self.lock() = State::Holds { since: Instant::now(), callers };
    }

    /// The worker is through; gives its callers back, or none when it was given up meanwhile.
    pub(super) fn leave(&self) -> Option<Callers<A>> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Idle) {
            State::Holds { callers, .. } => Some(callers),
            State::Idle => Some(Vec::new()),
            State::GivenUp => {
                *state = State::GivenUp;
                None
            }
        }
    }

    /// Whether the worker holds a batch.
    #[cfg(test)]
    pub(super) fn holds(&self) -> bool {
        matches!(*self.lock(), State::Holds { .. })
    }

    /// Tells the callers if the worker has held them for longer than `hang`; whether it did so.
    pub(super) fn give_up_after(&self, hang: Duration) -> bool {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::GivenUp) {
            State::Holds { since, callers } if since.elapsed() > hang => {
                for (_, reply) in callers {
                    // Whoever asked may have given up first.
                    let _ = reply.send(Err(Lost::Hung));
                }
                true
            }
            other => {
                *state = other;
                false
            }
        }
    }
}

/// How often to look, so that a hang is noticed soon after it is one.
pub(super) fn interval(hang: Duration) -> Duration {
    (hang / 8).clamp(Duration::from_millis(5), Duration::from_secs(1))
}
