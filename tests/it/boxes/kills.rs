//! Boxes that are killed, frozen and woken. Whatever happens to them, every photo is accounted for and every punch item is made once.
//!
//! CI runs a part. All of it, measured in `tests/README.md`:
//! `cargo test --test it kills -- --include-ignored --nocapture --test-threads 1`

use std::time::{Duration, Instant};

use punchlens::failpoint::POINTS;
use punchlens::simulator::{Faults, LateWrites};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::site::{Database, LEASE_S, Outcome, Site};

/// Kills and photos of a run at random.
const KILLS: usize = 60;
const PHOTOS: usize = 300;

/// The longest life of a box in a run at random, in requests to Procore, so that it does as much on a slow machine; and
/// how many of all die while they start.
const LIFE: u64 = 90;
const YOUNG: f64 = 0.2;
const YOUNG_MS: u64 = 1500;

/// Seconds between sweeps, which find what no webhook told of because nobody listened.
const OFTEN_S: u64 = 2;

/// Further choices at random: `$PUNCHLENS_TEST_SEED`.
fn seed() -> u64 {
    std::env::var("PUNCHLENS_TEST_SEED").map_or(5, |text| text.parse().expect("a number"))
}

/// A box dies when it reaches `point` for the `number`th time, and the next one finishes what it left.
async fn killed_at(site: &mut Site, point: &str, number: u32) -> Outcome {
    site.machines[0].start(Some(&format!("{point}:kill:{number}")));
    site.machines[0].ready().await;
    site.upload().await;
    // An old wall again, for the steps that a known defect takes.
    site.upload_again(0).await;
    site.machines[0].killed().await;
    site.machines[0].start(None);
    site.machines[0].ready().await;
    // Procore tries again what nobody took.
    site.simulator.advance(Duration::from_secs(5));
    let outcome = site.drained().await;
    site.machines[0].kill();
    println!("killed at {point}, time {number}, {:?}: {outcome}", site.database);
    outcome
}

/// Everything is known and delivered that an old wall needs to be recognised.
async fn settled_start(database: Database, faults: Faults) -> Option<Site> {
    let mut site = Site::new(database, 1, OFTEN_S, seed(), faults).await?;
    site.upload().await;
    site.machines[0].start(None);
    let outcome = site.drained().await;
    assert!(outcome.items > 0, "the model finds something: {outcome:?}");
    site.machines[0].kill();
    Some(site)
}

