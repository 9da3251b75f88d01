//! Lays one text of rules over another, refusing keys that nothing reads.

use serde::Deserialize as _;
use toml::{Table, Value};

use crate::domain::tagging::rules::Rules;
use crate::domain::tagging::{DEFAULTS, Tagging};

/// Tables whose entries people name themselves.
const OPEN: &[&str] = &[
    "class",
    "fields",
    "priority",
    "people.manager_by_trade",
    "people.manager_by_location",
    "place.text.abbreviations",
    "place.text.phrases",
];

/// Entries of an open table whose keys are looked up where a new entry is checked.
const MODELS: &[(&str, &[&str])] = &[
    ("class", &["title", "one", "many", "also_called", "extent", "trades", "item_types", "priority"]),
    (
        "priority",
        &[
            "classes",
            "length_at_least",
            "area_at_least",
            "score_at_least",
            "location_contains",
            "set",
            "enabled",
        ],
    ),
    ("place.text.phrases", &["contains", "location"]),
];

/// A tagging file that cannot be used. Each message says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaggingError {
    /// It is no TOML.
    #[error("{file} is not valid TOML: {message}")]
    Syntax {
        /// Which file.
        file: String,
        /// Where and why.
        message: String,
    },
    /// A key that nothing reads.
    #[error("{file}: there is no key '{key}'{}", .nearest.as_ref().map(|key| format!(", did you mean '{key}'?")).unwrap_or_default())]
    UnknownKey {
        /// Which file.
        file: String,
        /// The key as given.
        key: String,
        /// The existing key that looks most like it.
        nearest: Option<String>,
    },
    /// A value of the wrong type, an impossible one, or one that is missing.
    #[error("{file}: '{key}' {message}")]
    Invalid {
        /// Which file.
        file: String,
        /// The key.
        key: String,
        /// What is wrong with its value.
        message: String,
    },
}

pub(super) fn defaults() -> Tagging {
    let tree: Table = DEFAULTS.parse().expect("the built-in rules are TOML: a test reads them");
    let rules = read("tagging.toml", &tree).expect("the built-in rules are complete: a test reads them");
    Tagging { tree, rules }
}

pub(super) fn lay_over(below: Tagging, file: &str, text: &str) -> Result<Tagging, TaggingError> {
    let layer: Table = text.parse().map_err(|error: toml::de::Error| TaggingError::Syntax {
        file: file.into(),
        message: error.to_string(),
    })?;
    let mut tree = below.tree;
    merge(&mut tree, layer, "", file)?;
    let rules = read(file, &tree)?;
    Ok(Tagging { tree, rules })
}

fn merge(below: &mut Table, layer: Table, prefix: &str, file: &str) -> Result<(), TaggingError> {
    for (name, value) in layer {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match (below.get_mut(&name), value) {
            (Some(Value::Table(below)), Value::Table(layer)) => merge(below, layer, &key, file)?,
            (Some(slot), value) => *slot = value,
            (None, Value::Table(entry)) if OPEN.contains(&prefix) => {
                new_entry(below, &name, entry, prefix, file)?;
            }
            (None, value) if OPEN.contains(&prefix) => {
                below.insert(name, value);
            }
            (None, _) => return Err(unknown(file, &key, &name, prefix, below.keys().map(String::as_str))),
        }
    }
    Ok(())
}

/// A class, rule or phrase that is not there below: its keys must be known and complete.
fn new_entry(
    below: &mut Table,
    name: &str,
    entry: Table,
    prefix: &str,
    file: &str,
) -> Result<(), TaggingError> {
    let keys = MODELS.iter().find(|(table, _)| *table == prefix).map_or(&[][..], |(_, keys)| keys);
    let path = format!("{prefix}.{name}");
    if let Some(wrong) = entry.keys().find(|key| !keys.contains(&key.as_str())) {
        return Err(unknown(file, &format!("{path}.{wrong}"), wrong, &path, keys.iter().copied()));
    }
    if let Some(missing) = keys.iter().find(|key| !entry.contains_key(**key)) {
        let alike = nearest(name, below.keys().map(String::as_str));
        let hint = alike.map(|known| format!(" (or did you mean '{prefix}.{known}'?)")).unwrap_or_default();
        let message = format!("is new and needs the key '{missing}'{hint}");
        return Err(TaggingError::Invalid { file: file.into(), key: path, message });
    }
    below.insert(name.to_owned(), Value::Table(entry));
    Ok(())
}

