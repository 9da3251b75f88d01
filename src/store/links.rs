//! Photos brought to a punch item that was there before them.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::ids::FindingId;
use crate::store::audit::{self, Entry, Subject};
use crate::store::{Error, Lease, Store, queue};

impl Store {
    /// Records how the leased job that brings a photo to a finding's punch item ended, and completes it.
    pub async fn finish_link(
        &self,
        lease: &Lease,
        finding: FindingId,
        detail: Value,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.begin_for(finding).await?;
        queue::finish(&mut transaction, lease).await?;
        let entry = Entry::by_service("photo.linked", Subject::Finding(finding), detail);
        audit::append(&mut transaction, entry, now).await?;
        self.commit(transaction).await
    }
}
