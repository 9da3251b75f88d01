//! What SQLite and PostgreSQL do not say in the same words.

use crate::domain::ids::ProjectKey;

/// Which of the two databases is behind the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// One file, one writer.
    Sqlite,
    /// A server that many boxes may share.
    Postgres,
}

/// What a writing transaction shuts out while it runs. SQLite knows one writer and shuts out all others
/// in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteLock {
    /// Every other change but [`WriteLock::Free`] ones: what it reads stays true until it commits.
    Alone,
    /// Changes that go [`WriteLock::Alone`], and other changes of the same project: what it reads of the project stays true
    /// until it commits, but for the claims of jobs.
    Project(ProjectKey),
    /// Changes that go [`WriteLock::Alone`]: many of these run at once, each holding its own rows.
    Beside,
    Free,
}

impl Dialect {
    /// The statement that begins a writing transaction.
    pub(crate) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// The statement that then takes the turn, if one is needed.
    ///
    /// On PostgreSQL these are advisory locks of the schema, and of a project in it, that end with the transaction. They
    /// stand for SQLite's write lock. That of a project is taken by its name, which is `$1`.
    pub(crate) const fn take(self, turn: WriteLock) -> Option<&'static str> {
        match (self, turn) {
            (Self::Sqlite, _) | (Self::Postgres, WriteLock::Free) => None,
            (Self::Postgres, WriteLock::Alone) => {
                Some("SELECT pg_advisory_xact_lock(7238, hashtext(current_schema()))")
            }
            (Self::Postgres, WriteLock::Project(_)) => Some(
                "SELECT pg_advisory_xact_lock_shared(7238, hashtext(current_schema())),
                        pg_advisory_xact_lock(7239, hashtext(current_schema() || ' ' || $1))",
            ),
            (Self::Postgres, WriteLock::Beside) => {
                Some("SELECT pg_advisory_xact_lock_shared(7238, hashtext(current_schema()))")
            }
        }
    }

    /// The statement that begins a reading transaction in which everything is of the same moment.
    pub(crate) const fn begin_snapshot(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// After a `SELECT` that picks a row to work on: leave out those that somebody else picks right now.
    pub(crate) const fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }
}
