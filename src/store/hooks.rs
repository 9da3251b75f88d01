//! Projects whose webhook could not be made yet: written by the service, read by `doctor` and `/readyz`.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::ids::{CompanyId, ProjectId, ProjectKey};
use crate::store::dialect::WriteLock;
use crate::store::rows::{instant, millis};
use crate::store::{Error, Store};

/// A project without a webhook that the service tries to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingHook {
    pub project: ProjectKey,
    /// Why the last try failed, and what to do.
    pub reason: String,
    /// When the first try failed.
    pub since: Timestamp,
    /// When the last try failed.
    pub tried_at: Timestamp,
    /// When the next try is due.
    pub next_at: Timestamp,
}

impl fmt::Display for MissingHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, reason, since, tried_at, next_at } = self;
        write!(
            f,
            "project {project} has no webhook: the service tries to make it since {since:.0}, last at \
             {tried_at:.0}, next at {next_at:.0} ({reason})"
        )
    }
}

impl Store {
    /// Notes that the webhook of `project` could not be made, and when the next try is due.
    pub async fn note_missing_hook(
        &self,
        project: ProjectKey,
        reason: &str,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin_as(WriteLock::Free).await?;
        sqlx::query(
            "INSERT INTO missing_hooks (company, project, reason, since, tried_at, next_at)
             VALUES ($1, $2, $3, $4, $4, $5)
             ON CONFLICT (company, project) DO UPDATE SET
                 reason = excluded.reason, tried_at = excluded.tried_at, next_at = excluded.next_at",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(self.reason(reason).to_owned())
        .bind(millis(now))
        .bind(millis(next))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Notes that nothing tries to make the webhook of `project` any more: it is in place, or nobody asked for it.
    pub async fn clear_missing_hook(&self, project: ProjectKey) -> Result<(), Error> {
        let mut transaction = self.begin_as(WriteLock::Free).await?;
        sqlx::query("DELETE FROM missing_hooks WHERE company = $1 AND project = $2")
            .bind(project.company.value())
            .bind(project.project.value())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The projects whose webhook could not be made yet, by id.
    pub async fn missing_hooks(&self) -> Result<Vec<MissingHook>, Error> {
        let rows: Vec<(i64, i64, String, i64, i64, i64)> = sqlx::query_as(
            "SELECT company, project, reason, since, tried_at, next_at FROM missing_hooks
             ORDER BY company, project LIMIT $1",
        )
        .bind(i64::from(self.0.config.list_rows))
        .fetch_all(&self.0.readers)
        .await?;
        let missing = |(company, project, reason, since, tried_at, next_at)| {
            Ok(MissingHook {
                project: ProjectKey { company: CompanyId::new(company), project: ProjectId::new(project) },
                reason,
                since: instant(since)?,
                tried_at: instant(tried_at)?,
                next_at: instant(next_at)?,
            })
        };
        rows.into_iter().map(missing).collect()
    }
}
