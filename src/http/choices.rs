//! What a reviewer can choose from: Procore's own lists, and nothing else.

use std::collections::HashMap;

use serde_json::Value;

use crate::domain::ids::{LocationId, ProjectKey, TradeId, UserId};
use crate::domain::people::{Person, PersonId, ProcoreUser};
use crate::domain::punch_item::Edits;
use crate::store::{self, Store};

/// Between the names of a location's path.
pub(crate) const PATH_SEPARATOR: &str = " › ";

/// One entry of one of Procore's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub id: i64,
    /// What people read and type; no two entries of a list have the same.
    pub label: String,
}

/// The lists of one project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// The project's name, where Procore told it.
    pub project_name: Option<String>,
    /// The location tree, one entry a node.
    pub locations: Vec<Choice>,
    pub trades: Vec<Choice>,
    /// People who may manage a punch item.
    pub managers: Vec<Choice>,
}

impl Choices {
    /// The list that scripts and pages call `name`.
    pub(crate) fn named(&self, name: &str) -> Option<&[Choice]> {
        match name {
            "location" => Some(&self.locations),
            "trade" => Some(&self.trades),
            "manager" => Some(&self.managers),
            _ => None,
        }
    }

    /// Whether what `edits` choose is on Procore's lists, as far as they are known.
    ///
    /// # Errors
    /// A sentence that names the first one that is not.
    pub(crate) fn check(&self, edits: &Edits) -> Result<(), String> {
        let chosen = [
            ("location", edits.location.map(LocationId::value)),
            ("trade", edits.trade.map(TradeId::value)),
            ("manager", edits.manager.map(UserId::value)),
        ];
        for (name, id) in chosen {
            let Some((id, list)) = id.zip(self.named(name)) else { continue };
            if !list.is_empty() && label(list, id).is_none() {
                return Err(format!("{name} {id} is not in Procore’s list for this project."));
            }
        }
        Ok(())
    }
}

/// Procore's lists for `project`, as far as they are known.
pub(crate) async fn of(store: &Store, project: ProjectKey) -> Result<Choices, store::Error> {
    let mut kept = store.cached_kinds(project, &["project", "locations", "trades", "managers"]).await?;
    let project_name = kept.remove("project").and_then(|value| name_in(&value));
    let mut list = |kind| kept.remove(kind).map(|value| from_json(&value)).unwrap_or_default();
    Ok(Choices {
        project_name,
        locations: list("locations"),
        trades: list("trades"),
        managers: list("managers"),
    })
}

/// How `person` is called among the managers of `choices`, if they are one of them.
pub(crate) async fn manager_of(
    store: &Store,
    choices: &Choices,
    person: &Person,
) -> Result<Option<String>, store::Error> {
    let user = match person.who {
        PersonId::Procore(id) => Some(id),
        PersonId::Account(account) => match store.procore_user_of(account).await? {
            Some(ProcoreUser::Id(id)) => Some(id),
            Some(ProcoreUser::Login(_)) | None => None,
        },
        PersonId::Key => None,
    };
    Ok(user.and_then(|id| label(&choices.managers, id.value())).map(str::to_owned))
}

/// Procore's trades for `project` alone.
pub(crate) async fn trades(store: &Store, project: ProjectKey) -> Result<Vec<Choice>, store::Error> {
    let kept = store.cached(project, "trades").await?;
    Ok(kept.map(|(value, _)| from_json(&value)).unwrap_or_default())
}

/// The project's name, where Procore told it.
pub(crate) async fn project_name(store: &Store, project: ProjectKey) -> Result<Option<String>, store::Error> {
    let kept = store.cached(project, "project").await?;
    Ok(kept.and_then(|(value, _)| name_in(&value)))
}

fn name_in(value: &Value) -> Option<String> {
    value["name"].as_str().map(str::to_owned)
}

/// A list in reading order whose labels are all different: twins carry their id.
pub fn list(entries: impl IntoIterator<Item = (i64, String)>) -> Vec<Choice> {
    let mut list: Vec<Choice> = entries
        .into_iter()
        .map(|(id, label)| Choice { id, label: squeeze(&label) })
        .filter(|choice| !choice.label.is_empty())
        .collect();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for choice in &list {
        *seen.entry(choice.label.to_lowercase()).or_default() += 1;
    }
    for choice in &mut list {
        if seen.get(&choice.label.to_lowercase()).is_some_and(|count| *count > 1) {
            choice.label = format!("{} ({})", choice.label, choice.id);
        }
    }
    list.sort_by(|a, b| a.label.to_lowercase().cmp(&b.label.to_lowercase()).then(a.id.cmp(&b.id)));
    list
}

/// The entry that a person means by `typed`: the same words, whatever the case and the spaces; else the
/// only entry that holds them.
pub fn find<'a>(list: &'a [Choice], typed: &str) -> Option<&'a Choice> {
    let wanted = squeeze(typed).to_lowercase();
    if wanted.is_empty() {
        return None;
    }
    if let Some(exact) = list.iter().find(|choice| choice.label.to_lowercase() == wanted) {
        return Some(exact);
    }
    let mut holding = holding(list, typed);
    match (holding.next(), holding.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// The entries with every word of `typed`, in any case and order.
pub fn holding<'a>(list: &'a [Choice], typed: &str) -> impl Iterator<Item = &'a Choice> {
    let words: Vec<String> = typed.to_lowercase().split_whitespace().map(str::to_owned).collect();
    list.iter().filter(move |choice| {
        let label = choice.label.to_lowercase();
        words.iter().all(|word| label.contains(word))
    })
}

