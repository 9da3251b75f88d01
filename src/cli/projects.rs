//! `punchlens projects`: the permitted projects, and letting one go on that was stopped.

use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table};
use jiff::Timestamp;

use super::{OPERATOR, Settings};
use crate::domain::ids::ProjectKey;
use crate::store::Store;

/// Arguments of `projects`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the permitted projects: their mode, when they were swept, and what keeps them from getting drafts.
    List,
    /// Let a project go on in which nothing was made any more, and queue everything of it that was parked.
    Resume {
        /// The project as COMPANY/PROJECT, e.g. 8/6778.
        project: ProjectKey,
    },
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    let store = Store::open(&settings.config.store, Timestamp::now()).await?;
    match args.action.unwrap_or(Action::List) {
        Action::List => list(&store, &settings).await?,
        Action::Resume { project } => {
            let queued = store.resume_project(project, OPERATOR, Timestamp::now()).await?;
            println!("project {project} goes on; {queued} jobs that waited are queued");
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, settings: &Settings) -> anyhow::Result<()> {
    let stops = store.stops().await?;
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["project", "mode", "swept", "drafts"]);
    for permitted in &settings.config.procore.projects {
        let project = permitted.key();
        let swept =
            store.watermark(project).await?.map_or_else(|| "never".to_owned(), |at| format!("{at:.0}"));
        let stop = stops.iter().find(|stop| stop.project == project);
        let drafts = stop.map_or_else(|| "made".to_owned(), |stop| format!("stopped: {}", stop.reason));
        table.add_row([project.to_string(), format!("{:?}", permitted.mode), swept, drafts]);
    }
    if table.is_empty() {
        println!("No project is permitted: add one under [[procore.projects]].");
    } else {
        println!("{table}");
    }
    Ok(())
}
