//! `punchlens runtime`: find or fetch ONNX Runtime.

use std::process::ExitCode;
use std::time::Duration;

use crate::config::Config;
use crate::inference::{self, Build};

/// Arguments of `runtime`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Fetch the pinned version with pip into the user's cache, unless one is there already.
    Install {
        /// The build for NVIDIA GPUs, with CUDA and cuDNN: about 1.5 GB.
        #[arg(long)]
        gpu: bool,
    },
    /// Say which library is used.
    Show,
}

pub(super) fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let library = match args.action {
        Action::Install { gpu: true } => {
            let timeout = Duration::from_secs(config.inference.install_timeout_s);
            inference::install(Build::Gpu, timeout, &|line| eprintln!("{line}"))?
        }
        Action::Install { gpu: false } => {
            inference::ensure_runtime(&config.inference, &|line| eprintln!("{line}"))?
        }
        Action::Show => inference::locate_runtime(&config.inference)?,
    };
    println!("{}", library.display());
    Ok(ExitCode::SUCCESS)
}
