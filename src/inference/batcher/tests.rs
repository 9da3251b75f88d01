use std::sync::Barrier;
use std::sync::atomic::AtomicBool;

use super::*;

type Outcome = Result<Batcher<u32, u32>, std::io::Error>;

/// Even questions are alike, and odd ones.
impl Alike for u32 {
    fn alike(&self, other: &Self) -> bool {
        self % 2 == other % 2
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn rules(workers: usize, depth: usize) -> Rules {
    Rules { workers, depth, batch: 1, delay: Duration::ZERO, hang: Duration::from_mins(1) }
}

#[expect(clippy::unnecessary_wraps, reason = "opening may fail elsewhere")]
fn doubler() -> Result<impl FnMut(Vec<u32>) -> Vec<u32>, std::io::Error> {
    Ok(|questions: Vec<u32>| questions.into_iter().map(|question| question * 2).collect())
}

#[test]
fn every_question_gets_its_own_answer() {
    for batch in [1, 4] {
        let rules = Rules { batch, delay: Duration::from_millis(1), ..rules(3, 2) };
        let batcher: Batcher<u32, u32> = Batcher::start("double", rules, doubler).expect("starts");
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
}

#[test]
fn what_is_alike_and_waits_comes_together_up_to_the_limit() {
    let gate = Arc::new(Barrier::new(2));
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let (inside, seen) = (Arc::clone(&gate), Arc::clone(&sizes));
    let open = move || {
        let (gate, seen) = (Arc::clone(&inside), Arc::clone(&seen));
        Ok::<_, std::io::Error>(move |questions: Vec<u32>| {
            gate.wait();
            seen.lock().expect("whole").push(questions.clone());
            questions
        })
    };
    let batcher: Batcher<u32, u32> =
        Batcher::start("batch", Rules { batch: 3, ..rules(1, 16) }, open).expect("starts");
    let first = batcher.ask(100, soon()).expect("room");
    while !batcher.crew.lock()[0].slot.holds() {
        thread::yield_now();
    }
    let others: Vec<_> =
        [2, 1, 4, 6, 8, 3].map(|question| batcher.ask(question, soon()).expect("room")).into();
    for _ in 0..4 {
        gate.wait();
    }
    assert_eq!(first.wait(soon()).expect("answered").value, 100);
    let answers: Vec<u32> =
        others.into_iter().map(|ticket| ticket.wait(soon()).expect("answered").value).collect();
    assert_eq!(answers, [2, 1, 4, 6, 8, 3]);
    let expected: [&[u32]; 4] = [&[100], &[2, 4, 6], &[1, 3], &[8]];
    assert_eq!(*sizes.lock().expect("whole"), expected);
}

#[test]
fn a_full_batch_does_not_wait_for_the_delay() {
    let rules = Rules { batch: 2, delay: Duration::from_hours(1), ..rules(1, 4) };
    let batcher: Batcher<u32, u32> = Batcher::start("patient", rules, doubler).expect("starts");
    let tickets = [2, 4].map(|question| batcher.ask(question, soon()).expect("room"));
    let answers = tickets.map(|ticket| ticket.wait(soon()).expect("answered").value);
    assert_eq!(answers, [4, 8]);
}

#[test]
fn a_full_queue_and_a_slow_worker_end_at_the_deadline() {
    let gate = Arc::new(Barrier::new(2));
    let inside = Arc::clone(&gate);
    let open = move || {
        let gate = Arc::clone(&inside);
        Ok::<_, std::io::Error>(move |questions: Vec<u32>| {
            gate.wait();
            questions
        })
    };
    let batcher: Batcher<u32, u32> = Batcher::start("slow", rules(1, 1), open).expect("starts");
    let first = batcher.ask(1, soon()).expect("room");
    let second = batcher.ask(2, soon()).expect("room once the worker holds the first");
    assert_eq!(batcher.ask(3, Instant::now()).err(), Some(Lost::Late));
    assert_eq!(second.wait(Instant::now()).err(), Some(Lost::Late));
    gate.wait();
    assert_eq!(first.wait(soon()).expect("answered").value, 1);
    gate.wait();
}

#[test]
fn a_panic_loses_one_batch_only() {
    let open = || {
        Ok::<_, std::io::Error>(|questions: Vec<u32>| {
            assert!(!questions.contains(&0), "odd picture");
            questions
        })
    };
    let batcher: Batcher<u32, u32> = Batcher::start("fragile", rules(1, 4), open).expect("starts");
    assert_eq!(batcher.ask(0, soon()).expect("room").wait(soon()).err(), Some(Lost::Gone));
    assert_eq!(batcher.ask(5, soon()).expect("room").wait(soon()).expect("answered").value, 5);
}

#[test]
fn a_worker_that_answers_too_little_answers_nobody() {
    let open = || Ok::<_, std::io::Error>(|_: Vec<u32>| Vec::<u32>::new());
    let batcher: Batcher<u32, u32> = Batcher::start("mute", rules(1, 4), open).expect("starts");
    assert_eq!(batcher.ask(1, soon()).expect("room").wait(soon()).err(), Some(Lost::Gone));
}

#[test]
fn a_worker_that_cannot_open_is_the_starts_error() {
    let open = || Err::<fn(Vec<u32>) -> Vec<u32>, _>(std::io::Error::other("no model"));
    let outcome: Outcome = Batcher::start("broken", rules(2, 1), open);
    assert_eq!(outcome.err().map(|error| error.to_string()), Some("no model".into()));
}

#[test]
fn a_worker_that_hangs_is_given_up_and_replaced() {
    let (hanging, gate) = (Arc::new(AtomicBool::new(true)), Arc::new(Barrier::new(2)));
    let (first_time, inside) = (Arc::clone(&hanging), Arc::clone(&gate));
    let open = move || {
        let (first_time, gate) = (Arc::clone(&first_time), Arc::clone(&inside));
        Ok::<_, std::io::Error>(move |questions: Vec<u32>| {
            if first_time.swap(false, Ordering::SeqCst) {
                gate.wait();
            }
            questions
        })
    };
    let rules = Rules { hang: Duration::from_millis(20), ..rules(1, 4) };
    let batcher: Batcher<u32, u32> = Batcher::start("hangs", rules, open).expect("starts");
    assert_eq!(batcher.ask(1, soon()).expect("room").wait(soon()).err(), Some(Lost::Hung));
    assert_eq!(batcher.ask(7, soon()).expect("room").wait(soon()).expect("answered").value, 7);
    assert_eq!(batcher.given_up(), 1);
    // The one that was given up comes back, answers nobody and ends.
    gate.wait();
    assert_eq!(batcher.ask(9, soon()).expect("room").wait(soon()).expect("answered").value, 9);
}
