//! What is done about a wall clock that is set back: nothing waits for the time that it showed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::domain::ids::ProjectKey;
use crate::store::{Error, LeaseClockError};

/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How far a sweep looks back when its mark was set by a clock that ran ahead: nobody knows what it has missed.
const LOST_MARK: Duration = Duration::from_hours(7 * 24);

/// How far the clocks that set and read a mark may be apart.
const TOLERANCE: Duration = Duration::from_mins(5);

/// How far beyond the present a time range reaches, so that no clock cuts off what is newest.
const FAR_END: Duration = Duration::from_hours(24);

/// Corrects what a clock ahead has written, at once and then now and then, until `stop` is cancelled.
pub async fn run(context: &Context, stop: &CancellationToken) {
    let mut leases = HashMap::new();
    while !stop.is_cancelled() {
        if let Err(error) = correct(context, &mut leases).await {
            tracing::warn!(%error, "times in the store cannot be checked; trying again");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn correct(context: &Context, seen: &mut HashMap<LeaseClockError, Instant>) -> Result<(), Error> {
    let (store, now) = (&context.store, context.now());
    let lease = Duration::from_secs(context.config.lease_s);
    let ahead = store.is_ahead_of(now).await?;
    let odd = store.odd_leases(now + lease).await?;
    // A box that starts with its clock in the past must not take the rest of the world for the future.
    if (ahead || !odd.is_empty()) && !is_right(context, now).await {
        return Ok(());
    }
    if ahead {
        let rows = store.correct_times(now).await?;
        tracing::warn!(rows, "a clock ran ahead and was set back: what it had written is corrected");
    }
    seen.retain(|lease, _| odd.contains(lease));
    for odd in odd {
        // Who still works on the job extends its lease within this time.
        if seen.entry(odd.clone()).or_insert_with(Instant::now).elapsed() >= lease {
            store.end_lease(&odd, now).await?;
        }
    }
    Ok(())
}

/// Whether Procore's clock shows the same as this machine's, as far as it tells.
async fn is_right(context: &Context, now: Timestamp) -> bool {
    let Some(project) = context.procore.config().permitted().first().copied() else { return true };
    let theirs = procores(context, project).await;
    theirs.duration_since(now).unsigned_abs() <= TOLERANCE
}

/// The time by Procore's clock where it has told it, else by this machine's.
pub(super) async fn procores(context: &Context, project: ProjectKey) -> Timestamp {
    let procore = context.procore.background();
    if procore.now().is_none()
        && let Err(error) = procore.clock(project.company).await
    {
        tracing::debug!(%error, "Procore does not tell the time");
    }
    procore.now().unwrap_or_else(|| context.now())
}

/// From when to when something is listed whose mark was set at `last`, by the same clock as `now`.
pub(super) fn span(
    last: Option<Timestamp>,
    now: Timestamp,
    overlap: Duration,
    own: Timestamp,
) -> (Timestamp, Timestamp) {
    let back = |from: Timestamp, by: Duration| from.checked_sub(by).unwrap_or(Timestamp::MIN);
    let from = match last {
        None => back(now, overlap),
        Some(last) if last <= now.saturating_add(TOLERANCE).unwrap_or(now) => back(last.min(now), overlap),
        Some(_) => back(now, overlap.max(LOST_MARK)),
    };
    (from, now.max(own).checked_add(FAR_END).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + hours * 3600).expect("in range")
    }

    #[test]
    fn a_mark_of_the_future_says_nothing() {
        const HOUR: Duration = Duration::from_hours(1);
        let from = |last: Option<i64>| span(last.map(at), at(0), HOUR, at(0)).0;
        assert_eq!(from(Some(-5)), at(-6));
        assert_eq!(from(None), at(-1));
        assert_eq!(from(Some(6)), at(-7 * 24));
        let slightly = span(Some(at(0) + Duration::from_secs(30)), at(0), HOUR, at(0));
        assert_eq!(slightly.0, at(-1), "clocks are never quite the same");
    }

    #[test]
    fn the_end_is_beyond_both_clocks() {
        for (now, own) in [(0, 9), (9, 0)] {
            assert!(span(None, at(now), Duration::ZERO, at(own)).1 > at(9));
        }
    }
}
