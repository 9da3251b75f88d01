//! The `[store]` section.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::store::error::Error;

/// Every key of the section with its default and reason.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Where the database is and how much it may hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The database file. Empty: `punchlens/punchlens.db` in the user's data folder.
    pub path: PathBuf,
    /// Connections for reading; there is always exactly one for writing.
    pub read_connections: u32,
    /// Milliseconds that a statement waits for another process's lock.
    pub busy_timeout_ms: u64,
    /// Claims of one job before it is dead; must outlive a long outage.
    pub max_attempts: u32,
    /// Claims in a row that ended without a word (a crash) before the job is dead.
    pub max_crashes: u32,
    /// The most rows that one list returns.
    pub list_rows: u32,
    /// The most photos in the summary of all photos.
    pub summary_photos: u32,
    /// The most bytes kept of an error's or reason's text.
    pub reason_bytes: usize,
    /// Seconds that a decision can be taken back before it is carried over to Procore.
    pub decision_hold_s: u32,
    /// Days that settled reduced pictures are kept.
    pub picture_keep_days: u32,
    /// Bytes that all reduced pictures may take; undecided ones always stay.
    pub picture_budget_bytes: u64,
    /// Bytes that should be free on the database's disk.
    pub free_bytes_min: u64,
    /// Days that settled deliveries are kept to recognise repeats.
    pub inbox_keep_days: u32,
}

impl Config {
    /// The file that `path` stands for.
    pub fn file(&self) -> Result<PathBuf, Error> {
        if !self.path.as_os_str().is_empty() {
            return Ok(self.path.clone());
        }
        let folder = dirs::data_dir().ok_or_else(|| {
            Error::Other("this user has no data folder: set `path` in [store] to a file".into())
        })?;
        Ok(folder.join("punchlens").join("punchlens.db"))
    }

    pub(crate) fn decision_hold(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_secs(self.decision_hold_s.into())
    }

    pub(crate) const fn busy_timeout(&self) -> Duration {
        Duration::from_millis(self.busy_timeout_ms)
    }
}
