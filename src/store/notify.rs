//! Hearing what other boxes on the same PostgreSQL change: `LISTEN`/`NOTIFY`.
//!
//! A notice is a hint, sent with the change's own transaction. Whoever misses one (the connection was lost, the
//! box was frozen) finds the change by the next poll all the same.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::store::{Connection, Error};

const CHANNEL: &str = "punchlens";

/// Wait before another try after the server could not be reached.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The listening connection, and the name under which this handle sends.
#[derive(Debug)]
pub(crate) struct Notices {
    sender: String,
    listening: JoinHandle<()>,
}

impl Notices {
    /// Counts `changes` up for every change that another handle on the same schema tells of.
    pub(crate) fn listen(url: SecretString, changes: watch::Sender<u64>) -> Self {
        let sender = format!("{:032x}", rand::random::<u128>());
        let own = sender.clone();
        let listening = tokio::spawn(async move {
            loop {
                if let Err(error) = hear(&url, &own, &changes).await {
                    tracing::warn!(%error, "changes by other boxes are found by polling until PostgreSQL is back");
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        });
        Self { sender, listening }
    }

    /// Tells the other boxes once the transaction commits.
    pub(crate) async fn send(&self, connection: &mut Connection) -> Result<(), Error> {
        sqlx::query("SELECT pg_notify($1, current_schema() || ' ' || $2)")
            .bind(CHANNEL)
            .bind(&self.sender)
            .execute(connection)
            .await?;
        Ok(())
    }

    pub(crate) fn stop(&self) {
        self.listening.abort();
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.stop();
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
