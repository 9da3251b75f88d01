//! What the machine is, and what this process took of it. Linux tells; elsewhere these are unknown.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Clock ticks a second in `/proc`, the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// The machine and how busy it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub processor: String,
    pub cores: usize,
    pub system: String,
    /// Processes that wanted to run, on average over the last minute, at the start.
    pub load: Option<f64>,
}

impl Machine {
    pub(super) fn this() -> Self {
        let info = read("/proc/cpuinfo").unwrap_or_default();
        let processor = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            processor: processor.map_or("unknown", |(_, name)| name).trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            load: read("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }
}

/// CPU time of all threads of this process so far.
pub(super) fn process_cpu() -> Option<Duration> {
    ticks(&read("/proc/self/stat")?).map(|ticks| Duration::from_secs_f64(ticks / TICKS))
}

/// User and system ticks of a `stat` line; the name in it may hold anything, but ends at the last bracket.
fn ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// CPU time of the calling thread so far, to the nanosecond.
pub(super) fn thread_cpu() -> Option<Duration> {
    let nanoseconds = read("/proc/thread-self/schedstat")?.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// The most memory that the process has had, in bytes.
pub(super) fn peak_memory() -> Option<u64> {
    let status = read("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Lets the peak start anew. Where that is not allowed it goes on from what it was.
pub(super) fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "4242 (a ) b) R 1 2 3 4 5 6 7 8 9 10 250 31 0 0 20 0";
        assert_eq!(ticks(stat), Some(281.0));
        assert_eq!(ticks("nothing"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells() {
        assert!(process_cpu().is_some() && thread_cpu().is_some() && Machine::this().cores > 0);
        assert!(peak_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
