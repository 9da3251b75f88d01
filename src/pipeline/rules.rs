//! The rules in force, project by project.

use std::collections::HashMap;

use serde::Deserialize;

use super::{Context, Failure};
use crate::domain::ids::{CompanyId, ProjectId, ProjectKey};
use crate::domain::site::Site;
use crate::domain::tagging::Tagging;

/// What is read from files of the integrator's own: the section `[tagging]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaggingConfig {
    /// TOML files laid over the compiled-in rules, in order, for every project.
    pub rules_files: Vec<String>,
    /// The site file (`GeoJSON`) of projects that name none of their own; empty when there is none.
    pub site_file: String,
    /// Whether a location of the site file that Procore lacks is made there.
    pub create_locations: bool,
    /// Rules of one company each.
    pub companies: Vec<CompanyFiles>,
    /// Rules and site file of one project each.
    pub projects: Vec<ProjectFiles>,
}

/// A company's own rules.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompanyFiles {
    pub company: CompanyId,
    /// TOML files laid over the rules for all, in order.
    pub rules_files: Vec<String>,
}

/// A project's own rules and site file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectFiles {
    /// The company that owns it.
    pub company: CompanyId,
    pub project: ProjectId,
    /// TOML files laid over the company's rules, in order.
    #[serde(default)]
    pub rules_files: Vec<String>,
    /// Its site file; absent for the one for all.
    pub site_file: Option<String>,
}

impl TaggingConfig {
    /// The rules files of `project`: those for all, the company's, its own.
    pub fn rules_files_of(&self, project: ProjectKey) -> impl Iterator<Item = &str> {
        let companies = self.companies.iter().filter(move |files| files.company == project.company);
        let own = self.own(project).flat_map(|files| &files.rules_files);
        let files = self.rules_files.iter().chain(companies.flat_map(|files| &files.rules_files)).chain(own);
        files.map(String::as_str)
    }

    /// The site file of `project`, if there is one.
    pub fn site_file_of(&self, project: ProjectKey) -> Option<&str> {
        let own = self.own(project).find_map(|files| files.site_file.as_deref());
        Some(own.unwrap_or(&self.site_file)).filter(|file| !file.is_empty())
    }

    fn own(&self, project: ProjectKey) -> impl Iterator<Item = &ProjectFiles> {
        let of =
            move |files: &&ProjectFiles| files.company == project.company && files.project == project.project;
        self.projects.iter().filter(of)
    }
}

/// What decides about the findings of one project.
#[derive(Debug, Clone)]
pub struct ProjectRules {
    /// Class to trade, priority and wording.
    pub tagging: Tagging,
    /// Where its buildings and rooms lie, if somebody drew that.
    pub site: Option<Site>,
    /// Whether a location of the site file that Procore lacks is made there.
    pub create_locations: bool,
}

/// The rules of every permitted project.
pub type RulesByProject = HashMap<ProjectKey, ProjectRules>;

impl Context {
    /// The rules of a permitted project.
    ///
    /// # Errors
    /// When the project is not permitted.
    pub(super) fn rules(&self, project: ProjectKey) -> Result<&ProjectRules, Failure> {
        self.rules.get(&project).ok_or_else(|| not_permitted(project))
    }
}

/// The failure of a step that was asked for a project that the config does not list.
pub(super) fn not_permitted(project: ProjectKey) -> Failure {
    Failure::give_up(format!("project {project} is not permitted; add it under [[procore.projects]]"))
}
