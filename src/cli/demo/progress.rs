//! Wait until every uploaded photo is through and every draft is in Procore.

use std::time::Duration;

use anyhow::ensure;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::domain::review::Delivery;
use crate::store::{PhotoSummary, Store};

/// How long nothing may happen before the demo gives up.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often the store is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Shows a bar until `expected` photos are through.
pub(super) async fn until_through(store: &Store, expected: usize) -> anyhow::Result<Vec<PhotoSummary>> {
    let bar = ProgressBar::new(expected as u64).with_style(ProgressStyle::with_template(
        "{bar:40.cyan/blue} {pos}/{len} photos, {per_sec}, {eta} left",
    )?);
    let mut quiet = Duration::ZERO;
    let mut seen = 0;
    loop {
        let summaries = store.photos_summary().await?;
        let waiting = summaries.iter().flat_map(|summary| &summary.cards);
        let waiting = waiting.filter(|card| card.delivery == Delivery::Waiting).count();
        bar.set_position(summaries.len() as u64);
        if summaries.len() >= expected && waiting == 0 {
            bar.finish_and_clear();
            return Ok(summaries);
        }
        let progress = summaries.len() * 1000 + 1000 - waiting.min(999);
        quiet = if progress == seen { quiet + LOOK_EVERY } else { Duration::ZERO };
        seen = progress;
        if quiet >= PATIENCE {
            let stats = store.queue_stats(Timestamp::now()).await?;
            let dead = store.jobs(None, 20).await?;
            let reasons: Vec<String> =
                dead.into_iter().filter_map(|job| Some(format!("{}: {}", job.kind, job.error?))).collect();
            ensure!(quiet < PATIENCE, "nothing moved for {PATIENCE:?}: {stats:?} {}", reasons.join("; "));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
