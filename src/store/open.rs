//! Opening the database: folder and file, settings, migrations. SQLite's ways are all in here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::watch;

use crate::store::rows::millis;
use crate::store::sightings::Sightings;
use crate::store::{Config, Db, Error, Inner, Store};

/// Append-only: version, name, text. A migration that has landed is never edited.
const MIGRATIONS: [(i64, &str, &str); 5] = [
    (1, "first", include_str!("migrations/0001_first.sql")),
    (2, "once", include_str!("migrations/0002_once.sql")),
    (3, "review", include_str!("migrations/0003_review.sql")),
    (4, "watching", include_str!("migrations/0004_watching.sql")),
    (5, "people", include_str!("migrations/0005_people.sql")),
];

/// Processes that open a new database at once may trip over each other, once a migration at the worst; the next
/// look finds the others' work done.
const OPEN_ATTEMPTS: u32 = 10;

fn migrator() -> Migrator {
    let migration = |(version, name, text): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.map(migration).to_vec())
}

impl Store {
    /// Opens the database, makes it if there is none, and brings its tables up to this version.
    ///
    /// # Errors
    /// [`Error::Schema`] when a newer version made the file; otherwise as the disk has it.
    pub async fn open(config: &Config, now: Timestamp) -> Result<Self, Error> {
        let file = config.file()?;
        prepare(&file)?;
        let mut attempt = 1;
        loop {
            match connect(config, &file).await {
                Ok(inner) => {
                    let store = Self(Arc::new(inner));
                    store.note_opening(now).await?;
                    return Ok(store);
                }
                Err(Error::Busy | Error::Other(_)) if attempt < OPEN_ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Proves that a transaction can be committed right now: a real write, fsync included.
    pub async fn ping(&self) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        // A new value each time: SQLite leaves a page alone when nothing in it differs.
        sqlx::query(
            "INSERT INTO meta (name, value) VALUES ('pings', '1') ON CONFLICT (name)
             DO UPDATE SET value = CAST(CAST(meta.value AS INTEGER) + 1 AS TEXT)",
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// What is wrong inside the file, if anything: every page is read. For `doctor`, not for the hot
    /// path.
    pub async fn integrity(&self) -> Result<Option<String>, Error> {
        let faults: Vec<String> =
            sqlx::query_scalar("PRAGMA quick_check(5)").fetch_all(&self.0.readers).await?;
        Ok((faults != ["ok"]).then(|| faults.join("; ")))
    }

    /// Waits for running statements, then folds the write-ahead log into the file and lets go of it.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.writer.close().await;
    }

    async fn note_opening(&self, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
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

/// Makes folder and file with rights for their owner alone: photos of people's homes are in there.
fn prepare(file: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnly,
        std::io::ErrorKind::StorageFull => Error::DiskFull,
        _ => Error::Other(format!("{}: {error}: check `path` in [store]", file.display())),
    };
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder(folder).map_err(failed)?;
    }
    if !file.exists() {
        private_file(file).map_err(failed)?;
        keep_name(file).map_err(failed)?;
    }
    Ok(())
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private_file(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

/// Makes the new file's name in its folder durable; SQLite does that for its log only.
fn keep_name(file: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

async fn connect(config: &Config, file: &Path) -> Result<Inner, Error> {
    let shared = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(config.busy_timeout())
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full);
    let writing = shared.clone().journal_mode(SqliteJournalMode::Wal);
    let writer = pool(config, 1).connect_with(writing).await?;
    if let Err(error) = migrator().run(&writer).await {
        writer.close().await;
        return Err(from_migration(error));
    }
    let reading = shared.pragma("query_only", "ON");
    let readers = pool(config, config.read_connections.max(1)).connect_with(reading).await?;
    let (sightings, changes) = (Sightings::default(), watch::Sender::new(0));
    Ok(Inner { config: config.clone(), writer, readers, sightings, changes })
}

fn pool(config: &Config, connections: u32) -> PoolOptions<Db> {
    PoolOptions::new()
        .max_connections(connections)
        // Twice: once for the line in this process, once for the lock of another.
        .acquire_timeout(config.busy_timeout().max(Duration::from_millis(1)) * 2)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

fn from_migration(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) => Error::Schema(format!(
            "the database was last used by a newer Punchlens (its schema {version} is unknown here): \
             install that version again, or point `path` in [store] to another file"
        )),
        MigrateError::VersionMismatch(version) => Error::Schema(format!(
            "schema step {version} of the database is not the one of this Punchlens: \
             it was made by a build between releases; use that build or another file"
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        error => Error::Schema(format!("the tables could not be brought up to date: {error}")),
    }
}
