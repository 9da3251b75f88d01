//! Rule files and site files, read for every permitted project.

use anyhow::{Context as _, ensure};

use crate::domain::ids::ProjectKey;
use crate::domain::site::Site;
use crate::domain::tagging::Tagging;
use crate::inference::ModelInfo;
use crate::pipeline::{ProjectRules, RulesByProject, TaggingConfig};

/// The rules of each of `projects`.
///
/// # Errors
/// When a file cannot be read or says what cannot be; the message names the file and the key.
pub fn load(config: &TaggingConfig, projects: &[ProjectKey]) -> anyhow::Result<RulesByProject> {
    let one = |project: &ProjectKey| {
        let site = config.site_file_of(*project).map(site).transpose()?;
        let tagging = tagging(config.rules_files_of(*project))?;
        Ok((*project, ProjectRules { tagging, site, create_locations: config.create_locations }))
    };
    projects.iter().map(one).collect()
}

/// The compiled-in rules with `files` laid over them, in order.
///
/// # Errors
/// As [`load`].
pub fn tagging<'a>(files: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Tagging> {
    let mut tagging = Tagging::default_rules();
    for file in files {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read the rules file {file}"))?;
        tagging = tagging.with_override(file, &text)?;
    }
    Ok(tagging)
}

/// A site file.
///
/// # Errors
/// As [`load`].
pub fn site(file: &str) -> anyhow::Result<Site> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read the site file {file}"))?;
    Site::parse(&text).with_context(|| file.to_owned())
}

/// Refuses a model with a class that the rules of some project do not cover: nobody could say whose work it is.
///
/// # Errors
/// Names the project, the classes and what to add.
pub fn cover(rules: &RulesByProject, model: &ModelInfo) -> anyhow::Result<()> {
    if rules.is_empty() {
        return cover_by(&Tagging::default_rules(), model);
    }
    let one = |(project, rules): (&ProjectKey, &ProjectRules)| {
        cover_by(&rules.tagging, model).with_context(|| format!("project {project}"))
    };
    rules.iter().try_for_each(one)
}

/// As [`cover`], for the rules of one project.
///
/// # Errors
/// As [`cover`].
pub fn cover_by(tagging: &Tagging, model: &ModelInfo) -> anyhow::Result<()> {
    let classes: Vec<&str> = model.classes.iter().map(|class| class.name.as_str()).collect();
    let missing = tagging.missing_classes(&classes);
    ensure!(
        missing.is_empty(),
        "no tagging rule covers {} of the model {}: add a [class.{}] section to a file named in tagging.rules_files",
        missing.join(", "),
        model.name,
        missing[0]
    );
    Ok(())
}
