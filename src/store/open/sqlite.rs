//! SQLite: folder and file, write-ahead log, full durability.

use std::path::Path;

use sqlx::any::AnyConnectOptions;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _};
use url::Url;

use super::{Pools, acquire_timeout, from_migration, pool_with};
use crate::store::dialect::Dialect;
use crate::store::migrations::{MIGRATIONS, migrator};
use crate::store::{Config, Db, Error};

pub(super) async fn open(config: &Config, file: &Path) -> Result<Pools, Error> {
    prepare(file)?;
    migrate(config, file).await?;
    let address = address(file)?;
    // One writer: those of this process wait in line here instead of fighting for the lock.
    let writer = pool(config, 1, false).connect_with(address.clone()).await?;
    let readers = pool(config, config.read_connections.max(1), true).connect_with(address).await?;
    Ok(Pools { writer, readers })
}

/// Brings the file into shape over a connection of its own, which tells what is wrong with it.
async fn migrate(config: &Config, file: &Path) -> Result<(), Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(config.busy_timeout())
        .journal_mode(SqliteJournalMode::Wal);
    let mut connection = options.connect().await?;
    let done = migrator(Dialect::Sqlite, MIGRATIONS.len()).run(&mut connection).await;
    connection.close().await?;
    done.map_err(from_migration)
}

fn address(file: &Path) -> Result<AnyConnectOptions, Error> {
    let absolute = std::path::absolute(file).map_err(|error| failed(file, &error))?;
    let url = Url::from_file_path(&absolute)
        .map_err(|()| Error::Other(format!("{}: `path` in [store] cannot be a file", file.display())))?;
    Ok(format!("sqlite{}", url.as_str().trim_start_matches("file")).parse()?)
}

/// What holds for a connection is set on each; that the log is written ahead stands in the file.
fn pool(config: &Config, connections: u32, read_only: bool) -> PoolOptions<Db> {
    let busy = config.busy_timeout_ms;
    let settings = format!(
        "PRAGMA busy_timeout = {busy}; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; \
         PRAGMA query_only = {}",
        if read_only { "ON" } else { "OFF" }
    );
    pool_with(settings)
        .max_connections(connections)
        .acquire_timeout(acquire_timeout(config))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Makes folder and file with rights for their owner alone: photos of people's homes are in there. SQLite itself does not
/// tell what may not be written from what is not there.
fn prepare(file: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| failed(file, &error);
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder(folder).map_err(failed)?;
    }
    if !file.exists() {
        private_file(file).map_err(failed)?;
        keep_name(file).map_err(failed)?;
    }
    // Without opening it: to close it again would drop the locks that this process holds on it.
    #[cfg(unix)]
    rustix::fs::access(file, rustix::fs::Access::WRITE_OK).map_err(|error| failed(error.into()))?;
    Ok(())
}

fn failed(file: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnly,
        std::io::ErrorKind::StorageFull => Error::DiskFull,
        _ => Error::Other(format!("{}: {error}: check `path` in [store]", file.display())),
    }
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
