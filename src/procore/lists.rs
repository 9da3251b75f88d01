//! The lists from which findings are tagged, page by page: locations, trades, types, people.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{CompanyId, LocationId, ProjectKey};
use crate::domain::place::Location;
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::error::Error;
use crate::procore::images::{Person, time_range};
use crate::procore::lenient;
use crate::procore::paging::{Pages, V1_ROWS};
use crate::procore::project_data::{PunchItemType, Trade};

/// Deepest location tree that is followed upwards; also the end of a circle.
const DEEPEST: usize = 32;

/// A location as Procore lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationNode {
    #[serde(deserialize_with = "lenient::id")]
    pub id: LocationId,
    /// The location that it lies in.
    #[serde(default, deserialize_with = "lenient::opt_id")]
    pub parent_id: Option<LocationId>,
    /// Procore's joined name, e.g. `Building A>Floor 2>Unit 204`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    /// Its own name, the last part of that.
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub node_name: Option<String>,
    /// The names from the root to it. Not Procore's: [`with_paths`] sets it.
    #[serde(default)]
    pub path: Vec<String>,
}

/// Sets the paths of all nodes: from the parents where all are there, else from the joined name. The parents go first
/// because a node's own name may hold a `>`, and because joined names are old when a parent got another name.
pub fn with_paths(mut nodes: Vec<LocationNode>) -> Vec<LocationNode> {
    let by_id: HashMap<LocationId, &LocationNode> = nodes.iter().map(|node| (node.id, node)).collect();
    let path = |node: &LocationNode| by_parents(node, &by_id).unwrap_or_else(|| split_path(&node.name));
    let paths: Vec<Vec<String>> = nodes.iter().map(path).collect();
    for (node, path) in nodes.iter_mut().zip(paths) {
        node.path = path;
    }
    nodes
}

fn by_parents(node: &LocationNode, by_id: &HashMap<LocationId, &LocationNode>) -> Option<Vec<String>> {
    let mut names = vec![node.node_name.clone()?];
    let mut above = node.parent_id;
    while let Some(id) = above {
        let parent = by_id.get(&id).filter(|_| names.len() < DEEPEST)?;
        names.push(parent.node_name.clone()?);
        above = parent.parent_id;
    }
    names.reverse();
    Some(names)
}

/// The parts of Procore's joined name of a location, e.g. `Building A>Floor 2>Unit 204`.
fn split_path(name: &str) -> Vec<String> {
    name.split('>').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// `nodes` after some of them changed: `fresh` as they are now, and `gone` with all that lies in them.
pub fn changed(nodes: Vec<LocationNode>, fresh: Vec<LocationNode>, gone: &[LocationId]) -> Vec<LocationNode> {
    let parents: HashMap<LocationId, Option<LocationId>> =
        nodes.iter().chain(&fresh).map(|node| (node.id, node.parent_id)).collect();
    let is_gone = |id: LocationId| {
        let above = std::iter::successors(Some(id), |id| parents.get(id).copied().flatten());
        above.take(DEEPEST).any(|id| gone.contains(&id))
    };
    let mut kept: Vec<LocationNode> = nodes;
    kept.retain(|node| !is_gone(node.id) && fresh.iter().all(|fresh| fresh.id != node.id));
    kept.extend(fresh.into_iter().filter(|node| !gone.contains(&node.id)));
    with_paths(kept)
}

impl Client {
    /// The project's locations, page by page, as [`LocationNode`]s.
    ///
    /// # Errors
    /// When the project is not permitted.
    pub fn location_pages(&self, project: ProjectKey) -> Result<Pages, Error> {
        self.permit(project)?;
        Ok(self.pages("locations", locations(project), V1_ROWS))
    }

    /// Those of `ids` that are there; ids that are gone are left out by Procore.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn locations_by_id(
        &self,
        project: ProjectKey,
        ids: &[LocationId],
    ) -> Result<Vec<LocationNode>, Error> {
        self.permit(project)?;
        let mut nodes = Vec::new();
        for ids in ids.chunks(self.config().ids_per_call.max(1)) {
            let call = ids.iter().fold(locations(project), |call, id| call.query("filters[id][]", id));
            nodes.extend(self.list::<LocationNode>("locations", call, V1_ROWS).await?);
        }
        Ok(nodes)
    }

    /// The project's location tree.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn locations(&self, project: ProjectKey) -> Result<Vec<Location>, Error> {
        let nodes = with_paths(self.location_pages(project)?.all().await?);
        Ok(nodes.into_iter().map(|node| Location { id: node.id, path: node.path }).collect())
    }

    /// The company's trades, inactive ones included, page by page, as [`Trade`]s.
    ///
    /// # Errors
    /// When no project of the company is permitted.
    pub fn trade_pages(&self, company: CompanyId) -> Result<Pages, Error> {
        self.permit_company(company)?;
        Ok(self.pages("trades", trades(company), V1_ROWS))
    }

    /// The trades that changed between two instants of this box's clock, and some more.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn trades_changed(
        &self,
        company: CompanyId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Trade>, Error> {
        self.permit_company(company)?;
        let skew = Duration::from_secs(self.config().clock_skew_s.into());
        let from = from.checked_sub(skew).unwrap_or(Timestamp::MIN);
        let to = to.checked_add(skew).unwrap_or(Timestamp::MAX);
        let call = trades(company).query("filters[updated_at]", time_range(from, to));
        self.list("trades", call, V1_ROWS).await
    }

    /// The company's trades, inactive ones included.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn trades(&self, company: CompanyId) -> Result<Vec<Trade>, Error> {
        self.trade_pages(company)?.all().await
    }

    /// The project's types of punch items, page by page, as [`PunchItemType`]s.
    ///
    /// # Errors
    /// When the project is not permitted.
    pub fn punch_item_type_pages(&self, project: ProjectKey) -> Result<Pages, Error> {
        self.permit(project)?;
        let call = Call::get(project.company, "/rest/v1.0/punch_item_types");
        Ok(self.pages("punch item types", call.query("project_id", project.project), V1_ROWS))
    }

    /// The project's types of punch items.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn punch_item_types(&self, project: ProjectKey) -> Result<Vec<PunchItemType>, Error> {
        self.punch_item_type_pages(project)?.all().await
    }

    /// The people who may manage punch items of the project, page by page, as [`Person`]s.
    ///
    /// # Errors
    /// When the project is not permitted.
    pub fn manager_pages(&self, project: ProjectKey) -> Result<Pages, Error> {
        self.permit(project)?;
        let path = format!("/rest/v1.0/projects/{}/available_punch_item_managers", project.project);
        Ok(self.pages("managers", Call::get(project.company, path), V1_ROWS))
    }

    /// The people who may manage punch items of the project.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn managers(&self, project: ProjectKey) -> Result<Vec<Person>, Error> {
        self.manager_pages(project)?.all().await
    }

    /// Who may have the last word on a punch item, page by page, as [`Person`]s.
    ///
    /// # Errors
    /// When the project is not permitted.
    pub fn final_approver_pages(&self, project: ProjectKey) -> Result<Pages, Error> {
        self.permit(project)?;
        let path = format!("/rest/v1.0/projects/{}/punch_list/available_final_approvers", project.project);
        Ok(self.pages("final approvers", Call::get(project.company, path), V1_ROWS))
    }

    /// Who may have the last word on a punch item.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn final_approvers(&self, project: ProjectKey) -> Result<Vec<Person>, Error> {
        self.final_approver_pages(project)?.all().await
    }
}

