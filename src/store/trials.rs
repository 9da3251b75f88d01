//! Whose turn it is to make an item in a project: one at a time, so that the first that goes wrong is the only one.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::ids::{FindingId, ProjectKey};
use crate::store::clock::CLOCKS_APART_MS;
use crate::store::record::record;
use crate::store::rows::{bounded, millis};
use crate::store::{Connection, Error, Store};

/// How long a turn lasts at most while no create of the project is known to become a draft. Long, since a create whose
/// answer was lost may have gone wrong too; the same finding may go on at any time.
const TRIAL: Duration = Duration::from_mins(15);

/// How long a turn lasts at most after that: longer than a call, so that it outlives only a box that has died.
const CALL: Duration = Duration::from_mins(1);

/// Whether a finding's item may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateTurn {
    /// It may. Whether creates of this project are known to become drafts.
    Granted {
        /// They are, with the fields that are configured now.
        confirmed: bool,
    },
    /// Another finding's create is under way.
    Busy,
}

record! {
    struct Record {
        confirmed_at: Option<i64>,
        setup: Option<String>,
        finding: Option<String>,
        held_until: Option<i64>,
        refusal: Option<String>,
    }
}

impl Record {
    fn held_by_another(&self, finding: FindingId, now: Timestamp) -> bool {
        let other = self.finding.as_ref().is_some_and(|holder| *holder != finding.to_string());
        // Far beyond what any turn lasts, the end was written by a clock that was set back since. By a little it may be
        // beyond: the holder can have read its clock later than this caller.
        let plausible = millis(now + TRIAL).saturating_add(CLOCKS_APART_MS);
        other && self.held_until.is_some_and(|until| until > millis(now) && until <= plausible)
    }

    fn confirmed(&self, setup: &str) -> bool {
        self.confirmed_at.is_some() && self.setup.as_deref() == Some(setup)
    }
}

impl Store {
    /// Asks for the turn of `finding` in `project`. `setup` tells what is configured for the project's items: with other
    /// fields than before, one goes alone again.
    pub async fn take_turn(
        &self,
        project: ProjectKey,
        finding: FindingId,
        setup: &str,
        now: Timestamp,
    ) -> Result<CreateTurn, Error> {
        let mut reader = self.0.readers.acquire().await?;
        if read(&mut reader, project).await?.is_some_and(|row| row.held_by_another(finding, now)) {
            return Ok(CreateTurn::Busy);
        }
        drop(reader);
        let mut transaction = self.begin().await?;
        let row = read(&mut transaction, project).await?;
        if row.as_ref().is_some_and(|row| row.held_by_another(finding, now)) {
            return Ok(CreateTurn::Busy);
        }
        let confirmed = row.is_some_and(|row| row.confirmed(setup));
        let until = now + if confirmed { CALL } else { TRIAL };
        sqlx::query(
            "INSERT INTO project_trials (company, project, finding, held_until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (company, project) DO UPDATE SET finding = $3, held_until = $4",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(finding.to_string())
        .bind(millis(until))
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await?;
        Ok(CreateTurn::Granted { confirmed })
    }

    /// Notes that the create of `finding` became a draft, as those that follow will, and ends its turn.
    pub async fn confirm_turn(
        &self,
        project: ProjectKey,
        finding: FindingId,
        setup: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE project_trials SET confirmed_at = $3, setup = $4, refusal = NULL,
             held_until = CASE WHEN finding = $5 THEN NULL ELSE held_until END,
             finding = CASE WHEN finding = $5 THEN NULL ELSE finding END
             WHERE company = $1 AND project = $2",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(millis(now))
        .bind(setup.to_owned())
        .bind(finding.to_string())
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }

    /// Whether a create of `project` is known to have become a draft.
    pub async fn creates_confirmed(&self, project: ProjectKey) -> Result<bool, Error> {
        let mut reader = self.0.readers.acquire().await?;
        Ok(read(&mut reader, project).await?.is_some_and(|row| row.confirmed_at.is_some()))
    }

    /// Ends the turn of `finding`, if it has one. Nothing is written otherwise.
    pub async fn end_turn(&self, project: ProjectKey, finding: FindingId) -> Result<(), Error> {
        let mut reader = self.0.readers.acquire().await?;
        let own = |row: Record| row.finding == Some(finding.to_string());
        if !read(&mut reader, project).await?.is_some_and(own) {
            return Ok(());
        }
        drop(reader);
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE project_trials SET finding = NULL, held_until = NULL
             WHERE company = $1 AND project = $2 AND finding = $3",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(finding.to_string())
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }

    /// Notes why a create was refused before any was confirmed. Returns whether the one before it was refused for the same.
    pub async fn refused_again(&self, project: ProjectKey, reason: &str) -> Result<bool, Error> {
        let reason = bounded(reason, self.0.config.reason_bytes).to_owned();
        let mut transaction = self.begin().await?;
        let row = read(&mut transaction, project).await?;
        let again =
            row.is_some_and(|row| row.confirmed_at.is_none() && row.refusal.as_ref() == Some(&reason));
        sqlx::query("UPDATE project_trials SET refusal = $3 WHERE company = $1 AND project = $2")
            .bind(project.company.value())
            .bind(project.project.value())
            .bind(reason)
            .execute(&mut *transaction)
            .await?;
        self.commit(transaction).await?;
        Ok(again)
    }
}

/// Forgets what is known of the project's creates: one goes alone again.
pub(crate) async fn forget(connection: &mut Connection, project: ProjectKey) -> Result<(), Error> {
    sqlx::query("DELETE FROM project_trials WHERE company = $1 AND project = $2")
        .bind(project.company.value())
        .bind(project.project.value())
        .execute(connection)
        .await?;
    Ok(())
}

async fn read(connection: &mut Connection, project: ProjectKey) -> Result<Option<Record>, Error> {
    Ok(sqlx::query_as("SELECT * FROM project_trials WHERE company = $1 AND project = $2")
        .bind(project.company.value())
        .bind(project.project.value())
        .fetch_optional(connection)
        .await?)
}
