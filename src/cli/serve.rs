//! `punchlens serve`: the service.

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Settings;
use crate::app::{App, hooks};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Make or mend the webhooks in Procore before serving.
    #[arg(long)]
    sync_hooks: bool,
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    let config = &settings.config;
    let app = App::build(config).await?;
    let address = config.http.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; set http.listen to a free address"))?;
    let address = listener.local_addr()?;
    let scheme = if config.http.tls_certificate_file.as_os_str().is_empty() { "http" } else { "https" };
    let own_url = format!("{scheme}://{address}");
    let model = app.model();
    tracing::info!(
        model = model.label(),
        provider.asked = model.provider.asked.name(),
        provider.got = model.provider.got.name(),
        provider.why = model.provider.why,
        licence = model.licence.statement,
        "ready on {own_url}"
    );
    match app.review_link(&own_url) {
        Some(link) => println!("Review page, on this machine: {link}"),
        None => println!("Review page: {own_url}/review"),
    }
    if !app.has_accounts().await? {
        println!("Others can't sign in yet: make accounts with punchlens users add LOGIN");
    }
    if args.sync_hooks {
        for hooks::Outcome { scope, synced } in app.sync_hooks().await? {
            match synced {
                Ok(synced) => {
                    tracing::info!(%scope, hook.id = synced.hook.id, created = synced.created, "webhook in place");
                }
                Err(error) => {
                    tracing::warn!(%scope, %error, "no webhook; what it would tell is asked for now and then");
                }
            }
        }
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
