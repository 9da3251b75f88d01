//! Logging and metrics.
//!
//! Log guide: a failure is logged once, where it is handled. Identifiers stand in the message and as dotted
//! fields (`photo.id`, `job.id`, `finding.id`); units stand in names (`duration_ms`, `size_bytes`). `error` is
//! for what a person must act on, `warn` for what healed or may not, `info` for what a shift report would
//! mention, `debug` for the rest. No secrets, no bodies.

pub mod metrics;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Filter directives as `tracing_subscriber::EnvFilter` reads them, e.g. `info,punchlens::procore=debug`.
    pub filter: String,
    /// `text` for people, `json` for collectors.
    pub format: Format,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Text,
    Json,
}

/// Starts logging to standard error; a second call in one process changes nothing.
///
/// # Errors
/// When the filter cannot be parsed.
pub fn start(config: &Config) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Tests and the demo may have started logging already.
    let _already = match config.format {
        Format::Text => builder.with_target(false).try_init(),
        Format::Json => builder.json().try_init(),
    };
    Ok(())
}
