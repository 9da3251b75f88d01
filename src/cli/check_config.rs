//! `punchlens check-config`: the effective config and where each value came from.

use std::path::Path;
use std::process::ExitCode;

use crate::config;

/// Arguments of `check-config`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the commented default config instead, which is also the example to start from.
    #[arg(long)]
    default: bool,
}

pub(super) fn run(args: &Args, file: Option<&Path>) -> anyhow::Result<ExitCode> {
    if args.default {
        print!("{}", config::default_text());
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = config::load(file)?;
    let mut section = "";
    for (key, value, origin) in loaded.layers.leaves() {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        if table != section {
            section = table;
            println!("\n[{table}]");
        }
        println!("{name} = {}  # {origin}", config::redacted(key, value));
    }
    Ok(ExitCode::SUCCESS)
}
