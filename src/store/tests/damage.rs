//! What a disk can do: power cut, full, read-only, locked, garbage.

use std::path::Path;

use super::{Fresh, analyse, at, config, open};
use crate::domain::job::{InboxId, Job};
use crate::store::{Config, Error, NewDelivery, Received, Store};

/// What the power cut left of the index of the log, which is never forced to the disk.
#[derive(Clone, Copy)]
enum Index {
    Gone,
    AsItWas,
    Garbage,
}

/// Copies the database as a power cut would leave it: the write-ahead log cut at `length`, then
/// `garbage` where unwritten sectors were.
async fn after_power_cut(
    from: &Path,
    length: u64,
    garbage: &[u8],
    index: Index,
) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::copy(from.join("p.db"), folder.path().join("p.db")).expect("copies");
    let mut log = std::fs::read(from.join("p.db-wal")).expect("reads");
    log.truncate(length as usize);
    log.extend_from_slice(garbage);
    std::fs::write(folder.path().join("p.db-wal"), log).expect("writes");
    let left = folder.path().join("p.db-shm");
    match index {
        Index::Gone => {}
        Index::AsItWas => std::fs::copy(from.join("p.db-shm"), left).map(drop).expect("copies"),
        Index::Garbage => std::fs::write(left, vec![0xa5; 32_768]).expect("writes"),
    }
    let store = open(&folder).await;
    (folder, store)
}

#[tokio::test]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let fresh = Fresh::sqlite().await;
    let log = fresh.folder().join("p.db-wal");
    let length = || std::fs::metadata(&log).expect("is there").len();
    let start = length();
    let mut acknowledged = Vec::new();
    for number in 0..12 {
        let delivery = NewDelivery { dedupe_key: number.to_string(), body: vec![b'x'; 900 * number] };
        let received = fresh.store.receive(&delivery, at(0)).await.expect("stores");
        assert!(matches!(received, Received::Stored(_)));
        acknowledged.push(length());
    }
    // Just before, at and after every acknowledgement, and at odd places between.
    let around = acknowledged.iter().flat_map(|end| [end - 1, *end, end + 1]);
    let cuts = around.chain((start..length()).step_by(7919));
    let garbage = [&[][..], &[0; 5000], &[0xa5; 5000]].into_iter().cycle();
    let indexes = [Index::Gone, Index::AsItWas, Index::Garbage, Index::AsItWas].into_iter().cycle();
    for ((cut, garbage), index) in cuts.zip(garbage).zip(indexes) {
        let (_folder, store) = after_power_cut(fresh.folder(), cut, garbage, index).await;
        let whole = acknowledged.iter().filter(|end| **end <= cut).count();
        let kept = store.queue_stats(at(0)).await.expect("counts").ready as usize;
        // The one that was being written is there as a whole or not at all.
        assert!((whole..=whole + 1).contains(&kept), "{kept} of {whole}, cut at {cut} of {}", length());
        let mut ids = (1..).map(InboxId);
        for (number, id) in ids.by_ref().enumerate().take(kept) {
            let body = store.delivery(id).await.expect("goes with its job").body;
            assert_eq!(body.len(), 900 * number);
        }
        let next = ids.next().expect("endless");
        assert!(store.delivery(next).await.is_err(), "no row without its job");
        assert_eq!(store.integrity().await.expect("checks"), None);
        assert_eq!(store.verify_audit().await.expect("walks").broken, None);
        store.close().await;
    }
}

