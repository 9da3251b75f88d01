//! Projects in which nothing is made any more until a person has looked.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::domain::ids::{CompanyId, ProjectId, ProjectKey};
use crate::domain::job::Job;
use crate::store::audit::{self, AuditSubject, Entry};
use crate::store::queue::LeasedRow;
use crate::store::rows::{from_hex, from_name, instant, millis};
use crate::store::{Connection, Error, Store, queue, trials};

/// Why, and since when, nothing is made in a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    pub project: ProjectKey,
    /// Why, and what to do.
    pub reason: String,
    pub since: Timestamp,
}

impl Stop {
    /// What is so.
    pub fn what(&self) -> String {
        format!("nothing is made in project {}: {}", self.project, self.reason)
    }

    /// What ends it, once the reason is mended.
    pub fn cure(&self) -> String {
        format!("punchlens projects resume {}", self.project)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. Then: {}", self.what(), self.cure())
    }
}

impl Store {
    /// Notes that nothing is to be made in `project`. The first reason stands; whether this is it.
    pub async fn stop_project(
        &self,
        project: ProjectKey,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let reason = self.reason(reason);
        let added = sqlx::query(
            "INSERT INTO project_stops (company, project, reason, since) VALUES ($1, $2, $3, $4)
             ON CONFLICT (company, project) DO NOTHING",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(reason.to_owned())
        .bind(millis(now))
        .execute(&mut *transaction)
        .await?;
        if added.rows_affected() == 0 {
            return Ok(false);
        }
        let entry =
            Entry::by_service("project.stopped", AuditSubject::Project(project), json!({ "reason": reason }));
        audit::append(&mut transaction, entry, now).await?;
        self.commit(transaction).await?;
        Ok(true)
    }

    /// The stopped projects, the one that has waited longest first.
    pub async fn stops(&self) -> Result<Vec<Stop>, Error> {
        let rows: Vec<(i64, i64, String, i64)> = sqlx::query_as(
            "SELECT company, project, reason, since FROM project_stops ORDER BY since, company, project",
        )
        .fetch_all(&self.0.readers)
        .await?;
        let stop = |(company, project, reason, since)| {
            let project = ProjectKey { company: CompanyId::new(company), project: ProjectId::new(project) };
            Ok(Stop { project, reason, since: instant(since)? })
        };
        rows.into_iter().map(stop).collect()
    }

    /// Why nothing is made in `project`, if so.
    pub async fn stopped(&self, project: ProjectKey) -> Result<Option<Stop>, Error> {
        Ok(self.stops().await?.into_iter().find(|stop| stop.project == project))
    }

    /// Lets `project` go on: queues everything of it that was parked, and what waited to be made. Returns how much.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not stopped and nothing of it is parked.
    pub async fn resume_project(
        &self,
        project: ProjectKey,
        actor: &str,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let mut transaction = self.begin().await?;
        let removed = sqlx::query("DELETE FROM project_stops WHERE company = $1 AND project = $2")
            .bind(project.company.value())
            .bind(project.project.value())
            .execute(&mut *transaction)
            .await?;
        let freed = free_parked(&mut transaction, project, now).await?;
        if removed.rows_affected() == 0 && freed == 0 {
            return Err(Error::NotFound(format!("stop of project {project}")));
        }
        trials::forget(&mut transaction, project).await?;
        let waiting: Vec<(String, String)> = sqlx::query_as(
            "SELECT id, state FROM findings WHERE company = $1 AND project = $2 AND delivery = 'waiting'
             ORDER BY found_at, id",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .fetch_all(&mut *transaction)
        .await?;
        let mut jobs = Vec::new();
        for (id, state) in waiting {
            let finding = from_hex("findings.id", &id)?;
            // The parked job of the same work goes when this one is done.
            jobs.push(Job::carrying(finding, from_name("findings.state", &state)?));
        }
        let queued = freed + queue::insert(&mut transaction, &jobs, now, now).await?;
        let entry =
            Entry::by(actor, "project.resumed", AuditSubject::Project(project), json!({ "queued": queued }));
        audit::append(&mut transaction, entry, now).await?;
        self.commit(transaction).await?;
        Ok(queued)
    }
}

/// Queues every parked job of `project`. Returns how many.
pub(crate) async fn free_parked(
    connection: &mut Connection,
    project: ProjectKey,
    now: Timestamp,
) -> Result<usize, Error> {
    let parked: Vec<LeasedRow> = sqlx::query_as(
        "SELECT id, kind, version, payload, dedupe_key FROM jobs WHERE state = 'parked' ORDER BY id",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut freed = 0;
    for held in parked {
        if project_of(connection, &held).await? == Some(project) {
            queue::free(connection, &held, now).await?;
            freed += 1;
        }
    }
    Ok(freed)
}

/// Whose a job is, where that can be told.
async fn project_of(connection: &mut Connection, held: &LeasedRow) -> Result<Option<ProjectKey>, Error> {
    let finding = match held.job() {
        Ok(Job::AnalyzePhoto { project, .. } | Job::Sweep { project }) => return Ok(Some(project)),
        Ok(
            Job::Publish { finding }
            | Job::ApplyDecision { finding }
            | Job::SyncPunchItem { finding }
            | Job::LinkPhoto { finding, .. },
        ) => finding,
        // A delivery is of the whole app, and what this build cannot read is nobody's.
        Ok(Job::RouteEvent { .. }) | Err(_) => return Ok(None),
    };
    let row: Option<(i64, i64)> = sqlx::query_as("SELECT company, project FROM findings WHERE id = $1")
        .bind(finding.to_string())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(company, project)| ProjectKey {
        company: CompanyId::new(company),
        project: ProjectId::new(project),
    }))
}
