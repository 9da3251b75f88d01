//! `punchlens demo`: the main job, end to end, on this machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::demo_table::table;
use crate::app::App;
use crate::config::Loaded;
use crate::domain::ids::ProjectKey;
use crate::domain::review::Delivery;
use crate::simulator::{Options, PhotoUpload, Simulator};
use crate::store::{PhotoSummary, Store};

/// Where the committed fixture photos lie in a clone.
const FIXTURES: &str = "fixtures/photos";

/// How long the demo waits for the last photo, for each photo given.
const PATIENCE_EACH: Duration = Duration::from_secs(60);

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
    let photos = photos(args.photos.as_deref())?;
    let simulator = Simulator::start(Options::demo()).await.context("the simulator cannot start")?;
    let folder = Scratch::new()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    point_at(&mut settings, &simulator, &folder.0, &format!("http://{address}"))?;

    let started = Instant::now();
    let app = App::build(&settings.config).await?;
    eprintln!("{}", app.model_words());
    eprintln!("ready in {} ms: {} photos to look at", started.elapsed().as_millis(), photos.len());
    let (store, link) = (app.store().clone(), app.review_link(address));
    app.sync_hooks().await.context("the webhooks cannot be made in the simulator")?;
    let stop = CancellationToken::new();
    let service = tokio::spawn(app.serve(listener, stop.clone()));

    let begun = Instant::now();
    upload(&simulator, &photos).await?;
    let summaries = wait(&store, photos.len()).await?;
    let took = begun.elapsed();
    println!("{}", table(&summaries));
    println!(
        "{} photos in {:.1} s, {} drafts in Procore's stand-in at {}",
        summaries.len(),
        took.as_secs_f64(),
        simulator.punch_items().len(),
        simulator.url(),
    );
    if !args.exit {
        println!("\nReview them at {link}\nCtrl-C ends.");
        if args.open {
            super::browser::open(&link)?;
        }
        super::stop_asked().await;
    }
    stop.cancel();
    service.await??;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn point_at(settings: &mut Loaded, simulator: &Simulator, folder: &Path, own_url: &str) -> anyhow::Result<()> {
    let (client_id, client_secret) = simulator.credentials();
    let project = simulator.project();
    let authorization = format!("Bearer demo-{:032x}", rand::random::<u128>());
    let projects = toml::Value::Array(vec![toml::Value::Table(toml::toml! {
        company = (project.company.value())
        project = (project.project.value())
        mode = "draft"
    })]);
    for (key, value) in [
        ("procore.environment", "custom".into()),
        ("procore.api_url", simulator.url().to_string().into()),
        ("procore.login_url", simulator.url().to_string().into()),
        ("procore.client_id", client_id.into()),
        ("procore.client_secret", client_secret.into()),
        ("procore.allow_loopback", true.into()),
        ("procore.projects", projects),
        ("webhook.public_url", own_url.into()),
        ("webhook.authorization", authorization.into()),
        ("store.path", folder.join("demo.db").to_string_lossy().into_owned().into()),
        ("telemetry.filter", "warn".into()),
    ] {
        settings.set(key, toml::Value::from(value), "demo")?;
    }
    Ok(())
}
