//! The durable store: inbox, queue, photos, findings, mutes, outbox, audit.
//!
//! One file a subject, each with all of its SQL. Every change is one transaction that is on the
//! disk when the call returns. Nothing here reads a clock: `now` is an argument.
//!
//! # Two databases, one text of SQL
//!
//! SQLite (one box, one file) and PostgreSQL 15+ (one database that many boxes share) through `sqlx`'s `Any`. What
//! differs between them is in `open`, `dialect`, `migrations`, `notify`, `error` and `disk`. To add a statement or a table:
//!
//! - **Placeholders** are `$1`, `$2`, … Statements put together at run time: `sql::QueryBuilder`, never `sqlx`'s.
//! - **Types** are `i64`, `f64`, `String`, `Vec<u8>` and their `Option`s. A `bool` may be bound, but not read: SQLite
//!   has none, so select `CASE WHEN … THEN 1 ELSE 0 END`. PostgreSQL's `SUM` of integers and `AVG` are `NUMERIC`, which
//!   is not read either: `CAST(SUM(…) AS BIGINT)`, `CAST(AVG(…) AS DOUBLE PRECISION)`. Texts must not hold NUL.
//! - **Words** that both know: `COALESCE`, `CASE`, `LENGTH`, `SUBSTR`, `||`, `LIKE … ESCAPE`, window functions,
//!   `ON CONFLICT (…) DO UPDATE`, `RETURNING`, `UPDATE … FROM`. Not: `IFNULL`, `MAX(a, b)` of two values, `GLOB`,
//!   `datetime`, `json_extract`, `rowid`, `INSERT OR IGNORE`. PostgreSQL sorts NULL last and SQLite first: say
//!   `NULLS LAST`. Every column that is selected beside an aggregate must stand in `GROUP BY`.
//! - **Writing**: `self.begin()` … `self.commit(transaction)`. What `begin` reads stays true until the commit on both
//!   databases (SQLite's write lock; on PostgreSQL an advisory lock). Never read through `self.0.readers` within it.
//!   What touches one project alone takes `dialect::WriteLock::Project`, so that boxes of other projects need not wait.
//! - **Reading** more than one statement of the same moment: `self.snapshot()`.
//! - **A table**: a new file `migrations/000N_subject.sql` in SQLite's words and a line in `migrations::MIGRATIONS`;
//!   the head of `migrations` says what may be in it. PostgreSQL's text is made from it.
//! - **A test**: a function that takes a `tests::Fresh`, named in `on_both![…]`; it runs on both databases. How the
//!   tests find a PostgreSQL server is told in `tests/it/support/postgres.rs`.

mod accounts;
mod audit;
mod boxes;
mod cache;
mod clock;
mod config;
mod decisions;
mod dialect;
mod disk;
mod doubts;
mod error;
mod evidence;
mod findings;
mod history;
mod hooks;
mod inbox;
mod intake;
mod item_status;
mod links;
mod lists;
mod migrations;
mod mutes;
mod neighbours;
mod notify;
mod open;
mod outbox;
mod overlays;
mod pending_photos;
mod photos;
mod prune;
mod queue;
mod record;
mod rows;
mod sessions;
mod sightings;
mod sql;
mod stops;
mod strays;
#[cfg(test)]
mod tests;
mod trials;

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::ids::FindingId;
use crate::failpoint;
use crate::store::dialect::{Dialect, WriteLock};
use crate::store::notify::Notices;

