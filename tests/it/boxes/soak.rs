//! A box that works through thousands of photos keeps its memory, its descriptors and its rows. Measured, so not part
//! of the suite: `cargo test --release --test it soak -- --ignored --nocapture`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use punchlens::simulator::Faults;
use punchlens::store::Store;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use super::site::{Database, Site};

/// How many photos, unless `$PUNCHLENS_TEST_PHOTOS` says otherwise, and how many between two looks at the box.
const PHOTOS: usize = 5000;
const LOOKS: usize = 20;

/// Photos that wait at most, so that the queue's length does not count as growth.
const WAITING: u64 = 40;

/// What memory may grow by from photo to photo, bytes: what is known of a wall, to recognise it; and what the allocator
/// may take from the system once more, whenever that is.
const GROWTH_MAX: f64 = 2048.0;
const STEP_MAX: f64 = 8.0 * 1_048_576.0;

/// Seconds between sweeps, which look at all photos of the last hour.
const SWEEP_S: u64 = 300;

/// Descriptors by which two looks differ without a leak.
const SWAY: usize = 5;

/// What a box takes, in the quiet after so many photos.
struct Look {
    photos: usize,
    /// Bytes in memory.
    resident: f64,
    /// Bytes of its own, in memory or swapped out: a machine that is short of memory hides no leak.
    own: f64,
    descriptors: usize,
    threads: usize,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; run it by name"]
async fn soak_keeps_memory_descriptors_and_rows() {
    let photos =
        std::env::var("PUNCHLENS_TEST_PHOTOS").map_or(PHOTOS, |text| text.parse().expect("a number"));
    let Some(mut site) = Site::new(Database::Sqlite, 1, SWEEP_S, 1, Faults::default()).await else { return };
    site.machines[0].start(None);
    site.machines[0].ready().await;
    let store = site.store().await;
    let started = Instant::now();
    let mut looks = Vec::new();
    for look in 1..=LOOKS {
        while site.uploaded() < photos * look / LOOKS {
            site.upload().await;
            until_few_wait(&store).await;
        }
        site.drained().await;
        let look = taken(site.machines[0].id(), site.uploaded());
        println!(
            "{:5} photos: {:6.1} MiB resident, {:6.1} MiB of its own, {} descriptors, {} threads, {:.0?}",
            look.photos,
            look.resident / 1_048_576.0,
            look.own / 1_048_576.0,
            look.descriptors,
            look.threads,
            started.elapsed()
        );
        looks.push(look);
    }
    let outcome = site.drained_after_all().await;
    println!("{outcome}");
    let (early, late) = looks.split_at(LOOKS / 2);
    let slope = slope(late);
    println!("memory grows by {slope:.0} bytes a photo in the second half");
    let most = |looks: &[Look]| looks.iter().map(|look| look.descriptors).max().expect("some");
    let url = format!("sqlite://{}", site.database_file().display());
    let mut connection = SqliteConnection::connect(&url).await.expect("opens");
    let rows = rows(&mut connection).await;
    println!("rows: {rows:?}");
    let largest = |looks: &[Look]| looks.iter().map(|look| look.own).fold(0.0, f64::max);
    let grown = largest(late) - largest(early);
    assert!(grown < STEP_MAX + GROWTH_MAX * photos as f64 / 2.0, "memory grows by {slope:.0} bytes a photo");
    // Pools of connections fill and empty; a leak of one in a hundred photos would add 25.
    assert!(most(late) <= most(early) + SWAY, "descriptors leak");
    assert_eq!(rows["jobs"], 0);
    assert_eq!(rows["photos"] as usize, outcome.photos);
    assert_eq!(rows["findings"] as usize, outcome.cards);
    assert_eq!(creates(&mut connection).await as usize, outcome.items, "one create an item");
    assert!(rows["inbox"] as usize <= site.simulator.deliveries().len());
}

async fn until_few_wait(store: &Store) {
    while store.queue_stats(Timestamp::now()).await.expect("store").ready > WAITING {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn taken(process: u32, photos: usize) -> Look {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.split_whitespace().next().expect("a number").parse::<usize>().expect("a number")
    };
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).expect("it is ours").count();
    let bytes = |name| value(name) as f64 * 1024.0;
    let own = bytes("RssAnon:") + bytes("VmSwap:");
    Look { photos, resident: bytes("VmRSS:"), own, descriptors, threads: value("Threads:") }
}

/// Of the straight line that fits best: bytes a photo.
fn slope(looks: &[Look]) -> f64 {
    let count = looks.len() as f64;
    let mean = |value: &dyn Fn(&Look) -> f64| looks.iter().map(value).sum::<f64>() / count;
    let (photos, own) = (mean(&|look| look.photos as f64), mean(&|look| look.own));
    let along = looks.iter().map(|look| (look.photos as f64 - photos) * (look.own - own)).sum::<f64>();
    along / looks.iter().map(|look| (look.photos as f64 - photos).powi(2)).sum::<f64>()
}

/// How many rows each table has.
async fn rows(connection: &mut SqliteConnection) -> BTreeMap<String, i64> {
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut *connection).await.expect("lists");
    let mut rows = BTreeMap::new();
    for table in tables {
        let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let count = sqlx::query_scalar(count).fetch_one(&mut *connection).await.expect("counts");
        rows.insert(table, count);
    }
    rows
}

async fn creates(connection: &mut SqliteConnection) -> i64 {
    let counted = sqlx::query_scalar("SELECT COUNT(*) FROM outbox WHERE kind = 'create'");
    counted.fetch_one(connection).await.expect("counts")
}
