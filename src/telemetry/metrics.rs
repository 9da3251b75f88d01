//! What Prometheus may ask for: seconds as the unit, `_total` on counters, a label for each stage and outcome.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the stage histogram, seconds: from one tile's inference to a slow download.
const STAGE_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labelled {
    what: String,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stage {
    stage: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

type StageSeconds = Family<Stage, Histogram, fn() -> Histogram>;

/// Every metric of the service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    jobs: Family<Labelled, Counter>,
    stages: StageSeconds,
    findings: Family<Labelled, Counter>,
    queue: Family<State, Gauge>,
    oldest_ready: Gauge,
    unaccounted: Gauge,
    oldest_unaccounted: Gauge,
    stopped: Gauge,
    healed: Counter,
    swept: Counter,
    fallback: Gauge,
}

impl Metrics {
    /// All metrics at zero. `model` and `provider` are what is really used, not what was asked for.
    pub fn new(model: &str, provider: &str) -> Self {
        let mut registry = Registry::with_prefix("punchlens");
        let jobs = Family::<Labelled, Counter>::default();
        let stages = StageSeconds::new_with_constructor(|| Histogram::new(STAGE_SECONDS));
        let findings = Family::<Labelled, Counter>::default();
        let queue = Family::<State, Gauge>::default();
        let oldest_ready = Gauge::default();
        registry.register("jobs", "Attempts at jobs, by kind and outcome", jobs.clone());
        registry.register("stage_seconds", "Time of each stage of a photo", stages.clone());
        registry.register("findings", "Findings recorded, by class and delivery", findings.clone());
        registry.register("queue_jobs", "Jobs now in the queue, by state", queue.clone());
        registry.register(
            "queue_oldest_ready_seconds",
            "Age of the oldest job that could run now",
            oldest_ready.clone(),
        );
        let (unaccounted, oldest_unaccounted, stopped) =
            (Gauge::default(), Gauge::default(), Gauge::default());
        let (healed, swept) = (Counter::default(), Counter::default());
        registry.register(
            "photos_unaccounted",
            "Photos that this box knows of and has neither analysed nor settled with a reason",
            unaccounted.clone(),
        );
        registry.register(
            "photos_unaccounted_oldest_seconds",
            "Age of the oldest of them",
            oldest_unaccounted.clone(),
        );
        registry.register(
            "projects_stopped",
            "Projects in which nothing is made until a person acts",
            stopped.clone(),
        );
        registry.register(
            "deliveries_healed",
            "Deliveries that Procore had given up and that were read",
            healed.clone(),
        );
        registry.register("photos_swept", "Photos found by a sweep that no webhook reported", swept.clone());
        let model_in_use = Family::<Labelled, Gauge>::default();
        model_in_use.get_or_create(&labelled(model, provider)).set(1);
        registry.register(
            "model_in_use",
            "The loaded model (what) and the execution provider in use (outcome)",
            model_in_use,
        );
        let fallback = Gauge::default();
        registry.register(
            "provider_fallback",
            "1 while another execution provider runs in place of the configured one",
            fallback.clone(),
        );
        Self {
            registry: Arc::new(registry),
            jobs,
            stages,
            findings,
            queue,
            oldest_ready,
            unaccounted,
            oldest_unaccounted,
            stopped,
            healed,
            swept,
            fallback,
        }
    }

    /// Whether another execution provider stands in for the one that was asked for.
    pub fn provider_fallback(&self, fell_back: bool) {
        self.fallback.set(fell_back.into());
    }

    /// Counts one attempt at a job.
    pub fn job(&self, kind: &str, outcome: &str) {
        self.jobs.get_or_create(&labelled(kind, outcome)).inc();
    }

    /// Counts one recorded finding.
    pub fn finding(&self, class: &str, delivery: &str) {
        self.findings.get_or_create(&labelled(class, delivery)).inc();
    }

    /// Observes how long one stage of one photo took.
    pub fn stage(&self, stage: &str, took: Duration) {
        self.stages.get_or_create(&Stage { stage: stage.to_owned() }).observe(took.as_secs_f64());
    }

    /// Sets the queue's gauges.
    pub fn queue(&self, states: &[(&str, u64)], oldest_ready: Option<Duration>) {
        for (state, jobs) in states {
            let gauge = self.queue.get_or_create(&State { state: (*state).to_owned() });
            gauge.set(i64::try_from(*jobs).unwrap_or(i64::MAX));
        }
        self.oldest_ready.set(i64::try_from(oldest_ready.unwrap_or_default().as_secs()).unwrap_or(i64::MAX));
    }

    /// Sets how many photos are not accounted for, and the age of the oldest.
    pub fn unaccounted(&self, photos: u64, oldest: Option<Duration>) {
        self.unaccounted.set(i64::try_from(photos).unwrap_or(i64::MAX));
        self.oldest_unaccounted.set(i64::try_from(oldest.unwrap_or_default().as_secs()).unwrap_or(i64::MAX));
    }

    /// Sets in how many projects nothing is made.
    pub fn stopped(&self, projects: usize) {
        self.stopped.set(i64::try_from(projects).unwrap_or(i64::MAX));
    }

    /// Counts deliveries that were healed.
    pub fn healed(&self, deliveries: u64) {
        self.healed.inc_by(deliveries);
    }

    /// Counts photos that a sweep found.
    pub fn swept(&self, photos: usize) {
        self.swept.inc_by(photos as u64);
    }

    /// Everything in Prometheus’ text form.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "metrics could not be written");
                String::new()
            }
        }
    }
}

fn labelled(what: &str, outcome: &str) -> Labelled {
    Labelled { what: what.to_owned(), outcome: outcome.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_names_units_and_labels() {
        let metrics = Metrics::new("finish-defects 0.1.0", "CPU");
        metrics.job("publish", "done");
        metrics.stage("infer", Duration::from_millis(40));
        metrics.queue(&[("ready", 3)], Some(Duration::from_secs(7)));
        metrics.unaccounted(2, Some(Duration::from_secs(90)));
        metrics.healed(1);
        let text = metrics.text();
        for line in [
            "punchlens_jobs_total{what=\"publish\",outcome=\"done\"} 1",
            "punchlens_stage_seconds_bucket{le=\"0.05\",stage=\"infer\"} 1",
            "punchlens_queue_jobs{state=\"ready\"} 3",
            "punchlens_queue_oldest_ready_seconds 7",
            "punchlens_photos_unaccounted 2",
            "punchlens_photos_unaccounted_oldest_seconds 90",
            "punchlens_deliveries_healed_total 1",
            "punchlens_model_in_use{what=\"finish-defects 0.1.0\",outcome=\"CPU\"} 1",
        ] {
            assert!(text.contains(line), "{line}\nis not in\n{text}");
        }
    }
}
