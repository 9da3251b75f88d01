//! Keeping the disk budget: what nobody needs any more goes, what somebody still has to decide
//! about stays.

use std::time::Duration;

use jiff::Timestamp;

use crate::store::rows::millis;
use crate::store::{Connection, Error, Store, overlays, sessions};

/// What a pruning removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Reduced pictures, each with its overlays.
    pub pictures: u64,
    pub deliveries: u64,
    /// Sessions that ran out.
    pub sessions: u64,
}

/// Pictures in which every finding is decided and carried over.
macro_rules! settled_pictures {
    () => {
        "SELECT photo FROM pictures WHERE NOT EXISTS
         (SELECT 1 FROM finding_photos JOIN findings ON findings.id = finding_photos.finding
          WHERE finding_photos.photo = pictures.photo
            AND (findings.state = 'proposed' OR findings.delivery = 'waiting'))"
    };
}

impl Store {
    /// Deletes settled pictures and deliveries beyond their age, and the oldest settled pictures
    /// beyond the budget. To be called now and then; the file keeps its size and reuses the room.
    pub async fn prune(&self, now: Timestamp) -> Result<Pruned, Error> {
        let config = &self.0.config;
        let mut transaction = self.begin().await?;
        let pictures = delete_aged(&mut transaction, days_before(now, config.picture_keep_days)).await?
            + delete_beyond_budget(&mut transaction, config.picture_budget_bytes).await?;
        overlays::delete_orphans(&mut transaction).await?;
        let deliveries = sqlx::query("DELETE FROM inbox WHERE settled_at < $1")
            .bind(days_before(now, config.inbox_keep_days))
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        let sessions = sessions::delete_expired(&mut transaction, now).await?;
        self.commit(transaction).await?;
        Ok(Pruned { pictures, deliveries, sessions })
    }
}

fn days_before(now: Timestamp, days: u32) -> i64 {
    let span = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
    millis(now).saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}

async fn delete_aged(connection: &mut Connection, before: i64) -> Result<u64, Error> {
    let deleted = sqlx::query(concat!(
        "DELETE FROM pictures WHERE stored_at < $1 AND photo IN (",
        settled_pictures!(),
        ")"
    ))
    .bind(before)
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}

/// Newest first, everything settled after the point where the sum passes the budget. What is not
/// settled takes its share of the budget first.
async fn delete_beyond_budget(connection: &mut Connection, budget: u64) -> Result<u64, Error> {
    let deleted = sqlx::query(concat!(
        "DELETE FROM pictures WHERE photo IN (
             SELECT photo FROM (
                 SELECT photo, SUM(size) OVER (ORDER BY settled, stored_at DESC, photo) AS used, settled
                 FROM (SELECT photo, stored_at, LENGTH(bytes)
                         + (SELECT COALESCE(SUM(LENGTH(crops.bytes)), 0) FROM crops WHERE crops.photo = pictures.photo)
                         + (SELECT COALESCE(SUM(LENGTH(score_maps.bytes)), 0) FROM score_maps
                            WHERE score_maps.photo = pictures.photo)
                         AS size, photo IN (",
        settled_pictures!(),
        ") AS settled FROM pictures) AS every) AS running
             WHERE settled AND used > $1)"
    ))
    .bind(i64::try_from(budget).unwrap_or(i64::MAX))
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}
