//! The running sessions and, where the configuration says so, the CPU in place of a GPU that fails.
//!
//! Nothing here knows ONNX Runtime: sessions come from a function that starts them on a provider, so
//! that falling back and coming back are tested without a GPU.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Error;
use super::batcher::{Alike, Answer, Batcher, Lost, Ticket};
use super::provider::{Fallback, Provider, ProviderReport};

/// Starts sessions on a provider, warmed up.
type Start<Q, A> = Box<dyn Fn(Provider) -> Result<Batcher<Q, A>, Error> + Send + Sync>;

/// What to run on, and what then.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProviderChoice {
    pub(super) provider: Provider,
    pub(super) fallback: Fallback,
    /// After how long the GPU is tried again.
    pub(super) retry: Duration,
}

struct Running<Q, A> {
    batcher: Arc<Batcher<Q, A>>,
    report: ProviderReport,
}

struct Inner<Q, A> {
    wanted: ProviderChoice,
    start: Start<Q, A>,
    running: Mutex<Running<Q, A>>,
    ended: Mutex<bool>,
    end: Condvar,
}

/// The sessions in use.
pub(super) struct Sessions<Q, A> {
    inner: Arc<Inner<Q, A>>,
    keeper: Option<JoinHandle<()>>,
}

/// A promise of an answer, and who promised.
pub(super) struct Pending<Q, A> {
    ticket: Ticket<A>,
    batcher: Arc<Batcher<Q, A>>,
}

impl<Q: Alike + Send + 'static, A: Send + 'static> Sessions<Q, A> {
    /// Starts sessions as `wanted`.
    ///
    /// # Errors
    /// When neither what was asked for nor what may stand in for it can be had.
    pub(super) fn start(wanted: ProviderChoice, start: Start<Q, A>) -> Result<Self, Error> {
        let running = match start(wanted.provider) {
            Ok(batcher) => Running {
                batcher: Arc::new(batcher),
                report: ProviderReport::as_asked(wanted.provider, wanted.fallback),
            },
            Err(error @ Error::Provider { .. }) if wanted.may_fall_back() => {
                let batcher = Arc::new(start(Provider::Cpu)?);
                Running { batcher, report: wanted.stand_in(&error.to_string()) }
            }
            Err(error) => return Err(error),
        };
        let (running, ended) = (Mutex::new(running), Mutex::new(false));
        let inner = Arc::new(Inner { wanted, start, running, ended, end: Condvar::new() });
        let keeper = if wanted.may_fall_back() {
            let kept = Arc::clone(&inner);
            let keep = move || kept.keep();
            let keeper = thread::Builder::new().name("gpu-retry".into()).spawn(keep);
            Some(keeper.map_err(|error| Error::Run { what: format!("no thread for a retry: {error}") })?)
        } else {
            None
        };
        Ok(Self { inner, keeper })
    }

    /// What runs now.
    pub(super) fn report(&self) -> ProviderReport {
        self.inner.running().report.clone()
    }

    /// Queues `value`, waiting for room until `deadline`.
    pub(super) fn ask(&self, value: Q, deadline: Instant) -> Result<Pending<Q, A>, Lost> {
        let batcher = Arc::clone(&self.inner.running().batcher);
        let ticket = batcher.ask(value, deadline)?;
        Ok(Pending { ticket, batcher })
    }

    /// Waits for an answer until `deadline`. A session that hung is a reason to fall back.
    pub(super) fn wait(&self, pending: Pending<Q, A>, deadline: Instant) -> Result<Answer<A>, Lost> {
        let answer = pending.ticket.wait(deadline);
        if answer.as_ref().err() == Some(&Lost::Hung) {
            self.inner.fall_back(&pending.batcher, "a session hung (inference.hang_timeout_ms)");
        }
        answer
    }

    /// A session of the batcher that promised `failed` said that the device is at fault.
    pub(super) fn failed(&self, why: &str) {
        let batcher = Arc::clone(&self.inner.running().batcher);
        self.inner.fall_back(&batcher, why);
    }
}

impl ProviderChoice {
    fn may_fall_back(self) -> bool {
        self.provider.is_gpu() && self.fallback == Fallback::Cpu
    }

    /// The alarm, and the report for as long as the CPU stands in.
    fn stand_in(self, reason: &str) -> ProviderReport {
        let (asked, retry) = (self.provider, self.retry.as_secs());
        tracing::error!(provider = asked.name(), reason, "GPU unavailable: running on the CPU");
        let why = format!("{reason}; running on the CPU, trying {} again every {retry} s", asked.name());
        ProviderReport { asked, got: Provider::Cpu, why }
    }
}

impl<Q: Alike + Send + 'static, A: Send + 'static> Inner<Q, A> {
    /// Whoever panics under the lock leaves a whole value behind: it is only ever replaced.
    fn running(&self) -> MutexGuard<'_, Running<Q, A>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the CPU in place of `failed`, unless that is not in use any more.
    fn fall_back(&self, failed: &Arc<Batcher<Q, A>>, reason: &str) {
        let mut running = self.running();
        if !self.wanted.may_fall_back()
            || running.report.fell_back()
            || !Arc::ptr_eq(failed, &running.batcher)
        {
            return;
        }
        match (self.start)(Provider::Cpu) {
            Ok(batcher) => {
                let new = Running { batcher: Arc::new(batcher), report: self.wanted.stand_in(reason) };
                let old = std::mem::replace(&mut *running, new);
                drop(running);
                drop(old);
            }
            Err(error) => tracing::error!(%error, reason, "the GPU fails and the CPU cannot stand in"),
        }
    }

