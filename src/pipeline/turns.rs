//! One create at a time in a project, and none in a project that is stopped.

use std::time::{Duration, Instant};

use super::{Context, Failure};
use crate::domain::card::Card;
use crate::domain::ids::ProjectKey;
use crate::store::CreateTurn;

/// How long a worker waits for its turn before it does something else.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// When a create that did not get its turn is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Waits for the turn of `card`. Returns whether creates of the project are known to become drafts.
pub(super) async fn take(context: &Context, card: &Card, setup: &str) -> Result<bool, Failure> {
    let began = Instant::now();
    loop {
        may_create(context, card.project).await?;
        match context.store.take_turn(card.project, card.finding.id, setup, context.now()).await? {
            CreateTurn::Granted { confirmed } => {
                // It may have been stopped by whoever had the turn before.
                if let Err(stopped) = may_create(context, card.project).await {
                    context.store.end_turn(card.project, card.finding.id).await?;
                    return Err(stopped);
                }
                return Ok(confirmed);
            }
            CreateTurn::Busy if began.elapsed() < PATIENCE => tokio::time::sleep(LOOK_EVERY).await,
            CreateTurn::Busy => return Err(Failure::NotYet { after: AGAIN_AFTER }),
        }
    }
}

/// Nothing is made in a project that was stopped until a person lets it go on; what is to be made waits.
pub(super) async fn may_create(context: &Context, project: ProjectKey) -> Result<(), Failure> {
    match context.store.stopped(project).await? {
        None => Ok(()),
        Some(stop) => Err(Failure::Waits { reason: stop.to_string() }),
    }
}

/// Stops the project and ends the turn of `card`, whose job then waits like all others.
pub(super) async fn stop(context: &Context, card: &Card, reason: &str) -> Result<(), Failure> {
    if context.store.stop_project(card.project, reason, context.now()).await? {
        tracing::error!(project = %card.project, reason, "nothing more is made in this project until a person has looked");
    }
    Ok(context.store.end_turn(card.project, card.finding.id).await?)
}
