//! Punch items that carry one of this service's references and are no finding's item here: made late, made twice, or
//! made before this database was.

use jiff::Timestamp;
use serde_json::json;

use crate::domain::ids::{FindingId, ProjectKey, PunchItemId};
use crate::store::audit::{self, AuditSubject, Entry};
use crate::store::rows::{from_hex, millis};
use crate::store::{Connection, Error, Lease, Store, queue};

impl Store {
    /// Remembers those of `items` that are no finding's. Returns the findings that are known here and whose reference one
    /// of them carries that was not known before.
    pub async fn note_strays(
        &self,
        project: ProjectKey,
        items: &[(PunchItemId, String)],
        now: Timestamp,
    ) -> Result<Vec<FindingId>, Error> {
        let mut strays = Vec::new();
        {
            let mut reader = self.0.readers.acquire().await?;
            for (item, reference) in items {
                if !accounted_for(&mut reader, project, *item).await? {
                    strays.push((*item, reference));
                }
            }
        }
        if strays.is_empty() {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin().await?;
        let mut findings = Vec::new();
        for (item, reference) in strays {
            let added = sqlx::query(
                "INSERT INTO stray_items (company, project, punch_item, reference, found_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (company, project, punch_item) DO NOTHING",
            )
            .bind(project.company.value())
            .bind(project.project.value())
            .bind(item.value())
            .bind(reference.clone())
            .bind(millis(now))
            .execute(&mut *transaction)
            .await?;
            if added.rows_affected() > 0 {
                findings.extend(of_reference(&mut transaction, project, reference).await?);
            }
        }
        self.commit(transaction).await?;
        Ok(findings)
    }

    /// The items under `reference` that are no finding's and about which nothing is decided yet, the oldest first.
    pub async fn strays(&self, project: ProjectKey, reference: &str) -> Result<Vec<PunchItemId>, Error> {
        let items: Vec<i64> = sqlx::query_scalar(
            "SELECT punch_item FROM stray_items
             WHERE company = $1 AND project = $2 AND reference = $3 AND left_because IS NULL ORDER BY punch_item",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(reference.to_owned())
        .fetch_all(&self.0.readers)
        .await?;
        Ok(items.into_iter().map(PunchItemId::new).collect())
    }

    /// Forgets `item`: it is the finding's, or it is gone.
    pub async fn forget_stray(&self, lease: &Lease, item: PunchItemId) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        queue::held(&mut transaction, lease).await?;
        sqlx::query("DELETE FROM stray_items WHERE punch_item = $1")
            .bind(item.value())
            .execute(&mut *transaction)
            .await?;
        self.commit(transaction).await
    }

    /// Leaves `item` as it is, because people worked with it.
    pub async fn leave_stray(
        &self,
        lease: &Lease,
        finding: FindingId,
        item: PunchItemId,
        because: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin_for(finding).await?;
        queue::held(&mut transaction, lease).await?;
        sqlx::query("UPDATE stray_items SET left_because = $2 WHERE punch_item = $1")
            .bind(item.value())
            .bind(because.to_owned())
            .execute(&mut *transaction)
            .await?;
        let detail = json!({ "item": item, "because": because });
        audit::append(
            &mut transaction,
            Entry::by_service("item.left", AuditSubject::Finding(finding), detail),
            now,
        )
        .await?;
        self.commit(transaction).await
    }
}

/// Whether `item` is a finding's, or is remembered already.
async fn accounted_for(
    connection: &mut Connection,
    project: ProjectKey,
    item: PunchItemId,
) -> Result<bool, Error> {
    let count: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM findings WHERE company = $1 AND project = $2 AND punch_item = $3)
              + (SELECT COUNT(*) FROM stray_items WHERE company = $1 AND project = $2 AND punch_item = $3)",
    )
    .bind(project.company.value())
    .bind(project.project.value())
    .bind(item.value())
    .fetch_one(connection)
    .await?;
    Ok(count > 0)
}

/// The finding with this reference, if it is known here.
async fn of_reference(
    connection: &mut Connection,
    project: ProjectKey,
    reference: &str,
) -> Result<Option<FindingId>, Error> {
    let Some(start) = FindingId::start_of(reference) else { return Ok(None) };
    // Ids are lower-case hex: 'g' comes after all that begins so.
    let finding: Option<String> = sqlx::query_scalar(
        "SELECT id FROM findings WHERE id >= $1 AND id < $2 AND company = $3 AND project = $4 LIMIT 1",
    )
    .bind(start.clone())
    .bind(format!("{start}g"))
    .bind(project.company.value())
    .bind(project.project.value())
    .fetch_optional(connection)
    .await?;
    finding.map(|hex| from_hex("findings.id", &hex)).transpose()
}