fn locations(project: ProjectKey) -> Call {
    Call::get(project.company, format!("/rest/v1.0/projects/{}/locations", project.project))
}

fn trades(company: CompanyId) -> Call {
    Call::get(company, format!("/rest/v1.0/companies/{company}/trades"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(json: &str) -> Vec<Vec<String>> {
        let nodes: Vec<LocationNode> = serde_json::from_str(json).expect("nodes");
        with_paths(nodes).into_iter().map(|node| node.path).collect()
    }

    #[test]
    fn paths_come_from_parents_or_the_joined_name() {
        let check = |json: &str, expected: &[&[&str]]| assert_eq!(paths(json), expected, "{json}");
        let tree = include_str!("../../fixtures/procore/locations.json");
        check(tree, &[&["Building A"], &["Building A", "Floor 2"], &["Building A", "Floor 2", "Unit > 204"]]);
        check(
            r#"[{"id": 3, "parent_id": 9, "name": "Building A>Floor 2", "node_name": "Floor 2"}]"#,
            &[&["Building A", "Floor 2"]],
        );
        check(r#"[{"id": "3", "name": "1space>1 space"}]"#, &[&["1space", "1 space"]]);
        let circle = r#"[{"id": 1, "parent_id": 2, "name": "B>A", "node_name": "A"},
                         {"id": 2, "parent_id": 1, "name": "A>B", "node_name": "B"}]"#;
        check(circle, &[&["B", "A"], &["A", "B"]]);
    }

    #[test]
    fn a_changed_location_takes_all_below_it_along() {
        let node = |id: i64, parent: i64, name: &str| {
            let parent_id = (parent > 0).then(|| LocationId::new(parent));
            let (name, node_name) = (name.to_owned(), Some(name.to_owned()));
            LocationNode { id: LocationId::new(id), parent_id, name, node_name, path: Vec::new() }
        };
        let tree = vec![node(1, 0, "A"), node(2, 1, "Floor 1"), node(3, 2, "Unit 1"), node(4, 1, "Roof")];
        let shown = |nodes: Vec<LocationNode>| -> Vec<String> {
            let mut shown: Vec<String> = nodes.iter().map(|node| node.path.join("/")).collect();
            shown.sort();
            shown
        };
        let renamed = changed(tree.clone(), vec![node(2, 1, "Level 1")], &[]);
        assert_eq!(shown(renamed), ["A", "A/Level 1", "A/Level 1/Unit 1", "A/Roof"]);
        let added = changed(tree.clone(), vec![node(5, 4, "Hatch")], &[]);
        assert_eq!(shown(added), ["A", "A/Floor 1", "A/Floor 1/Unit 1", "A/Roof", "A/Roof/Hatch"]);
        let moved = changed(tree.clone(), vec![node(3, 4, "Unit 1")], &[LocationId::new(2)]);
        assert_eq!(shown(moved), ["A", "A/Roof", "A/Roof/Unit 1"]);
        assert_eq!(shown(changed(tree, Vec::new(), &[LocationId::new(2)])), ["A", "A/Roof"]);
    }
}
