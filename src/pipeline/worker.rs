//! Claim a job, run it, settle it. Attempts are counted at the claim, so a crash counts too.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::failure::Failure;
use super::lease::{LeaseGuard, Moment};
use super::{Context, analyze, deliver, link, route, sweep};
use crate::domain::job::Job;
use crate::domain::retry::Disposition;
use crate::failpoint;
use crate::store::{ClaimedJob, KINDS};

/// What one look at the queue came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollResult {
    /// A job was claimed and settled.
    Worked,
    /// Nothing could be claimed.
    Idle,
}

/// Runs `workers` workers until `stop` is cancelled; what they hold then is finished within the
/// grace period or given back.
pub async fn run(context: Arc<Context>, owner: String, stop: CancellationToken) {
    let mut workers = JoinSet::new();
    for number in 0..context.config.workers.max(1) {
        let (context, stop) = (Arc::clone(&context), stop.clone());
        let owner = format!("{owner}#{number}");
        workers.spawn(async move { work(&context, &owner, &stop).await });
    }
    while workers.join_next().await.is_some() {}
}

async fn work(context: &Context, owner: &str, stop: &CancellationToken) {
    let poll = Duration::from_millis(context.config.poll_ms);
    let mut changes = context.store.changed();
    while !stop.is_cancelled() {
        // Subscribed before the claim, so that a job queued meanwhile is not slept through.
        changes.mark_unchanged();
        match turn(context, owner, stop).await {
            Ok(PollResult::Worked) => {}
            Ok(PollResult::Idle) => {
                let due = until_due(context).await.unwrap_or(poll).min(poll);
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = changes.changed() => {}
                    () = tokio::time::sleep(due) => {}
                }
            }
            Err(error) => {
                tracing::error!(%error, "the store does not answer; trying again");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(poll) => {}
                }
            }
        }
    }
}

async fn until_due(context: &Context) -> Option<Duration> {
    let due = context.store.next_due(&KINDS).await.ok().flatten()?;
    Some(Duration::try_from(due.duration_since(context.now())).unwrap_or_default())
}

/// Claims one job and brings it to an end.
///
/// # Errors
/// When the store cannot be reached; a job's own failure is settled here and is no error.
pub async fn turn(
    context: &Context,
    owner: &str,
    stop: &CancellationToken,
) -> Result<PollResult, crate::store::Error> {
    let lease = Duration::from_secs(context.config.lease_s);
    let asked = Moment::now(context.clock);
    let Some(claimed) = context.store.claim(owner, &KINDS, lease, context.now()).await? else {
        return Ok(PollResult::Idle);
    };
    failpoint::reached("claim.taken");
    let hold = LeaseGuard::new(claimed.lease.clone(), asked, lease, context);
    let kind = claimed.job.kind();
    let span = tracing::info_span!(
        "job",
        job.kind = kind,
        job.id = claimed.lease.job().0,
        job.attempt = claimed.attempt
    );
    async {
        let outcome = tokio::select! {
            outcome = step(context, &claimed, &hold) => outcome,
            lost = hold.keep(context) => Err(lost),
            () = grace_over(context, stop) => {
                context.metrics.job(kind, "given_back");
                return context.store.give_back(&claimed.lease, context.now(), context.now()).await;
            }
        };
        settle(context, &claimed, outcome).await
    }
    .instrument(span)
    .await?;
    Ok(PollResult::Worked)
}

async fn grace_over(context: &Context, stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_secs(context.config.shutdown_grace_s)).await;
}

async fn step(context: &Context, claimed: &ClaimedJob, hold: &LeaseGuard) -> Result<(), Failure> {
    let lease = &claimed.lease;
    // On the heap, as a worker's stack does not hold all that a step may come to.
    match &claimed.job {
        Job::RouteEvent { inbox } => Box::pin(route::run(context, lease, *inbox)).await,
        Job::AnalyzePhoto { project, image } => {
            Box::pin(analyze::run(context, claimed, *project, *image)).await
        }
        Job::Publish { finding } | Job::ApplyDecision { finding } | Job::SyncPunchItem { finding } => {
            Box::pin(deliver::run(context, hold, *finding)).await
        }
        Job::LinkPhoto { finding, image } => Box::pin(link::run(context, hold, *finding, *image)).await,
        Job::Sweep { project } => Box::pin(sweep::run(context, lease, *project)).await,
    }
}

/// A step that succeeded has settled its job in its own transaction; a failure is settled here.
async fn settle(
    context: &Context,
    claimed: &ClaimedJob,
    outcome: Result<(), Failure>,
) -> Result<(), crate::store::Error> {
    let (lease, kind, now) = (&claimed.lease, claimed.job.kind(), context.now());
    let (disposition, message) = match outcome {
        Ok(()) => {
            context.metrics.job(kind, "done");
            return Ok(());
        }
        Err(Failure::LeaseLost) => {
            context.metrics.job(kind, "lease_lost");
            tracing::warn!("the lease was lost; another worker has the job");
            return Ok(());
        }
        Err(Failure::NotYet { after }) => {
            context.metrics.job(kind, "postponed");
            return context.store.give_back(lease, now + after, now).await;
        }
        Err(Failure::InDoubt { wait, reason }) => {
            context.metrics.job(kind, "retry");
            tracing::warn!(reason, wait_s = wait.as_secs(), "a write is in doubt; looking again later");
            return context.store.retry_later(lease, now + wait, &reason, now).await;
        }
        Err(Failure::Waits { reason }) => (Disposition::Park { reason: reason.clone() }, reason),
        Err(Failure::Step { disposition, message }) => (disposition, message),
    };
    let disposition = disposition.after(claimed.attempt);
    match disposition {
        // The client has already tried a fresh token once; more of them will not help soon.
        Disposition::RetryLater { .. } | Disposition::Reauthorise => {
            let asked = if let Disposition::RetryLater { after } = disposition { after } else { None };
            let wait = context.backoff().wait(claimed.attempt, asked, rand::random());
            context.metrics.job(kind, "retry");
            tracing::warn!(reason = message, wait_s = wait.as_secs(), "attempt failed; trying again later");
            context.store.retry_later(lease, now + wait, &message, now).await
        }
        Disposition::Park { reason } | Disposition::RetryThenPark { reason } => {
            context.metrics.job(kind, "parked");
            tracing::error!(reason, "job parked: a person must act");
            context.store.park(lease, &reason, now).await
        }
        Disposition::GiveUp { reason } => {
            context.metrics.job(kind, "dead");
            tracing::error!(reason, "job given up");
            context.store.bury(lease, &reason, now).await
        }
    }
}
