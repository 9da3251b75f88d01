//! `punchlens bench`: how fast this box looks at photos, by the scenarios of `MLPerf`, and how near that is to what the box
//! could do.

mod ceiling;
mod machine;
mod photos;
mod report;
mod scenarios;
mod statistics;
mod subject;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use self::machine::Machine;
use self::report::{Report, SCHEMA};
use self::subject::Subject;
use super::thoroughness;
use crate::config::Config;
use crate::domain::thoroughness::Thoroughness;
use crate::inference::{self, Detector};
use crate::photo;

/// Measure how fast this box looks at photos.
///
/// Scenarios: single (one photo after the other), multi (bursts), offline (all at hand), server (by chance, searching
/// the highest rate with p99 under --bound-ms), ceiling (decoding and inference alone against the whole way).
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Photos or folders of them; without any, five of 12 MP are painted, one with a crack
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Seconds for each scenario, and for each rate that is tried
    #[arg(long, value_name = "S", default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,

    /// Looks before anything is measured
    #[arg(long, value_name = "N", default_value_t = 5)]
    warm_up: usize,

    /// Photos in a burst
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    burst: u16,

    /// The bound of the scenario server, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500.0, value_parser = seconds)]
    bound_ms: f64,

    /// Which scenarios
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "single,multi,offline,server,ceiling", value_parser = SCENARIOS)]
    scenarios: Vec<String>,

    /// How closely to look: standard or thorough
    #[arg(long, value_name = "MODE", value_parser = thoroughness)]
    mode: Option<Thoroughness>,

    /// Look at every view and tile, whatever the first look says
    #[arg(long)]
    no_coarse_to_fine: bool,

    /// Seed of the arrivals
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,

    /// Write the JSON into this file, - for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Show this run beside the one in this file, that was written with --json
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

const SCENARIOS: [&str; 5] = ["single", "multi", "offline", "server", "ceiling"];

fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "a number is wanted")?;
    if (0.01..=86_400.0).contains(&number) { Ok(number) } else { Err("0.01 to 86400 is wanted".to_owned()) }
}

pub(super) fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let other = args.compare.as_deref().map(read).transpose()?;
    let mut inference = config.inference.clone();
    inference.coarse_to_fine &= !args.no_coarse_to_fine;
    inference::ensure_runtime(&inference, &|line| eprintln!("{line}"))?;
    let photos = photos::load(&args.paths, &config.photo)?;
    let report = measure(args, &inference, &config.photo, &photos)?;
    let json = serde_json::to_string_pretty(&report)?;
    match args.json.as_deref() {
        Some(path) if path == Path::new("-") => println!("{json}"),
        Some(path) => {
            std::fs::write(path, json + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => {}
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        println!("{}\n{}", report.context(), report.table());
    }
    if let Some(other) = other {
        let differences = report.differences(&other);
        eprintln!("{}", report.beside(&other));
        if !differences.is_empty() {
            eprintln!("The two runs differ in more than speed: {}", differences.join("; "));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let report: Report = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no report of punchlens bench", path.display()))?;
    ensure!(
        report.schema == SCHEMA,
        "{} has schema {}, this version reads {SCHEMA}",
        path.display(),
        report.schema
    );
    Ok(report)
}

fn measure(
    args: &Args,
    inference: &inference::Config,
    limits: &photo::Limits,
    photos: &[Vec<u8>],
) -> anyhow::Result<Report> {
    let wanted = |name: &str| {
        let wanted = args.scenarios.iter().any(|scenario| scenario == name);
        if wanted {
            eprintln!("{name} …");
        }
        wanted
    };
    let machine = Machine::this();
    let detector = inference::load(inference)?;
    let thoroughness = args.mode.unwrap_or(detector.usual());
    let subject = Subject::new(detector.as_ref(), limits, photos, thoroughness);
    let time = Duration::from_secs_f64(args.seconds);
    let warm_up = scenarios::warm_up(&subject, args.warm_up)?;
    let single = wanted("single").then(|| scenarios::single_stream(&subject, time)).transpose()?;
    let multi =
        wanted("multi").then(|| scenarios::multi_stream(&subject, time, args.burst.into())).transpose()?;
    let offline =
        (wanted("offline") || wanted("server")).then(|| scenarios::offline(&subject, time)).transpose()?;
    let server = match &offline {
        Some(offline) if wanted("server") => {
            let progress = |rate: f64| eprintln!("  {rate:.2} photos/s …");
            let ceiling = offline.photos_per_s;
            Some(scenarios::server(&subject, time, args.bound_ms, ceiling, args.seed, progress)?)
        }
        _ => None,
    };
    let (model, provider) = (detector.model().clone(), detector.provider());
    drop(detector);
    let ceiling =
        wanted("ceiling").then(|| against_ceiling(inference, limits, photos, time)).transpose()?.flatten();
    Ok(Report {
        schema: SCHEMA,
        punchlens: env!("CARGO_PKG_VERSION").to_owned(),
        machine,
        precision: model.precision.name().to_owned(),
        sessions: model.sessions,
        provider_asked: provider.asked.name().to_owned(),
        provider_got: provider.got.name().to_owned(),
        provider_why: provider.why,
        jpeg: photo::JpegLibrary::in_use().name().to_owned(),
        mode: thoroughness.name().to_owned(),
        coarse_to_fine: inference.coarse_to_fine,
        photos: photos.len(),
        photo_bytes: photos.iter().map(Vec::len).sum::<usize>() / photos.len(),
        model: model.label(),
        runtime: model.runtime,
        warm_up,
        single_stream: single,
        multi_stream: multi,
        offline,
        server,
        ceiling,
    })
}

/// The whole way, one detector for all rounds, against decoding and inference alone; on the CPU.
fn against_ceiling(
    inference: &inference::Config,
    limits: &photo::Limits,
    photos: &[Vec<u8>],
    time: Duration,
) -> anyhow::Result<Option<ceiling::Ceiling>> {
    const ROUNDS: u32 = 5;
    if inference.provider.is_gpu() {
        return Ok(None);
    }
    let detector: std::sync::Arc<dyn Detector> = ceiling::detector(inference)?;
    let subject = Subject::new(detector.as_ref(), limits, photos, Thoroughness::Standard);
    let whole = || Ok(scenarios::offline(&subject, time / ROUNDS)?.cpu_ms_per_photo);
    ceiling::measure(inference, limits, photos, ROUNDS as usize, (detector.model().sessions, whole))
}
