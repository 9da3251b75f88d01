//! Photos not analysed, for people: what was skipped, what failed, what is still tried.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::retries;
use crate::domain::ids::{CompanyId, ImageId, PhotoId, ProjectId, ProjectKey};
use crate::domain::job::Job;
use crate::store::audit::{self, Actor, AuditSubject, Entry};
use crate::store::findings::push_projects;
use crate::store::record::record;
use crate::store::rows::{from_hex, from_name, instant, millis};
use crate::store::sql::QueryBuilder;
use crate::store::{Error, Store, queue};

/// What became of a photo that was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutState {
    /// It is tried again by itself.
    Trying,
    /// It cannot be read.
    Failed,
    /// It was left alone, or Procore does not show it.
    Skipped,
}

/// A photo that was not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedPhoto {
    pub id: PhotoId,
    pub project: ProjectKey,
    pub image: ImageId,
    /// The file's name, where Procore has told it.
    pub filename: String,
    /// What became of it.
    pub state: LeftOutState,
    pub reason: String,
    /// Attempts so far, while it is tried.
    pub tries: u32,
    /// Since when it is so.
    pub since: Timestamp,
}

record! {
    struct Record {
        id: String,
        company: i64,
        project: i64,
        image: i64,
        filename: String,
        state: String,
        reason: String,
        tries: i64,
        since: i64,
    }
}

impl Record {
    fn into_row(self) -> Result<SkippedPhoto, Error> {
        Ok(SkippedPhoto {
            id: from_hex("photos.id", &self.id)?,
            project: ProjectKey {
                company: CompanyId::new(self.company),
                project: ProjectId::new(self.project),
            },
            image: ImageId::new(self.image),
            filename: self.filename,
            state: from_name("photos.state", &self.state)?,
            reason: self.reason,
            tries: u32::try_from(self.tries).unwrap_or(u32::MAX),
            since: instant(self.since)?,
        })
    }
}

/// The columns of a [`Record`].
const SELECT: &str = "SELECT * FROM (
    SELECT photo AS id, company, project, image, filename, 'trying' AS state, reason, tries, since, 0 AS place
    FROM photo_tries
    UNION ALL
    SELECT id, company, project, image, filename, state, COALESCE(reason, '') AS reason, 0 AS tries,
           recorded_at AS since, CASE WHEN state = 'failed' THEN 1 ELSE 2 END AS place
    FROM photos WHERE state <> 'analysed'
    AND NOT EXISTS (SELECT 1 FROM photo_tries WHERE photo_tries.photo = photos.id)) AS left_out WHERE 1 = 1";

impl Store {
    /// Photos not analysed, of some projects or all: those that are tried, failed ones, skipped ones, the
    /// newest of each first.
    pub async fn photos_left_out(&self, projects: Option<&[ProjectKey]>) -> Result<Vec<SkippedPhoto>, Error> {
        let mut sql = QueryBuilder::new(SELECT);
        push_projects(&mut sql, projects);
        sql.push(" ORDER BY place, since DESC, id LIMIT ").push_bind(i64::from(self.0.config.list_rows));
        let records: Vec<Record> = sql.build_query_as().fetch_all(&self.0.readers).await?;
        records.into_iter().map(Record::into_row).collect()
    }

    /// A photo that was not looked at.
    pub async fn photo_left_out(&self, photo: PhotoId) -> Result<Option<SkippedPhoto>, Error> {
        let mut sql = QueryBuilder::new(SELECT);
        sql.push(" AND id = ").push_bind(photo.to_string());
        let record: Option<Record> = sql.build_query_as().fetch_optional(&self.0.readers).await?;
        record.map(Record::into_row).transpose()
    }

    /// Queues another look at a photo that was not looked at, with its tries counted anew.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such photo.
    pub async fn look_again(
        &self,
        photo: PhotoId,
        by: impl Into<Actor<'_>>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let by = by.into();
        let row = self.photo_left_out(photo).await?;
        let row = row.ok_or_else(|| Error::NotFound(format!("photo {photo} that was not analysed")))?;
        let job = Job::AnalyzePhoto { project: row.project, image: row.image };
        let mut transaction = self.begin().await?;
        retries::forget(&mut transaction, photo).await?;
        queue::insert(&mut transaction, std::slice::from_ref(&job), now, now).await?;
        sqlx::query(
            "UPDATE jobs SET run_at = $2, changed_at = $2 WHERE dedupe_key = $1 AND state = 'queued'",
        )
        .bind(job.dedupe_key())
        .bind(millis(now))
        .execute(&mut *transaction)
        .await?;
        let entry =
            Entry::by(by, "photo.look_again", AuditSubject::Photo(photo), json!({ "reason": row.reason }));
        audit::append(&mut transaction, entry, now).await?;
        self.commit(transaction).await
    }
}
