//! Procore's lists while they are read: who reads, which pages are there, what has changed since.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::event::ListKey;
use crate::domain::ids::ProjectId;
use crate::store::clock::CLOCKS_APART_MS;
use crate::store::rows::{from_json, instant, millis, to_json};
use crate::store::{Error, Store, Transaction};

/// In place of the project where a list is the company's.
const NO_PROJECT: i64 = 0;

/// A page of a list that was not read to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct ListPage {
    /// Its number, from 1.
    pub page: usize,
    pub rows: Vec<Value>,
    /// When it was read.
    pub read_at: Timestamp,
}

/// An entry that changed since its list was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListChange {
    pub entry: i64,
    /// Whether it was deleted.
    pub gone: bool,
    /// When that became known.
    pub at: Timestamp,
}

/// The columns that name a list.
fn named(key: &ListKey) -> (i64, i64, &'static str) {
    let project = key.project.map_or(NO_PROJECT, ProjectId::value);
    (key.company.value(), project, key.list.name())
}

impl Store {
    /// The list as it was read, and when.
    pub async fn list(&self, key: &ListKey) -> Result<Option<(Value, Timestamp)>, Error> {
        let (company, project, kind) = named(key);
        let row: Option<(String, i64)> = sqlx::query_as(
            "SELECT value, read_at FROM reference_data WHERE company = $1 AND project = $2 AND kind = $3",
        )
        .bind(company)
        .bind(project)
        .bind(kind)
        .fetch_optional(&self.0.readers)
        .await?;
        row.map(|(value, at)| Ok((from_json("reference_data.value", &value)?, instant(at)?))).transpose()
    }

