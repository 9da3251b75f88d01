//! `punchlens runtime`: find or fetch ONNX Runtime.

use std::process::ExitCode;

use crate::config::Config;
use crate::inference;

/// Arguments of `runtime`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Fetch the pinned version with pip into the user's cache, unless one is there already.
    Install,
    /// Say which library is used.
    Show,
}

pub(super) fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let library = match args.action {
        Action::Install => inference::ensure_runtime(&config.inference, &|line| eprintln!("{line}"))?,
        Action::Show => inference::locate_runtime(&config.inference)?,
    };
    println!("{}", library.display());
    Ok(ExitCode::SUCCESS)
}
