//! `punchlens eval`: a model against labelled pictures, numbers as table, JSON and page.
//!
//! Exit codes: 0 measured; 2 wrong usage; 3 some pictures could not be read; 4 nothing could be measured.

mod table;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::domain::tagging::Tagging;
use crate::evaluation::labels::{self, Row, Rules};
use crate::evaluation::report::{Report, Run};
use crate::evaluation::{Evaluator, page, pick};
use crate::inference::{self, Detector, PrecisionChoice, package};
use crate::photo::Limits;

/// Exit code: some pictures could not be read.
const UNREADABLE: u8 = 3;

/// Measure a model on labelled pictures, through the very pipeline that serves.
///
/// MANIFEST has a JSON object a line: image (a path relative to its folder), labels (classes that it
/// shows; none: []) or boxes or masks, and where wanted source, split, group; models/training/README.md
/// has the whole form.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// The list of labelled pictures (JSON lines)
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,

    /// The part that is looked at
    #[arg(long, value_name = "PART", default_value = "val")]
    split: String,

    /// A model by its name below models/, or its folder; without it, the configured one
    #[arg(long, value_name = "NAME|DIR")]
    model: Option<String>,

    /// Which of the model's files runs; without it, the one that its manifest recommends
    #[arg(long, value_name = "fp32|int8", value_parser = precision)]
    precision: Option<PrecisionChoice>,

    /// Only these sources, separated by commas
    #[arg(long, value_name = "SOURCE,…", value_delimiter = ',')]
    source: Vec<String>,

    /// Report experimental classes like the others; without it they have scores alone, unless configured
    #[arg(long)]
    experimental: bool,

    /// Every view of every picture, whatever the first look says
    #[arg(long)]
    no_coarse_to_fine: bool,

    /// At most so many pictures, spread over the list
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Folder for eval.json and eval.html
    #[arg(long, value_name = "DIR", default_value = "punchlens-eval")]
    out: PathBuf,

    /// Worst misses and false alarms on the page, for each class
    #[arg(long, value_name = "N", default_value_t = 12)]
    worst: usize,

    /// What sources label and what not (TOML); without it, what models/training/sources.toml says
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,

    /// Print the JSON to standard output instead of tables
    #[arg(long)]
    json: bool,
}

fn precision(text: &str) -> Result<PrecisionChoice, String> {
    match text {
        "fp32" => Ok(PrecisionChoice::Fp32),
        "int8" => Ok(PrecisionChoice::Int8),
        _ => Err("either fp32 or int8".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// When there is nothing to look at, no model, or the results cannot be written.
pub(super) fn run(args: &Args, limits: &Limits, configured: &inference::Config) -> anyhow::Result<ExitCode> {
    let rows = rows(args)?;
    let config = inference::Config {
        model: args.model.clone().unwrap_or_else(|| configured.model.clone()),
        precision: args.precision.unwrap_or(configured.precision),
        coarse_to_fine: configured.coarse_to_fine && !args.no_coarse_to_fine,
        ..configured.clone()
    };
    let Loaded { detector, coarse_to_fine } = load(config, args.experimental)?;
    let model = detector.model();
    writeln!(io::stderr(), "model {}, {}, {} pictures", model.label(), model.precision.name(), rows.len())?;
    let tagging = Tagging::default_rules();
    let evaluator = Evaluator { detector: detector.as_ref(), limits, merge: &tagging.rules().merge };
    let started = Instant::now();
    let bar = progress(rows.len() as u64);
    // One picture for each session and one being read.
    let looked = evaluator.run(&rows, model.sessions + 1, &|| bar.inc(1)).map_err(|what| anyhow!(what))?;
    bar.finish_and_clear();
    let run = Run {
        manifest: args.manifest.display().to_string(),
        split: args.split.clone(),
        model,
        mode: detector.usual(),
        coarse_to_fine,
        rows: &rows,
        looked: &looked,
        took: started.elapsed(),
    };
    let report = run.report();
    let picks = pick(&rows, &looked, &model.classes, args.worst);
    let html = page::page(&report, &page::sheets(&run, &picks, limits));
    write(&args.out, &report, &html)?;
    tell(args, &report)?;
    Ok(if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(UNREADABLE) })
}

/// The rows that the arguments ask for.
fn rows(args: &Args) -> anyhow::Result<Vec<Row>> {
    let rules = match &args.rules {
        None => Rules::shipped(),
        Some(file) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Rules::parse(&text).map_err(|what| anyhow!("{}: {what}", file.display()))?
        }
    };
    let all = labels::read(&args.manifest, &rules).map_err(|what| anyhow!(what))?;
    let known = |part: fn(&Row) -> &String| {
        let mut names: Vec<&String> = all.iter().map(part).collect();
        names.sort();
        names.dedup();
        names.into_iter().cloned().collect::<Vec<_>>().join(", ")
    };
    let wanted =
        |row: &&Row| row.split == args.split && (args.source.is_empty() || args.source.contains(&row.source));
    let rows: Vec<Row> = all.iter().filter(wanted).cloned().collect();
    ensure!(
        !rows.is_empty(),
        "{} has no such pictures; its parts are {}, its sources {}",
        args.manifest.display(),
        known(|row| &row.split),
        known(|row| &row.source)
    );
    Ok(labels::spread(rows, args.limit.unwrap_or(usize::MAX)))
}

/// What looks, as the service does.
struct Loaded {
    detector: Arc<dyn Detector>,
    /// Configured, and the manifest says how.
    coarse_to_fine: bool,
}

fn load(mut config: inference::Config, experimental: bool) -> anyhow::Result<Loaded> {
    let package = package::open(&config)?;
    let manifest = &package.manifest;
    if experimental {
        let classes = manifest.classes.iter().filter(|class| class.experimental);
        config.experimental_classes = classes.map(|class| class.name.clone()).collect();
    }
    let coarse_to_fine = config.coarse_to_fine && manifest.coarse.is_some();
    Ok(Loaded { detector: inference::load_package(&package, &config)?, coarse_to_fine })
}

fn progress(pictures: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {pos}/{len} pictures, {per_sec}, {eta} left  {wide_msg}")
            .expect("the template is well formed");
    let bar = ProgressBar::with_draw_target(Some(pictures), ProgressDrawTarget::stderr()).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn write(folder: &Path, report: &Report, html: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let json = serde_json::to_string_pretty(report)? + "\n";
    for (name, text) in [("eval.json", json.as_str()), ("eval.html", html)] {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn tell(args: &Args, report: &Report) -> anyhow::Result<()> {
    let out = args.out.display();
    if args.json {
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(report)?)?;
    } else {
        writeln!(io::stdout(), "{}", table::tables(report))?;
    }
    for failed in &report.failed {
        writeln!(io::stderr(), "{}: not analysed: {}", failed.image, failed.reason)?;
    }
    writeln!(
        io::stderr(),
        "{} pictures in {:.1} s; {out}/eval.json, {out}/eval.html",
        report.pictures,
        report.seconds
    )?;
    Ok(())
}
