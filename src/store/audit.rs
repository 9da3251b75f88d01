//! Evidence: append-only rows, each hashed together with the one before in its chain, written in the same
//! transaction as what they record. See [`crate::domain::evidence`] for the chains.

mod rows;
mod verify;

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::evidence::{Fact, GENERAL, SEALED, STARTED, Seal, chain_name, chained};
use crate::domain::ids::{CompanyId, FindingId, PhotoId, ProjectId, ProjectKey, Sha256Digest};
use crate::domain::job::{InboxId, JobId};
use crate::domain::people::{Person, PersonId};
use crate::domain::review::MuteId;
use crate::store::record::record;
use crate::store::rows::{from_hex, from_json, instant, millis, to_json};
use crate::store::{Connection, Error, Store};

pub use crate::store::audit::rows::{RowDifference, RowsReport};
pub use crate::store::audit::verify::{AuditBreak, AuditReport, ChainHead};

/// The author of what no person did.
const SERVICE: &str = "punchlens";

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditSubject {
    Delivery(InboxId),
    Photo(PhotoId),
    Finding(FindingId),
    /// A job that a person retried or dropped.
    Job(JobId),
    /// A project that was stopped or let go on.
    Project(ProjectKey),
    Mute(MuteId),
    /// Somebody who may sign in.
    Person(PersonId),
}

impl fmt::Display for AuditSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivery(id) => write!(f, "delivery:{}", id.0),
            Self::Photo(id) => write!(f, "photo:{id}"),
            Self::Finding(id) => write!(f, "finding:{id}"),
            Self::Job(id) => write!(f, "job:{}", id.0),
            Self::Project(key) => write!(f, "project:{key}"),
            Self::Mute(id) => write!(f, "mute:{}", id.0),
            Self::Person(who) => write!(f, "person:{who}"),
        }
    }
}

/// A recorded fact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRow {
    pub chain: String,
    /// Its number there; the first is 1 and none is left out.
    pub seq: i64,
    pub at: Timestamp,
    /// What happened, e.g. `finding.decided`.
    pub kind: String,
    /// To what, e.g. `finding:3f…`.
    pub subject: String,
    pub actor: String,
    pub detail: Value,
    /// The hash over this row and the previous hash.
    pub hash: Sha256Digest,
}

/// Somebody who does something: in the name that others read, and as whom the box knows them.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The name that others read.
    pub name: &'a str,
    /// Who that was and how they signed in, where somebody signed in.
    pub person: Option<&'a Person>,
}

impl<'a> From<&'a str> for Actor<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, person: None }
    }
}

impl<'a> From<&'a Person> for Actor<'a> {
    fn from(person: &'a Person) -> Self {
        Self { name: &person.name, person: Some(person) }
    }
}

/// A fact to be recorded.
pub(crate) struct Entry<'a> {
    kind: &'static str,
    subject: AuditSubject,
    project: Option<ProjectKey>,
    actor: &'a str,
    detail: Value,
}

impl Entry<'_> {
    /// Something that the service did by itself.
    pub(crate) fn by_service(kind: &'static str, subject: AuditSubject, detail: Value) -> Self {
        Self { kind, subject, project: None, actor: SERVICE, detail }
    }
}

impl<'a> Entry<'a> {
    /// Says to which project it belongs, where the subject does not tell or need not be asked.
    pub(crate) fn of(self, project: ProjectKey) -> Self {
        Self { project: Some(project), ..self }
    }

    /// Something that a person did.
    pub(crate) fn by(
        actor: impl Into<Actor<'a>>,
        kind: &'static str,
        subject: AuditSubject,
        mut detail: Value,
    ) -> Self {
        let actor = actor.into();
        if let (Some(person), Value::Object(fields)) = (actor.person, &mut detail) {
            fields.insert("person".to_owned(), json!(person));
        }
        Self { kind, subject, project: None, actor: actor.name, detail }
    }
}

record! {
    pub(crate) struct Record {
        pub(crate) chain: String,
        pub(crate) seq: i64,
        at: i64,
        kind: String,
        pub(crate) subject: String,
        actor: String,
        detail: String,
        pub(crate) previous: String,
        pub(crate) hash: String,
    }
}

impl Record {
    /// See [`crate::domain::evidence`].
    fn computed_hash(&self) -> Result<Sha256Digest, Error> {
        Ok(chained(&from_hex("audit.previous", &self.previous)?, &self.fact().digest()))
    }

    pub(crate) fn fact(&self) -> Fact {
        Fact {
            seq: self.seq,
            at: self.at,
            kind: self.kind.clone(),
            subject: self.subject.clone(),
            actor: self.actor.clone(),
            detail: self.detail.clone(),
        }
    }

    fn into_row(self) -> Result<AuditRow, Error> {
        Ok(AuditRow {
            chain: self.chain,
            seq: self.seq,
            at: instant(self.at)?,
            detail: from_json("audit.detail", &self.detail)?,
            hash: from_hex("audit.hash", &self.hash)?,
            kind: self.kind,
            subject: self.subject,
            actor: self.actor,
        })
    }
}

/// Adds `entry` to the chain of its project, or to the general one. The head's row is the lock that keeps the writers
/// of a chain in line.
pub(crate) async fn append(
    connection: &mut Connection,
    entry: Entry<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let project = match entry.project {
        Some(project) => Some(project),
        None => project_of(connection, entry.subject).await?,
    };
    let Some(project) = project else {
        add(connection, GENERAL, None, entry, now).await?;
        return Ok(());
    };
    let chain = chain_name(project);
    let mut head = take(connection, &chain).await?;
    if head.is_none() {
        head = Some(start(connection, &chain, project, now).await?);
    }
    add(connection, &chain, head, entry, now).await?;
    Ok(())
}

