//! `punchlens site`: is the site file sound, does it name the project's real locations, and how does it look.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::Settings;
use crate::app::rules;
use crate::config::Config;
use crate::domain::ids::ProjectKey;
use crate::domain::place::LocationTree;
use crate::domain::site::Site;
use crate::procore::Client;

/// Arguments of `site`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check a site file against the project's locations in Procore, and draw it.
    ///
    /// Exit codes: 0 sound; 1 something is to be mended.
    Check(Check),
}

#[derive(Debug, clap::Args)]
struct Check {
    /// The site file (GeoJSON).
    file: PathBuf,
    /// The locations instead of Procore's: a text file with a path such as `Building A>Floor 2` on each line.
    #[arg(long, value_name = "FILE")]
    locations: Option<PathBuf>,
    /// Whose locations, as COMPANY/PROJECT; needed where several projects are permitted.
    #[arg(long, value_name = "COMPANY/PROJECT", conflicts_with = "locations")]
    project: Option<ProjectKey>,
    /// Draw the ground and each floor into this SVG file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    let Action::Check(check) = args.action;
    let site = rules::site(&check.file.display().to_string())?;
    if let Some(file) = &check.svg {
        std::fs::write(file, site.draw()).with_context(|| format!("cannot write {}", file.display()))?;
        println!("drawn into {}", file.display());
    }
    let tree = match &check.locations {
        Some(file) => locations_in(file)?,
        None => locations_of(&settings.config, check.project).await?,
    };
    Ok(report(&site, &tree))
}

fn report(site: &Site, tree: &LocationTree) -> ExitCode {
    let problems = site.check(tree);
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() {
        let (areas, locations) = (site.len(), tree.locations().len());
        println!("sound: {areas} areas, each one of the project's {locations} locations");
        return ExitCode::SUCCESS;
    }
    println!("{} to fix", problems.len());
    ExitCode::from(1)
}

/// A location tree from a text file.
///
/// # Errors
/// When it cannot be read or names nothing.
pub(super) fn locations_in(file: &std::path::Path) -> anyhow::Result<LocationTree> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let tree = LocationTree::from_lines(&text);
    anyhow::ensure!(!tree.is_empty(), "{} names no locations: write one path on each line", file.display());
    Ok(tree)
}

async fn locations_of(config: &Config, named: Option<ProjectKey>) -> anyhow::Result<LocationTree> {
    let project = project(config, named)?;
    let credentials = crate::secrets::credentials();
    let client = Client::new(&config.procore, credentials.as_deref())?;
    Ok(LocationTree::new(client.locations(project).await?))
}

/// The permitted project that `named` names, or the only one.
fn project(config: &Config, named: Option<ProjectKey>) -> anyhow::Result<ProjectKey> {
    let permitted = config.procore.permitted();
    match (named, permitted.as_slice()) {
        (None, [only]) => Ok(*only),
        (None, []) => {
            anyhow::bail!("no project is permitted: add one under [[procore.projects]], or name --locations")
        }
        (None, _) => anyhow::bail!("several projects are permitted: name one with --project COMPANY/PROJECT"),
        (Some(key), _) => {
            anyhow::ensure!(
                permitted.contains(&key),
                "project {key} is not permitted: add it under [[procore.projects]]"
            );
            Ok(key)
        }
    }
}
