//! How much room the database has left.

use std::path::{Path, PathBuf};

use crate::store::{Database, Error, Store};

impl Store {
    /// Bytes that are free beside the database; `None` where that cannot be told from here.
    ///
    /// # Errors
    /// When the disk does not answer.
    pub fn free_bytes(&self) -> Result<Option<u64>, Error> {
        match &self.0.database {
            Database::File(file) => free_bytes(file),
            Database::Server(_) => Ok(None),
        }
    }
}

/// Bytes that are free on the disk of `file`, which need not be there yet.
///
/// # Errors
/// When the disk does not answer.
#[cfg(unix)]
pub fn free_bytes(file: &Path) -> Result<Option<u64>, Error> {
    let there: PathBuf =
        file.ancestors().find(|path| path.exists()).map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    let disk = rustix::fs::statvfs(&there).map_err(|error| Error::Disk(error.to_string()))?;
    Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)))
}

/// Not told on this system.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn free_bytes(_: &Path) -> Result<Option<u64>, Error> {
    Ok(None)
}
