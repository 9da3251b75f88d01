//! `punchlens demo`: the main job, end to end, on this machine.

mod photos;
mod progress;
mod scratch;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toml::Value;

use super::{Settings, stop_asked};
use crate::app::App;
use crate::config::{Error, Loaded};
use crate::inference;
use crate::simulator::{Limits, Options, Simulator, seed};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Your own photos instead of the fixtures.
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Open the review page in the browser.
    #[arg(long)]
    open: bool,
    /// End when all photos are through instead of leaving the review page open.
    #[arg(long)]
    exit: bool,
}

pub(super) async fn run(args: Args, mut settings: Settings) -> anyhow::Result<ExitCode> {
    let photos = photos::find(args.photos.as_deref())?;
    let runtime = settings.config.inference.clone();
    tokio::task::spawn_blocking(move || inference::ensure_runtime(&runtime, &|line| eprintln!("{line}")))
        .await??;
    let options = Options { limits: Limits::generous(), strict: false, ..Options::default() };
    let simulator = Simulator::start(options).await.context("the simulator cannot start")?;
    let folder = scratch::Folder::new()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let own_url = format!("http://{}", listener.local_addr()?);
    point_at(&mut settings, &simulator, folder.path(), &own_url)?;

    let started = Instant::now();
    let app = App::build(&settings.config).await?;
    eprintln!(
        "{} on {}: {}",
        app.model().label(),
        app.model().provider.got.name(),
        app.model().licence.statement
    );
    eprintln!("ready in {} ms", started.elapsed().as_millis());
    let (store, link) = (app.store().clone(), app.review_link(&own_url).unwrap_or(own_url));
    let stop = CancellationToken::new();
    let hooks = app.sync_hooks();
    hooks.await.context("the webhooks cannot be made in the simulator")?;
    let service = tokio::spawn(app.serve(listener, stop.clone()));

    let begun = Instant::now();
    let expected = photos.len();
    let uploads = photos::upload(&simulator, photos);
    let (uploaded, through) = tokio::join!(uploads, progress::until_through(&store, expected));
    uploaded?;
    let summaries = through?;
    println!("{}", table::render(&summaries));
    println!(
        "{} photos in {:.1} s; {} draft punch items in the simulator, which shows what Procore would have at {}",
        summaries.len(),
        begun.elapsed().as_secs_f64(),
        simulator.punch_items().len(),
        simulator.url(),
    );
    if !args.exit {
        println!("\nReview them at {link}\nCtrl-C ends.");
        if args.open {
            super::browser::open(&link)?;
        }
        stop_asked().await;
    }
    stop.cancel();
    service.await??;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Points the service at the simulator, with a database of its own that is gone afterwards.
fn point_at(settings: &mut Loaded, simulator: &Simulator, folder: &Path, own_url: &str) -> Result<(), Error> {
    let (client_id, client_secret) = simulator.credentials();
    let url = simulator.url().to_string();
    let mut project = toml::Table::new();
    project.insert("company".into(), Value::Integer(seed::COMPANY.value()));
    project.insert("project".into(), Value::Integer(seed::PROJECT.value()));
    project.insert("mode".into(), "draft".into());
    let values: [(&str, Value); 11] = [
        ("procore.environment", "custom".into()),
        ("procore.api_url", url.clone().into()),
        ("procore.login_url", url.into()),
        ("procore.client_id", client_id.into()),
        ("procore.client_secret", client_secret.into()),
        ("procore.allow_loopback", true.into()),
        ("procore.projects", Value::Array(vec![Value::Table(project)])),
        ("procore.limiter.per_10_s", 10_000.into()),
        ("procore.limiter.per_hour", 1_000_000.into()),
        ("webhook.public_url", format!("{own_url}/procore/events").into()),
        ("webhook.authorization", format!("Bearer {:032x}", rand::random::<u128>()).into()),
    ];
    let store = folder.join("punchlens.db").to_string_lossy().into_owned();
    let own: [(&str, Value); 7] = [
        ("http.tls_certificate_file", "".into()),
        ("http.tls_key_file", "".into()),
        ("store.path", store.into()),
        ("store.url", "".into()),
        ("store.url_file", "".into()),
        ("sign_in.key_file", "".into()),
        ("sign_in.key_on_this_machine", true.into()),
    ];
    values.into_iter().chain(own).try_for_each(|(key, value)| settings.set(key, value, "demo"))
}
