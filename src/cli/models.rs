//! `punchlens models`: what can be loaded, with its licence status.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table};

use crate::config::Config;
use crate::inference::{self, package};

/// Where models lie in a clone.
const FOLDER: &str = "models";

pub(super) fn run(config: &Config) -> ExitCode {
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["model", "version", "precision", "classes", "training data", "from"]);
    let mut failures = Vec::new();
    for choice in choices(&config.inference) {
        match package::open(&choice) {
            Ok(package) => {
                let manifest = &package.manifest;
                let classes = manifest.classes.iter().map(|class| {
                    if class.experimental {
                        format!("{} (experimental)", class.name)
                    } else {
                        class.name.clone()
                    }
                });
                table.add_row([
                    manifest.name.clone(),
                    manifest.version.clone(),
                    package.precision.name().to_owned(),
                    classes.collect::<Vec<_>>().join(", "),
                    format!("{}: {}", manifest.licence.training_data.name(), manifest.licence.statement),
                    package.origin,
                ]);
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    println!("{table}");
    for failure in &failures {
        eprintln!("{failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// The configured model first, then every folder with a manifest.
fn choices(configured: &inference::Config) -> Vec<inference::Config> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(Path::new(FOLDER))
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join("manifest.toml").exists())
        .collect();
    folders.sort();
    let mut choices = vec![configured.clone()];
    for folder in folders {
        let model = folder.to_string_lossy().into_owned();
        let is_default = configured.model.is_empty() && folder.ends_with("finish-defects");
        if model != configured.model && !is_default {
            choices.push(inference::Config { model, ..configured.clone() });
        }
    }
    choices
}
