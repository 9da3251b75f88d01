//! Whether the fields that a company requires of punch items have values, project by project.

use super::CheckLine;
use crate::app::rules;
use crate::config::Config;
use crate::domain::delivery::ProjectMode;
use crate::domain::fields::{FieldNames, lacking, resolve, takes_cost_codes, takes_fieldset};
use crate::domain::ids::ProjectKey;
use crate::pipeline::ProjectRules;
use crate::procore::Client;
use crate::procore::config::PermittedProject;

const NAME: &str = "fields";

/// Lines for the projects in which items are written to Procore; none where there is nothing to say.
pub(super) async fn examine(config: &Config, client: &Client) -> Vec<CheckLine> {
    let projects = config.procore.projects.iter();
    let writing = projects.filter(|project| project.mode != ProjectMode::Shadow);
    let writing: Vec<ProjectKey> = writing.map(PermittedProject::key).collect();
    let Ok(rules) = rules::load(&config.tagging, &writing) else { return Vec::new() };
    let mut lines = Vec::new();
    for project in writing {
        if let Some(rules) = rules.get(&project) {
            lines.extend(of_project(client, project, rules).await);
        }
    }
    lines
}

async fn of_project(client: &Client, project: ProjectKey, rules: &ProjectRules) -> Vec<CheckLine> {
    let configured = &rules.tagging.rules().fields;
    let mut known = FieldNames::default();
    let mut lines = Vec::new();
    let unread = |what: &str, error: &crate::procore::Error| {
        let detail = format!("project {project}: Procore does not show its {what}: {error}");
        CheckLine::note(NAME, detail, "name fields and entries by Procore's ids: custom_field_… = …")
    };
    match client.punch_item_fields(project).await {
        Ok(fields) => known.fields = fields,
        Err(error) if takes_fieldset(configured) => lines.push(unread("fieldset of punch items", &error)),
        Err(_) => {}
    }
    if takes_cost_codes(configured) {
        match client.cost_codes(project).await {
            Ok(codes) => known.cost_codes = codes,
            Err(error) => lines.push(unread("cost codes", &error)),
        }
    }
    let gaps = resolve(configured, &known).gaps.into_iter();
    let mend = "correct the name or the value under [fields] in the project's rules file";
    lines.extend(gaps.map(|gap| CheckLine::wrong(NAME, format!("project {project}: {gap}"), mend)));
    let lacking = lacking(configured, &known);
    if !lacking.is_empty() {
        let names = lacking.join(", ");
        lines.push(CheckLine::note(
            NAME,
            format!("project {project}: the company requires {names} of punch items, and drafts go without"),
            "Procore need not enforce this for an app; if it does, the project stops with the reason. Give values under \
             [fields] in the project's rules file",
        ));
    }
    if lines.is_empty() && !configured.is_empty() {
        lines.push(CheckLine::ok(
            NAME,
            format!("project {project}: every configured field is one of Procore's"),
        ));
    }
    lines
}