#[tokio::test]
async fn a_power_cut_while_the_log_is_folded_in_loses_nothing() {
    let fresh = Fresh::sqlite().await;
    let many: Vec<Job> = (0..300).map(analyse).collect();
    fresh.store.enqueue(&many, at(0), at(0)).await.expect("queues");
    let file = fresh.folder().join("p.db");
    let before = std::fs::read(&file).expect("reads");
    // Copies the pages from the log, and leaves the log as it is until the next write.
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut fresh.raw().await).await.expect("folds in");
    let after = std::fs::read(&file).expect("reads");
    let page =
        |bytes: &[u8], number: usize| bytes.get(number * 4096..(number + 1) * 4096).map(<[u8]>::to_vec);
    let pages = after.len() / 4096;
    let differ = (0..pages).filter(|number| page(&before, *number) != page(&after, *number)).count();
    assert!(differ > 10, "{differ} of {pages} pages came from the log");
    for step in 1..8 {
        // Some pages are new, some are old, some were being written.
        let mixed = (0..pages).flat_map(|number| {
            let new = page(&after, number).expect("there");
            match (number * step) % 7 {
                0..3 => new,
                3..6 => page(&before, number).unwrap_or_else(|| vec![0; 4096]),
                _ => [&new[..2048], &page(&before, number).unwrap_or_else(|| vec![0; 4096])[2048..]].concat(),
            }
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("p.db"), mixed.collect::<Vec<u8>>()).expect("writes");
        std::fs::copy(fresh.folder().join("p.db-wal"), folder.path().join("p.db-wal")).expect("copies");
        let store = open(&folder).await;
        assert_eq!(store.queue_stats(at(0)).await.expect("counts").ready, 300);
        assert_eq!(store.integrity().await.expect("checks"), None);
        store.close().await;
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_passes() {
    let fresh = Fresh::sqlite().await;
    let store = &fresh.store;
    let limit = async |pages: &'static str| {
        sqlx::query(pages).execute(&store.0.writer).await.expect("limits");
    };
    limit("PRAGMA max_page_count = 1").await;
    let big = NewDelivery { dedupe_key: "1".into(), body: vec![0; 200_000] };
    let full = store.receive(&big, at(0)).await.expect_err("no room");
    assert!(matches!(full, Error::DiskFull) && full.is_transient(), "{full:?}");
    assert_eq!(store.queue_stats(at(0)).await.expect("reading goes on").ready, 0, "nothing by halves");
    limit("PRAGMA max_page_count = 1000000").await;
    assert!(matches!(store.receive(&big, at(1)).await.expect("stores"), Received::Stored(_)));
}

#[tokio::test]
async fn a_transaction_that_the_database_ended_by_itself_holds_up_nothing() {
    let fresh = Fresh::sqlite().await;
    let mut transaction = fresh.store.begin().await.expect("begins");
    // As SQLite does when a commit finds the disk full; `tests/it/disk.rs` fills a real one.
    sqlx::query("ROLLBACK").execute(&mut *transaction).await.expect("ends");
    transaction.commit().await.expect_err("nothing is left to commit");
    fresh.store.ping().await.expect("the next one begins");
    fresh.store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues");
}

#[tokio::test]
async fn a_disk_turned_read_only_is_told() {
    let fresh = Fresh::sqlite().await;
    let store = &fresh.store;
    sqlx::query("PRAGMA query_only = ON").execute(&store.0.writer).await.expect("sets");
    assert!(matches!(store.ping().await, Err(Error::ReadOnly)));
    assert!(matches!(store.enqueue(&[analyse(1)], at(0), at(0)).await, Err(Error::ReadOnly)));
    sqlx::query("PRAGMA query_only = OFF").execute(&store.0.writer).await.expect("sets");
    store.ping().await.expect("writes again");
}

#[tokio::test]
async fn a_locked_database_is_busy_until_it_is_free() {
    let fresh = Fresh::sqlite().await;
    let store = fresh.open(|config| config.busy_timeout_ms = 1).await;
    let mut holder = fresh.raw().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut holder).await.expect("locks");
    let busy = store.enqueue(&[analyse(1)], at(0), at(0)).await.expect_err("locked");
    assert!(matches!(busy, Error::Busy) && busy.is_transient(), "{busy:?}");
    assert_eq!(store.queue_stats(at(0)).await.expect("reading goes on").ready, 0);
    sqlx::query("ROLLBACK").execute(&mut holder).await.expect("unlocks");
    store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues");
}

