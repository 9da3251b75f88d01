//! The four ways in which photos come, as the inference benchmark `MLPerf` names them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::machine;
use super::statistics::{self, Latencies, Search};
use super::subject::{Spent, Subject, ms};

/// Looks before anything is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WarmUp {
    pub looks: usize,
    pub first_ms: f64,
    pub last_ms: f64,
}

/// One photo after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SingleStream {
    pub latencies: Latencies,
    /// Shares of the time, by stage, in the order of the stages.
    pub stages: Vec<(String, f64)>,
    /// Share of photos for which the first, cheap look was enough.
    pub ended_early: f64,
    /// Share of photos with findings.
    pub with_findings: f64,
    /// Share of tiles at full size that were left out, in mode thorough.
    pub tiles_left_out: Option<f64>,
}

/// Bursts of photos, one after the other; a burst is through when its last photo is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct MultiStream {
    pub burst: usize,
    pub latencies: Latencies,
}

/// All photos at hand from the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Offline {
    pub photos: usize,
    pub photos_per_s: f64,
    pub cpu_ms_per_photo: Option<f64>,
    /// Cores that were busy, on average.
    pub cores_busy: Option<f64>,
    pub peak_memory: Option<u64>,
}

/// Photos that come by chance, whether or not the ones before are through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Server {
    pub bound_ms: f64,
    /// The highest rate that kept p99 under the bound; 0 when none did.
    pub photos_per_s: f64,
    pub trials: Vec<Trial>,
}

/// One rate that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Trial {
    pub photos_per_s: f64,
    pub held: bool,
    /// None where the backlog grew past hope and the trial was broken off.
    pub latencies: Option<Latencies>,
}

pub(super) fn warm_up(subject: &Subject<'_>, looks: usize) -> anyhow::Result<WarmUp> {
    let times: Vec<f64> =
        (0..looks.max(1)).map(|_| Ok(ms(subject.look()?.total))).collect::<anyhow::Result<_>>()?;
    Ok(WarmUp { looks: times.len(), first_ms: times[0], last_ms: times[times.len() - 1] })
}

pub(super) fn single_stream(subject: &Subject<'_>, time: Duration) -> anyhow::Result<SingleStream> {
    let until = Instant::now() + time;
    let mut spent = Vec::new();
    while Instant::now() < until || spent.is_empty() {
        spent.push(subject.look()?);
    }
    let sum = |stage: fn(&Spent) -> Duration| spent.iter().map(|one| ms(stage(one))).sum::<f64>();
    let total = sum(|one| one.total);
    let stages = [
        ("decode", sum(|one| one.decode)),
        ("preprocess", sum(|one| one.model.preprocess)),
        ("queue", sum(|one| one.model.queue)),
        ("infer", sum(|one| one.model.infer)),
        ("postprocess", sum(|one| one.model.postprocess)),
    ];
    let share =
        |holds: fn(&Spent) -> bool| spent.iter().filter(|one| holds(one)).count() as f64 / spent.len() as f64;
    let tiles = |count: fn(&Spent) -> u32| spent.iter().map(|one| f64::from(count(one))).sum::<f64>();
    let (run, left_out) = (tiles(|one| one.model.tiles), tiles(|one| one.model.tiles_left_out));
    Ok(SingleStream {
        stages: stages.map(|(name, part)| (name.to_owned(), part / total)).to_vec(),
        ended_early: share(|one| one.model.ended_early),
        with_findings: share(|one| one.found),
        tiles_left_out: (run + left_out > 0.0).then(|| left_out / (run + left_out)),
        latencies: latencies(spent.iter().map(|one| ms(one.total)).collect())?,
    })
}

pub(super) fn multi_stream(
    subject: &Subject<'_>,
    time: Duration,
    burst: usize,
) -> anyhow::Result<MultiStream> {
    let until = Instant::now() + time;
    let mut bursts = Vec::new();
    while Instant::now() < until || bursts.is_empty() {
        let started = Instant::now();
        at_once(subject, &mut { burst }, |left| {
            let more = *left > 0;
            *left = left.saturating_sub(1);
            more
        })?;
        bursts.push(ms(started.elapsed()));
    }
    Ok(MultiStream { burst, latencies: latencies(bursts)? })
}

