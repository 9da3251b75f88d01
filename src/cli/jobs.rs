//! `punchlens jobs`: the queue, with what is parked or dead and why.

use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table};
use jiff::Timestamp;

use super::{OPERATOR, Settings};
use crate::domain::job::JobId;
use crate::store::{JobState, Store};

/// Rows that one listing shows.
const ROWS_MAX: u32 = 200;

/// Arguments of `jobs`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List jobs that wait for a person: parked and dead ones.
    List {
        /// List all of them, whatever their state.
        #[arg(long)]
        all: bool,
    },
    /// Queue a parked or dead job again, with its attempts at zero.
    Retry {
        /// The job's number.
        id: i64,
    },
    /// Give a job up for good, with a reason for the record.
    Drop {
        /// The job's number.
        id: i64,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    let store = Store::open(&settings.config.store, Timestamp::now()).await?;
    match args.action.unwrap_or(Action::List { all: false }) {
        Action::List { all } => list(&store, all).await?,
        Action::Retry { id } => {
            store.retry_job(JobId(id), OPERATOR, Timestamp::now()).await?;
            println!("job {id} is queued again");
        }
        Action::Drop { id, reason } => {
            store.drop_job(JobId(id), OPERATOR, &reason, Timestamp::now()).await?;
            println!("job {id} is given up");
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, all: bool) -> anyhow::Result<()> {
    let states = if all { vec![None] } else { vec![Some(JobState::Parked), Some(JobState::Dead)] };
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["job", "state", "kind", "attempts", "reason"]);
    for state in states {
        for job in store.jobs(state, ROWS_MAX).await? {
            table.add_row([
                job.id.0.to_string(),
                job.state.name().to_owned(),
                job.kind,
                job.attempts.to_string(),
                job.error.unwrap_or_default(),
            ]);
        }
    }
    if table.is_empty() {
        println!("No job waits for a person.");
    } else {
        println!("{table}");
    }
    Ok(())
}
