//! Webhook deliveries: on the disk before anybody is told that they arrived.

use jiff::Timestamp;

use crate::domain::ids::{ProjectKey, Sha256Digest};
use crate::domain::job::{InboxId, Job};
use crate::store::audit::{self, AuditSubject, Entry};
use crate::store::rows::{NAME_BYTES, bounded, instant, millis};
use crate::store::{Error, Lease, Store, WriteLock, queue};

/// As much of a body stands in the audit, bytes; Procore's events are shorter.
const BODY_IN_AUDIT: usize = 4096;

/// A delivery to be stored.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// What makes it the same delivery when it comes again: Procore's `ulid` or id, else a hash.
    pub dedupe_key: String,
    /// The body as it came.
    pub body: Vec<u8>,
}

/// What became of a delivery. Both are acknowledged alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is stored and queued.
    Stored(InboxId),
    /// It had come before.
    Duplicate,
}

/// A stored delivery.
#[derive(Debug, Clone)]
pub struct DeliveryRow {
    /// The body as it came.
    pub body: Vec<u8>,
    pub received_at: Timestamp,
    /// What it called for, once that is decided.
    pub route: Option<String>,
}

impl Store {
    /// Stores a delivery and queues its routing, in one transaction.
    pub async fn receive(&self, delivery: &NewDelivery, now: Timestamp) -> Result<Received, Error> {
        let mut transaction = self.begin_as(WriteLock::Free).await?;
        let id: Option<i64> = sqlx::query_scalar(
            "INSERT INTO inbox (dedupe_key, body, received_at) VALUES ($1, $2, $3)
             ON CONFLICT (dedupe_key) DO NOTHING RETURNING id",
        )
        .bind(fitting(&delivery.dedupe_key))
        .bind(&delivery.body)
        .bind(millis(now))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(id) = id.map(InboxId) else { return Ok(Received::Duplicate) };
        queue::insert(&mut transaction, &[Job::RouteEvent { inbox: id }], now, now).await?;
        self.commit(transaction).await?;
        Ok(Received::Stored(id))
    }

    /// A stored delivery.
    pub async fn delivery(&self, id: InboxId) -> Result<DeliveryRow, Error> {
        let row: Option<(Vec<u8>, i64, Option<String>)> =
            sqlx::query_as("SELECT body, received_at, route FROM inbox WHERE id = $1")
                .bind(id.0)
                .fetch_optional(&self.0.readers)
                .await?;
        let (body, received_at, route) = row.ok_or_else(|| unknown(id))?;
        Ok(DeliveryRow { body, received_at: instant(received_at)?, route })
    }

    /// Notes what a delivery called for, queues it, and completes the routing job, in one
    /// transaction.
    pub async fn settle_delivery(
        &self,
        lease: &Lease,
        id: InboxId,
        route: &str,
        jobs: &[Job],
        now: Timestamp,
    ) -> Result<(), Error> {
        let project = only_project(jobs);
        let mut transaction = self.begin_as(project.map_or(WriteLock::Alone, WriteLock::Project)).await?;
        queue::finish(&mut transaction, lease).await?;
        let route = bounded(route, self.0.config.reason_bytes);
        let body: Vec<u8> =
            sqlx::query_scalar("UPDATE inbox SET route = $2, settled_at = $3 WHERE id = $1 RETURNING body")
                .bind(id.0)
                .bind(route)
                .bind(millis(now))
                .fetch_optional(&mut *transaction)
                .await?
                .ok_or_else(|| unknown(id))?;
        let queued: Vec<String> = jobs.iter().map(Job::dedupe_key).collect();
        let detail = serde_json::json!({
            "route": route,
            "jobs": queued,
            "body": String::from_utf8_lossy(&body[..body.len().min(BODY_IN_AUDIT)]),
            "body_sha256": Sha256Digest::of(&body),
        });
        let mut entry = Entry::by_service("event.routed", AuditSubject::Delivery(id), detail);
        if let Some(project) = project {
            entry = entry.of(project);
        }
        audit::append(&mut transaction, entry, now).await?;
        queue::insert(&mut transaction, jobs, now, now).await?;
        self.commit(transaction).await
    }
}

/// The project of all of `jobs`, where they tell one.
fn only_project(jobs: &[Job]) -> Option<ProjectKey> {
    let of = |job: &Job| match job {
        Job::AnalyzePhoto { project, .. } | Job::Sweep { project } => Some(*project),
        _ => None,
    };
    let first = of(jobs.first()?)?;
    jobs.iter().all(|job| of(job) == Some(first)).then_some(first)
}

/// The key itself, or its digest where no index would take it.
fn fitting(key: &str) -> String {
    if bounded(key, NAME_BYTES).len() == key.len() {
        key.to_owned()
    } else {
        format!("key:{}", Sha256Digest::of(key.as_bytes()))
    }
}

fn unknown(id: InboxId) -> Error {
    Error::NotFound(format!("delivery {}", id.0))
}