/// The entries of one of Procore's lists as it is kept: objects with an `id` and a `path` of names, or a
/// name. Entries that are neither are left out, and so are those that Procore calls inactive.
pub fn from_json(value: &Value) -> Vec<Choice> {
    let entries = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let active = entries.iter().filter(|entry| entry["active"].as_bool() != Some(false));
    list(active.filter_map(|entry| Some((id(&entry["id"])?, label_of(entry)?))))
}

fn id(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn label_of(entry: &Value) -> Option<String> {
    if let Some(path) = entry["path"].as_array() {
        let names: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
        return Some(names.join(PATH_SEPARATOR));
    }
    ["name", "full_name", "login"].iter().find_map(|key| entry[*key].as_str()).map(str::to_owned)
}

/// The label of `id`, where the list has it.
pub fn label(list: &[Choice], id: i64) -> Option<&str> {
    list.iter().find(|choice| choice.id == id).map(|choice| choice.label.as_str())
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The end of a location's path, two names at least, that no other location of `list` ends with. "Floor 2 › Unit 204" may
/// be in each of three buildings.
pub(crate) fn unique_end<'l>(path: &'l str, list: &[Choice]) -> &'l str {
    let starts: Vec<usize> = path.match_indices(PATH_SEPARATOR).map(|(at, found)| at + found.len()).collect();
    let others = || list.iter().map(|choice| choice.label.as_str()).filter(|label| *label != path);
    let ends_like = |label: &str, end: &str| {
        label.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with(PATH_SEPARATOR))
    };
    // The last start leaves one name alone, which says too little.
    let ends = starts.iter().rev().skip(1).map(|start| &path[*start..]);
    ends.into_iter().find(|end| others().all(|label| !ends_like(label, end))).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms() -> Vec<Choice> {
        list([
            (3, "Floor 2 › Unit 204".to_owned()),
            (1, "Floor 1 › Unit 104".to_owned()),
            (2, "Stairs".to_owned()),
            (9, "stairs ".to_owned()),
            (4, " ".to_owned()),
        ])
    }

    #[test]
    fn a_path_is_cut_to_what_makes_it_unique() {
        let label = |label: &str| Choice { id: 0, label: label.into() };
        let list = [
            "A › Floor 1 › Unit 101",
            "A › Floor 2 › Unit 204",
            "B › Floor 2 › Unit 204",
            "North › B › Floor 2 › Unit 204",
            "Floor 1 › Unit 102",
        ]
        .map(label);
        for (path, end) in [
            ("A › Floor 1 › Unit 101", "Floor 1 › Unit 101"),
            ("A › Floor 2 › Unit 204", "A › Floor 2 › Unit 204"),
            ("B › Floor 2 › Unit 204", "B › Floor 2 › Unit 204"),
            ("North › B › Floor 2 › Unit 204", "North › B › Floor 2 › Unit 204"),
            ("Floor 1 › Unit 102", "Floor 1 › Unit 102"),
            ("Lobby", "Lobby"),
        ] {
            assert_eq!(unique_end(path, &list), end, "{path}");
        }
    }

    #[test]
    fn lists_are_sorted_and_twins_told_apart() {
        let labels: Vec<String> = rooms().into_iter().map(|choice| choice.label).collect();
        assert_eq!(labels, ["Floor 1 › Unit 104", "Floor 2 › Unit 204", "Stairs (2)", "stairs (9)"]);
    }

    #[test]
    fn typing_finds_one_entry_or_none() {
        let rooms = rooms();
        let found = |typed: &str| find(&rooms, typed).map(|choice| choice.id);
        assert_eq!(found("floor 2  › unit 204"), Some(3));
        assert_eq!(found("204"), Some(3));
        assert_eq!(found("unit"), None, "two entries hold it");
        assert_eq!(found("204 floor"), Some(3));
        assert_eq!(found("stairs"), None);
        assert_eq!(found("stairs (9)"), Some(9));
        assert_eq!(found("  "), None);
    }

    #[test]
    fn kept_lists_are_read_leniently() {
        let value = serde_json::json!([
            { "id": 1, "path": ["Building A", "Floor 2"] },
            { "id": "562950208716653", "name": "Painting" },
            { "name": "no id" },
            { "id": 3, "name": "Asbestos", "active": false },
            7,
        ]);
        let read = from_json(&value);
        let read: Vec<(i64, &str)> = read.iter().map(|choice| (choice.id, choice.label.as_str())).collect();
        assert_eq!(read, [(1, "Building A › Floor 2"), (562_950_208_716_653, "Painting")]);
        assert!(from_json(&serde_json::json!({ "error": "x" })).is_empty());
    }
}
