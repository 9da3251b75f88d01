//! A stored webhook delivery: what does it call for?

use super::{Context, Failure};
use crate::domain::event::{Route, RoutingPolicy, route};
use crate::domain::ids::{PhotoId, ProjectKey};
use crate::domain::job::{InboxId, Job};
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
        let note = format!("ignored: {}", parsed.note.unwrap_or_else(|| "not an event".to_owned()));
        return Ok(context.store.settle_delivery(lease, inbox, &note, &[], context.now()).await?);
    };
    let permitted: Vec<ProjectKey> = context.projects.iter().map(|project| project.key).collect();
    let decided = route(
        &event,
        &RoutingPolicy {
            permitted: &permitted,
            own_user: context.own_users.get(&event.company).copied(),
            own_application: context.procore.client_id(),
        },
    );
    tracing::info!(
        event.resource = event.resource,
        event.resource_id = event.resource_id,
        route = ?decided,
        "webhook routed"
    );
    let (note, jobs) = follow_ups(context, &decided).await?;
    Ok(context.store.settle_delivery(lease, inbox, &note, &jobs, context.now()).await?)
}

async fn follow_ups(context: &Context, decided: &Route) -> Result<(String, Vec<Job>), Failure> {
    Ok(match decided {
        Route::Analyze(project, image) => {
            (format!("analyze photo {image}"), vec![Job::AnalyzePhoto { project: *project, image: *image }])
        }
        Route::ForgetPhoto(project, image) => {
            context.store.forget_photo(PhotoId::of(*project, *image), context.now()).await?;
            (format!("forgot photo {image}"), vec![])
        }
        Route::PunchItemChanged(project, item) => {
            let finding = context.store.finding_of_punch_item(*project, *item).await?;
            let jobs = finding.map(|finding| Job::Deliver { finding }).into_iter().collect();
            (format!("punch item {item} changed in Procore"), jobs)
        }
        Route::RefreshReference(project) => {
            context.store.forget_cached(*project).await?;
            ("lists will be read again".to_owned(), vec![])
        }
        Route::Ignore(reason) => (format!("ignored: {reason}"), vec![]),
    })
}
