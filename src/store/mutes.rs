//! What reviewers muted: made by rejections or by hand, in force until a day or until lifted.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::json;

use crate::domain::card::Card;
use crate::domain::dedupe::{Mute, Muting, mute_from};
use crate::domain::detection::DefectClass;
use crate::domain::ids::{CompanyId, FindingId, LocationId, ProjectId, ProjectKey};
use crate::domain::review::{Decision, MuteId, Verdict};
use crate::store::audit::{self, Actor, AuditSubject, Entry};
use crate::store::findings::push_projects;
use crate::store::record::record;
use crate::store::rows::{NAME_BYTES, bounded, from_hex, from_name, instant, millis};
use crate::store::sql::QueryBuilder;
use crate::store::{Connection, Error, Store};

/// What stands for no location: the whole project is muted. Procore's ids begin at 1.
const EVERYWHERE: i64 = 0;

/// A mute in force, with what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MuteRow {
    pub id: MuteId,
    pub project: ProjectKey,
    /// What it mutes, until when, why and by whom.
    #[serde(flatten)]
    pub mute: Mute,
    /// The location in words; empty for the whole project.
    pub place: String,
    /// The finding whose rejection it follows from.
    pub finding: Option<FindingId>,
    /// When it was made.
    pub added_at: Timestamp,
    /// Findings that it keeps back.
    pub silenced: u64,
}

record! {
    struct Record {
        id: i64,
        company: i64,
        project: i64,
        class: String,
        location: i64,
        place: String,
        until: Option<String>,
        reason: String,
        reviewer: String,
        finding: Option<String>,
        added_at: i64,
        silenced: i64,
    }
}

impl Record {
    fn into_row(self) -> Result<MuteRow, Error> {
        let until = self.until.map(|day| day.parse().map_err(|error| Error::row("mute", &day, error)));
        Ok(MuteRow {
            id: MuteId(self.id),
            project: ProjectKey {
                company: CompanyId::new(self.company),
                project: ProjectId::new(self.project),
            },
            mute: Mute {
                class: DefectClass::new(&self.class),
                location: (self.location != EVERYWHERE).then(|| LocationId::new(self.location)),
                until: until.transpose()?,
                reason: from_name("mutes.reason", &self.reason)?,
                reviewer: self.reviewer,
            },
            place: self.place,
            finding: self.finding.map(|hex| from_hex("mutes.finding", &hex)).transpose()?,
            added_at: instant(self.added_at)?,
            silenced: self.silenced as u64,
        })
    }
}

/// The columns of a [`Record`], of mutes that nobody lifted.
const SELECT: &str =
    "SELECT mutes.*, (SELECT COUNT(*) FROM findings WHERE held = 'mute' AND held_by = mutes.id
     AND findings.state = 'proposed') AS silenced FROM mutes WHERE lifted_at IS NULL";

impl Store {
    /// The mutes that nobody lifted, of some projects or all, last made first. Some may have run out: see
    /// [`Mute::holds`].
    pub async fn mutes(&self, projects: Option<&[ProjectKey]>) -> Result<Vec<MuteRow>, Error> {
        let mut sql = QueryBuilder::new(SELECT);
        push_projects(&mut sql, projects);
        sql.push(" ORDER BY added_at DESC, id DESC LIMIT ").push_bind(i64::from(self.0.config.list_rows));
        let records: Vec<Record> = sql.build_query_as().fetch_all(&self.0.readers).await?;
        records.into_iter().map(Record::into_row).collect()
    }

    /// A mute that nobody lifted.
    pub async fn mute(&self, id: MuteId) -> Result<Option<MuteRow>, Error> {
        let mut sql = QueryBuilder::new(SELECT);
        sql.push(" AND id = ").push_bind(id.0);
        let record: Option<Record> = sql.build_query_as().fetch_optional(&self.0.readers).await?;
        record.map(Record::into_row).transpose()
    }

    /// Mutes by hand what `mute` says; `place` is its location in words.
    pub async fn add_mute(
        &self,
        project: ProjectKey,
        mute: &Mute,
        place: &str,
        by: impl Into<Actor<'_>>,
        now: Timestamp,
    ) -> Result<MuteId, Error> {
        let by = by.into();
        let mut transaction = self.begin().await?;
        let id = insert(&mut transaction, project, mute, place, None, by, now).await?;
        self.commit(transaction).await?;
        Ok(id)
    }