    /// Tries the GPU again while the CPU stands in for it, until the end.
    fn keep(&self) {
        while !self.ended_within(self.wanted.retry) {
            if !self.running().report.fell_back() {
                continue;
            }
            match (self.start)(self.wanted.provider) {
                Ok(batcher) => {
                    let provider = self.wanted.provider;
                    tracing::info!(provider = provider.name(), "the GPU is in use again");
                    let report = ProviderReport::as_asked(provider, self.wanted.fallback);
                    let new = Running { batcher: Arc::new(batcher), report };
                    let old = std::mem::replace(&mut *self.running(), new);
                    drop(old);
                }
                Err(error) => tracing::warn!(%error, "GPU still unavailable; trying again"),
            }
        }
    }

    fn ended_within(&self, time: Duration) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.end.wait_timeout_while(ended, time, |ended| !*ended);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl<Q, A> Drop for Sessions<Q, A> {
    fn drop(&mut self) {
        *self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.inner.end.notify_all();
        if let Some(keeper) = self.keeper.take() {
            // It only logs; there is nothing left to report.
            let _ = keeper.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Sender, channel};

    use super::super::batcher::Rules;
    use super::*;

    /// A question that is answered with the name of the provider that it ran on.
    struct ProviderQuestion;

    impl Alike for ProviderQuestion {
        fn alike(&self, _: &Self) -> bool {
            true
        }
    }

    type Asked = Sessions<ProviderQuestion, &'static str>;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    fn wanted(fallback: Fallback) -> ProviderChoice {
        ProviderChoice { provider: Provider::Cuda, fallback, retry: Duration::from_millis(20) }
    }

    fn rules(hang: Duration) -> Rules {
        Rules { workers: 1, depth: 4, batch: 1, delay: Duration::ZERO, hang }
    }

    fn opened(
        provider: Provider,
        hang: Duration,
        hangs: Option<Sender<()>>,
    ) -> Result<Batcher<ProviderQuestion, &'static str>, Error> {
        let open = move || {
            let hangs = hangs.clone();
            Ok::<_, std::io::Error>(move |questions: Vec<ProviderQuestion>| {
                if let Some(hangs) = &hangs {
                    let _ = hangs.send(());
                    thread::sleep(Duration::from_millis(400));
                }
                questions.iter().map(|_| provider.name()).collect()
            })
        };
        Batcher::start("test", rules(hang), open).map_err(|error| Error::Run { what: error.to_string() })
    }

    fn no_gpu() -> Error {
        Error::Provider { asked: Provider::Cuda, why: "libcublas.so.13 is missing".into() }
    }

    fn answer(sessions: &Asked) -> Result<&'static str, Lost> {
        let pending = sessions.ask(ProviderQuestion, soon())?;
        sessions.wait(pending, soon()).map(|answer| answer.value)
    }

    #[test]
    fn without_a_fallback_a_missing_gpu_is_an_error() {
        let start = |provider: Provider| match provider {
            Provider::Cpu => opened(provider, Duration::from_mins(1), None),
            _ => Err(no_gpu()),
        };
        let outcome: Result<Asked, Error> = Sessions::start(wanted(Fallback::None), Box::new(start));
        assert_eq!(outcome.err(), Some(no_gpu()));
    }

    #[test]
    fn the_cpu_stands_in_until_the_gpu_can_be_had() {
        let there = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&there);
        let start = move |provider: Provider| {
            if provider.is_gpu() && !seen.load(Ordering::SeqCst) {
                return Err(no_gpu());
            }
            opened(provider, Duration::from_mins(1), None)
        };
        let sessions: Asked = Sessions::start(wanted(Fallback::Cpu), Box::new(start)).expect("starts");
        let report = sessions.report();
        assert_eq!((report.asked, report.got, report.fell_back()), (Provider::Cuda, Provider::Cpu, true));
        assert!(
            report.why.contains("libcublas.so.13") && report.why.contains("trying cuda again"),
            "{report:?}"
        );
        assert_eq!(answer(&sessions), Ok("cpu"));
        there.store(true, Ordering::SeqCst);
        let given_up = soon();
        while sessions.report().fell_back() && Instant::now() < given_up {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(sessions.report().got, Provider::Cuda);
        assert_eq!(answer(&sessions), Ok("cuda"));
    }

    #[test]
    fn a_gpu_that_hangs_or_fails_is_left_for_the_cpu() {
        for hangs in [true, false] {
            let (hung, _kept) = channel();
            let start = move |provider: Provider| {
                let hangs = (hangs && provider.is_gpu()).then(|| hung.clone());
                let hang = if hangs.is_some() { Duration::from_millis(20) } else { Duration::from_mins(1) };
                opened(provider, hang, hangs)
            };
            let long = ProviderChoice { retry: Duration::from_hours(1), ..wanted(Fallback::Cpu) };
            let sessions: Asked = Sessions::start(long, Box::new(start)).expect("starts");
            assert_eq!(sessions.report().got, Provider::Cuda);
            if hangs {
                assert_eq!(answer(&sessions), Err(Lost::Hung));
            } else {
                sessions.failed("CUDA error 700: an illegal memory access was encountered");
            }
            assert_eq!((sessions.report().got, answer(&sessions)), (Provider::Cpu, Ok("cpu")), "{hangs}");
        }
    }
}
