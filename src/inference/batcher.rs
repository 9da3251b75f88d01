//! A bounded queue in front of worker threads, with one answer for each question.
//!
//! On CPU every question is answered alone, by a single-thread session of its own: batching across
//! photos was measured to lose (each picture runs slower in a batch, and waits for the others). A
//! GPU is given what is alike and waits together, and a short while for more of it.
//!
//! A worker that holds a batch for longer than it may is given up: its callers are told, another
//! worker takes its place, and its thread ends whenever it comes back.

mod queue;
mod watch;

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(super) use self::queue::{Alike, Answer, Lost};
use self::queue::{Question, Shared};
use self::watch::Slot;

/// How questions come together and how long a worker may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// Threads, each with a worker of its own.
    pub(super) workers: usize,
    /// Questions that may wait; more wait with their callers.
    pub(super) depth: usize,
    /// Most questions that a worker is given at once.
    pub(super) batch: usize,
    /// How long a question may wait for others like it.
    pub(super) delay: Duration,
    /// How long a worker may hold a batch before it is given up.
    pub(super) hang: Duration,
}

/// The queue and its workers. Dropping it lets them finish what waits, then ends them.
pub(super) struct Batcher<Q, A> {
    shared: Arc<Shared<Q, A>>,
    crew: Arc<Workers<A>>,
    watchdog: Option<JoinHandle<()>>,
    hang: Duration,
}

/// Who works, and how many were given up.
struct Workers<A> {
    name: String,
    members: Mutex<Vec<Member<A>>>,
    given_up: AtomicUsize,
}

struct Member<A> {
    slot: Arc<Slot<A>>,
    thread: JoinHandle<()>,
}

impl<A> Workers<A> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Member<A>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The promise of an answer.
pub(super) struct Ticket<A>(Receiver<Result<Answer<A>, Lost>>);

impl<A> Ticket<A> {
    /// Waits for the answer until `deadline`.
    pub(super) fn wait(self, deadline: Instant) -> Result<Answer<A>, Lost> {
        match self.0.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(Lost::Late),
            Err(RecvTimeoutError::Disconnected) => Err(Lost::Gone),
        }
    }
}

impl<Q: Alike + Send + 'static, A: Send + 'static> Batcher<Q, A> {
    /// Starts threads called `name`; each opens its worker with `open` and then answers. Returns
    /// once all of them are open. A worker gives one answer for each question, in their order.
    ///
    /// # Errors
    /// The first error of `open`; the other workers are ended.
    pub(super) fn start<W, E>(
        name: &str,
        rules: Rules,
        open: impl Fn() -> Result<W, E> + Send + Sync + 'static,
    ) -> Result<Self, E>
    where
        W: FnMut(Vec<Q>) -> Vec<A>,
        E: Display + Send + 'static + From<std::io::Error>,
    {
        let shared = Arc::new(Shared::new(rules.depth, rules.batch, rules.delay));
        let members = Mutex::new(Vec::new());
        let crew = Arc::new(Workers { name: name.to_owned(), members, given_up: AtomicUsize::new(0) });
        let mut batcher = Self { shared, crew, watchdog: None, hang: rules.hang };
        let open = Arc::new(open);
        let (opened, outcomes) = sync_channel(rules.workers);
        for number in 0..rules.workers {
            let (open, opened) = (Arc::clone(&open), opened.clone());
            let once = move || match open() {
                Ok(worker) => {
                    // The receiver leaves early only when another worker could not be opened.
                    let _ = opened.send(Ok(()));
                    Some(worker)
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                    None
                }
            };
            let member = hire(&batcher.shared, name, number, once)?;
            batcher.crew.lock().push(member);
        }
        drop(opened);
        outcomes.into_iter().collect::<Result<(), E>>()?;
        let (shared, crew, hang) = (Arc::clone(&batcher.shared), Arc::clone(&batcher.crew), rules.hang);
        let watchdog = move || watch(&shared, &crew, hang, &open);
        batcher.watchdog = Some(thread::Builder::new().name(format!("{name}-watch")).spawn(watchdog)?);
        Ok(batcher)
    }

