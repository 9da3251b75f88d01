//! The subcommands. Nothing here decides anything: each reads its arguments, builds what it needs and reports.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to the person who typed it")]

mod audit;
mod bench;
mod browser;
mod check_config;
mod demo;
mod doctor;
mod eval;
mod explain;
mod fixtures;
mod hooks;
mod jobs;
mod models;
mod photos;
mod projects;
mod runtime;
mod scan;
mod serve;
mod simulate;
mod site;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Loaded as Settings};
use crate::domain::thoroughness::Thoroughness;

/// From photos in Procore to draft punch items that a superintendent decides about.
#[derive(Debug, Parser)]
#[command(name = "punchlens", version, max_term_width = 100)]
struct Cli {
    /// The config file. Without it: `$PUNCHLENS_CONFIG`, else `./punchlens.toml` if there is one, else the defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole way on this machine: simulator, service, photos, drafts, review page.
    Demo(demo::Args),
    /// Look at photos on disk and print what is found; needs no network.
    Scan(scan::Args),
    /// Measure a model on labelled pictures.
    Eval(eval::Args),
    /// Run the service: webhook receiver, workers, review page.
    Serve(serve::Args),
    /// Check everything that the service needs and say how to mend what is wrong.
    Doctor,
    /// Tell every rule that led to a finding's place, trade, priority and words, and what happened to it.
    Explain(explain::Args),
    /// Check a site file against the project's locations, and draw it.
    Site(site::Args),
    /// List the models that can be loaded, with their licence status.
    Models,
    /// Print the effective config and where each value came from, secrets redacted.
    CheckConfig(check_config::Args),
    /// Show or mend the queue.
    Jobs(jobs::Args),
    /// List photos that were not looked at, or look at them again.
    Photos(photos::Args),
    /// Make, list, rotate or remove the webhooks in Procore.
    Hooks(hooks::Args),
    /// Make or change accounts and API tokens; see who is signed in.
    Users(users::Args),
    /// List the permitted projects, or let one go on that was stopped.
    Projects(projects::Args),
    /// Check the chain of evidence, or export packs of it.
    Audit(audit::Args),
    /// Find or fetch ONNX Runtime.
    Runtime(runtime::Args),
    /// Run the Procore simulator as a process of its own.
    Simulate(simulate::Args),
    /// Measure how fast this box looks at photos.
    Bench(bench::Args),
    /// Paint field photos with known defects.
    Fixtures(fixtures::Args),
}

/// Who stands in the audit for what is typed here.
const OPERATOR: &str = "command line";

/// Reads the command line, runs the command and turns its outcome into an exit code.
///
/// 0 is success, 1 a finding with `--fail-on-findings` or a failed check, 2 a wrong command line, 3 photos that
/// could not be read, 4 anything that kept the command from running.
pub fn main() -> ExitCode {
    // Before anything else, while this is the only thread.
    crate::inference::opt_out_of_telemetry();
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("punchlens: {error:#}");
            ExitCode::from(4)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let command = match cli.command {
        Command::CheckConfig(args) => return check_config::run(&args, cli.config.as_deref()),
        Command::Fixtures(args) => return fixtures::run(args),
        other => other,
    };
    let mut loaded = config::load(cli.config.as_deref())?;
    let reporting = matches!(
        command,
        Command::Bench(_)
            | Command::Demo(_)
            | Command::Scan(_)
            | Command::Eval(_)
            | Command::Site(_)
            | Command::Explain(_)
    );
    if reporting {
        // Their progress bar and table are the report; the log speaks up when something is wrong.
        loaded.set_default("telemetry.filter", "warn", "the command")?;
    }
    crate::telemetry::start(&loaded.config.telemetry)?;
    match command {
        Command::Demo(args) => block_on(demo::run(args, loaded)),
        Command::Scan(args) => scan::run(&args, &loaded.config.photo, &loaded.config.inference),
        Command::Eval(args) => eval::run(&args, &loaded.config.photo, &loaded.config.inference),
        Command::Bench(args) => bench::run(&args, &loaded.config),
        Command::Serve(args) => block_on(serve::run(args, loaded)),
        Command::Doctor => block_on(doctor::run(loaded)),
        Command::Explain(args) => block_on(explain::run(args, loaded)),
        Command::Site(args) => block_on(site::run(args, loaded)),
        Command::Models => Ok(models::run(&loaded.config)),
        Command::Jobs(args) => block_on(jobs::run(args, loaded)),
        Command::Photos(args) => block_on(photos::run(args, loaded)),
        Command::Hooks(args) => block_on(hooks::run(args, loaded)),
        Command::Users(args) => block_on(users::run(args, loaded)),
        Command::Projects(args) => block_on(projects::run(args, loaded)),
        Command::Audit(args) => block_on(audit::run(args, loaded)),
        Command::Runtime(args) => runtime::run(&args, &loaded.config),
        Command::Simulate(args) => {
            block_on(async { simulate::run(&args, &mut std::io::stdout()).await.map(|()| ExitCode::SUCCESS) })
        }
        Command::CheckConfig(_) | Command::Fixtures(_) => Ok(ExitCode::SUCCESS),
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// The value of `--mode`.
fn thoroughness(text: &str) -> Result<Thoroughness, String> {
    let modes = [Thoroughness::Standard, Thoroughness::Thorough];
    modes
        .into_iter()
        .find(|mode| mode.name() == text)
        .ok_or_else(|| "standard or thorough is wanted".to_owned())
}

/// Resolves when the process is asked to stop: Ctrl-C or, on Unix, SIGTERM.
async fn stop_asked() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        else {
            interrupt.await.ok();
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    interrupt.await.ok();
}
