//! `punchlens check-config`: the effective config and where each value came from.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
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
    let text = if args.default { config::default_text() } else { effective(file)? };
    match std::io::stdout().write_all(text.as_bytes()) {
        // The reader, `head` say, has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        outcome => Ok(outcome.map(|()| ExitCode::SUCCESS)?),
    }
}

fn effective(file: Option<&Path>) -> anyhow::Result<String> {
    let loaded = config::load(file)?;
    let (mut text, mut section) = (String::new(), "");
    for (key, value, origin) in loaded.layers.leaves() {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        if table != section {
            section = table;
            writeln!(text, "\n[{table}]")?;
        }
        writeln!(text, "{name} = {}  # {origin}", config::redacted(key, value))?;
    }
    Ok(text)
}