    /// Queues `value`, waiting for room until `deadline`.
    pub(super) fn ask(&self, value: Q, deadline: Instant) -> Result<Ticket<A>, Lost> {
        let (reply, answer) = sync_channel(1);
        self.shared.push(Question { value, asked: Instant::now(), reply }, deadline)?;
        Ok(Ticket(answer))
    }

    /// Workers given up since the start.
    #[cfg(test)]
    fn given_up(&self) -> usize {
        self.crew.given_up.load(Ordering::Relaxed)
    }
}

/// A thread that opens a worker, if `open` gives one, and serves until the queue is closed.
fn hire<Q, A, W>(
    shared: &Arc<Shared<Q, A>>,
    name: &str,
    number: usize,
    open: impl FnOnce() -> Option<W> + Send + 'static,
) -> std::io::Result<Member<A>>
where
    Q: Alike + Send + 'static,
    A: Send + 'static,
    W: FnMut(Vec<Q>) -> Vec<A>,
{
    let slot = Arc::new(Slot::new(number));
    let (shared, own) = (Arc::clone(shared), Arc::clone(&slot));
    let work = move || {
        if let Some(worker) = open() {
            serve(&shared, &own, worker);
        }
    };
    let thread = thread::Builder::new().name(format!("{name}-{number}")).spawn(work)?;
    Ok(Member { slot, thread })
}

fn serve<Q: Alike, A>(shared: &Shared<Q, A>, slot: &Slot<A>, mut worker: impl FnMut(Vec<Q>) -> Vec<A>) {
    while let Some(batch) = shared.next() {
        let mut values = Vec::with_capacity(batch.len());
        let mut callers = Vec::with_capacity(batch.len());
        for Question { value, asked, reply } in batch {
            values.push(value);
            callers.push((asked.elapsed(), reply));
        }
        let expected = values.len();
        slot.take(callers);
        let answers = catch_unwind(AssertUnwindSafe(|| worker(values)));
        let Some(callers) = slot.leave() else { return };
        match answers {
            Ok(answers) if answers.len() == expected => {
                for ((queued, reply), value) in callers.into_iter().zip(answers) {
                    // Whoever asked may have given up.
                    let _ = reply.send(Ok(Answer { value, queued }));
                }
            }
            Ok(answers) => tracing::error!(expected, got = answers.len(), "a session answered too little"),
            Err(_) => tracing::error!("a session thread panicked on a picture; it goes on with the next"),
        }
    }
}

/// Gives up workers that hold a batch for longer than `hang` and puts new ones in their place, until
/// the queue is closed.
fn watch<Q, A, W, E>(
    shared: &Arc<Shared<Q, A>>,
    crew: &Workers<A>,
    hang: Duration,
    open: &Arc<impl Fn() -> Result<W, E> + Send + Sync + 'static>,
) where
    Q: Alike + Send + 'static,
    A: Send + 'static,
    W: FnMut(Vec<Q>) -> Vec<A>,
    E: Display,
{
    while !shared.closed_within(watch::interval(hang)) {
        for member in crew.lock().iter_mut() {
            if !member.slot.give_up_after(hang) {
                continue;
            }
            crew.given_up.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                worker = member.slot.number(),
                "a session hangs; it is given up and another is opened"
            );
            let (open, waiting) = (Arc::clone(open), Arc::clone(shared));
            let again = move || loop {
                match open() {
                    Ok(worker) => break Some(worker),
                    Err(error) => tracing::error!(%error, "no session in the place of the one that hung"),
                }
                if waiting.closed_within(hang) {
                    break None;
                }
            };
            match hire(shared, &crew.name, member.slot.number(), again) {
                Ok(new) => *member = new,
                Err(error) => tracing::error!(%error, "no thread in the place of the one that hung"),
            }
        }
    }
}

impl<Q, A> Drop for Batcher<Q, A> {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(watchdog) = self.watchdog.take() {
            // A thread's own panics are caught; there is nothing left to report.
            let _ = watchdog.join();
        }
        let deadline = Instant::now() + self.hang;
        for member in self.crew.lock().drain(..) {
            while !member.thread.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            // What hangs now is left behind: nobody waits for its answer any more.
            if member.thread.is_finished() {
                let _ = member.thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests;
