//! Questions that wait, and how they come together.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a worker may answer together.
pub(in crate::inference) trait Alike {
    /// Whether this and `other` may be in one batch.
    fn alike(&self, other: &Self) -> bool;
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inference) enum Lost {
    /// The deadline passed.
    Late,
    /// The workers are gone, or the one that held the question panicked.
    Gone,
    /// The worker that held the question hung and was given up.
    Hung,
}

/// An answer and how long its question waited in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inference) struct Answer<A> {
    pub(in crate::inference) value: A,
    pub(in crate::inference) queued: Duration,
}

/// Where an answer goes.
pub(super) type Reply<A> = SyncSender<Result<Answer<A>, Lost>>;

pub(super) struct Question<Q, A> {
    pub(super) value: Q,
    pub(super) asked: Instant,
    pub(super) reply: Reply<A>,
}

struct Queue<Q, A> {
    waiting: VecDeque<Question<Q, A>>,
    closed: bool,
}

/// The queue itself: callers on one side, workers on the other.
pub(super) struct Shared<Q, A> {
    queue: Mutex<Queue<Q, A>>,
    depth: usize,
    batch: usize,
    delay: Duration,
    came: Condvar,
    went: Condvar,
    ended: Condvar,
}

impl<Q, A> Shared<Q, A> {
    pub(super) fn new(depth: usize, batch: usize, delay: Duration) -> Self {
        let queue = Mutex::new(Queue { waiting: VecDeque::new(), closed: false });
        let (came, went, ended) = (Condvar::new(), Condvar::new(), Condvar::new());
        // A queue that is shorter than a batch could never fill one.
        Self { queue, depth: depth.max(batch).max(1), batch: batch.max(1), delay, came, went, ended }
    }

    /// A worker's panic is caught outside the lock, so a poisoned queue is still a whole one.
    fn lock(&self) -> MutexGuard<'_, Queue<Q, A>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more questions, and lets the workers end once none waits.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.came.notify_all();
        self.went.notify_all();
        self.ended.notify_all();
    }

    /// Waits for the queue to be closed, at most for `time`; whether it is.
    pub(super) fn closed_within(&self, time: Duration) -> bool {
        let waited = self.ended.wait_timeout_while(self.lock(), time, |queue| !queue.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Adds `question`, waiting for room until `deadline`.
    pub(super) fn push(&self, question: Question<Q, A>, deadline: Instant) -> Result<(), Lost> {
        let mut queue = self.lock();
        while queue.waiting.len() >= self.depth && !queue.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Lost::Late);
            }
            let waited = self.went.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if queue.closed {
            return Err(Lost::Gone);
        }
        queue.waiting.push_back(question);
        self.came.notify_one();
        Ok(())
    }
}

impl<Q: Alike, A> Shared<Q, A> {
    /// The next batch, or none once the queue is closed and empty: the oldest question and those
    /// like it, after giving them the time to come together.
    pub(super) fn next(&self) -> Option<Vec<Question<Q, A>>> {
        let mut queue = self.lock();
        loop {
            if let Some(first) = queue.waiting.pop_front() {
                let mut batch = vec![first];
                let until = batch[0].asked + self.delay;
                loop {
                    self.gather(&mut queue, &mut batch);
                    let left = until.saturating_duration_since(Instant::now());
                    if batch.len() >= self.batch || left.is_zero() || queue.closed {
                        return Some(batch);
                    }
                    let waited = self.came.wait_timeout(queue, left);
                    queue = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
            if queue.closed {
                return None;
            }
            queue = self.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Moves what is like the batch's first question from `queue` into `batch`.
    fn gather(&self, queue: &mut Queue<Q, A>, batch: &mut Vec<Question<Q, A>>) {
        let mut at = 0;
        while batch.len() < self.batch && at < queue.waiting.len() {
            if queue.waiting[at].value.alike(&batch[0].value) {
                batch.extend(queue.waiting.remove(at));
            } else {
                at += 1;
            }
        }
        // A caller waits for each place; another worker may want what is not alike.
        self.went.notify_all();
        if !queue.waiting.is_empty() {
            self.came.notify_one();
        }
    }
}
