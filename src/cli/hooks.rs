//! `punchlens hooks`: the webhooks of the permitted projects in Procore.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};

use super::Settings;
use crate::domain::ids::ProjectKey;
use crate::procore::hooks::Wanted;
use crate::procore::webhook::WebhookSecrets;
use crate::procore::{Client, WebhookConfig};

/// Arguments of `hooks`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Action {
    /// Make or mend one hook for each permitted project.
    Sync,
    /// List this service's hooks.
    List,
    /// Remove this service's hooks.
    Remove,
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    let config = &settings.config;
    ensure!(
        !config.procore.projects.is_empty(),
        "no project is permitted: add one under [[procore.projects]]"
    );
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let client = Client::new(&config.procore, credentials.as_deref())?;
    let secrets = WebhookSecrets::read(&config.webhook, credentials.as_deref())?;
    for project in config.procore.permitted() {
        match args.action {
            Action::Sync => sync(&client, project, &config.webhook, &secrets).await?,
            Action::List => list(&client, project, &config.webhook).await?,
            Action::Remove => remove(&client, project, &config.webhook).await?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn sync(
    client: &Client,
    project: ProjectKey,
    webhook: &WebhookConfig,
    secrets: &WebhookSecrets,
) -> anyhow::Result<()> {
    ensure!(!webhook.public_url.is_empty(), "webhook.public_url is empty: Procore cannot reach this box");
    let wanted = Wanted {
        namespace: &webhook.namespace,
        destination_url: &webhook.public_url,
        authorization: secrets.current().context("webhook.authorization is not set")?,
    };
    let synced = client.sync_hook(project, wanted).await?;
    let how = if synced.created { "made" } else { "in place" };
    println!("{project}: hook {} {how}, {} triggers added", synced.hook.id, synced.added.len());
    for trigger in &synced.unavailable {
        println!("{project}: Procore does not offer {} {} here", trigger.resource, trigger.event);
    }
    Ok(())
}

async fn list(client: &Client, project: ProjectKey, webhook: &WebhookConfig) -> anyhow::Result<()> {
    for hook in client.hooks(project, &webhook.namespace).await? {
        let state = if hook.disabled { "disabled" } else { "active" };
        println!("{project}: hook {} to {} ({state})", hook.id, hook.destination_url);
    }
    Ok(())
}

async fn remove(client: &Client, project: ProjectKey, webhook: &WebhookConfig) -> anyhow::Result<()> {
    for hook in client.hooks(project, &webhook.namespace).await? {
        client.remove_hook(project, &hook).await?;
        println!("{project}: hook {} removed", hook.id);
    }
    Ok(())
}
