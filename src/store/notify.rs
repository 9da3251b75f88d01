//! Hearing what other boxes on the same PostgreSQL change: `LISTEN`/`NOTIFY`.
//!
//! A notice is a hint, sent after the change's commit over a connection of its own: within the transaction it would make
//! all commits of the server wait for one another (`NOTIFY` takes a lock of the whole server until the commit is on the
//! disk). Changes that come at once share a notice. Whoever misses one (the connection was lost, the box was frozen)
//! finds the change by the next poll all the same.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgListener;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

const CHANNEL: &str = "punchlens";

/// Wait before another try after the server could not be reached.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The connections that listen and tell.
#[derive(Debug)]
pub(crate) struct Notices {
    due: Arc<Notify>,
    tasks: [JoinHandle<()>; 2],
}

impl Notices {
    /// Counts `changes` up for every change that another handle on the same schema tells of.
    pub(crate) fn listen(url: SecretString, changes: watch::Sender<u64>) -> Self {
        let sender = format!("{:032x}", rand::random::<u128>());
        let own = sender.clone();
        let due = Arc::new(Notify::new());
        let telling = tokio::spawn(tell(url.clone(), sender, Arc::clone(&due)));
        let listening = tokio::spawn(async move {
            loop {
                if let Err(error) = hear(&url, &own, &changes).await {
                    tracing::warn!(%error, "changes by other boxes are found by polling until PostgreSQL is back");
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        });
        Self { due, tasks: [listening, telling] }
    }

    /// Tells the other boxes that something has changed.
    pub(crate) fn send(&self) {
        self.due.notify_one();
    }

    pub(crate) fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sends a notice whenever one is due.
async fn tell(url: SecretString, sender: String, due: Arc<Notify>) {
    loop {
        if let Err(error) = tell_until_lost(&url, &sender, &due).await {
            tracing::debug!(%error, "other boxes find changes of this one by polling until PostgreSQL is back");
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

async fn tell_until_lost(url: &SecretString, sender: &str, due: &Notify) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url.expose_secret()).await?;
    // A lost notice costs a poll: there is nothing to be kept.
    connection.execute("SET application_name = 'punchlens'; SET synchronous_commit = off").await?;
    loop {
        due.notified().await;
        sqlx::query("SELECT pg_notify($1, current_schema() || ' ' || $2)")
            .bind(CHANNEL)
            .bind(sender)
            .execute(&mut connection)
            .await?;
    }
}

async fn hear(url: &SecretString, own: &str, changes: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(url.expose_secret()).await?;
    let schema: String =
        sqlx::query_scalar("SELECT CAST(current_schema() AS TEXT)").fetch_one(&mut listener).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // Nothing: the connection was lost and is back, and notices may have been missed.
        let notice = listener.try_recv().await?;
        let told = notice.as_ref().and_then(|notice| notice.payload().split_once(' '));
        if told.is_none_or(|(of, by)| of == schema && by != own) {
            changes.send_modify(|version| *version = version.wrapping_add(1));
        }
    }
}