async fn at_every_boundary(database: Database) {
    let Some(mut site) = settled_start(database, Faults::default()).await else { return };
    for point in POINTS {
        // The first commits and claims are a box's own affairs.
        let number = if point.starts_with("commit") || point.starts_with("claim") { 4 } else { 1 };
        killed_at(&mut site, point, number).await;
    }
    site.machines[0].start(None);
    let outcome = site.drained_after_all().await;
    assert!(outcome.linked > 0, "old walls were brought to their items: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_boundary_loses_and_doubles_nothing_on_sqlite() {
    at_every_boundary(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_boundary_loses_and_doubles_nothing_on_postgres() {
    at_every_boundary(Database::Postgres).await;
}

async fn at_every_boundary_again_and_again(database: Database) {
    let faults = Faults::preset("mild").expect("a preset");
    let Some(mut site) = settled_start(database, faults).await else { return };
    let started = Instant::now();
    let mut kills = 0;
    for point in POINTS {
        let often = if point.starts_with("commit") || point.starts_with("claim") { 12 } else { 2 };
        // What is reached once in a life is not reached twice.
        let once = ["sweep", "deliver", "link"].iter().any(|start| point.starts_with(start));
        let often = if once { 1 } else { often };
        for number in 1..=often {
            killed_at(&mut site, point, number).await;
            kills += 1;
        }
    }
    site.machines[0].start(None);
    println!("{database:?}: {kills} kills in {:.0?}: {}", started.elapsed(), site.drained_after_all().await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; run it by name"]
async fn a_kill_at_any_step_boundary_again_and_again_on_sqlite() {
    at_every_boundary_again_and_again(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; run it by name"]
async fn a_kill_at_any_step_boundary_again_and_again_on_postgres() {
    at_every_boundary_again_and_again(Database::Postgres).await;
}

/// Photos come in while the box is killed again and again, Procore has a bad month, and webhooks are lost.
async fn at_random(database: Database, kills: usize, photos: usize, faults: Faults) {
    let rejects = faults.late.rate > 0.0;
    let Some(mut site) = Site::new(database, 1, OFTEN_S, seed(), faults).await else { return };
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let started = Instant::now();
    for kill in 0..kills {
        site.machines[0].start(None);
        while site.uploaded() < photos * (kill + 1) / kills {
            site.upload().await;
        }
        if random.random_bool(YOUNG) {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..YOUNG_MS))).await;
        } else {
            site.machines[0].ready().await;
            site.asked(random.random_range(0..LIFE)).await;
        }
        site.machines[0].kill();
        if rejects && kill % 5 == 4 {
            site.reject(10).await;
        }
    }
    let store = site.store().await;
    let settled = site.settled(&store).await;
    store.close().await;
    println!("{database:?}: {settled} of {photos} photos settled at the last of {kills} kills");
    site.machines[0].start(None);
    let outcome = site.drained_after_all().await;
    assert!(outcome.items >= photos / 2, "the model finds something: {outcome:?}");
    assert!(!rejects || outcome.rejected > 0, "some were rejected: {outcome:?}");
    println!("{database:?}: seed {}, {kills} kills in {:.0?}: {outcome}", seed(), started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; run it by name"]
async fn sixty_kills_at_random_on_sqlite() {
    at_random(Database::Sqlite, KILLS, PHOTOS, harsh()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; run it by name"]
async fn sixty_kills_at_random_on_postgres() {
    at_random(Database::Postgres, KILLS, PHOTOS, harsh()).await;
}

fn harsh() -> Faults {
    Faults::preset("harsh").expect("a preset")
}

/// Besides, a fifth of all writes to the Punch List is carried out up to 90 s after the box gave up waiting, and a tenth
/// of the findings is rejected.
fn late() -> Faults {
    Faults::preset("late").expect("a preset")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; run it by name"]
async fn sixty_kills_with_writes_that_come_late_on_sqlite() {
    at_random(Database::Sqlite, KILLS, PHOTOS, late()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; run it by name"]
async fn sixty_kills_with_writes_that_come_late_on_postgres() {
    at_random(Database::Postgres, KILLS, PHOTOS, late()).await;
}

/// A third of all writes comes up to a second late; boxes are killed, and some of what was found is rejected meanwhile.
async fn late_for_a_moment(database: Database, boxes: usize) {
    let faults = Faults { late: LateWrites { rate: 0.3, up_to_ms: 1000 }, ..Faults::default() };
    let Some(mut site) = Site::new(database, boxes, OFTEN_S, seed(), faults).await else { return };
    for machine in &mut site.machines {
        machine.start(None);
    }
    for round in 0..2 {
        for _ in 0..4 {
            site.upload().await;
        }
        site.machines[round % boxes].ready().await;
        site.asked(30).await;
        site.machines[round % boxes].kill();
        site.reject(3).await;
        site.machines[round % boxes].start(None);
    }
    site.drained().await;
    site.reject(2).await;
    let outcome = site.drained_after_all().await;
    assert!(outcome.rejected > 0 && outcome.items > 0, "{outcome:?}");
    println!("{boxes} boxes, {database:?}, writes that come late: {outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_come_late_double_nothing_on_sqlite() {
    late_for_a_moment(Database::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_come_late_double_nothing_for_two_boxes_on_postgres() {
    late_for_a_moment(Database::Postgres, 2).await;
}

/// A box freezes at `point`, another does its work when its lease has run out, and then it wakes.
async fn frozen_at(site: &mut Site, point: &str, number: u32) -> Outcome {
    site.machines[0].start(Some(&format!("{point}:stop:{number}")));
    site.machines[0].ready().await;
    site.upload().await;
    site.upload_again(0).await;
    site.machines[0].frozen().await;
    site.machines[1].start(None);
    site.machines[1].ready().await;
    site.simulator.advance(Duration::from_secs(5));
    let before = site.drained().await;
    site.machines[0].wake();
    site.notices_its_loss(0).await;
    let outcome = site.drained_after_all().await;
    assert_eq!((before.cards, before.items), (outcome.cards, outcome.items), "the woken box adds nothing");
    for machine in &mut site.machines {
        machine.kill();
    }
    println!("frozen at {point}, time {number}: {outcome}");
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_was_frozen_past_its_lease_sends_nothing_twice() {
    let Some(mut site) = Site::new(Database::Postgres, 2, OFTEN_S, seed(), Faults::default()).await else {
        return;
    };
    frozen_at(&mut site, "deliver.begun", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; run it by name"]
async fn a_box_that_was_frozen_anywhere_does_no_harm() {
    let faults = Faults::preset("mild").expect("a preset");
    let Some(mut site) = Site::new(Database::Postgres, 2, OFTEN_S, seed(), faults).await else { return };
    // Those between a claim and the end of its job.
    let within = ["claim", "route", "analyze.d", "analyze.l", "deliver.p", "deliver.b", "deliver.a", "link"];
    frozen_at(&mut site, "deliver.begun", 1).await;
    for point in POINTS.iter().filter(|point| within.iter().any(|start| point.starts_with(start))) {
        frozen_at(&mut site, point, 1).await;
    }
}

/// Several boxes on one database; at random one is killed and started again, another frozen past its lease and woken.
async fn fleet(boxes: usize, rounds: usize) {
    let faults = Faults::preset("mild").expect("a preset");
    let Some(mut site) = Site::new(Database::Postgres, boxes, OFTEN_S, seed(), faults).await else { return };
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let started = Instant::now();
    for machine in &mut site.machines {
        machine.start(None);
    }
    for _ in 0..rounds {
        let victim = random.random_range(0..boxes);
        let sleeper = (victim + random.random_range(1..boxes)) % boxes;
        for _ in 0..10 {
            site.upload().await;
        }
        site.asked(random.random_range(0..LIFE)).await;
        site.machines[sleeper].freeze();
        site.machines[victim].kill();
        tokio::time::sleep(Duration::from_secs(LEASE_S + 2)).await;
        site.machines[sleeper].wake();
        site.machines[victim].start(None);
    }
    let outcome = site.drained_after_all().await;
    println!("{boxes} boxes, seed {}, {rounds} rounds in {:.0?}: {outcome}", seed(), started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; run it by name"]
async fn two_boxes_one_killed_one_frozen() {
    fleet(2, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; run it by name"]
async fn three_boxes_one_killed_one_frozen() {
    fleet(3, 8).await;
}
