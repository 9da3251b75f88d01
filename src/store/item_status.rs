//! How the punch items of findings stand in Procore, and which of them are still followed there.

use crate::domain::ids::{FindingId, ProjectKey, PunchItemId};
use crate::domain::item_status::ItemStatus;
use crate::domain::omitted_field::OmittedField;
use crate::store::rows::{from_hex, from_json_option, to_json};
use crate::store::{Error, Store};

impl Store {
    /// Keeps how a finding's punch item stands. Nothing is written where it stands as it did. Returns whether it changed.
    pub async fn note_standing(&self, finding: FindingId, standing: &ItemStatus) -> Result<bool, Error> {
        let known: Option<Option<String>> =
            sqlx::query_scalar("SELECT in_procore FROM findings WHERE id = $1")
                .bind(finding.to_string())
                .fetch_optional(&self.0.readers)
                .await?;
        let known: Option<ItemStatus> = from_json_option("findings.in_procore", known.flatten().as_deref())?;
        if known.is_some_and(|known| known.agrees_with(standing)) {
            return Ok(false);
        }
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE findings SET in_procore = $2, item_over = $3 WHERE id = $1")
            .bind(finding.to_string())
            .bind(to_json(standing)?)
            .bind(i64::from(standing.is_over()))
            .execute(&mut *transaction)
            .await?;
        self.commit(transaction).await?;
        Ok(true)
    }

    /// Keeps what did not go to Procore as suggested or decided, in place of what was kept before.
    pub async fn note_left_out(&self, finding: FindingId, left_out: &[OmittedField]) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE findings SET left_out = $2 WHERE id = $1")
            .bind(finding.to_string())
            .bind(to_json(&left_out)?)
            .execute(&mut *transaction)
            .await?;
        self.commit(transaction).await
    }

    /// Punch items of `project` that the roll call asks after, by item, after `after`: drafts that nobody has decided about,
    /// and items in Procore's hands until they are closed or deleted.
    pub async fn followed_items(
        &self,
        project: ProjectKey,
        after: Option<PunchItemId>,
        most: usize,
    ) -> Result<Vec<(PunchItemId, FindingId)>, Error> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT punch_item, id FROM findings WHERE company = $1 AND project = $2 AND punch_item > $3
             AND (state = 'proposed' OR (state IN ('accepted', 'taken_over') AND item_over = 0))
             ORDER BY punch_item LIMIT $4",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(after.map_or(i64::MIN, PunchItemId::value))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.0.readers)
        .await?;
        let row =
            |(item, finding): (i64, String)| Ok((PunchItemId::new(item), from_hex("findings.id", &finding)?));
        rows.into_iter().map(row).collect()
    }
}
