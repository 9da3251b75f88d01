//! A bounded queue in front of worker threads, with one answer for each question.
//!
//! On CPU every question is answered alone, by a single-thread session of its own: batching across
//! photos was measured to lose (each picture runs slower in a batch, and waits for the others).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// The deadline passed.
    Late,
    /// The workers are gone, or the one that held the question panicked.
    Gone,
}

/// An answer and how long its question waited in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer<A> {
    pub(super) value: A,
    pub(super) queued: Duration,
}

struct Question<Q, A> {
    value: Q,
    asked: Instant,
    reply: SyncSender<Answer<A>>,
}

struct Queue<Q, A> {
    waiting: VecDeque<Question<Q, A>>,
    closed: bool,
}

struct Shared<Q, A> {
    queue: Mutex<Queue<Q, A>>,
    depth: usize,
    came: Condvar,
    went: Condvar,
}

impl<Q, A> Shared<Q, A> {
    /// A worker's panic is caught outside the lock, so a poisoned queue is still a whole one.
    fn lock(&self) -> MutexGuard<'_, Queue<Q, A>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next question, or none once the queue is closed and empty.
    fn next(&self) -> Option<Question<Q, A>> {
        let mut queue = self.lock();
        loop {
            if let Some(question) = queue.waiting.pop_front() {
                self.went.notify_one();
                return Some(question);
            }
            if queue.closed {
                return None;
            }
            queue = self.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The queue and its workers. Dropping it lets them finish what waits, then ends them.
pub(super) struct Batcher<Q, A> {
    shared: Arc<Shared<Q, A>>,
    workers: Vec<JoinHandle<()>>,
}

/// The promise of an answer.
pub(super) struct Ticket<A>(Receiver<Answer<A>>);

impl<A> Ticket<A> {
    /// Waits for the answer until `deadline`.
    pub(super) fn wait(self, deadline: Instant) -> Result<Answer<A>, Lost> {
        self.0.recv_timeout(deadline.saturating_duration_since(Instant::now())).map_err(|error| match error {
            RecvTimeoutError::Timeout => Lost::Late,
            RecvTimeoutError::Disconnected => Lost::Gone,
        })
    }
}

impl<Q: Send + 'static, A: Send + 'static> Batcher<Q, A> {
    /// Starts `count` threads called `name`; each opens its worker with `open` and then answers.
    /// Returns once all of them are open.
    ///
    /// # Errors
    /// The first error of `open`; the other workers are ended.
    pub(super) fn start<W, E>(
        name: &str,
        count: usize,
        depth: usize,
        open: impl Fn() -> Result<W, E> + Send + Sync + 'static,
    ) -> Result<Self, E>
    where
        W: FnMut(Q) -> A,
        E: Send + 'static + From<std::io::Error>,
    {
        let queue = Mutex::new(Queue { waiting: VecDeque::new(), closed: false });
        let shared =
            Arc::new(Shared { queue, depth: depth.max(1), came: Condvar::new(), went: Condvar::new() });
        let mut batcher = Self { shared, workers: Vec::new() };
        let open = Arc::new(open);
        let (opened, outcomes) = sync_channel(count);
        for number in 0..count {
            let (shared, open, opened) = (Arc::clone(&batcher.shared), Arc::clone(&open), opened.clone());
            let work = move || match open() {
                Ok(worker) => {
                    // The receiver leaves early only when another worker could not be opened.
                    let _ = opened.send(Ok(()));
                    drop(opened);
                    serve(&shared, worker);
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            };
            batcher.workers.push(thread::Builder::new().name(format!("{name}-{number}")).spawn(work)?);
        }
        drop(opened);
        outcomes.into_iter().collect::<Result<(), E>>()?;
        Ok(batcher)
    }

    /// Queues `value`, waiting for room until `deadline`.
    pub(super) fn ask(&self, value: Q, deadline: Instant) -> Result<Ticket<A>, Lost> {
        let asked = Instant::now();
        let mut queue = self.shared.lock();
        while queue.waiting.len() >= self.shared.depth && !queue.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Lost::Late);
            }
            let waited = self.shared.went.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if queue.closed {
            return Err(Lost::Gone);
        }
        let (reply, answer) = sync_channel(1);
        queue.waiting.push_back(Question { value, asked, reply });
        self.shared.came.notify_one();
        Ok(Ticket(answer))
    }
}

fn serve<Q, A>(shared: &Shared<Q, A>, mut worker: impl FnMut(Q) -> A) {
    while let Some(Question { value, asked, reply }) = shared.next() {
        let queued = asked.elapsed();
        if let Ok(value) = catch_unwind(AssertUnwindSafe(|| worker(value))) {
            // Whoever asked may have given up.
            let _ = reply.send(Answer { value, queued });
        } else {
            tracing::error!("a session thread panicked on a picture; it goes on with the next");
        }
    }
}

impl<Q, A> Drop for Batcher<Q, A> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.came.notify_all();
        self.shared.went.notify_all();
        for worker in self.workers.drain(..) {
            // A worker's own panics are caught; there is nothing left to report.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    type Outcome = Result<Batcher<u32, u32>, std::io::Error>;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[test]
    fn every_question_gets_its_own_answer() {
        let batcher: Batcher<u32, u32> =
            Batcher::start("double", 3, 2, || Ok::<_, std::io::Error>(|question: u32| question * 2))
                .expect("starts");
        thread::scope(|scope| {
            for first in 0..8 {
                let batcher = &batcher;
                scope.spawn(move || {
                    for question in (first * 100)..(first * 100 + 50) {
                        let ticket = batcher.ask(question, soon()).expect("room");
                        assert_eq!(ticket.wait(soon()).expect("answered").value, question * 2);
                    }
                });
            }
        });
    }

    #[test]
    fn a_full_queue_and_a_slow_worker_end_at_the_deadline() {
        let gate = Arc::new(Barrier::new(2));
        let inside = Arc::clone(&gate);
        let open = move || {
            let gate = Arc::clone(&inside);
            Ok::<_, std::io::Error>(move |question: u32| {
                gate.wait();
                question
            })
        };
        let batcher: Batcher<u32, u32> = Batcher::start("slow", 1, 1, open).expect("starts");
        let first = batcher.ask(1, soon()).expect("room");
        let second = batcher.ask(2, soon()).expect("room once the worker holds the first");
        assert_eq!(batcher.ask(3, Instant::now()).err(), Some(Lost::Late));
        assert_eq!(second.wait(Instant::now()).err(), Some(Lost::Late));
        gate.wait();
        assert_eq!(first.wait(soon()).expect("answered").value, 1);
        gate.wait();
    }

    #[test]
    fn a_panic_loses_one_answer_only() {
        let open = || {
            Ok::<_, std::io::Error>(
                |question: u32| if question == 0 { panic!("odd picture") } else { question },
            )
        };
        let batcher: Batcher<u32, u32> = Batcher::start("fragile", 1, 4, open).expect("starts");
        assert_eq!(batcher.ask(0, soon()).expect("room").wait(soon()).err(), Some(Lost::Gone));
        assert_eq!(batcher.ask(5, soon()).expect("room").wait(soon()).expect("answered").value, 5);
    }

    #[test]
    fn a_worker_that_cannot_open_is_the_starts_error() {
        let open = || Err::<fn(u32) -> u32, _>(std::io::Error::other("no model"));
        let outcome: Outcome = Batcher::start("broken", 2, 1, open);
        assert_eq!(outcome.err().map(|error| error.to_string()), Some("no model".into()));
    }
}
