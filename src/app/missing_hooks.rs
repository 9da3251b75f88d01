//! Webhooks made while the service runs: whatever fails is tried again until every project has one.

use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::{App, hooks, pause};
use crate::domain::ids::ProjectKey;
use crate::domain::retry::Backoff;
use crate::procore::hooks::HookScope;

/// Waits between tries: a site's uplink may be back any second, a permission takes a person.
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(2), cap: Duration::from_mins(10) };

impl App {
    /// Makes or mends the webhook of every permitted project, where that was asked for, and tries again what failed.
    pub(super) async fn make_hooks(&self, stop: &CancellationToken) {
        let projects = self.context.procore.config().permitted();
        for project in &projects {
            self.note_hook(*project, None).await;
        }
        if !self.making_hooks {
            return;
        }
        if self.config.webhook.public_url.is_empty() {
            tracing::error!(
                "no webhooks are made: webhook.public_url is empty, so Procore cannot reach this box"
            );
            return;
        }
        let (mut missing, mut attempt) = (projects, 0_u32);
        while !missing.is_empty() && !stop.is_cancelled() {
            attempt = attempt.saturating_add(1);
            let wait = BACKOFF.wait(attempt, None, rand::random());
            missing = tokio::select! {
                () = stop.cancelled() => return,
                missing = self.try_hooks(&missing, wait) => missing,
            };
            if !missing.is_empty() {
                pause(wait, stop).await;
            }
        }
    }

    /// Returns the projects that have no webhook yet.
    async fn try_hooks(&self, projects: &[ProjectKey], wait: Duration) -> Vec<ProjectKey> {
        let outcomes = match self.sync_each(projects).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let reason = format!("{error:#}");
                tracing::warn!(
                    reason,
                    wait_s = wait.as_secs(),
                    "no webhook could be made; trying again later"
                );
                for project in projects {
                    self.note_hook(*project, Some((&reason, wait))).await;
                }
                return projects.to_vec();
            }
        };
        let mut missing = Vec::new();
        for outcome in outcomes {
            if let Some((project, reason)) = outcome.failure() {
                tracing::warn!(%project, reason, wait_s = wait.as_secs(), "no webhook yet; trying again later");
                self.note_hook(project, Some((&reason, wait))).await;
                missing.push(project);
                continue;
            }
            let hooks::Outcome { scope, synced } = outcome;
            match synced {
                Ok(synced) => {
                    let (hook, made) = (synced.hook.id, synced.created);
                    tracing::info!(%scope, hook.id = hook, created = made, "webhook in place");
                    if let HookScope::Project(project) = scope {
                        self.note_hook(project, None).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%scope, %error, "no webhook; what it would tell is asked for now and then");
                }
            }
        }
        missing
    }

    /// See [`hooks::sync`].
    async fn sync_each(&self, projects: &[ProjectKey]) -> anyhow::Result<Vec<hooks::Outcome>> {
        let secrets = self.secrets.secrets();
        let authorization = secrets
            .current()
            .context("webhook.authorization is not set: nothing would tell a delivery from a forgery")?;
        hooks::sync(&self.context.procore, &self.config.webhook, authorization, projects).await
    }

    /// Makes or mends the webhook of every permitted project, once.
    ///
    /// # Errors
    /// When there is no public address or no secret, or a project has no webhook afterwards.
    pub async fn sync_hooks(&self) -> anyhow::Result<Vec<hooks::Outcome>> {
        let outcomes = self.sync_each(&self.context.procore.config().permitted()).await?;
        if let Some((project, reason)) = outcomes.iter().find_map(hooks::Outcome::failure) {
            anyhow::bail!("project {project}: {reason}");
        }
        Ok(outcomes)
    }

    /// Notes for `doctor` and `/readyz` why a project has no webhook yet, or that nothing is wrong.
    async fn note_hook(&self, project: ProjectKey, failure: Option<(&str, Duration)>) {
        let (store, now) = (&self.context.store, self.context.now());
        let noted = match failure {
            Some((reason, wait)) => store.note_missing_hook(project, reason, now, now + wait).await,
            None => store.clear_missing_hook(project).await,
        };
        if let Err(error) = noted {
            tracing::warn!(%project, %error, "the state of the webhook could not be noted");
        }
    }
}
