//! What Procore said about a project, with its age, and how far its photos were swept.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::ids::ProjectKey;
use crate::store::rows::{from_json, instant, millis, to_json};
use crate::store::sql::QueryBuilder;
use crate::store::{Error, Store};

impl Store {
    /// The project's reference data of `kind`, or its company's (with project 0), and when it was read.
    pub async fn cached(&self, project: ProjectKey, kind: &str) -> Result<Option<(Value, Timestamp)>, Error> {
        let row: Option<(String, i64)> = sqlx::query_as(
            "SELECT value, read_at FROM reference_data
             WHERE company = $1 AND project IN ($2, 0) AND kind = $3 ORDER BY project DESC LIMIT 1",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(kind)
        .fetch_optional(&self.0.readers)
        .await?;
        row.map(|(value, at)| Ok((from_json("reference_data.value", &value)?, instant(at)?))).transpose()
    }

    /// The project's reference data of `kinds`, by kind, as far as it is there.
    pub async fn cached_kinds(
        &self,
        project: ProjectKey,
        kinds: &[&str],
    ) -> Result<HashMap<String, Value>, Error> {
        let mut sql = QueryBuilder::new("SELECT kind, value FROM reference_data WHERE company = ");
        sql.push_bind(project.company.value());
        sql.push(" AND project IN (0, ").push_bind(project.project.value()).push(") AND kind IN (");
        let mut list = sql.separated(", ");
        for kind in kinds {
            list.push_bind((*kind).to_owned());
        }
        // What is the project's own comes last, and stands.
        sql.push(") ORDER BY project");
        let rows: Vec<(String, String)> = sql.build_query_as().fetch_all(&self.0.readers).await?;
        let read = |(kind, value): (String, String)| Ok((kind, from_json("reference_data.value", &value)?));
        rows.into_iter().map(read).collect()
    }

    /// Keeps reference data of `kind` in place of what was kept before.
    pub async fn cache(
        &self,
        project: ProjectKey,
        kind: &str,
        value: &Value,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO reference_data (company, project, kind, value, read_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (company, project, kind)
             DO UPDATE SET value = excluded.value, read_at = excluded.read_at",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(kind)
        .bind(to_json(value)?)
        .bind(millis(now))
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }

    /// Up to when the project's photos were listed.
    pub async fn watermark(&self, project: ProjectKey) -> Result<Option<Timestamp>, Error> {
        let at: Option<i64> =
            sqlx::query_scalar("SELECT at FROM watermarks WHERE company = $1 AND project = $2")
                .bind(project.company.value())
                .bind(project.project.value())
                .fetch_optional(&self.0.readers)
                .await?;
        at.map(instant).transpose()
    }

    /// Notes up to when the project's photos were listed, by Procore's clock.
    pub async fn set_watermark(&self, project: ProjectKey, at: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO watermarks (company, project, at) VALUES ($1, $2, $3)
             ON CONFLICT (company, project) DO UPDATE SET at = excluded.at",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(millis(at))
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }
}
