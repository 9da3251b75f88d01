//! What there is to narrow lists by, and what reviewers decided so far.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::detection::DefectClass;
use crate::domain::ids::{CompanyId, FindingId, ProjectId, ProjectKey};
use crate::domain::keep_rate::JudgedFinding;
use crate::domain::review::{Decision, Verdict};
use crate::domain::score::Score;
use crate::store::findings::{push_conditions, push_projects};
use crate::store::record::record;
use crate::store::rows::{from_hex, from_json, instant, millis};
use crate::store::sql::QueryBuilder;
use crate::store::{CardQuery, Error, Store};

/// What the findings of a list can be narrowed by, with how many there are of each, most first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Facets {
    /// Places, as their names joined by [`crate::store::PLACE_JOINT`].
    pub places: Vec<(String, u64)>,
    pub trades: Vec<(i64, u64)>,
    pub uploaders: Vec<(String, u64)>,
}

record! {
    struct Record {
        id: String,
        company: i64,
        project: i64,
        class: String,
        score: f64,
        found_at: i64,
        decision: String,
    }
}

impl Record {
    fn into_ruling(self) -> Result<JudgedFinding, Error> {
        let decision: Decision = from_json("findings.decision", &self.decision)?;
        let reason = match decision.verdict {
            Verdict::Accept { .. } => None,
            Verdict::Reject { reason } => Some(reason),
        };
        Ok(JudgedFinding {
            finding: from_hex("findings.id", &self.id)?,
            project: ProjectKey {
                company: CompanyId::new(self.company),
                project: ProjectId::new(self.project),
            },
            class: DefectClass::new(&self.class),
            score: Score::new(self.score as f32).map_err(|error| Error::row("finding", &self.id, error))?,
            rejected: reason,
            reviewer: decision.reviewer,
            found_at: instant(self.found_at)?,
            decided_at: decision.at,
        })
    }
}

/// Where the findings of a list are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Places with how many there are at each, most first, as in [`Facets::places`].
    pub named: Vec<(String, u64)>,
    /// How many are at no known place.
    pub without: u64,
}

impl Store {
    /// Where the findings are that `query` asks for: at most as many places as one list holds.
    pub async fn places(&self, query: &CardQuery) -> Result<Places, Error> {
        let mut sql = QueryBuilder::new("SELECT place, COUNT(*) FROM findings");
        push_conditions(&mut sql, query);
        sql.push(" GROUP BY place ORDER BY place IS NOT NULL, COUNT(*) DESC, place LIMIT ");
        sql.push_bind(i64::from(self.0.config.list_rows).saturating_add(1));
        let rows: Vec<(Option<String>, i64)> = sql.build_query_as().fetch_all(&self.0.readers).await?;
        let mut places = Places::default();
        for (place, count) in rows {
            match place {
                Some(place) => places.named.push((place, count as u64)),
                None => places.without = count as u64,
            }
        }
        Ok(places)
    }

    /// What the findings that `query` asks for can be narrowed by: at most as many of each kind as one
    /// list holds.
    pub async fn facets(&self, query: &CardQuery) -> Result<Facets, Error> {
        Ok(Facets {
            places: self.facet("place", query).await?,
            trades: self.facet("trade", query).await?,
            uploaders: self.facet("uploader", query).await?,
        })
    }

    async fn facet<T>(&self, column: &'static str, query: &CardQuery) -> Result<Vec<(T, u64)>, Error>
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, crate::store::Db> + sqlx::Type<crate::store::Db>,
    {
        let mut sql = QueryBuilder::new("SELECT ");
        sql.push(column).push(", COUNT(*) FROM findings");
        push_conditions(&mut sql, query);
        sql.push(" AND ").push(column).push(" IS NOT NULL GROUP BY ").push(column);
        sql.push(" ORDER BY COUNT(*) DESC, ").push(column);
        sql.push(" LIMIT ").push_bind(i64::from(self.0.config.list_rows));
        let rows: Vec<(T, i64)> = sql.build_query_as().fetch_all(&self.0.readers).await?;
        Ok(rows.into_iter().map(|(value, count)| (value, count as u64)).collect())
    }

    /// What reviewers decided since `since`, the latest first, at most `most` of them.
    pub async fn rulings(
        &self,
        projects: Option<&[ProjectKey]>,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<JudgedFinding>, Error> {
        let mut sql = QueryBuilder::new(
            "SELECT id, company, project, class, score, found_at, decision FROM findings
             WHERE decision IS NOT NULL AND decided_at >= ",
        );
        sql.push_bind(millis(since));
        push_projects(&mut sql, projects);
        sql.push(" ORDER BY decided_at DESC, id LIMIT ").push_bind(i64::from(most));
        let records: Vec<Record> = sql.build_query_as().fetch_all(&self.0.readers).await?;
        records.into_iter().map(Record::into_ruling).collect()
    }

    /// The findings that `reviewer` decided at this very instant: one gesture, be it about one or many.
    pub async fn decided_at(&self, reviewer: &str, at: Timestamp) -> Result<Vec<FindingId>, Error> {
        let rulings = self.rulings_at(at).await?;
        let own = rulings.into_iter().filter(|ruling| ruling.reviewer == reviewer);
        Ok(own.map(|ruling| ruling.finding).collect())
    }

    async fn rulings_at(&self, at: Timestamp) -> Result<Vec<JudgedFinding>, Error> {
        let records: Vec<Record> = sqlx::query_as(
            "SELECT id, company, project, class, score, found_at, decision FROM findings
             WHERE decision IS NOT NULL AND decided_at = $1 ORDER BY id",
        )
        .bind(millis(at))
        .fetch_all(&self.0.readers)
        .await?;
        records.into_iter().map(Record::into_ruling).collect()
    }
}
