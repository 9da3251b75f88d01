//! Evidence: append-only rows, each hashed together with the one before, written in the same
//! transaction as what they record.

use std::fmt;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::evidence::{Fact, START, chained};
use crate::domain::ids::{FindingId, PhotoId, ProjectKey, Sha256Digest};
use crate::domain::job::{InboxId, JobId};
use crate::domain::people::{Person, Who};
use crate::domain::review::MuteId;
use crate::store::record::record;
use crate::store::rows::{from_hex, from_json, instant, millis, to_json};
use crate::store::{Connection, Error, Store};

/// The author of what no person did.
const SERVICE: &str = "punchlens";

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A webhook delivery.
    Delivery(InboxId),
    /// A photo.
    Photo(PhotoId),
    /// A finding.
    Finding(FindingId),
    /// A job that a person retried or dropped.
    Job(JobId),
    /// A project that was stopped or let go on.
    Project(ProjectKey),
    /// A mute.
    Mute(MuteId),
    /// Somebody who may sign in.
    Person(Who),
}

impl fmt::Display for Subject {
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
    /// Its number; the first is 1 and none is left out.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What happened, e.g. `finding.decided`.
    pub kind: String,
    /// To what, e.g. `finding:3f…`.
    pub subject: String,
    /// Who did it.
    pub actor: String,
    /// The particulars.
    pub detail: Value,
    /// The hash over this row and the previous hash.
    pub hash: Sha256Digest,
}

/// What a walk along the whole chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Rows read.
    pub rows: u64,
    /// The last hash, to be noted down elsewhere: later chains must contain it.
    pub head: Sha256Digest,
    /// The first place where the chain does not hold, if there is one.
    pub broken: Option<AuditBreak>,
}

/// Where and how a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditBreak {
    /// The row's number.
    pub seq: i64,
    /// What is wrong with it.
    pub what: String,
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
    subject: Subject,
    actor: &'a str,
    detail: Value,
}

impl Entry<'_> {
    /// Something that the service did by itself.
    pub(crate) fn by_service(kind: &'static str, subject: Subject, detail: Value) -> Self {
        Self { kind, subject, actor: SERVICE, detail }
    }
}

impl<'a> Entry<'a> {
    /// Something that a person did.
    pub(crate) fn by(
        actor: impl Into<Actor<'a>>,
        kind: &'static str,
        subject: Subject,
        mut detail: Value,
    ) -> Self {
        let actor = actor.into();
        if let (Some(person), Value::Object(fields)) = (actor.person, &mut detail) {
            fields.insert("person".to_owned(), json!(person));
        }
        Self { kind, subject, actor: actor.name, detail }
    }
}

record! {
    pub(crate) struct Record {
        pub(crate) seq: i64,
        at: i64,
        kind: String,
        subject: String,
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

    /// What is wrong with this row as the successor of row `seq` with `hash`.
    fn fault(&self, seq: i64, hash: &str) -> Option<String> {
        if self.seq != seq + 1 {
            Some(format!("rows {} to {} are missing", seq + 1, self.seq - 1))
        } else if self.previous != hash {
            Some("it does not follow from the row before".into())
        } else if self.computed_hash().map(|hash| hash.to_string()).ok().as_ref() != Some(&self.hash) {
            Some("its content was changed".into())
        } else {
            None
        }
    }

    fn into_row(self) -> Result<AuditRow, Error> {
        Ok(AuditRow {
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

/// Adds `entry` to the chain. The head's row is the lock that keeps writers in line.
pub(crate) async fn append(
    connection: &mut Connection,
    entry: Entry<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let (seq, previous): (i64, String) =
        sqlx::query_as("UPDATE audit_head SET seq = seq + 1 WHERE \"only\" = 1 RETURNING seq, hash")
            .fetch_one(&mut *connection)
            .await?;
    let mut record = Record {
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
    sqlx::query("UPDATE audit_head SET hash = $1 WHERE \"only\" = 1")
        .bind(&record.hash)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO audit (seq, at, kind, subject, actor, detail, previous, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(record.seq)
    .bind(record.at)
    .bind(record.kind)
    .bind(record.subject)
    .bind(record.actor)
    .bind(record.detail)
    .bind(record.previous)
    .bind(record.hash)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Walks the whole chain and tells where it first does not hold.
    pub async fn verify_audit(&self) -> Result<AuditReport, Error> {
        // One transaction, so that head and rows are of the same moment.
        let mut snapshot = self.snapshot().await?;
        let (head_seq, head_hash): (i64, String) =
            sqlx::query_as("SELECT seq, hash FROM audit_head WHERE \"only\" = 1")
                .fetch_one(&mut *snapshot)
                .await?;
        let mut rows = 0;
        let mut broken = None;
        let mut seq = 0;
        let mut hash = START.to_string();
        {
            let mut records =
                sqlx::query_as::<_, Record>("SELECT * FROM audit ORDER BY seq").fetch(&mut *snapshot);
            while let Some(record) = records.try_next().await? {
                rows += 1;
                if broken.is_none() {
                    broken = record.fault(seq, &hash).map(|what| AuditBreak { seq: record.seq, what });
                }
                seq = record.seq;
                hash = record.hash;
            }
        }
        if broken.is_none() && (seq != head_seq || hash != head_hash) {
            let what = format!("the chain should end at row {head_seq}, but ends at row {seq}");
            broken = Some(AuditBreak { seq, what });
        }
        Ok(AuditReport { rows, head: from_hex("audit_head.hash", &head_hash)?, broken })
    }

    /// Everything recorded about `subject`, oldest first.
    pub async fn audit_of(&self, subject: Subject) -> Result<Vec<AuditRow>, Error> {
        let records: Vec<Record> = sqlx::query_as("SELECT * FROM audit WHERE subject = $1 ORDER BY seq")
            .bind(subject.to_string())
            .fetch_all(&self.0.readers)
            .await?;
        records.into_iter().map(Record::into_row).collect()
    }
}