    /// Ends a mute and every other of the same class at the same location: several people may have said the same, and
    /// who lifts one wants to see the class there again. What they kept back comes among those to review.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such mute, [`Error::Conflict`] when it was lifted already.
    pub async fn lift_mute(&self, id: MuteId, by: impl Into<Actor<'_>>, now: Timestamp) -> Result<(), Error> {
        let by = by.into();
        let mut transaction = self.begin().await?;
        let lifted: Option<Option<String>> = sqlx::query_scalar("SELECT lifted_by FROM mutes WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&mut *transaction)
            .await?;
        match lifted {
            None => return Err(Error::NotFound(format!("mute {}", id.0))),
            Some(Some(who)) => return Err(Error::Conflict(format!("{who} lifted this mute already"))),
            Some(None) => {}
        }
        for alike in alike(&mut transaction, id).await? {
            lift(&mut transaction, alike, by, now).await?;
        }
        self.commit(transaction).await
    }
}

/// The mutes of a project that hold on a day.
pub(crate) struct ActiveMutes {
    /// Each with its number.
    pub(crate) mutes: Vec<(MuteId, Mute)>,
    of: Vec<Option<FindingId>>,
}

impl ActiveMutes {
    /// As of the connection's transaction.
    pub(crate) async fn read(
        connection: &mut Connection,
        project: ProjectKey,
        today: Date,
    ) -> Result<Self, Error> {
        // Nobody counts here what they keep back: every photo with findings waits for this.
        let mut sql = QueryBuilder::new(
            "SELECT mutes.*, CAST(0 AS BIGINT) AS silenced FROM mutes WHERE lifted_at IS NULL",
        );
        push_projects(&mut sql, Some(&[project]));
        sql.push(" ORDER BY id");
        let records: Vec<Record> = sql.build_query_as().fetch_all(connection).await?;
        let rows: Vec<MuteRow> = records.into_iter().map(Record::into_row).collect::<Result<_, _>>()?;
        let (mutes, of) = rows
            .into_iter()
            .filter(|row| row.mute.holds(today))
            .map(|row| ((row.id, row.mute), row.finding))
            .unzip();
        Ok(Self { mutes, of })
    }

    /// Whether the mute with this number holds.
    pub(crate) fn holds(&self, id: MuteId) -> bool {
        self.mutes.iter().any(|(of, _)| *of == id)
    }

    /// Whether a mute that follows from the rejection of `finding` holds.
    pub(crate) fn holds_from(&self, finding: FindingId) -> bool {
        self.of.contains(&Some(finding))
    }
}

/// Mutes what follows from `decision` about `card`, if anything does.
pub(crate) async fn follow(
    connection: &mut Connection,
    card: &Card,
    decision: &Decision,
    muting: Muting,
) -> Result<(), Error> {
    let Verdict::Reject { reason } = decision.verdict else { return Ok(()) };
    let mute = mute_from(reason, &card.finding, &card.place, &decision.reviewer, muting);
    if let Some(mute) = mute {
        let by = Actor { name: &decision.reviewer, person: decision.person.as_ref() };
        let place = card.place.name().unwrap_or_default();
        insert(connection, card.project, &mute, &place, Some(card.finding.id), by, decision.at).await?;
    }
    Ok(())
}

/// Lifts what followed from a decision that is taken back.
pub(crate) async fn unfollow(
    connection: &mut Connection,
    finding: FindingId,
    by: Actor<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let ids: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM mutes WHERE finding = $1 AND lifted_at IS NULL ORDER BY id")
            .bind(finding.to_string())
            .fetch_all(&mut *connection)
            .await?;
    for id in ids {
        lift(connection, MuteId(id), by, now).await?;
    }
    Ok(())
}

async fn insert(
    connection: &mut Connection,
    project: ProjectKey,
    mute: &Mute,
    place: &str,
    finding: Option<FindingId>,
    by: Actor<'_>,
    now: Timestamp,
) -> Result<MuteId, Error> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO mutes (company, project, class, location, place, until, reason, reviewer, finding, added_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
    )
    .bind(project.company.value())
    .bind(project.project.value())
    .bind(mute.class.name())
    .bind(mute.location.map_or(EVERYWHERE, LocationId::value))
    .bind(bounded(place, NAME_BYTES))
    .bind(mute.until.map(|day| day.to_string()))
    .bind(mute.reason.name())
    .bind(&mute.reviewer)
    .bind(finding.map(|id| id.to_string()))
    .bind(millis(now))
    .fetch_one(&mut *connection)
    .await?;
    let detail = json!({ "project": project, "mute": mute, "finding": finding });
    let entry = Entry::by(by, "mute.added", AuditSubject::Mute(MuteId(id)), detail);
    audit::append(connection, entry, now).await?;
    Ok(MuteId(id))
}

/// The mutes in force that say what this one says, itself among them.
async fn alike(connection: &mut Connection, id: MuteId) -> Result<Vec<MuteId>, Error> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT alike.id FROM mutes AS one
         JOIN mutes AS alike ON alike.company = one.company AND alike.project = one.project
             AND alike.class = one.class AND alike.location = one.location
         WHERE one.id = $1 AND alike.lifted_at IS NULL ORDER BY alike.id",
    )
    .bind(id.0)
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(MuteId).collect())
}

async fn lift(connection: &mut Connection, id: MuteId, by: Actor<'_>, now: Timestamp) -> Result<(), Error> {
    sqlx::query("UPDATE mutes SET lifted_at = $2, lifted_by = $3 WHERE id = $1")
        .bind(id.0)
        .bind(millis(now))
        .bind(by.name)
        .execute(&mut *connection)
        .await?;
    let freed = sqlx::query(
        "UPDATE findings SET held = 'cap', held_by = NULL, held_because = $2
         WHERE held = 'mute' AND held_by = $1 AND state = 'proposed'",
    )
    .bind(id.0)
    .bind(format!("It was muted until {} lifted that: it waits for a person.", by.name))
    .execute(&mut *connection)
    .await?;
    let detail = json!({ "findings_to_review": freed.rows_affected() });
    audit::append(connection, Entry::by(by, "mute.lifted", AuditSubject::Mute(id), detail), now).await
}
