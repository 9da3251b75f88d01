//! Jobs that a former life of this box has left behind are freed, and nobody else's.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::identity::Identity;
use super::{App, pause};
use crate::store::{BoxLife, Error};

/// How often a box that shares its database shows that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(2);

/// A life that shows nothing for so many beats has ended.
const BEATS_MISSED: u32 = 5;

impl App {
    /// Frees what former lives of this box left behind, and shows that this one lives.
    pub(super) async fn live(&self, identity: &mut Identity, stop: &CancellationToken) {
        let mut unsure = loop {
            match self.free_own(identity).await {
                Ok(unsure) => break unsure,
                Err(error) => {
                    tracing::error!(%error, "what this box left behind could not be freed yet; trying again");
                    pause(BEAT_EVERY, stop).await;
                }
            }
            if stop.is_cancelled() {
                return;
            }
        };
        let mut beats = 0;
        while self.context.store.is_shared() && !stop.is_cancelled() {
            pause(BEAT_EVERY, stop).await;
            let mut beaten = self.context.store.beat(&identity.life, self.context.now()).await;
            beats += 1;
            if beats >= BEATS_MISSED && !unsure.is_empty() && beaten.is_ok() {
                beaten = self.decide(identity, &unsure).await;
                if beaten.is_ok() {
                    unsure.clear();
                }
            }
            if let Err(error) = beaten {
                tracing::warn!(%error, "other boxes do not see now that this one lives");
            }
        }
    }

    /// Notes that this life ends in order: it has left nothing behind.
    pub(super) async fn end_life(&self, identity: &Identity) {
        if let Err(error) = self.context.store.forget_life(&identity.life.owner, self.context.now()).await {
            tracing::debug!(%error, "the end of this life was not noted");
        }
    }

    /// Frees what this very box has left behind, as the lock on its file proves. Returns the lives with the same id
    /// that may be another box's: of a copied disk, or of this box before its machine was started anew.
    async fn free_own(&self, identity: &Identity) -> Result<Vec<(BoxLife, i64)>, Error> {
        let (store, now) = (&self.context.store, self.context.now());
        store.beat(&identity.life, now).await?;
        let mut unsure = Vec::new();
        for (other, beats) in store.other_lives(&identity.life).await? {
            if store.is_shared() && other.place != identity.life.place {
                unsure.push((other, beats));
                continue;
            }
            self.free(&other).await?;
        }
        Ok(unsure)
    }

    /// Frees the jobs of those that have shown nothing since, and takes another id where one has.
    async fn decide(&self, identity: &mut Identity, unsure: &[(BoxLife, i64)]) -> Result<(), Error> {
        let now = self.context.store.other_lives(&identity.life).await?;
        let beats_now = |life: &BoxLife| now.iter().find(|(other, _)| other == life).map(|(_, beats)| *beats);
        let mut copied = false;
        for (life, beats) in unsure {
            match beats_now(life) {
                Some(now) if now == *beats => self.free(life).await?,
                Some(_) => copied = true,
                None => {}
            }
        }
        if copied {
            identity.renew();
            self.context.store.beat(&identity.life, self.context.now()).await?;
            tracing::warn!(
                "another running box has this box's id, as after copying a disk: this box has a new id"
            );
        }
        Ok(())
    }

    async fn free(&self, life: &BoxLife) -> Result<(), Error> {
        let freed = self.context.store.bury_life(&life.owner, self.context.now()).await?;
        if freed > 0 {
            tracing::info!(jobs = freed, owner = life.owner, "freed what this box left behind");
        }
        Ok(())
    }
}
