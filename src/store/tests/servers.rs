//! What a PostgreSQL server and its other users can do.

use std::time::Duration;

use super::{Fresh, analyse, at, claim, found};
use crate::store::{Error, NewDelivery, Received, WriteLock};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_by_one_box_wake_the_others() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let other = fresh.again().await;
    let mut changed = other.changed();
    let mut number = 0;
    // Until the other's connection listens, its notices are lost: that is what polling is for.
    let heard = async {
        loop {
            number += 1;
            fresh.store.enqueue(&[analyse(number)], at(0), at(0)).await.expect("queues");
            if tokio::time::timeout(Duration::from_millis(200), changed.changed()).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), heard).await.expect("the other box hears of it");
}

#[tokio::test]
async fn the_servers_clock_is_told() {
    assert_eq!(Fresh::sqlite().await.store.server_clock().await.expect("answers"), None, "a file has none");
    let Some(fresh) = Fresh::postgres().await else { return };
    let clock = fresh.store.server_clock().await.expect("answers").expect("a server has one");
    let apart = clock.duration_since(jiff::Timestamp::now()).abs();
    assert!(apart < jiff::SignedDuration::from_mins(1), "it runs on this machine: {apart:#}");
}

#[tokio::test]
async fn a_box_that_freezes_in_a_transaction_is_thrown_out() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let frozen = fresh.open(|config| config.frozen_timeout_ms = 100).await;
    let transaction = frozen.begin().await.expect("takes the turn");
    fresh.store.enqueue(&[analyse(1)], at(0), at(0)).await.expect("waits and goes on");
    assert!(transaction.commit().await.is_err(), "nothing of the frozen one is kept");
    frozen.enqueue(&[analyse(2)], at(0), at(0)).await.expect("it takes a new connection");
}

#[tokio::test]
async fn who_waits_too_long_is_told_that_it_is_busy() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let impatient = fresh.open(|config| config.busy_timeout_ms = 50).await;
    let holder = fresh.store.begin().await.expect("takes the turn");
    let busy = impatient.enqueue(&[analyse(1)], at(0), at(0)).await.expect_err("waits in vain");
    assert!(matches!(busy, Error::Busy), "{busy:?}");
    let delivery = NewDelivery { dedupe_key: "1".into(), body: vec![1] };
    let received = impatient.receive(&delivery, at(0)).await.expect("a delivery waits for nobody");
    assert!(matches!(received, Received::Stored(_)));
    holder.rollback().await.expect("ends");
    impatient.enqueue(&[analyse(1)], at(0), at(0)).await.expect("queues");
}

#[tokio::test]
async fn lost_connections_are_replaced() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let store = &fresh.store;
    found(store, 1, "crack", 0).await;
    let pids: Vec<i32> = {
        let mut all = Vec::new();
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut connection = store.0.writer.acquire().await.expect("a connection");
            let pid = sqlx::query_scalar("SELECT pg_backend_pid()")
                .fetch_one(&mut *connection)
                .await
                .expect("a number");
            all.push(pid);
            held.push(connection);
        }
        all
    };
    for pid in pids {
        sqlx::query("SELECT CASE WHEN pg_terminate_backend($1) THEN 1 ELSE 0 END")
            .bind(pid)
            .fetch_all(&store.0.readers)
            .await
            .expect("ends it");
    }
    assert!(claim(store, "box", 10).await.is_some(), "nobody notices");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let Some(fresh) = Fresh::postgres().await else { return };
    for (url, said) in [
        ("postgres://punchlens@127.0.0.1:1/none", "cannot be reached"),
        ("postgres://punchlens@localhost/none?host=/nowhere", "cannot be reached"),
    ] {
        let config = crate::store::Config { url: url.into(), busy_timeout_ms: 500, ..fresh.config.clone() };
        let error = crate::store::Store::open(&config, at(0)).await.expect_err(url);
        assert!(error.to_string().contains(said) && error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn a_standby_is_read_only() {
    let Some(fresh) = Fresh::postgres().await else { return };
    let mut transaction = fresh.store.begin_as(WriteLock::Free).await.expect("begins");
    sqlx::query("SET TRANSACTION READ ONLY").execute(&mut *transaction).await.expect("sets");
    let refused = sqlx::query("DELETE FROM meta").execute(&mut *transaction).await.expect_err("read-only");
    assert!(matches!(Error::from(refused), Error::ReadOnly));
}
