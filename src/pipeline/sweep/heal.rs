//! Deliveries that Procore gave up: read and received as if they had arrived.

use crate::domain::ids::ProjectKey;
use crate::pipeline::{Context, Failure};
use crate::procore::hooks::DeliveryStatus;
use crate::procore::webhook;
use crate::store::{NewDelivery, Received};

/// Receives what Procore discarded. What came all the same, by another delivery or before, is known by its event.
pub(super) async fn run(context: &Context, project: ProjectKey, namespace: &str) -> Result<(), Failure> {
    let procore = context.procore.background();
    let hooks = procore.hooks(project, namespace).await?;
    if hooks.iter().all(|hook| hook.disabled) {
        tracing::error!(%project, "no hook reports this project: run punchlens hooks sync");
    }
    let mut healed = 0;
    for hook in &hooks {
        for lost in procore.deliveries(project, hook, DeliveryStatus::Discarded).await? {
            let dedupe_key = webhook::parse(&lost.body).dedupe_key;
            let delivery = NewDelivery { dedupe_key, body: lost.body };
            if let Received::Stored(_) = context.store.receive(&delivery, context.now()).await? {
                healed += 1;
            }
        }
    }
    if healed > 0 {
        tracing::warn!(%project, deliveries = healed, "deliveries that Procore had given up are healed");
        context.metrics.healed(healed);
    }
    Ok(())
}
