//! `punchlens hooks`: the webhooks of the permitted projects in Procore.

use std::process::ExitCode;

use anyhow::ensure;

use super::Settings;
use crate::procore::{Client, hooks};

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
    ensure!(!config.procore.projects.is_empty(), "no project is permitted: add one under [[procore.projects]]");
    let client = Client::new(&config.procore)?;
    for project in &config.procore.projects {
        let key = project.key();
        match args.action {
            Action::Sync => println!("{key}: {}", hooks::sync(&client, key, &config.webhook).await?),
            Action::Remove => println!("{key}: {} removed", hooks::remove(&client, key, &config.webhook).await?),
            Action::List => {
                for hook in hooks::list(&client, key, &config.webhook).await? {
                    println!("{key}: {hook}");
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
