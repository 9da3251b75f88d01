//! `punchlens serve`: the service.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Settings;
use crate::app::{self, App};
use crate::domain::retry::Backoff;
use crate::store::{self, Error, Store};

/// Waits between looks for a database server that cannot be reached yet.
const DATABASE_WAIT: Backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(30) };

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Make or mend the webhooks in Procore while serving; what fails is tried again.
    #[arg(long)]
    sync_hooks: bool,
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    let config = &settings.config;
    wait_for_database(&config.store).await?;
    let app = App::build(config).await?;
    let app = if args.sync_hooks { app.making_hooks() } else { app };
    let address = config.http.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; set http.listen to a free address"))?;
    let address = listener.local_addr()?;
    let own_url = app.own_url(address);
    let model = app.model();
    tracing::info!(
        model = model.label(),
        provider.asked = model.provider.asked.name(),
        provider.got = model.provider.got.name(),
        provider.why = model.provider.why,
        licence = model.licence.statement,
        "ready on {own_url}"
    );
    tell_the_way_in(&app, config, &own_url);
    if !app.has_accounts().await.unwrap_or(true) {
        println!("Others can't sign in yet: make accounts with punchlens users add LOGIN");
    }
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        super::stop_asked().await;
        tracing::info!("stopping: finishing or returning what is held");
        stopper.cancel();
    });
    app.serve(listener, stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Prints where to review. The key stands in the link for a person at a terminal only: a journal is read by many.
fn tell_the_way_in(app: &App, config: &crate::config::Config, own_url: &str) {
    match app.review_link(own_url) {
        Some(link) if std::io::stdout().is_terminal() => println!("Review page, on this machine: {link}"),
        Some(_) => {
            let file = app::key_file(config).map(|file| file.display().to_string()).unwrap_or_default();
            println!("Review page: {own_url}/review");
            println!("The key of this machine is in {file}; punchlens users link prints the link with it");
        }
        None => println!("Review page: {own_url}/review"),
    }
}

/// Returns once the database can be opened: after a power cut a box may be up before the server or the network is.
async fn wait_for_database(config: &store::Config) -> anyhow::Result<()> {
    let mut attempt = 0_u32;
    loop {
        match Store::open(config, Timestamp::now()).await {
            Ok(store) => {
                store.close().await;
                return Ok(());
            }
            Err(error @ (Error::Unreachable(_) | Error::Busy)) => {
                attempt = attempt.saturating_add(1);
                let wait = DATABASE_WAIT.wait(attempt, None, rand::random());
                tracing::warn!(%error, wait_s = wait.as_secs(), "waiting for the database");
                tokio::time::sleep(wait).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
