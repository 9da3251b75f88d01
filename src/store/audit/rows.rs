//! Findings and photos as they are now, compared with what the chain says of them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::evidence::rows::{FindingRow, PhotoRow, finding_differences, photo_differences};
use crate::domain::evidence::{Fact, GENERAL};
use crate::domain::geometry::Size;
use crate::domain::ids::{CompanyId, ImageId, ProjectId, ProjectKey, Sha256Digest};
use crate::store::audit;
use crate::store::findings;
use crate::store::record::record;
use crate::store::rows::{from_hex, from_json, from_json_option};
use crate::store::{Connection, Error, Store};

/// Rows that are read at a time.
const BATCH: u8 = 200;

/// The most rows that a report names.
const NAMED_MAX: usize = 100;

/// What a comparison of all rows with the chain found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RowsReport {
    /// Findings that were compared.
    pub findings: u64,
    /// Photos that were compared.
    pub photos: u64,
    /// The first rows that differ.
    pub differ: Vec<RowDifference>,
    /// How many rows differ.
    pub differing: u64,
}

/// A row that is not as the chain says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowDifference {
    /// Which, e.g. `finding:3f…`.
    pub subject: String,
    /// What differs, a sentence each.
    pub what: Vec<String>,
}

record! {
    struct FindingRecord {
        @flatten card: findings::Record,
        id: String,
        company: i64,
        project: i64,
        photo: String,
        class: String,
        score: f64,
        found_at: i64,
        decided_at: Option<i64>,
    }
}

record! {
    struct PhotoRecord {
        id: String,
        company: i64,
        project: i64,
        image: i64,
        filename: String,
        state: String,
        width: Option<i64>,
        height: Option<i64>,
        content: Option<String>,
        capture: Option<String>,
        model: Option<String>,
        class_scores: String,
        forgotten_at: Option<i64>,
    }
}

impl FindingRecord {
    fn into_row(self) -> Result<FindingRow, Error> {
        Ok(FindingRow {
            project: project(self.company, self.project),
            photo: from_hex("findings.photo", &self.photo)?,
            class: self.class,
            score: self.score,
            found_at: self.found_at,
            decided_at: self.decided_at,
            card: self.card.into_card()?,
        })
    }
}

impl PhotoRecord {
    fn into_row(self, picture: Option<Sha256Digest>) -> Result<PhotoRow, Error> {
        let side = |side: i64| u32::try_from(side).map_err(|error| Error::row("photo", &self.id, error));
        let size = match (self.width, self.height) {
            (Some(width), Some(height)) => Some(Size::new(side(width)?, side(height)?)),
            _ => None,
        };
        Ok(PhotoRow {
            project: project(self.company, self.project),
            image: ImageId::new(self.image),
            state: self.state,
            filename: self.filename,
            content: self.content.map(|hex| from_hex("photos.content", &hex)).transpose()?,
            size,
            capture: from_json_option("photos.capture", self.capture.as_deref())?,
            model: self.model,
            class_scores: from_json("photos.class_scores", &self.class_scores)?,
            forgotten_at: self.forgotten_at,
            picture,
        })
    }
}

const fn project(company: i64, project: i64) -> ProjectKey {
    ProjectKey { company: CompanyId::new(company), project: ProjectId::new(project) }
}

impl Store {
    /// Compares every finding and photo, kept pictures included, with what the chain says of it. Says nothing of the
    /// chain itself: see [`Store::verify_audit`].
    pub async fn verify_rows(&self) -> Result<RowsReport, Error> {
        // One transaction, so that rows and chain are of the same moment.
        let mut snapshot = self.snapshot().await?;
        let mut report = RowsReport::default();
        let mut after = String::new();
        loop {
            let rows: Vec<FindingRecord> =
                sqlx::query_as("SELECT * FROM findings WHERE id > $1 ORDER BY id LIMIT $2")
                    .bind(&after)
                    .bind(i64::from(BATCH))
                    .fetch_all(&mut *snapshot)
                    .await?;
            let last = rows.last().filter(|_| rows.len() == usize::from(BATCH)).map(|row| row.id.clone());
            let mut facts = facts_between(&mut snapshot, "finding", &after, last.as_deref()).await?;
            report.findings += rows.len() as u64;
            for row in rows {
                let subject = format!("finding:{}", row.id);
                let facts = facts.remove(&subject).unwrap_or_default();
                report.note(
                    subject,
                    match row.into_row() {
                        Ok(row) => finding_differences(&facts, Some(&row)),
                        Err(error) => vec![error.to_string()],
                    },
                );
            }
            for (subject, facts) in facts {
                report.note(subject, finding_differences(&facts, None));
            }
            let Some(last) = last else { break };
            after = last;
        }
        report.compare_photos(&mut snapshot).await?;
        Ok(report)
    }
}

impl RowsReport {
    async fn compare_photos(&mut self, snapshot: &mut Connection) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let rows: Vec<PhotoRecord> =
                sqlx::query_as("SELECT * FROM photos WHERE id > $1 ORDER BY id LIMIT $2")
                    .bind(&after)
                    .bind(i64::from(BATCH))
                    .fetch_all(&mut *snapshot)
                    .await?;
            let last = rows.last().filter(|_| rows.len() == usize::from(BATCH)).map(|row| row.id.clone());
            let mut facts = facts_between(snapshot, "photo", &after, last.as_deref()).await?;
            self.photos += rows.len() as u64;
            for row in rows {
                let subject = format!("photo:{}", row.id);
                let facts = facts.remove(&subject).unwrap_or_default();
                let picture = kept_picture(snapshot, &row.id).await?;
                self.note(
                    subject,
                    match row.into_row(picture) {
                        Ok(row) => photo_differences(&facts, Some(&row)),
                        Err(error) => vec![error.to_string()],
                    },
                );
            }
            for (subject, facts) in facts {
                self.note(subject, photo_differences(&facts, None));
            }
            let Some(last) = last else { return Ok(()) };
            after = last;
        }
    }

    fn note(&mut self, subject: String, what: Vec<String>) {
        if what.is_empty() {
            return;
        }
        self.differing += 1;
        if self.differ.len() < NAMED_MAX {
            self.differ.push(RowDifference { subject, what });
        }
    }
}

/// The facts about subjects of `kind` with ids after `after`, up to `last` or to the end, by subject.
async fn facts_between(
    connection: &mut Connection,
    kind: &str,
    after: &str,
    last: Option<&str>,
) -> Result<BTreeMap<String, Vec<Fact>>, Error> {
    // The character after the colon is a semicolon: it ends what begins with "finding:".
    let end = last.map_or_else(|| format!("{kind};"), |last| format!("{kind}:{last}"));
    let records: Vec<audit::Record> = sqlx::query_as(
        "SELECT * FROM audit WHERE subject > $1 AND subject <= $2
             ORDER BY subject, CASE chain WHEN $3 THEN 0 ELSE 1 END, seq",
    )
    .bind(format!("{kind}:{after}"))
    .bind(end)
    .bind(GENERAL)
    .fetch_all(connection)
    .await?;
    let mut facts: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
    for record in records {
        facts.entry(record.subject.clone()).or_default().push(record.fact());
    }
    Ok(facts)
}

async fn kept_picture(connection: &mut Connection, photo: &str) -> Result<Option<Sha256Digest>, Error> {
    let bytes: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM pictures WHERE photo = $1")
        .bind(photo)
        .fetch_optional(connection)
        .await?;
    Ok(bytes.map(|bytes| Sha256Digest::of(&bytes)))
}
