//! How the running service is: for gauges, `/readyz` and whoever watches the box.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::http::{Check, CheckState, Health};
use crate::inference::Detector;
use crate::store::{Error, MissingHook, PendingPhotos, QueueStats, Stop};

/// How often all of it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What was seen last.
#[derive(Debug, Clone)]
pub(super) struct HealthSnapshot {
    queue: QueueStats,
    unaccounted: PendingPhotos,
    stops: Vec<Stop>,
    missing_hooks: Vec<MissingHook>,
    free_bytes: Option<u64>,
    free_bytes_min: u64,
}

impl App {
    /// Sets the gauges now and then, and keeps what `/readyz` tells.
    pub(super) async fn watch(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.look().await {
                Ok(seen) => {
                    self.tell(&seen);
                    if let Ok(mut last) = self.watched.write() {
                        *last = Some(seen);
                    }
                }
                Err(error) => tracing::error!(%error, "the queue cannot be counted"),
            }
            super::pause(LOOK_EVERY, stop).await;
        }
    }

    async fn look(&self) -> Result<HealthSnapshot, Error> {
        let (store, now) = (&self.context.store, self.context.now());
        Ok(HealthSnapshot {
            queue: store.queue_stats(now).await?,
            unaccounted: store.unaccounted(now).await?,
            stops: store.stops().await?,
            missing_hooks: store.missing_hooks().await?,
            free_bytes: store.free_bytes().unwrap_or_default(),
            free_bytes_min: store.config().free_bytes_min,
        })
    }

    fn tell(&self, seen: &HealthSnapshot) {
        let stats = &seen.queue;
        let states = [
            ("ready", stats.ready),
            ("delayed", stats.delayed),
            ("running", stats.running),
            ("parked", stats.parked),
            ("dead", stats.dead),
        ];
        let metrics = &self.context.metrics;
        metrics.queue(&states, stats.oldest_ready);
        metrics.unaccounted(seen.unaccounted.photos, seen.unaccounted.oldest);
        metrics.stopped(seen.stops.len());
        metrics.provider_fallback(self.context.detector.provider().fell_back());
    }
}

/// The parts of the service, each with its state.
pub(super) fn report(detector: &dyn Detector, seen: Option<&HealthSnapshot>) -> Health {
    let mut checks = vec![model_check(detector)];
    if let Some(seen) = seen {
        checks.extend([queue_check(seen), projects_check(&seen.stops), disk_check(seen)]);
        checks.extend(hooks_check(&seen.missing_hooks));
    }
    Health { checks }
}

fn model_check(detector: &dyn Detector) -> Check {
    let (model, provider) = (detector.model(), detector.provider());
    let state = if provider.fell_back() { CheckState::Degraded } else { CheckState::Ok };
    let words = format!("{}, warmed up, on {}", model.label(), provider.got.name());
    Check::ok("model", words).with_status(state).with_facts(json!({
        "name": model.name,
        "version": model.version,
        "sha256": model.sha256,
        "runtime": model.runtime,
        "sessions": model.sessions,
        "provider_asked": provider.asked.name(),
        "provider_got": provider.got.name(),
        "provider_why": provider.why,
    }))
}

fn queue_check(seen: &HealthSnapshot) -> Check {
    let queue = &seen.queue;
    let waiting = queue.parked + queue.dead;
    let check = if waiting == 0 {
        Check::ok("queue", "no job waits for a person")
    } else {
        Check::ok("queue", format!("{waiting} jobs wait for a person: see punchlens jobs"))
            .with_status(CheckState::Degraded)
    };
    check.with_facts(json!({
        "ready": queue.ready,
        "running": queue.running,
        "parked": queue.parked,
        "dead": queue.dead,
        "photos_unaccounted": seen.unaccounted.photos,
        "photos_unaccounted_oldest_s": seen.unaccounted.oldest.map(|oldest| oldest.as_secs()),
    }))
}

fn projects_check(stops: &[Stop]) -> Check {
    let Some(first) = stops.first() else { return Check::ok("projects", "drafts are made in all of them") };
    let detail = first.to_string();
    Check::ok("projects", detail).with_status(CheckState::Degraded).with_facts(json!({ "stopped": stops }))
}

fn hooks_check(missing: &[MissingHook]) -> Option<Check> {
    let first = missing.first()?;
    let check = Check::ok("hooks", first.to_string()).with_status(CheckState::Degraded);
    Some(check.with_facts(json!({ "missing": missing })))
}

fn disk_check(seen: &HealthSnapshot) -> Check {
    let Some(free) = seen.free_bytes else { return Check::ok("disk", "the database is not on this disk") };
    let facts = json!({ "free_bytes": free });
    let mebibytes = free >> 20;
    let check = if free < seen.free_bytes_min {
        Check::ok("disk", format!("only {mebibytes} MiB are free beside the database: make some room"))
            .with_status(CheckState::Degraded)
    } else {
        Check::ok("disk", format!("{mebibytes} MiB are free beside the database"))
    };
    check.with_facts(facts)
}
