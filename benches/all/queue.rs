//! The queue with work waiting in it: one job in, one job taken, one job done, each of the three on
//! the disk before the next.

use std::time::Duration;

use divan::Bencher;
use jiff::Timestamp;
use punchlens::domain::ids::{CompanyId, ImageId, ProjectId, ProjectKey};
use punchlens::domain::job::Job;
use punchlens::store::{Config, DEFAULTS, Store};

pub(crate) const PROJECT: ProjectKey =
    ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };
pub(crate) const LEASE: Duration = Duration::from_mins(1);

pub(crate) fn job(image: i64) -> Job {
    Job::AnalyzePhoto { project: PROJECT, image: ImageId::new(image) }
}

pub(crate) fn config(folder: &tempfile::TempDir) -> Config {
    #[derive(serde::Deserialize)]
    struct File {
        store: Config,
    }
    let File { store } = toml::from_str(DEFAULTS).expect("the defaults are complete");
    Config { path: folder.path().join("bench.db"), ..store }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("in range")
}

#[divan::bench(args = [100, 10_000])]
fn enqueue_claim_complete(bencher: Bencher<'_, '_>, waiting: i64) {
    let now = now();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let jobs: Vec<Job> = (0..waiting).map(job).collect();
    let store = runtime.block_on(async {
        let store = Store::open(&config(&folder), now).await.expect("opens");
        store.enqueue(&jobs, now, now).await.expect("queues");
        store
    });
    let mut next = waiting;
    bencher.bench_local(|| {
        next += 1;
        runtime.block_on(async {
            store.enqueue(&[job(next)], now, now).await.expect("queues");
            let claimed = store.claim("bench", &["analyze_photo"], LEASE, now).await.expect("claims");
            store.complete(&claimed.expect("work waits").lease).await.expect("completes");
        });
    });
}
