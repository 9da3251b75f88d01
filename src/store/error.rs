//! What can go wrong, by what a caller does about it.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// A store call that failed. Nothing of it was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else holds the database.
    #[error(
        "the database is busy: work resumes automatically; if this lasts, look for a second process with the \
         file open, or for a PostgreSQL server that hangs"
    )]
    Busy,
    /// There is no way to the server.
    #[error(
        "the PostgreSQL server cannot be reached ({0}): work resumes once it is back; check that it runs, and `url` in [store]"
    )]
    Unreachable(String),
    #[error("the disk is full: free some space; work resumes automatically")]
    DiskFull,
    /// The file cannot be written.
    #[error(
        "the database cannot be written: check the owner and mode of the file and its folder, and that the disk is not mounted read-only; of a PostgreSQL server, that it is no standby"
    )]
    ReadOnly,
    /// The disk did not do as told.
    #[error(
        "the disk failed ({0}): check it (dmesg, smartctl); if this stays, restore a backup on another one"
    )]
    Disk(String),
    /// The file is not a sound database.
    #[error("the database is damaged ({0}): stop the service, move the file aside, restore a backup")]
    Corrupt(String),
    /// The job was taken over by somebody else; what was to be written is not.
    #[error("the lease on the job is lost: drop the result, another worker has the job")]
    LeaseLost,
    #[error("there is no {0}")]
    NotFound(String),
    /// It was decided otherwise in the meantime.
    #[error("{0}")]
    Conflict(String),
    /// The tables are not those of this version.
    #[error("{0}")]
    Schema(String),
    #[error("database: {0}")]
    Other(String),
}

impl Error {
    /// Whether the same call can work later without anybody changing the request.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Unreachable(_) | Self::DiskFull | Self::Disk(_))
    }

    pub(crate) fn row(what: &str, id: impl std::fmt::Display, problem: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("{what} {id}: {problem}"))
    }
}

/// SQLite's primary result codes, <https://www.sqlite.org/rescode.html>.
fn from_code(code: i32, text: String) -> Error {
    match code & 0xff {
        5 | 6 => Error::Busy,
        8 => Error::ReadOnly,
        10 => Error::Disk(text),
        11 | 26 => Error::Corrupt(text),
        13 => Error::DiskFull,
        14 => Error::Other(format!("{text}: check the path and the rights on its folder")),
        _ => Error::Other(text),
    }
}

/// PostgreSQL's SQLSTATEs, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn from_state(state: &str, text: String) -> Error {
    match state {
        // Two boxes changed the same at once, or one waited too long: the same again finds the other's work done.
        "23505" | "40001" | "40P01" | "55P03" | "57014" | "53200" | "53300" => Error::Busy,
        "25006" => Error::ReadOnly,
        "53100" => Error::DiskFull,
        // The table or its rights are not as the migrations left them.
        "42501" => Error::Other(format!("{text}: let the user of `url` in [store] own its schema")),
        "28000" | "28P01" | "3D000" => Error::Other(format!("{text}: check `url` in [store]")),
        _ => match state.get(..2) {
            Some("08" | "57" | "25") => Error::Unreachable(text),
            Some("58") => Error::Disk(text),
            Some("XX") => Error::Corrupt(text),
            _ => Error::Other(text),
        },
    }
}

fn from_database(error: &dyn DatabaseError) -> Error {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        return from_state(error.code(), error.message().to_owned());
    }
    let code = error.code().and_then(|code| code.parse().ok()).unwrap_or(0);
    from_code(code, error.message().to_owned())
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => from_database(error.as_ref()),
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::PoolClosed => Self::Other("the store is closed: the service is stopping".into()),
            sqlx::Error::RowNotFound => Self::NotFound("such row".into()),
            error @ (sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::BeginFailed) => Self::Unreachable(error.to_string()),
            error @ (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
                Self::Corrupt(error.to_string())
            }
            error => Self::Other(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Other(format!("a value could not be written as JSON: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_codes_mean_what_their_primary_code_means() {
        let meaning = |code| from_code(code, String::new());
        assert!(matches!(meaning(5), Error::Busy) && matches!(meaning(517), Error::Busy));
        assert!(matches!(meaning(13), Error::DiskFull));
        assert!(matches!(meaning(8), Error::ReadOnly) && matches!(meaning(1032), Error::ReadOnly));
        assert!(matches!(meaning(11), Error::Corrupt(_)) && matches!(meaning(26), Error::Corrupt(_)));
        assert!(matches!(meaning(10), Error::Disk(_)) && matches!(meaning(4874), Error::Disk(_)));
        assert!(meaning(13).is_transient() && !meaning(8).is_transient() && !meaning(11).is_transient());
    }

    #[test]
    fn states_of_a_server_mean_what_a_caller_can_do() {
        let meaning = |state| from_state(state, String::new());
        for state in ["23505", "40001", "40P01", "55P03", "57014", "53300"] {
            assert!(matches!(meaning(state), Error::Busy), "{state}");
        }
        // Shut down, starting up, connection lost, transaction ended for its idling.
        for state in ["57P01", "57P03", "08006", "25P03"] {
            assert!(
                matches!(meaning(state), Error::Unreachable(_)) && meaning(state).is_transient(),
                "{state}"
            );
        }
        assert!(matches!(meaning("53100"), Error::DiskFull) && matches!(meaning("25006"), Error::ReadOnly));
        assert!(matches!(meaning("58030"), Error::Disk(_)) && matches!(meaning("XX001"), Error::Corrupt(_)));
        assert!(matches!(meaning("28P01"), Error::Other(text) if text.contains("`url`")));
        assert!(matches!(meaning("42P01"), Error::Other(_)));
    }
}
