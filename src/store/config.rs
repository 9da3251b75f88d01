//! The `[store]` section.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::secrets::{self, Homes};
use crate::store::error::Error;

/// Every key of the section with its default and reason.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Where the database is and how much it may hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The database file. Empty: `punchlens/punchlens.db` in the user's data folder.
    pub path: PathBuf,
    /// The address of a PostgreSQL database instead, meant for the environment variable.
    #[serde(deserialize_with = "secrets::deserialize")]
    pub url: SecretString,
    /// A file that holds the address; empty when unset.
    pub url_file: String,
    pub read_connections: u32,
    /// Connections for writing to PostgreSQL; SQLite always has exactly one.
    pub write_connections: u32,
    /// Milliseconds that a statement waits for another process's lock.
    pub busy_timeout_ms: u64,
    /// Milliseconds after which PostgreSQL ends the transaction of a box that froze in it.
    pub frozen_timeout_ms: u64,
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

/// The database that the config names.
#[derive(Debug, Clone)]
pub enum Database {
    /// SQLite, in this file.
    File(PathBuf),
    /// PostgreSQL, at this address.
    Server(SecretString),
}

impl Database {
    /// Where it is, for people: without user and password.
    pub fn describe(&self) -> String {
        match self {
            Self::File(file) => file.display().to_string(),
            Self::Server(url) => {
                let shown = Url::parse(url.expose_secret()).ok().map(|url| {
                    let host = url.host_str().unwrap_or("its socket");
                    format!("PostgreSQL at {host}, database {}", url.path().trim_start_matches('/'))
                });
                shown.unwrap_or_else(|| "PostgreSQL".to_owned())
            }
        }
    }
}

impl Config {
    /// Whether what is named can be one database, without looking into any file.
    ///
    /// # Errors
    /// As [`Self::database`], as far as the values themselves tell.
    pub fn check(&self) -> Result<(), Error> {
        let url = self.url.expose_secret();
        if !self.path.as_os_str().is_empty() && (!url.is_empty() || !self.url_file.is_empty()) {
            return Err(both());
        }
        if url.is_empty() { Ok(()) } else { check_scheme(url) }
    }

    /// The one database that is meant.
    ///
    /// # Errors
    /// When a file and a server are named, or what is named cannot be one.
    pub fn database(&self) -> Result<Database, Error> {
        let homes = Homes { value: &self.url, file: &self.url_file, credential: "store_url" };
        let url = homes
            .read(secrets::credentials().as_deref())
            .map_err(|error| Error::Other(format!("store.url_file: {error}")))?;
        let Some(url) = url else { return self.file().map(Database::File) };
        if !self.path.as_os_str().is_empty() {
            return Err(both());
        }
        check_scheme(url.expose_secret())?;
        Ok(Database::Server(url))
    }

    /// The file that `path` stands for; beside it lies what belongs to this box alone.
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

fn both() -> Error {
    Error::Other("[store] names both a file (`path`) and a server (`url`): keep one of them".into())
}

fn check_scheme(url: &str) -> Result<(), Error> {
    let scheme = Url::parse(url).map(|url| url.scheme().to_owned());
    if matches!(scheme.as_deref(), Ok("postgres" | "postgresql")) {
        return Ok(());
    }
    let how = "`url` in [store] must begin with postgres://, as in postgres://user:password@host/database";
    Err(Error::Other(how.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: &str, url: &str) -> Config {
        #[derive(Deserialize)]
        struct File {
            store: Config,
        }
        let File { store } = toml::from_str(DEFAULTS).expect("the defaults are complete");
        Config { path: path.into(), url: url.into(), ..store }
    }

    #[test]
    fn exactly_one_database_is_meant() {
        let file = config("/data/p.db", "").database().expect("a file");
        assert_eq!(file.describe(), "/data/p.db");
        let server = config("", "postgres://box:hush@db.site:5433/punch").database().expect("a server");
        assert_eq!(server.describe(), "PostgreSQL at db.site, database punch");
        assert!(!format!("{server:?}").contains("hush"));
        for (path, url, said) in [
            ("/data/p.db", "postgres://db/punch", "names both"),
            ("", "mysql://db/punch", "must begin with postgres://"),
            ("", "db.site", "must begin with postgres://"),
        ] {
            let error = config(path, url).database().expect_err(url).to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