    /// Makes `reader` the one who reads the list until `expires_at`. False while another reads it.
    pub async fn claim_list(
        &self,
        key: &ListKey,
        reader: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<bool, Error> {
        let (company, project, kind) = named(key);
        let expires_at = millis(now.checked_add(lease).unwrap_or(Timestamp::MAX));
        let mut transaction = self.begin().await?;
        // A claim that ends much later than any made now was made by a clock that ran ahead. A little later is no proof:
        // its reader may have read the clock after this caller did.
        let claimed = sqlx::query(
            "INSERT INTO list_readers (company, project, kind, reader, expires_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (company, project, kind)
             DO UPDATE SET reader = excluded.reader, expires_at = excluded.expires_at
             WHERE list_readers.reader = excluded.reader OR list_readers.expires_at <= $6
                OR list_readers.expires_at > $7",
        )
        .bind(company)
        .bind(project)
        .bind(kind)
        .bind(reader)
        .bind(expires_at)
        .bind(millis(now))
        .bind(expires_at.saturating_add(CLOCKS_APART_MS))
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        transaction.commit().await?;
        Ok(claimed > 0)
    }

    /// Ends `reader`'s claim, if it still is theirs.
    pub async fn release_list(&self, key: &ListKey, reader: &str) -> Result<(), Error> {
        let (company, project, kind) = named(key);
        let mut transaction = self.begin().await?;
        sqlx::query(
            "DELETE FROM list_readers WHERE company = $1 AND project = $2 AND kind = $3 AND reader = $4",
        )
        .bind(company)
        .bind(project)
        .bind(kind)
        .bind(reader)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Keeps a page of the list, read with pages of `size` rows.
    pub async fn keep_list_page(&self, key: &ListKey, size: usize, page: &ListPage) -> Result<(), Error> {
        let (company, project, kind) = named(key);
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO list_pages (company, project, kind, page, size, entries, read_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (company, project, kind, page)
             DO UPDATE SET size = excluded.size, entries = excluded.entries, read_at = excluded.read_at",
        )
        .bind(company)
        .bind(project)
        .bind(kind)
        .bind(count(page.page))
        .bind(count(size))
        .bind(to_json(&page.rows)?)
        .bind(millis(page.read_at))
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// The pages of the list that are kept from a reading that did not come to its end: from the first without a gap,
    /// none older than `since`.
    pub async fn list_pages(
        &self,
        key: &ListKey,
        size: usize,
        since: Timestamp,
    ) -> Result<Vec<ListPage>, Error> {
        let (company, project, kind) = named(key);
        let rows: Vec<(i64, String, i64)> = sqlx::query_as(
            "SELECT page, entries, read_at FROM list_pages
             WHERE company = $1 AND project = $2 AND kind = $3 AND size = $4 AND read_at >= $5 ORDER BY page",
        )
        .bind(company)
        .bind(project)
        .bind(kind)
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .bind(millis(since))
        .fetch_all(&self.0.readers)
        .await?;
        let in_line = rows.into_iter().zip(1..).take_while(|((page, ..), number)| page == number);
        in_line
            .map(|((page, entries, at), _)| {
                let page = usize::try_from(page).unwrap_or_default();
                Ok(ListPage { page, rows: from_json("list_pages.entries", &entries)?, read_at: instant(at)? })
            })
            .collect()
    }

    /// Keeps the list, whose reading `began` then: pages and changes of before are done with.
    pub async fn keep_list(
        &self,
        key: &ListKey,
        value: &Value,
        began: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        write(&mut transaction, key, value, now).await?;
        let (company, project, kind) = named(key);
        sqlx::query("DELETE FROM list_pages WHERE company = $1 AND project = $2 AND kind = $3")
            .bind(company)
            .bind(project)
            .bind(kind)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM list_changes WHERE company = $1 AND project = $2 AND kind = $3 AND at < $4")
            .bind(company)
            .bind(project)
            .bind(kind)
            .bind(millis(began))
            .execute(&mut *transaction)
            .await?;
        self.commit(transaction).await
    }

    /// Drops the list, so that it is read again when next needed.
    pub async fn forget_list(&self, key: &ListKey) -> Result<(), Error> {
        let (company, project, kind) = named(key);
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM reference_data WHERE company = $1 AND project = $2 AND kind = $3")
            .bind(company)
            .bind(project)
            .bind(kind)
            .execute(&mut *transaction)
            .await?;
        self.commit(transaction).await
    }

    /// Notes that an entry changed, or is gone.
    pub async fn note_list_change(&self, key: &ListKey, change: ListChange) -> Result<(), Error> {
        let (company, project, kind) = named(key);
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO list_changes (company, project, kind, entry, gone, at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (company, project, kind, entry) DO UPDATE SET gone = excluded.gone, at = excluded.at",
        )
        .bind(company)
        .bind(project)
        .bind(kind)
        .bind(change.entry)
        .bind(i64::from(change.gone))
        .bind(millis(change.at))
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }

    /// What changed since the list was read, oldest first.
    pub async fn list_changes(&self, key: &ListKey) -> Result<Vec<ListChange>, Error> {
        let (company, project, kind) = named(key);
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "SELECT entry, gone, at FROM list_changes WHERE company = $1 AND project = $2 AND kind = $3
             ORDER BY at, entry",
        )
        .bind(company)
        .bind(project)
        .bind(kind)
        .fetch_all(&self.0.readers)
        .await?;
        let change = |(entry, gone, at)| Ok(ListChange { entry, gone: gone != 0, at: instant(at)? });
        rows.into_iter().map(change).collect()
    }

    /// Keeps the list with `changes` applied; it is as old as it was.
    pub async fn keep_changed_list(
        &self,
        key: &ListKey,
        value: &Value,
        read_at: Timestamp,
        changes: &[ListChange],
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        write(&mut transaction, key, value, read_at).await?;
        let (company, project, kind) = named(key);
        for change in changes {
            // One that came meanwhile is for the next time.
            sqlx::query(
                "DELETE FROM list_changes
                 WHERE company = $1 AND project = $2 AND kind = $3 AND entry = $4 AND at = $5",
            )
            .bind(company)
            .bind(project)
            .bind(kind)
            .bind(change.entry)
            .bind(millis(change.at))
            .execute(&mut *transaction)
            .await?;
        }
        self.commit(transaction).await
    }
}

async fn write(
    transaction: &mut Transaction,
    key: &ListKey,
    value: &Value,
    read_at: Timestamp,
) -> Result<(), Error> {
    let (company, project, kind) = named(key);
    sqlx::query(
        "INSERT INTO reference_data (company, project, kind, value, read_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (company, project, kind)
         DO UPDATE SET value = excluded.value, read_at = excluded.read_at",
    )
    .bind(company)
    .bind(project)
    .bind(kind)
    .bind(to_json(value)?)
    .bind(millis(read_at))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
