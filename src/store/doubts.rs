//! What may have reached Procore without our hearing of it, and what did for certain.

use jiff::Timestamp;
use serde_json::json;

use crate::domain::delivery::{Doubt, Echo, History, ItemChange, RemoteItem};
use crate::domain::ids::{FindingId, PunchItemId};
use crate::domain::punch_item::PunchItemDraft;
use crate::store::audit::{self, AuditSubject, Entry};
use crate::store::rows::{from_json, from_name, instant, millis, to_json};
use crate::store::{Error, Lease, Store, WriteKind, queue};

/// A write whose answer never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenWrite {
    /// What was to be done; `None` for a photo that was to be attached.
    pub kind: Option<WriteKind>,
    /// Since when it is in doubt.
    pub doubt: Doubt,
}

impl Store {
    /// The writes about `finding` and its punch item whose outcome is not known: look whether they were carried out before
    /// anything else is written.
    pub async fn open_writes(&self, finding: FindingId) -> Result<Vec<OpenWrite>, Error> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT kind, begun_at, COALESCE(tried_at, begun_at) FROM outbox WHERE finding = $1 AND state = 'sending'
             UNION ALL
             SELECT how, begun_at, tried_at FROM links_sending
             WHERE how = 'attachment' AND punch_item = (SELECT punch_item FROM findings WHERE id = $1)",
        )
        .bind(finding.to_string())
        .fetch_all(&self.0.readers)
        .await?;
        let open = |(kind, since, last): (String, i64, i64)| {
            let kind = if kind == "attachment" { None } else { Some(from_name("outbox.kind", &kind)?) };
            Ok(OpenWrite { kind, doubt: Doubt { since: instant(since)?, last: instant(last)? } })
        };
        rows.into_iter().map(open).collect()
    }

    /// What was written about the finding's punch item `item`, and what Procore answered.
    pub async fn history(&self, finding: FindingId, item: Option<PunchItemId>) -> Result<History, Error> {
        let rows: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
            "SELECT kind, state, request, answer FROM outbox
             WHERE finding = $1 AND state IN ('delivered', 'sending', 'taken_over') ORDER BY id",
        )
        .bind(finding.to_string())
        .fetch_all(&self.0.readers)
        .await?;
        let mut history = History::default();
        for (kind, state, request, answer) in rows {
            // What was only seen, and not answered to a write of ours, has another form.
            let answer = answer.and_then(|answer| serde_json::from_str::<RemoteItem>(&answer).ok());
            match from_name("outbox.kind", &kind)? {
                WriteKind::Create => {
                    let draft: PunchItemDraft = match serde_json::from_str(&request) {
                        Ok(draft) => draft,
                        Err(_) => continue,
                    };
                    history.echoes.extend(answer.map(|answer| Echo::of_create(draft.clone(), answer)));
                    history.drafts.push(draft);
                }
                WriteKind::Update if state != "taken_over" => {
                    let change: ItemChange = from_json("outbox.request", &request)?;
                    history.echoes.extend(answer.map(|answer| Echo { sent: change.edits.clone(), answer }));
                    history.sent = Some(change);
                }
                WriteKind::Delete => {
                    let binned: Option<PunchItemId> = serde_json::from_str(&request).ok();
                    let this = binned.is_some() && binned == item;
                    history.binned |= this && state == "delivered";
                    history.binning |= this && state == "sending";
                }
                WriteKind::Update => {}
            }
        }
        Ok(history)
    }

    /// Makes `item` the finding's: it was found in Procore. Takes the doubt off its create.
    pub async fn adopt(
        &self,
        lease: &Lease,
        finding: FindingId,
        item: &RemoteItem,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin_for(finding).await?;
        queue::held(&mut transaction, lease).await?;
        sqlx::query("UPDATE findings SET punch_item = $2, position = COALESCE($3, position) WHERE id = $1")
            .bind(finding.to_string())
            .bind(item.id.value())
            .bind(item.position)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE outbox SET state = 'delivered', punch_item = $2, position = $3, answer = $4, finished_at = $5
             WHERE finding = $1 AND kind = 'create' AND state = 'sending'",
        )
        .bind(finding.to_string())
        .bind(item.id.value())
        .bind(item.position)
        .bind(to_json(&json!({ "seen": item }))?)
        .bind(millis(now))
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM stray_items WHERE punch_item = $1")
            .bind(item.id.value())
            .execute(&mut *transaction)
            .await?;
        let entry =
            Entry::by_service("item.adopted", AuditSubject::Finding(finding), json!({ "item": item }));
        audit::append(&mut transaction, entry, now).await?;
        self.commit(transaction).await
    }

    /// Records that one of two items under one reference went to the recycle bin, and which one is the finding's.
    pub async fn twin_binned(
        &self,
        lease: &Lease,
        finding: FindingId,
        (goes, stays): (PunchItemId, PunchItemId),
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin_for(finding).await?;
        queue::held(&mut transaction, lease).await?;
        sqlx::query(
            "UPDATE findings SET punch_item = $2, position = CASE WHEN punch_item = $2 THEN position END WHERE id = $1",
        )
        .bind(finding.to_string())
        .bind(stays.value())
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "UPDATE outbox SET state = 'delivered', punch_item = $2, finished_at = $3
             WHERE finding = $1 AND kind = 'delete' AND state = 'sending'",
        )
        .bind(finding.to_string())
        .bind(goes.value())
        .bind(millis(now))
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM stray_items WHERE punch_item IN ($1, $2)")
            .bind(goes.value())
            .bind(stays.value())
            .execute(&mut *transaction)
            .await?;
        let detail = json!({ "binned": goes, "kept": stays });
        audit::append(
            &mut transaction,
            Entry::by_service("item.twin_binned", AuditSubject::Finding(finding), detail),
            now,
        )
        .await?;
        self.commit(transaction).await
    }

    /// Notes on the card why its delivery waits.
    pub async fn note(&self, lease: &Lease, finding: FindingId, notice: &str) -> Result<(), Error> {
        let mut transaction = self.begin_for(finding).await?;
        queue::held(&mut transaction, lease).await?;
        sqlx::query("UPDATE findings SET notice = $2 WHERE id = $1")
            .bind(finding.to_string())
            .bind(notice.to_owned())
            .execute(&mut *transaction)
            .await?;
        self.commit(transaction).await
    }
}