fn unknown<'a>(
    file: &str,
    key: &str,
    name: &str,
    prefix: &str,
    known: impl Iterator<Item = &'a str>,
) -> TaggingError {
    let whole = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    TaggingError::UnknownKey { file: file.into(), key: key.into(), nearest: nearest(name, known).map(whole) }
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.75;
    let alike = known.map(|known| (strsim::jaro_winkler(known, name), known));
    let (best, known) = alike.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best >= ALIKE).then_some(known)
}

fn read(file: &str, tree: &Table) -> Result<Rules, TaggingError> {
    let invalid = |key: String, message: String| TaggingError::Invalid { file: file.into(), key, message };
    let mut track = serde_path_to_error::Track::new();
    let value = Value::Table(tree.clone());
    let rules = Rules::deserialize(serde_path_to_error::Deserializer::new(value, &mut track));
    let rules = rules.map_err(|error: toml::de::Error| {
        invalid(track.path().to_string(), format!("cannot be: {}", error.message()))
    })?;
    match rules.impossible() {
        Some((key, words)) => Err(invalid(key, words.into())),
        None => Ok(rules),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_replace_what_they_name_and_nothing_else() {
        let base = Tagging::default_rules();
        let text = "[class.crack]\ntrades = [77, \"Plaster\"]\n[due]\nlow_days = \"\"\n[priority.long-crack]\nenabled = false\n\
                    [place]\nmin_share = 1\n[place.text.phrases.gym]\ncontains = \"fitness\"\nlocation = \"A>Gym\"";
        let laid = base.clone().with_override("company.toml", text).expect("valid");
        assert_eq!(laid.rules().class["crack"].trades.len(), 2);
        assert_eq!(laid.rules().class["crack"].title, "Crack");
        assert_eq!(laid.rules().class["spalling"], base.rules().class["spalling"]);
        assert_eq!((laid.rules().due.low_days.0, laid.rules().due.high_days.0), (None, Some(3)));
        assert!(!laid.rules().priority["long-crack"].enabled);
        let again = laid.with_override("project.toml", "[due]\nlow_days = 30").expect("valid");
        assert_eq!(again.rules().due.low_days.0, Some(30));
        assert_eq!(again.rules().class["crack"].trades.len(), 2);
    }

    #[test]
    fn wrong_files_say_what_to_change() {
        let cases = [
            ("[class.crack", "box.toml is not valid TOML"),
            ("[clas.crack]\ntitle = \"x\"", "no key 'clas', did you mean 'class'?"),
            ("[class.crack]\ntrade = []", "no key 'class.crack.trade', did you mean 'class.crack.trades'?"),
            (
                "[class.crak]\ntrades = []",
                "'class.crak' is new and needs the key 'title' (or did you mean 'class.crack'?)",
            ),
            (
                "[priority.new]\nclases = []",
                "no key 'priority.new.clases', did you mean 'priority.new.classes'?",
            ),
            ("[due]\nhigh_days = \"soon\"", "'due.high_days' cannot be: "),
            ("[place]\nmin_share = 0.2", "'place.min_share' must lie in 0.5..=1"),
            ("[class.crack]\npriority = \"urgent\"", "'class.crack.priority' cannot be"),
            ("[wording]\ntitle = \"{clas}\"", "there is no {clas}, did you mean {class}?"),
            (
                "[priority.long-crack]\nscore_at_least = 7",
                "'priority.long-crack.score_at_least' must lie in 0..=1",
            ),
            ("due = 3", "'due' cannot be"),
        ];
        for (text, expected) in cases {
            let message =
                Tagging::default_rules().with_override("box.toml", text).expect_err(expected).to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn new_entries_list_the_keys_that_the_defaults_have() {
        let tree = Tagging::default_rules().tree;
        for (table, keys) in MODELS.iter().take(2) {
            let entries = tree[*table].as_table().expect("a table");
            for (name, entry) in entries {
                let mut found: Vec<&str> = entry.as_table().expect(name).keys().map(String::as_str).collect();
                let mut expected = keys.to_vec();
                found.sort_unstable();
                expected.sort_unstable();
                assert_eq!(found, expected, "{table}.{name}");
            }
        }
    }
}
