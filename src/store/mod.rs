//! The durable store: inbox, queue, photos, findings, mutes, outbox, audit.
//!
//! One file a subject, each with all of its SQL. Every change is one transaction that is on the
//! disk when the call returns. Nothing here reads a clock: `now` is an argument.
//!
//! Statements use `$1` placeholders and types that SQLite and PostgreSQL share; what differs
//! between the two (opening, locking, migrations) is in `open` and `queue`.

mod accounts;
mod audit;
mod awaited;
mod cache;
mod config;
mod decisions;
mod disk;
mod error;
mod evidence;
mod findings;
mod history;
mod inbox;
mod intake;
mod links;
mod mutes;
mod neighbours;
mod open;
mod outbox;
mod photos;
mod prune;
mod queue;
mod record;
mod rows;
mod sessions;
mod sightings;
mod stops;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::watch;

pub use crate::store::accounts::{Account, AccountChange, NewAccount};
pub use crate::store::audit::{Actor, AuditBreak, AuditReport, AuditRow, Subject};
pub use crate::store::awaited::Unaccounted;
pub use crate::store::config::{Config, DEFAULTS};
pub use crate::store::decisions::{Batch, MutingOf};
pub use crate::store::disk::free_bytes;
pub use crate::store::error::Error;
pub use crate::store::evidence::Evidence;
pub use crate::store::findings::{CardOrder, CardQuery, Counts, PLACE_JOINT, Shelf};
pub use crate::store::history::Facets;
pub use crate::store::inbox::{DeliveryRow, NewDelivery, Received};
pub use crate::store::mutes::MuteRow;
pub use crate::store::outbox::{WriteIntent, WriteKind, WriteOutcome, WriteState};
pub use crate::store::photos::{
    PhotoRecord, PhotoRow, PhotoState, PhotoSummary, Recorded, StageTime, StoredPicture,
};
pub use crate::store::prune::Pruned;
pub(crate) use crate::store::queue::KINDS;
pub use crate::store::queue::{Claimed, JobRow, JobState, Lease, QueueStats};
pub use crate::store::sessions::{NewToken, SessionRow, TokenRow, viewer_of};
pub use crate::store::stops::Stop;

type Db = sqlx::Sqlite;
type Connection = <Db as sqlx::Database>::Connection;
type Transaction = sqlx::Transaction<'static, Db>;

/// A handle on the database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    /// One connection: writers of this process wait in line here instead of fighting for the lock.
    writer: sqlx::Pool<Db>,
    readers: sqlx::Pool<Db>,
    sightings: sightings::Sightings,
    changes: watch::Sender<u64>,
}

impl Store {
    /// A receiver that wakes after every change made through this handle or its clones: for
    /// workers and live pages. Changes by other processes are not seen; poll for those.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// The limits that this store was opened with.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Starts a transaction that holds the write lock from the start, so that what it reads stays
    /// true until it commits.
    async fn begin(&self) -> Result<Transaction, Error> {
        Ok(self.0.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Makes a transaction durable, then wakes whoever waits for changes.
    async fn commit(&self, transaction: Transaction) -> Result<(), Error> {
        transaction.commit().await?;
        self.0.changes.send_modify(|version| *version = version.wrapping_add(1));
        Ok(())
    }
}
