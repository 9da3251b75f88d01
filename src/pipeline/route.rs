//! A stored webhook delivery: what does it call for?

use super::{Context, Failure, lists, reference};
use crate::domain::event::{Route, RoutingPolicy, route};
use crate::domain::ids::PhotoId;
use crate::domain::job::{InboxId, Job};
use crate::failpoint;
use crate::procore::webhook;
use crate::store::Lease;

/// Reads the delivery, notes what it calls for and queues it, in one transaction.
///
/// # Errors
/// When the store does not answer.
pub async fn run(context: &Context, lease: &Lease, inbox: InboxId) -> Result<(), Failure> {
    let delivery = context.store.delivery(inbox).await?;
    let parsed = webhook::parse(&delivery.body);
    let Some(event) = parsed.event else {
        let note = format!("ignored: {}", parsed.note.as_deref().unwrap_or("it names no event"));
        return Ok(context.store.settle_delivery(lease, inbox, &note, &[], context.now()).await?);
    };
    let config = context.procore.config();
    let permitted = config.permitted();
    let own_user = match permitted.iter().find(|project| project.company == event.company) {
        Some(project) => reference::own_user(context, *project).await?,
        None => None,
    };
    let policy = RoutingPolicy { permitted: &permitted, own_user, own_application: &config.client_id };
    let decided = route(&event, &policy);
    tracing::info!(
        event.resource = event.resource,
        event.resource_id = event.resource_id,
        route = ?decided,
        "webhook routed"
    );
    let (note, jobs) = follow_ups(context, &decided).await?;
    failpoint::reached("route.decided");
    Ok(context.store.settle_delivery(lease, inbox, &note, &jobs, context.now()).await?)
}

async fn follow_ups(context: &Context, decided: &Route) -> Result<(String, Vec<Job>), Failure> {
    Ok(match decided {
        Route::Analyze(project, image) => {
            context.descriptions.forget(PhotoId::of(*project, *image));
            (format!("analyze photo {image}"), vec![Job::AnalyzePhoto { project: *project, image: *image }])
        }
        Route::ForgetPhoto(project, image) => {
            context.store.forget_photo(None, PhotoId::of(*project, *image), context.now()).await?;
            (format!("forgot photo {image}"), vec![])
        }
        Route::PunchItemChanged(project, item) => {
            let finding = context.store.finding_of_punch_item(*project, *item).await?;
            let jobs = finding.map(|finding| Job::SyncPunchItem { finding }).into_iter().collect();
            (format!("punch item {item} changed in Procore"), jobs)
        }
        Route::ListChanged { key, entry, gone } => {
            lists::note(context, key, *entry, *gone).await?;
            (format!("{key}: {entry} {}", if *gone { "is gone" } else { "changed" }), vec![])
        }
        Route::Ignore(reason) => (format!("ignored: {reason}"), vec![]),
    })
}