#[tokio::test]
async fn garbage_is_called_damaged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("p.db");
    std::fs::write(&file, vec![0x5a; 8192]).expect("writes");
    let refused = Store::open(&config(folder.path()), at(0)).await.expect_err("no database");
    assert!(matches!(refused, Error::Corrupt(_)) && !refused.is_transient(), "{refused:?}");
    assert_eq!(std::fs::read(&file).expect("reads"), vec![0x5a; 8192], "left for whoever mends it");
}

#[tokio::test]
async fn a_damaged_page_is_found() {
    let fresh = Fresh::sqlite().await;
    let many: Vec<Job> = (0..500).map(analyse).collect();
    fresh.store.enqueue(&many, at(0), at(0)).await.expect("queues");
    assert_eq!(fresh.store.integrity().await.expect("checks"), None);
    fresh.store.close().await;
    let file = fresh.folder().join("p.db");
    let mut bytes = std::fs::read(&file).expect("reads");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..].fill(0xff);
    std::fs::write(&file, bytes).expect("writes");
    let found = match Store::open(&fresh.config, at(0)).await {
        Ok(store) => store.integrity().await,
        Err(error) => Err(error),
    };
    assert!(matches!(found, Ok(Some(_)) | Err(Error::Corrupt(_))), "{found:?}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_a_way_out() {
    let fresh = Fresh::sqlite().await;
    let add = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
               VALUES (9001, 'from the future', TRUE, x'00', 0)";
    sqlx::query(add).execute(&mut fresh.raw().await).await.expect("adds");
    let refused = Store::open(&fresh.config, at(0)).await.expect_err("too new");
    assert!(matches!(&refused, Error::Schema(text) if text.contains("newer Punchlens")), "{refused}");
}

#[tokio::test]
async fn many_may_open_a_new_database_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stores = futures_util::future::join_all((0..8).map(|_| open(&folder))).await;
    for (number, store) in (0..).zip(&stores) {
        store.enqueue(&[analyse(number)], at(0), at(0)).await.expect("queues");
    }
    assert_eq!(stores[0].queue_stats(at(0)).await.expect("counts").ready, 8);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let nested = folder.path().join("data/punchlens/p.db");
    let store =
        Store::open(&Config { path: nested.clone(), ..config(folder.path()) }, at(0)).await.expect("opens");
    store.ping().await.expect("writes");
    let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    for file in ["p.db", "p.db-wal", "p.db-shm"] {
        assert_eq!(mode(&nested.with_file_name(file)), 0o600, "{file}");
    }
    assert_eq!(mode(nested.parent().expect("a folder")), 0o700);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let fresh = Fresh::sqlite().await;
    fresh.store.ping().await.expect("writes");
    fresh.store.close().await;
    assert!(matches!(fresh.store.ping().await, Err(Error::Other(text)) if text.contains("stopping")));
}

/// Receives a delivery, but gives up after `turns` turns of the event loop. Returns how many it took
/// if it came to its end.
async fn receive_within(store: &Store, key: String, turns: usize) -> Option<usize> {
    let delivery = NewDelivery { dedupe_key: key, body: vec![1; 3000] };
    let taken = std::cell::Cell::new(0);
    let patience = async {
        while taken.get() < turns {
            taken.set(taken.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        received = store.receive(&delivery, at(0)) => {
            received.expect("stores");
            Some(taken.get())
        }
        () = patience => None,
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_midway_leaves_nothing_by_halves() {
    let fresh = Fresh::sqlite().await;
    let store = &fresh.store;
    let needed = receive_within(store, "first".into(), usize::MAX).await.expect("no end of patience");
    let mut finished = 1;
    for part in 0..80 {
        let done = receive_within(store, part.to_string(), needed * part / 40).await;
        finished += usize::from(done.is_some());
    }
    store.ping().await.expect("the connection is sound");
    let stored: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM inbox").fetch_one(&store.0.readers).await.expect("counts");
    assert_eq!(store.queue_stats(at(0)).await.expect("counts").ready, stored.cast_unsigned());
    // A call may be dropped after its commit; its delivery then comes again and is a duplicate.
    assert!(stored.cast_unsigned() as usize >= finished, "{stored} of {finished}");
}
