//! Places at which a test may end or freeze this process: the boundaries between one step and the next.
//!
//! Compiled in with the feature `fail-points` alone; elsewhere reaching one is nothing. With it,
//! `PUNCHLENS_FAIL_POINT=deliver.begun:kill:2` sends this process a `SIGKILL` when it reaches `deliver.begun` for the
//! second time, and `…:stop:1` a `SIGSTOP`, from which somebody else must wake it.

/// Every place, in the order of a photo's way.
pub const POINTS: &[&str] = &[
    // A delivery is on the disk, and Procore has not heard so yet.
    "receive.stored",
    // Every change of the store: not durable yet, and durable but not told.
    "commit.before",
    "commit.after",
    "claim.taken",
    "route.decided",
    "sweep.listed",
    "sweep.queued",
    "analyze.described",
    "analyze.downloaded",
    "analyze.looked",
    "analyze.drafted",
    "analyze.recorded",
    "deliver.planned",
    // The intent is on the disk, and nothing was sent.
    "deliver.begun",
    // Procore has made the punch item, and nobody here knows.
    "deliver.answered",
    "deliver.finished",
    "link.answered",
];

/// Does what the environment asks for at `point`.
#[cfg(not(feature = "fail-points"))]
pub(crate) const fn reached(_point: &str) {}

/// Does what the environment asks for at `point`.
#[cfg(feature = "fail-points")]
pub(crate) fn reached(point: &str) {
    if let Some(wish) = armed::WISH.as_ref() {
        wish.reached(point);
    }
}

#[cfg(feature = "fail-points")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    const STOPPED_WITHIN: Duration = Duration::from_millis(100);

    pub(super) static WISH: LazyLock<Option<ArmedPoint>> = LazyLock::new(|| {
        let text = std::env::var("PUNCHLENS_FAIL_POINT").ok()?;
        Some(
            ArmedPoint::parse(&text)
                .unwrap_or_else(|| panic!("PUNCHLENS_FAIL_POINT={text} is no point:kill|stop:number")),
        )
    });

    pub(super) struct ArmedPoint {
        point: String,
        signal: Signal,
        left: AtomicU32,
    }

    impl ArmedPoint {
        fn parse(text: &str) -> Option<Self> {
            let mut parts = text.split(':');
            let point = parts.next().filter(|point| super::POINTS.contains(point))?.to_owned();
            let signal = match parts.next()? {
                "kill" => Signal::KILL,
                "stop" => Signal::STOP,
                _ => return None,
            };
            let number = parts.next()?.parse().ok().filter(|number| *number > 0)?;
            Some(Self { point, signal, left: AtomicU32::new(number) })
        }

        pub(super) fn reached(&self, point: &str) {
            if self.point == point && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
                kill_process(getpid(), self.signal).expect("a process may signal itself");
                // A stop reaches each thread a moment later: this one shall get no further.
                std::thread::sleep(STOPPED_WITHIN);
            }
        }
    }
}
