//! A project that was refused altogether and answers again: what was parked meanwhile is tried again.

use jiff::Timestamp;

use crate::domain::ids::ProjectKey;
use crate::store::queue::{Lease, finish};
use crate::store::{Error, Store, stops};

impl Store {
    /// Completes the leased sweep of `project`. Where the sweep before it was parked, the project has come back, and
    /// everything of it that is parked is queued again. Returns how many jobs that were.
    pub async fn complete_sweep(
        &self,
        lease: &Lease,
        project: ProjectKey,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let mut transaction = self.begin().await?;
        let parked: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM jobs AS former JOIN jobs AS sweep ON sweep.dedupe_key = former.dedupe_key
             WHERE sweep.id = $1 AND former.state = 'parked'",
        )
        .bind(lease.job().0)
        .fetch_one(&mut *transaction)
        .await?;
        finish(&mut transaction, lease).await?;
        let mut queued = 0;
        if parked > 0 {
            queued = stops::free_parked(&mut transaction, project, now).await?;
        }
        self.commit(transaction).await?;
        Ok(queued)
    }
}