pub(super) fn offline(subject: &Subject<'_>, time: Duration) -> anyhow::Result<Offline> {
    machine::forget_peak_memory();
    let (started, cpu) = (Instant::now(), machine::process_cpu());
    let until = started + time;
    // Every photo at least once, however slow the machine is.
    let mut begun = 0;
    let photos = at_once(subject, &mut begun, |begun| {
        let more = Instant::now() < until || *begun < subject.photos.len();
        *begun += usize::from(more);
        more
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu =
        machine::process_cpu().zip(cpu).map(|(after, before)| after.saturating_sub(before).as_secs_f64());
    Ok(Offline {
        photos,
        photos_per_s: photos as f64 / seconds,
        cpu_ms_per_photo: cpu.map(|cpu| cpu * 1000.0 / photos as f64),
        cores_busy: cpu.map(|cpu| cpu / seconds),
        peak_memory: machine::peak_memory(),
    })
}

/// Looks at photos on all threads for as long as `more` says so; how many.
fn at_once<S: Send>(
    subject: &Subject<'_>,
    state: &mut S,
    more: impl Fn(&mut S) -> bool + Sync,
) -> anyhow::Result<usize> {
    let state = Mutex::new(state);
    let work = || {
        let mut looks = 0;
        while more(&mut state.lock().unwrap_or_else(PoisonError::into_inner)) {
            subject.look()?;
            looks += 1;
        }
        Ok(looks)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..subject.threads()).map(|_| scope.spawn(work)).collect();
        let looks = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("an analysis thread panicked")))
        });
        looks.sum()
    })
}

/// The search for the highest rate below `ceiling`, which the machine cannot exceed.
pub(super) fn server(
    subject: &Subject<'_>,
    time: Duration,
    bound_ms: f64,
    ceiling: f64,
    seed: u64,
    progress: impl Fn(f64),
) -> anyhow::Result<Server> {
    const TRIALS: usize = 6;
    let mut search = Search::below(ceiling, TRIALS);
    let mut trials = Vec::new();
    while let Some(rate) = search.next() {
        progress(rate);
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(trials.len() as u64));
        let arrivals = statistics::arrivals(rate, time.as_secs_f64(), || rng.random());
        let latencies = Latencies::of(open_loop(subject, &arrivals, bound_ms)?.unwrap_or_default());
        let held = latencies.as_ref().is_some_and(|latencies| latencies.p99.ms <= bound_ms);
        search.tell(rate, held);
        trials.push(Trial { photos_per_s: rate, held, latencies });
    }
    Ok(Server { bound_ms, photos_per_s: search.best(), trials })
}

/// Photos that have come and wait.
struct Arrived {
    waiting: VecDeque<f64>,
    ended: bool,
}

/// Sends a photo at each of `arrivals`, in seconds, whatever became of those before, and measures from when it should
/// have been sent: a sender that is late does not hide how long its photo waited. None when more photos than may have
/// waited past the bound already.
fn open_loop(subject: &Subject<'_>, arrivals: &[f64], bound_ms: f64) -> anyhow::Result<Option<Vec<f64>>> {
    let (queue, came) = (Mutex::new(Arrived { waiting: VecDeque::new(), ended: false }), Condvar::new());
    // Of all threads together: one in a hundred may be late, and one more for a small sample.
    let (hopeless, late, may_be_late) =
        (AtomicBool::new(false), AtomicUsize::new(0), arrivals.len() / 100 + 1);
    let started = Instant::now();
    let lock = || queue.lock().unwrap_or_else(PoisonError::into_inner);
    let next = || {
        let idle = |queue: &mut Arrived| queue.waiting.is_empty() && !queue.ended;
        let mut queue = came.wait_while(lock(), idle).unwrap_or_else(PoisonError::into_inner);
        queue.waiting.pop_front()
    };
    let work = || {
        let mut latencies = Vec::new();
        while let Some(scheduled) = next() {
            if hopeless.load(Ordering::Relaxed) {
                continue;
            }
            subject.look()?;
            let latency = (started.elapsed().as_secs_f64() - scheduled) * 1000.0;
            latencies.push(latency);
            let is_late = usize::from(latency > bound_ms);
            if late.fetch_add(is_late, Ordering::Relaxed) + is_late > may_be_late {
                hopeless.store(true, Ordering::Relaxed);
            }
        }
        anyhow::Ok(latencies)
    };
    let outcome = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..subject.threads()).map(|_| scope.spawn(work)).collect();
        for &at in arrivals {
            if hopeless.load(Ordering::Relaxed) {
                break;
            }
            let left = Duration::from_secs_f64(at).saturating_sub(started.elapsed());
            std::thread::sleep(left);
            lock().waiting.push_back(at);
            came.notify_one();
        }
        lock().ended = true;
        came.notify_all();
        threads
            .into_iter()
            .map(|thread| {
                thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("an analysis thread panicked")))
            })
            .collect::<anyhow::Result<Vec<Vec<f64>>>>()
    })?;
    Ok((!hopeless.into_inner()).then(|| outcome.concat()))
}

fn latencies(samples: Vec<f64>) -> anyhow::Result<Latencies> {
    Latencies::of(samples).ok_or_else(|| anyhow::anyhow!("nothing was measured"))
}
