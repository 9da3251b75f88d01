//! What a reviewer can choose from: Procore's own lists, and nothing else.

use std::collections::HashMap;

/// One entry of one of Procore's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Procore's id.
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
    /// The company's trades.
    pub trades: Vec<Choice>,
    /// People who may manage a punch item.
    pub managers: Vec<Choice>,
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
    let typed = squeeze(typed).to_lowercase();
    if typed.is_empty() {
        return None;
    }
    if let Some(exact) = list.iter().find(|choice| choice.label.to_lowercase() == typed) {
        return Some(exact);
    }
    let mut holding = list.iter().filter(|choice| choice.label.to_lowercase().contains(&typed));
    match (holding.next(), holding.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// The label of `id`, where the list has it.
pub fn label(list: &[Choice], id: i64) -> Option<&str> {
    list.iter().find(|choice| choice.id == id).map(|choice| choice.label.as_str())
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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
        assert_eq!(found("stairs"), None);
        assert_eq!(found("stairs (9)"), Some(9));
        assert_eq!(found("  "), None);
    }
}
