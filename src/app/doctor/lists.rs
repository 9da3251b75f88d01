//! Procore's lists that findings are better with: which of them the service account may not read.

use super::CheckLine;
use crate::domain::ids::ProjectKey;
use crate::procore::{Client, Error};

/// One line for each list that is refused, or one that says that none is.
pub(super) async fn examine(client: &Client, project: ProjectKey) -> Vec<CheckLine> {
    const NAME: &str = "lists";
    let answers = [
        (
            "locations",
            "findings carry no location",
            "let it see the project's locations",
            client.locations(project).await.map(drop),
        ),
        (
            "trades",
            "findings carry no trade",
            "let it read the company's trades",
            client.trades(project.company).await.map(drop),
        ),
        (
            "punch item types",
            "drafts carry no type",
            "give it Punch List Read Only or higher",
            client.punch_item_types(project).await.map(drop),
        ),
        (
            "punch item managers",
            "drafts carry no manager by name",
            "give it Punch List Standard or higher, and Directory Read Only",
            client.managers(project).await.map(drop),
        ),
    ];
    let mut lines = Vec::new();
    for (list, without, cure, answer) in answers {
        match answer {
            Ok(()) => {}
            Err(error @ (Error::Forbidden { .. } | Error::NotFound { .. } | Error::Rejected { .. })) => {
                let detail = format!("project {project}: {list} cannot be read, so {without} ({error})");
                let cure = format!("{cure}; if the tool is switched off in the project, switch it on");
                lines.push(CheckLine::note(NAME, detail, cure));
            }
            Err(error) => {
                let detail = format!("project {project}: {list} did not come: {error}");
                lines.push(CheckLine::note(NAME, detail, "try again in a while"));
            }
        }
    }
    if lines.is_empty() {
        lines.push(CheckLine::ok(
            NAME,
            format!("project {project}: locations, trades, types and managers can be read"),
        ));
    }
    lines
}
