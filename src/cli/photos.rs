//! `punchlens photos`: photos that were not looked at and why, and another look at them.

use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table};
use jiff::Timestamp;

use super::{OPERATOR, Settings};
use crate::domain::ids::{PhotoId, ProjectKey};
use crate::store::{LeftOutState, SkippedPhoto, Store};

/// Arguments of `photos`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List photos that were not looked at: those that are tried again, failed ones, skipped ones.
    List {
        /// Only of this project, as COMPANY/PROJECT, e.g. 8/6778.
        #[arg(long)]
        project: Option<ProjectKey>,
    },
    /// Look at photos again: one, or all that failed or were skipped.
    Retry {
        /// The photo's id, or its number in Procore.
        #[arg(required_unless_present = "all")]
        photo: Option<String>,
        /// All that failed or were skipped.
        #[arg(long, conflicts_with = "photo")]
        all: bool,
    },
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    let store = Store::open(&settings.config.store, Timestamp::now()).await?;
    match args.action.unwrap_or(Action::List { project: None }) {
        Action::List { project } => list(&store, project).await?,
        Action::Retry { photo, .. } => retry(&store, photo.as_deref()).await?,
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, project: Option<ProjectKey>) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["photo", "project", "file", "state", "since", "reason"]);
    for row in store.photos_left_out(project.as_ref().map(std::slice::from_ref)).await? {
        table.add_row([
            row.image.to_string(),
            row.project.to_string(),
            row.filename.clone(),
            state(&row),
            format!("{:.0}", row.since),
            row.reason,
        ]);
    }
    if table.is_empty() {
        println!("Every photo was analysed.");
    } else {
        println!("{table}");
    }
    Ok(())
}

fn state(row: &SkippedPhoto) -> String {
    match row.state {
        LeftOutState::Trying => format!("tried {} times, goes on", row.tries),
        LeftOutState::Failed => "failed".to_owned(),
        LeftOutState::Skipped => "skipped".to_owned(),
    }
}

async fn retry(store: &Store, wanted: Option<&str>) -> anyhow::Result<()> {
    let rows = store.photos_left_out(None).await?;
    let is_wanted = |row: &&SkippedPhoto| match wanted {
        Some(name) => row.id.to_string() == name || row.image.to_string() == name,
        None => true,
    };
    let chosen: Vec<PhotoId> = rows.iter().filter(is_wanted).map(|row| row.id).collect();
    if let (Some(name), []) = (wanted, chosen.as_slice()) {
        anyhow::bail!("no photo {name} was left out: see punchlens photos list");
    }
    for photo in &chosen {
        store.look_again(*photo, OPERATOR, Timestamp::now()).await?;
    }
    println!("{} photos will be analysed again", chosen.len());
    Ok(())
}
