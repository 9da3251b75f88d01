//! Whether an accepted item has a manager, project by project: without one, Procore makes this service it.

use super::CheckLine;
use crate::app::rules;
use crate::config::Config;
use crate::domain::delivery::ProjectMode;
use crate::domain::ids::ProjectKey;
use crate::domain::manager::{Acceptor, default_manager};
use crate::domain::people::{ProcoreUser, Role};
use crate::domain::tagging::{Catalogue, Tagging};
use crate::pipeline::reference;
use crate::procore::Client;
use crate::procore::config::PermittedProject;
use crate::store::{Account, Store};

const NAME: &str = "managers";

/// Names offered to whoever has to choose one.
const OFFERED: usize = 5;

/// One line for each project in which items are written to Procore.
pub(super) async fn examine(config: &Config, client: &Client, store: Option<&Store>) -> Vec<CheckLine> {
    let writing: Vec<ProjectKey> = config
        .procore
        .projects
        .iter()
        .filter(|project| project.mode != ProjectMode::Shadow)
        .map(PermittedProject::key)
        .collect();
    let accounts = match store {
        Some(store) => store.accounts().await.unwrap_or_default(),
        None => Vec::new(),
    };
    let Ok(rules) = rules::load(&config.tagging, &writing) else {
        // What is wrong with the rules has a line of its own.
        return Vec::new();
    };
    let mut lines = Vec::new();
    for project in writing {
        let Some(rules) = rules.get(&project) else { continue };
        lines.push(match reference::people(client, project).await {
            Ok(catalogue) => {
                judge(project, &rules.tagging, &catalogue, &accounts, config.sign_in.key_on_this_machine)
            }
            Err(error) => CheckLine::note(
                NAME,
                format!("project {project}: Procore does not list who may manage punch items: {error}"),
                "give people.manager in the project's rules file as Procore's id of the user",
            ),
        });
    }
    lines
}

fn judge(
    project: ProjectKey,
    tagging: &Tagging,
    catalogue: &Catalogue,
    accounts: &[Account],
    key: bool,
) -> CheckLine {
    let (configured, fired) = tagging.manager(None, &[], catalogue);
    if let Some(id) = configured {
        let manager = catalogue.managers.iter().find(|person| person.id == id);
        let manager = manager.map_or_else(|| id.to_string(), |person| person.name.clone());
        return CheckLine::ok(
            NAME,
            format!("project {project}: the person who accepts an item manages it, otherwise {manager}"),
        );
    }
    let lacking = lacking(project, catalogue, accounts, key);
    let wrong: Vec<String> =
        fired.into_iter().map(|rule| format!(" ({} {})", rule.rule, rule.because)).collect();
    let wrong = wrong.concat();
    if lacking.is_empty() {
        return CheckLine::ok(
            NAME,
            format!("project {project}: the person who accepts an item manages it{wrong}"),
        );
    }
    let detail = format!(
        "project {project}: what is accepted by {} would have no manager, and Procore makes this service it{wrong}",
        lacking.join(", ")
    );
    CheckLine::wrong(NAME, detail, cure(catalogue))
}

/// Who can accept in `project` and would leave the item without a manager.
fn lacking(project: ProjectKey, catalogue: &Catalogue, accounts: &[Account], key: bool) -> Vec<String> {
    let mut lacking: Vec<String> = accounts
        .iter()
        .filter(|account| account.disabled_at.is_none())
        .filter(|account| account.rights().role_in(project) >= Some(Role::Reviewer))
        .filter(|account| !manages(account.procore_user.clone(), catalogue))
        .map(|account| format!("the account {}", account.login))
        .collect();
    if key {
        lacking.push("the key of this machine".to_owned());
    }
    lacking
}

fn manages(user: Option<ProcoreUser>, catalogue: &Catalogue) -> bool {
    let acceptor = Acceptor { name: String::new(), user };
    default_manager(&acceptor, None, &catalogue.managers).manager.is_some()
}

fn cure(catalogue: &Catalogue) -> String {
    let offered = catalogue.managers.iter().take(OFFERED).map(|person| match &person.login {
        Some(login) => format!("\"{login}\" ({})", person.name),
        None => format!("\"{}\"", person.name),
    });
    let offered: Vec<String> = offered.collect();
    let whom = if offered.is_empty() {
        "Procore lists no manager: give a person the Punch Item Manager role in the Punch List's settings, then"
            .to_owned()
    } else {
        format!("Procore offers {};", offered.join(", "))
    };
    format!(
        "{whom} set [people] manager = \"…\" in a file named in tagging.rules_files (or under [[tagging.projects]] for \
         this project alone), or say who an account is: punchlens users procore-user LOGIN \"…\""
    )
}
