//! Requests that are carried out after their caller has given up.

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::middleware::Next;
use jiff::Timestamp;

use super::call::Call;
use super::clock::later;
use super::gate::Gate;

tokio::task_local! {
    /// The time that what is done now is stamped with, where that is not the clock's.
    static STAMP: Option<Timestamp>;
}

/// The time that what is done now is stamped with, where that is not the clock's.
pub(super) fn stamp() -> Option<Timestamp> {
    STAMP.try_with(|stamp| *stamp).ok().flatten()
}

/// Carries a request out when the simulator's clock has gone on by `after`. Nobody hears its answer.
pub(super) fn carry_out(
    gate: &Gate,
    mut parts: Parts,
    mut call: Call,
    next: Next,
    after: Duration,
    backdated: bool,
) {
    let gate = gate.clone();
    let sim = Arc::clone(&gate.sim);
    let arrived = sim.now();
    let work = async move {
        gate.sim.clock.reaches(later(arrived, after)).await;
        let stamp = backdated.then_some(arrived);
        let answer = STAMP.scope(stamp, gate.answer(&mut parts, &mut call, next, None)).await;
        let (path, status) = (parts.uri.path(), answer.status());
        tracing::info!(path, %status, "the simulator carried out a late request");
    };
    let stopping = sim.stopping.clone();
    sim.tasks.spawn(stopping.run_until_cancelled_owned(work));
}
