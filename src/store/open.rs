//! Opening the database, and what is asked of it as a whole.

mod postgres;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::install_default_drivers;
use sqlx::migrate::MigrateError;
use sqlx::pool::PoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::sync::watch;

use crate::store::config::Database;
use crate::store::dialect::{Dialect, WriteLock};
use crate::store::notify::Notices;
use crate::store::rows::{instant, millis};
use crate::store::sightings::Sightings;
use crate::store::{Config, Connection, Db, Error, Inner, Store};

/// Processes that open a new database at once may trip over each other, once a migration at the worst; the next
/// look finds the others' work done.
const OPEN_ATTEMPTS: u32 = 10;

/// The pools of one kind of database.
struct Pools {
    writer: sqlx::Pool<Db>,
    readers: sqlx::Pool<Db>,
}

/// Room for a few of the largest deliveries with their jobs and audit rows, bytes.
const DELIVERY_ROOM: u64 = 1 << 20;

impl Store {
    /// Opens the database, makes it if there is none, and brings its tables up to this version.
    ///
    /// # Errors
    /// [`Error::Schema`] when a newer version made it; otherwise as the disk or the server has it.
    pub async fn open(config: &Config, now: Timestamp) -> Result<Self, Error> {
        install_default_drivers();
        let database = config.database()?;
        let mut attempt = 1;
        let pools = loop {
            let opened = match &database {
                Database::File(file) => sqlite::open(config, file).await,
                Database::Server(url) => postgres::open(config, url).await,
            };
            match opened {
                Ok(pools) => break pools,
                Err(Error::Busy | Error::Other(_)) if attempt < OPEN_ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        };
        let changes = watch::Sender::new(0);
        let (dialect, notices) = match &database {
            Database::File(_) => (Dialect::Sqlite, None),
            Database::Server(url) => (Dialect::Postgres, Some(Notices::listen(url.clone(), changes.clone()))),
        };
        let Pools { writer, readers } = pools;
        let store = Self(Arc::new(Inner {
            config: config.clone(),
            database,
            dialect,
            writer,
            line: tokio::sync::Mutex::default(),
            readers,
            sightings: Sightings::default(),
            changes,
            notices,
        }));
        store.note_opening(now).await?;
        Ok(store)
    }

    /// Where the database is, for people.
    pub fn describe(&self) -> String {
        self.0.database.describe()
    }

    /// Proves that a transaction can be committed right now: a real write, fsync included. A disk with less than
    /// one MiB free is full: one page may still fit into the log where a delivery does not.
    pub async fn ping(&self) -> Result<(), Error> {
        if self.free_bytes()?.is_some_and(|free| free < DELIVERY_ROOM) {
            return Err(Error::DiskFull);
        }
        let write = async {
            let mut transaction = self.begin_as(WriteLock::Free).await?;
            // A new value each time: SQLite leaves a page alone when nothing in it differs.
            sqlx::query(
                "INSERT INTO meta (name, value) VALUES ('pings', '1') ON CONFLICT (name)
                 DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)",
            )
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(())
        };
        // A server that vanished without a word would be waited for until TCP gives up.
        tokio::time::timeout(self.0.config.busy_timeout() * 3, write).await.unwrap_or(Err(Error::Busy))
    }

    /// What time it is for a PostgreSQL server, by which boxes that share it should live; nothing for a file.
    pub async fn server_clock(&self) -> Result<Option<Timestamp>, Error> {
        if self.0.dialect == Dialect::Sqlite {
            return Ok(None);
        }
        let at: i64 =
            sqlx::query_scalar("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
                .fetch_one(&self.0.readers)
                .await?;
        instant(at).map(Some)
    }

    /// What is wrong inside the file, if anything: every page is read. For `doctor`, not for the hot
    /// path. A PostgreSQL server has tools of its own for that (`pg_amcheck`), and answers nothing here.
    pub async fn integrity(&self) -> Result<Option<String>, Error> {
        if self.0.dialect == Dialect::Postgres {
            return Ok(None);
        }
        let faults: Vec<String> =
            sqlx::query_scalar("PRAGMA quick_check(5)").fetch_all(&self.0.readers).await?;
        Ok((faults != ["ok"]).then(|| faults.join("; ")))
    }

    /// Waits for running statements, then lets go of the database; SQLite's write-ahead log is folded into
    /// the file.
    pub async fn close(&self) {
        if let Some(notices) = &self.0.notices {
            notices.stop();
        }
        self.0.readers.close().await;
        self.0.writer.close().await;
    }

    async fn note_opening(&self, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin_as(WriteLock::Free).await?;
        sqlx::query(
            "INSERT INTO meta (name, value) VALUES ('opened_at', $1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(millis(now).to_string())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// A pool whose connections run `settings` first.
fn pool_with(settings: String) -> PoolOptions<Db> {
    let connected = PoolOptions::new().after_connect(move |connection: &mut Connection, _| {
        let settings = AssertSqlSafe(settings.clone());
        Box::pin(async move { connection.execute(settings).await.map(drop) })
    });
    // SQLite ends a transaction by itself when its commit finds the disk full, and the driver goes on to count it:
    // such a connection begins no other, so it is replaced.
    connected.before_acquire(|connection: &mut Connection, _| {
        let free = !connection.is_in_transaction();
        Box::pin(async move { Ok(free) })
    })
}

/// How long to wait for a connection: once for the line in this process, once for the lock of another.
fn acquire_timeout(config: &Config) -> Duration {
    config.busy_timeout().max(Duration::from_millis(1)) * 2
}

fn from_migration(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) => Error::Schema(format!(
            "the database was last used by a newer Punchlens (its schema {version} is unknown here): \
             install that version again, or name another database in [store]"
        )),
        MigrateError::VersionMismatch(version) => Error::Schema(format!(
            "schema step {version} of the database is not the one of this Punchlens: \
             it was made by a build between releases; use that build or another database"
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        error => Error::Schema(format!("the tables could not be brought up to date: {error}")),
    }
}