/// The next number of `chain` and the hash before it; nothing when there is no such chain yet.
async fn take(connection: &mut Connection, chain: &str) -> Result<Option<(i64, String)>, Error> {
    Ok(sqlx::query_as("UPDATE audit_chains SET seq = seq + 1 WHERE chain = $1 RETURNING seq, hash")
        .bind(chain)
        .fetch_optional(connection)
        .await?)
}

/// Starts a project's chain: it follows from a fact of the general one.
async fn start(
    connection: &mut Connection,
    chain: &str,
    project: ProjectKey,
    now: Timestamp,
) -> Result<(i64, String), Error> {
    let entry = Entry::by_service(STARTED, AuditSubject::Project(project), json!({}));
    let started = add(connection, GENERAL, None, entry, now).await?;
    sqlx::query("INSERT INTO audit_chains (chain, seq, hash, sealed) VALUES ($1, 1, $2, 0)")
        .bind(chain)
        .bind(&started)
        .execute(connection)
        .await?;
    Ok((1, started))
}

/// Adds `entry` to `chain` at its taken `head`. Returns its hash.
async fn add(
    connection: &mut Connection,
    chain: &str,
    head: Option<(i64, String)>,
    entry: Entry<'_>,
    now: Timestamp,
) -> Result<String, Error> {
    let head = if head.is_some() { head } else { take(connection, chain).await? };
    let (seq, previous) = head.ok_or_else(|| Error::Corrupt(format!("the {chain} chain has no head")))?;
    let mut record = Record {
        chain: chain.to_owned(),
        seq,
        at: millis(now),
        kind: entry.kind.to_owned(),
        subject: entry.subject.to_string(),
        actor: entry.actor.to_owned(),
        detail: to_json(&entry.detail)?,
        previous,
        hash: String::new(),
    };
    record.hash = record.computed_hash()?.to_string();
    sqlx::query("UPDATE audit_chains SET hash = $2 WHERE chain = $1")
        .bind(chain)
        .bind(&record.hash)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO audit (chain, seq, at, kind, subject, actor, detail, previous, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(record.chain)
    .bind(record.seq)
    .bind(record.at)
    .bind(record.kind)
    .bind(record.subject)
    .bind(record.actor)
    .bind(record.detail)
    .bind(record.previous)
    .bind(&record.hash)
    .execute(connection)
    .await?;
    Ok(record.hash)
}

/// The project to which `subject` belongs, if to any.
async fn project_of(connection: &mut Connection, subject: AuditSubject) -> Result<Option<ProjectKey>, Error> {
    let query = match subject {
        AuditSubject::Project(project) => return Ok(Some(project)),
        AuditSubject::Delivery(_) | AuditSubject::Job(_) | AuditSubject::Person(_) => return Ok(None),
        AuditSubject::Finding(id) => {
            sqlx::query_as("SELECT company, project FROM findings WHERE id = $1").bind(id.to_string())
        }
        AuditSubject::Photo(id) => {
            sqlx::query_as("SELECT company, project FROM photos WHERE id = $1").bind(id.to_string())
        }
        AuditSubject::Mute(id) => {
            sqlx::query_as("SELECT company, project FROM mutes WHERE id = $1").bind(id.0)
        }
    };
    let found: Option<(i64, i64)> = query.fetch_optional(connection).await?;
    Ok(found.map(|(company, project)| ProjectKey {
        company: CompanyId::new(company),
        project: ProjectId::new(project),
    }))
}

impl Store {
    /// Names the latest row of each project's chain in the general chain, whose head then stands for all of them.
    /// Returns that head.
    pub async fn seal_audit(&self, now: Timestamp) -> Result<Sha256Digest, Error> {
        let mut transaction = self.begin().await?;
        let open: Vec<(String, i64, String)> = sqlx::query_as(
            "SELECT chain, seq, hash FROM audit_chains WHERE chain <> $1 AND seq > sealed ORDER BY chain",
        )
        .bind(GENERAL)
        .fetch_all(&mut *transaction)
        .await?;
        for (chain, seq, hash) in &open {
            let project = chain.parse().map_err(|error| Error::row("column", "audit_chains.chain", error))?;
            let seal = Seal { seq: *seq, hash: from_hex("audit_chains.hash", hash)? };
            let entry = Entry::by_service(SEALED, AuditSubject::Project(project), json!(seal));
            add(&mut transaction, GENERAL, None, entry, now).await?;
            sqlx::query("UPDATE audit_chains SET sealed = seq WHERE chain = $1")
                .bind(chain)
                .execute(&mut *transaction)
                .await?;
        }
        let head: String = sqlx::query_scalar("SELECT hash FROM audit_chains WHERE chain = $1")
            .bind(GENERAL)
            .fetch_one(&mut *transaction)
            .await?;
        if !open.is_empty() {
            self.commit(transaction).await?;
        }
        from_hex("audit_chains.hash", &head)
    }

    /// Everything recorded about `subject`, oldest first.
    pub async fn audit_of(&self, subject: AuditSubject) -> Result<Vec<AuditRow>, Error> {
        let records: Vec<Record> = sqlx::query_as(
            "SELECT * FROM audit WHERE subject = $1 ORDER BY CASE chain WHEN $2 THEN 0 ELSE 1 END, seq",
        )
        .bind(subject.to_string())
        .bind(GENERAL)
        .fetch_all(&self.0.readers)
        .await?;
        records.into_iter().map(Record::into_row).collect()
    }
}
