//! `punchlens hooks`: the webhooks of the permitted projects in Procore.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};

use super::Settings;
use crate::app::hooks;
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
    /// Give every hook a new authorization value; the service accepts both until it is told to retire the old one.
    Rotate {
        /// End the rotation: the old value is no longer accepted. Procore repeats a delivery for up to 12 hours.
        #[arg(long)]
        retire: bool,
    },
    /// Remove this service's hooks.
    Remove,
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    let config = &settings.config;
    ensure!(
        !config.procore.projects.is_empty(),
        "no project is permitted: add one under [[procore.projects]]"
    );
    let credentials = crate::secrets::credentials();
    let client = Client::new(&config.procore, credentials.as_deref())?;
    let webhook = &config.webhook;
    match args.action {
        Action::Sync => return sync(&client, webhook, credentials.as_deref()).await,
        Action::List => {
            for (scope, hook) in hooks::list(&client, &webhook.namespace).await? {
                let state = if hook.disabled { "disabled" } else { "active" };
                println!("{scope}: hook {} to {} ({state})", hook.id, hook.destination_url);
            }
        }
        Action::Rotate { retire: false } => rotate(&client, webhook, credentials.as_deref()).await?,
        Action::Rotate { retire: true } => {
            hooks::retire(&client, webhook, credentials.as_deref()).await?;
            println!("The value before is retired: the service refuses it within {} s.", webhook.reload_s);
        }
        Action::Remove => {
            for (scope, hook) in hooks::remove(&client, &webhook.namespace).await? {
                println!("{scope}: hook {} removed", hook.id);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn sync(
    client: &Client,
    webhook: &WebhookConfig,
    credentials: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let secrets = WebhookSecrets::read(webhook, credentials)?;
    let authorization = secrets.current().context("webhook.authorization is not set")?;
    let projects = client.config().permitted();
    let mut failed = false;
    for outcome in hooks::sync(client, webhook, authorization, &projects).await? {
        if let Some((project, reason)) = outcome.failure() {
            println!("{project}: no hook: {reason}");
            failed = true;
            continue;
        }
        let hooks::Outcome { scope, synced } = outcome;
        let synced = match synced {
            Ok(synced) => synced,
            Err(error) => {
                let reason = hooks::why(scope, &error);
                println!("{scope}: no hook, so its trades are read again now and then ({reason})");
                continue;
            }
        };
        let how = if synced.created { "made" } else { "in place" };
        println!("{scope}: hook {} {how}, {} triggers added", synced.hook.id, synced.added.len());
        if synced.hook.disabled {
            println!(
                "{scope}: switched off in Procore; run hooks remove, then hooks sync, to create a new one"
            );
        }
        for trigger in &synced.unavailable {
            println!("{scope}: Procore does not offer {} {} here", trigger.resource, trigger.event);
        }
        for stray in &synced.strays {
            println!("{scope}: hook {} in our namespace leads to {}", stray.id, stray.destination_url);
        }
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

async fn rotate(client: &Client, webhook: &WebhookConfig, credentials: Option<&Path>) -> anyhow::Result<()> {
    let rotated = hooks::rotate(client, webhook, credentials).await?;
    if let Some(file) = rotated.file.as_ref().filter(|_| !rotated.resumed) {
        println!("New value in {}, the old one beside it.", file.display());
    }
    for (scope, hook) in &rotated.hooks {
        println!("{scope}: hook {} carries the new value", hook.id);
    }
    println!("Both values are accepted. After 12 hours: punchlens hooks rotate --retire");
    Ok(())
}
