//! The services that share the database: which of them live, and what a former life of one has left behind.

use std::time::Duration;

use jiff::Timestamp;

use crate::store::dialect::{Dialect, WriteLock};
use crate::store::rows::millis;
use crate::store::{Error, Store};

/// Rows of services that were not seen for so long are deleted.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24 * 30);

/// One life of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxLife {
    /// The name under which it holds jobs; another one in each life.
    pub owner: String,
    /// What stays the same from one life to the next.
    pub id: String,
    /// Where that is kept: machine, start of the machine, file.
    pub place: String,
}

impl Store {
    /// Whether other services may work on this database. An SQLite file has one service.
    pub fn is_shared(&self) -> bool {
        self.0.dialect == Dialect::Postgres
    }

    /// Notes that `life` lives, under its present id, and counts its beats.
    pub async fn beat(&self, life: &BoxLife, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin_as(WriteLock::Free).await?;
        sqlx::query(
            "INSERT INTO boxes (owner, box, place, beats, seen_at) VALUES ($1, $2, $3, 0, $4)
             ON CONFLICT (owner) DO UPDATE SET
                 box = excluded.box, beats = boxes.beats + 1, seen_at = excluded.seen_at",
        )
        .bind(&life.owner)
        .bind(&life.id)
        .bind(&life.place)
        .bind(millis(now))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The other lives with the id of `life`, each with its number of beats.
    pub async fn other_lives(&self, life: &BoxLife) -> Result<Vec<(BoxLife, i64)>, Error> {
        let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
            "SELECT owner, box, place, beats FROM boxes WHERE box = $1 AND owner <> $2 ORDER BY owner",
        )
        .bind(&life.id)
        .bind(&life.owner)
        .fetch_all(&self.0.readers)
        .await?;
        let other = |(owner, id, place, beats)| (BoxLife { owner, id, place }, beats);
        Ok(rows.into_iter().map(other).collect())
    }

    /// Frees the jobs that `owner` has left behind, and forgets it. Returns how many jobs.
    pub async fn bury_life(&self, owner: &str, now: Timestamp) -> Result<u64, Error> {
        let freed = self.reclaim_own(owner, now).await?;
        self.forget_life(owner, now).await?;
        Ok(freed)
    }

    /// Forgets a life that has ended and holds no job any more, and those that were not seen for a month.
    pub async fn forget_life(&self, owner: &str, now: Timestamp) -> Result<(), Error> {
        let before =
            millis(now).saturating_sub(i64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap_or(i64::MAX));
        let mut transaction = self.begin_as(WriteLock::Free).await?;
        sqlx::query("DELETE FROM boxes WHERE owner = $1 OR seen_at < $2")
            .bind(owner)
            .bind(before)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}