pub use crate::store::accounts::{Account, AccountChange, NewAccount};
pub use crate::store::audit::{
    Actor, AuditBreak, AuditReport, AuditRow, AuditSubject, ChainHead, RowDifference, RowsReport,
};
pub use crate::store::boxes::BoxLife;
pub use crate::store::clock::LeaseClockError;
pub use crate::store::config::{Config, DEFAULTS, Database};
pub use crate::store::decisions::{Batch, MutingOf};
pub use crate::store::disk::free_bytes;
pub use crate::store::doubts::OpenWrite;
pub use crate::store::error::Error;
pub use crate::store::evidence::Evidence;
pub use crate::store::findings::{CardOrder, CardQuery, Counts, PLACE_JOINT, Shelf};
pub use crate::store::history::{Facets, Places};
pub use crate::store::hooks::MissingHook;
pub use crate::store::inbox::{DeliveryRow, NewDelivery, Received};
pub use crate::store::links::LinkHow;
pub use crate::store::lists::{ListChange, ListPage};
pub use crate::store::mutes::MuteRow;
pub use crate::store::outbox::{WriteIntent, WriteKind, WriteOutcome, WriteState};
pub use crate::store::overlays::{Layer, Overlaid, Overlay};
pub use crate::store::pending_photos::PendingPhotos;
pub use crate::store::photos::{
    IntakeCounts, LeftOutState, PhotoRecord, PhotoRow, PhotoState, PhotoSummary, SkippedPhoto, StageTime,
    StoredPicture,
};
pub use crate::store::prune::Pruned;
pub(crate) use crate::store::queue::KINDS;
pub use crate::store::queue::{ClaimedJob, JobRow, JobState, Lease, QueueStats};
pub use crate::store::sessions::{NewToken, SessionRow, TokenRow, viewer_of};
pub use crate::store::stops::Stop;
pub use crate::store::trials::CreateTurn;

type Db = sqlx::Any;
type Connection = <Db as sqlx::Database>::Connection;
type Transaction = sqlx::Transaction<'static, Db>;

/// A handle on the database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    database: Database,
    dialect: Dialect,
    writer: sqlx::Pool<Db>,
    /// One of those who may wait stands before the writer at a time, so that a delivery, whose sender waits five
    /// seconds and no more, waits for two transactions at most.
    line: tokio::sync::Mutex<()>,
    readers: sqlx::Pool<Db>,
    sightings: sightings::Sightings,
    changes: watch::Sender<u64>,
    /// To and from the other boxes on one PostgreSQL.
    notices: Option<Notices>,
}

impl Store {
    /// A receiver that wakes after every change made through this handle or its clones, and by other boxes on
    /// the same PostgreSQL: for workers and live pages. It is a hint: other processes' changes to an SQLite file
    /// are not seen, and a notice may be lost; poll, too.
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
        self.begin_as(WriteLock::Alone).await
    }

    /// Starts a transaction that shuts out less.
    async fn begin_as(&self, turn: WriteLock) -> Result<Transaction, Error> {
        let dialect = self.0.dialect;
        let place = if turn == WriteLock::Free { None } else { Some(self.0.line.lock().await) };
        let mut transaction = self.0.writer.begin_with(dialect.begin()).await?;
        drop(place);
        if let Some(take) = dialect.take(turn) {
            let take = sqlx::query(take);
            let take =
                if let WriteLock::Project(project) = turn { take.bind(project.to_string()) } else { take };
            take.execute(&mut *transaction).await?;
        }
        Ok(transaction)
    }

    /// Starts a transaction that shuts out other changes of the finding's project. What a project's transactions read
    /// of it stays true until they commit; other projects' go on beside.
    async fn begin_for(&self, finding: FindingId) -> Result<Transaction, Error> {
        // A finding never changes its project.
        let project = self.projects_of(&[finding]).await?.remove(&finding);
        self.begin_as(project.map_or(WriteLock::Alone, WriteLock::Project)).await
    }

    /// Starts a reading transaction in which every statement sees the same moment.
    async fn snapshot(&self) -> Result<Transaction, Error> {
        Ok(self.0.readers.begin_with(self.0.dialect.begin_snapshot()).await?)
    }

    /// Makes a transaction durable, then wakes whoever waits for changes, here and on other boxes.
    async fn commit(&self, transaction: Transaction) -> Result<(), Error> {
        failpoint::reached("commit.before");
        transaction.commit().await?;
        failpoint::reached("commit.after");
        if let Some(notices) = &self.0.notices {
            notices.send();
        }
        self.0.changes.send_modify(|version| *version = version.wrapping_add(1));
        Ok(())
    }
}
