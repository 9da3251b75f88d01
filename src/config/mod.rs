//! One typed config: the defaults that each module keeps beside its code, one TOML file, the environment.

pub mod layers;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Value;

pub use layers::{Error, Layers, Origin};

use crate::{http, inference, photo, pipeline, procore, store, telemetry};

/// The default config in flow order: every key with its reason. It is also the example.
const DEFAULTS: [&str; 7] = [
    include_str!("../http/default.toml"),
    include_str!("../procore/default.toml"),
    include_str!("../photo/default.toml"),
    include_str!("../inference/default.toml"),
    include_str!("../pipeline/default.toml"),
    include_str!("../store/default.toml"),
    include_str!("../telemetry/default.toml"),
];

/// Names a config file when the command line does not.
const FILE_VARIABLE: &str = "PUNCHLENS_CONFIG";

/// The file that is read when nothing names one.
const FILE: &str = "punchlens.toml";

/// Everything that can be set, one section for each module that reads it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The web surface.
    pub http: http::HttpConfig,
    /// Who may sign in, and for how long.
    pub sign_in: http::SignInConfig,
    /// The review page.
    pub review: http::ReviewConfig,
    /// The Procore client and the permitted projects.
    pub procore: procore::Config,
    /// How webhooks are told from forgeries.
    pub webhook: procore::WebhookConfig,
    /// Limits of decoding.
    pub photo: photo::Limits,
    /// The model and how it runs.
    pub inference: inference::Config,
    /// The work.
    pub pipeline: pipeline::Config,
    /// Place, trade, priority and wording.
    pub tagging: pipeline::TaggingConfig,
    /// The durable store.
    pub store: store::Config,
    /// Logging.
    pub telemetry: telemetry::Config,
}

/// A config with its layers, so that origins can be told.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Where each came from.
    pub layers: Layers,
}

impl Loaded {
    /// Sets one key for a command of its own, such as the demo's free ports.
    ///
    /// # Errors
    /// When the key does not exist or the value does not fit.
    pub fn set(&mut self, key: &str, value: impl Into<Value>, command: &'static str) -> Result<(), Error> {
        self.layers.set(key, value.into(), &Origin::Command(command))?;
        self.config = self.layers.read()?;
        Ok(())
    }
}

impl Loaded {
    /// Sets one key unless the file or the environment has set it.
    ///
    /// # Errors
    /// As [`Loaded::set`].
    pub fn set_default(
        &mut self,
        key: &str,
        value: impl Into<Value>,
        command: &'static str,
    ) -> Result<(), Error> {
        let untouched =
            self.layers.leaves().any(|(name, _, origin)| name == key && *origin == Origin::Default);
        if untouched { self.set(key, value, command) } else { Ok(()) }
    }
}

/// The built-in default config, commented.
pub fn default_text() -> String {
    DEFAULTS.join("\n")
}

/// Loads defaults, then `file` (or the one that `$PUNCHLENS_CONFIG` names, or `./punchlens.toml`), then the
/// environment.
///
/// # Errors
/// When a layer is unreadable, has unknown keys or wrong types, or values contradict one another.
pub fn load(file: Option<&Path>) -> Result<Loaded, Error> {
    let named = file.map(Path::to_owned).or_else(|| std::env::var_os(FILE_VARIABLE).map(PathBuf::from));
    let file = named.or_else(|| Some(PathBuf::from(FILE)).filter(|path| path.exists()));
    load_from(file.as_deref(), std::env::vars())
}

/// As [`load`], with the environment given.
///
/// # Errors
/// As [`load`].
pub fn load_from(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Loaded, Error> {
    let mut layers = Layers::new(&default_text())?;
    if let Some(file) = file {
        layers.add_file(file)?;
    }
    layers.add_environment(environment)?;
    let config: Config = layers.read()?;
    let sound = config.procore.check().and_then(|()| config.webhook.check());
    sound.map_err(|error| Error::Invalid(error.to_string()))?;
    config.sign_in.check().map_err(|error| Error::Invalid(error.to_string()))?;
    config.store.check().map_err(|error| Error::Invalid(error.to_string()))?;
    Ok(Loaded { config, layers })
}

/// The value as `check-config` may show it.
pub fn redacted(key: &str, value: &Value) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    let secret = key == "store.url"
        || ["secret", "authorization", "password", "token"].iter().any(|word| name.contains(word));
    let names_a_file = name.ends_with("_file");
    match value {
        Value::String(text) if secret && !names_a_file && !text.is_empty() => "\"(redacted)\"".to_owned(),
        Value::Array(entries) if secret && !entries.is_empty() => "[\"(redacted)\"]".to_owned(),
        other => other.to_string(),
    }
}
