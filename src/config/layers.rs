//! Lays the defaults, one file and the environment over one another, remembering where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Environment variables that set a key start with this; `PUNCHLENS_STORE__PATH` is `store.path`.
pub const ENV_PREFIX: &str = "PUNCHLENS_";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    Default,
    /// A line of the config file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// The command that runs, e.g. `demo` choosing free ports.
    Command(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Command(name) => write!(f, "set by {name}"),
        }
    }
}

/// A config that cannot be used. Each message says what to change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there or not readable.
    #[error("cannot read the config file {path}: {source}; name another with --config")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML.
    #[error("{origin} is not valid TOML: {source}")]
    Syntax {
        /// Which text.
        origin: String,
        /// Where and why, with an excerpt.
        source: Box<toml::de::Error>,
    },
    /// A key that nothing reads.
    #[error("{origin}: there is no key '{key}'{hint}; `punchlens check-config --default` lists them all", hint = hint(.nearest.as_deref()))]
    UnknownKey {
        /// Which text or variable.
        origin: Origin,
        /// The key as given.
        key: String,
        /// The existing key that looks most like it.
        nearest: Option<String>,
    },
    /// A value of the wrong type.
    #[error("{origin}: '{key}' must be {expected}, not {found}")]
    WrongType {
        /// Which text or variable.
        origin: Origin,
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// Right type, impossible value, or keys that contradict one another.
    #[error("config: {0}")]
    Invalid(String),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|key| format!(", did you mean '{key}'?")).unwrap_or_default()
}

/// A config tree and the origin of each leaf, by dotted key.
#[derive(Debug, Clone)]
pub struct Layers {
    tree: Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    /// Starts with the defaults, which also say which keys exist and of which type they are.
    ///
    /// # Errors
    /// When a fragment is not TOML.
    pub fn new(defaults: &str) -> Result<Self, Error> {
        let tree = parse(defaults, "the built-in default")?;
        let mut origins = BTreeMap::new();
        each_leaf(&tree, "", &mut |key, _| {
            origins.insert(key, Origin::Default);
        });
        Ok(Self { tree, origins })
    }

    /// Lays a file over what is there.
    ///
    /// # Errors
    /// When it is unreadable, not TOML, or has unknown keys or wrong types.
    pub fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        self.add_text(&text, &Origin::File(path.to_owned()))
    }

    /// Lays TOML `text` over what is there.
    ///
    /// # Errors
    /// As for [`Layers::add_file`].
    pub fn add_text(&mut self, text: &str, origin: &Origin) -> Result<(), Error> {
        let table = parse(text, &origin.to_string())?;
        let mut leaves = Vec::new();
        each_leaf(&table, "", &mut |key, value| leaves.push((key, value.clone())));
        leaves.into_iter().try_for_each(|(key, value)| self.set(&key, value, origin))
    }

    /// Lays the variables that start with [`ENV_PREFIX`] over what is there.
    ///
    /// # Errors
    /// When one names no key or its text is not of the key's type.
    pub fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), Error> {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix(ENV_PREFIX).filter(|rest| rest.contains("__")) else {
                continue;
            };
            let key = rest.to_ascii_lowercase().replace("__", ".");
            let origin = Origin::Environment(name.clone());
            let Some(current) = lookup(&self.tree, &key) else { return Err(self.unknown(&key, &origin)) };
            let value = parse_like(current, &text).ok_or_else(|| Error::WrongType {
                origin: origin.clone(),
                key: key.clone(),
                expected: current.type_str(),
                found: "what the variable holds".to_owned(),
            })?;
            self.set(&key, value, &origin)?;
        }
        Ok(())
    }

    /// Sets one leaf.
    ///
    /// # Errors
    /// When the key does not exist or the type differs from the default's.
    pub fn set(&mut self, key: &str, value: Value, origin: &Origin) -> Result<(), Error> {
        let Some(slot) = lookup_mut(&mut self.tree, key) else { return Err(self.unknown(key, origin)) };
        let value = match (&*slot, value) {
            (Value::Float(_), Value::Integer(whole)) => Value::Float(whole as f64),
            (_, value) => value,
        };
        if !slot.same_type(&value) {
            let (expected, found) = (slot.type_str(), value.type_str().to_owned());
            return Err(Error::WrongType { origin: origin.clone(), key: key.to_owned(), expected, found });
        }
        *slot = value;
        self.origins.insert(key.to_owned(), origin.clone());
        Ok(())
    }

    fn unknown(&self, key: &str, origin: &Origin) -> Error {
        let nearest = self
            .origins
            .keys()
            .map(|known| (strsim::jaro_winkler(known, key), known))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, known)| known.clone());
        Error::UnknownKey { origin: origin.clone(), key: key.to_owned(), nearest }
    }

    /// Reads the tree as `T`.
    ///
    /// # Errors
    /// When a list's entries have unknown or missing fields, or a value is out of range.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_path_to_error::deserialize(Value::Table(self.tree.clone()))
            .map_err(|error| Error::Invalid(format!("'{}': {}", error.path(), error.inner().message())))
    }

    /// Every leaf with its value and origin, in the order of the keys.
    pub fn leaves(&self) -> impl Iterator<Item = (&str, &Value, &Origin)> {
        self.origins
            .iter()
            .filter_map(|(key, origin)| lookup(&self.tree, key).map(|value| (key.as_str(), value, origin)))
    }
}

fn parse(text: &str, origin: &str) -> Result<Table, Error> {
    text.parse::<Table>()
        .map_err(|source| Error::Syntax { origin: origin.to_owned(), source: Box::new(source) })
}

/// Calls `visit` for everything that is not a table; lists count as one leaf.
fn each_leaf(table: &Table, prefix: &str, visit: &mut impl FnMut(String, &Value)) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => each_leaf(inner, &key, visit),
            leaf => visit(key, leaf),
        }
    }
}

fn lookup<'a>(tree: &'a Table, key: &str) -> Option<&'a Value> {
    let (last, parents) = split(key)?;
    let table = parents.iter().try_fold(tree, |table, name| table.get(*name)?.as_table())?;
    table.get(last).filter(|value| !value.is_table())
}

fn lookup_mut<'a>(tree: &'a mut Table, key: &str) -> Option<&'a mut Value> {
    let (last, parents) = split(key)?;
    let table = parents.iter().try_fold(tree, |table, name| table.get_mut(*name)?.as_table_mut())?;
    table.get_mut(last).filter(|value| !value.is_table())
}

fn split(key: &str) -> Option<(&str, Vec<&str>)> {
    let mut names: Vec<&str> = key.split('.').collect();
    names.pop().map(|last| (last, names))
}

/// Reads `text` as a value of the same type as `current`; strings need no quotes.
fn parse_like(current: &Value, text: &str) -> Option<Value> {
    if current.is_str() {
        return Some(Value::String(text.to_owned()));
    }
    let table: Table = format!("value = {text}").parse().ok()?;
    table.get("value").cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &str =
        "[store]\npath = \"\"\nread_connections = 4\n[procore]\nprojects = []\njitter = 0.5\n";

    fn layers() -> Layers {
        Layers::new(DEFAULTS).expect("valid")
    }

    fn origin() -> Origin {
        Origin::File("box.toml".into())
    }

    fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> + use<> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn value_of(layers: &Layers, wanted: &str) -> (Value, Origin) {
        let (_, value, origin) = layers.leaves().find(|(key, ..)| *key == wanted).expect("known key");
        (value.clone(), origin.clone())
    }

    #[test]
    fn later_layers_win_and_say_so() {
        let mut layers = layers();
        layers.add_text("[store]\npath = \"a.db\"\n[procore]\njitter = 1", &origin()).expect("valid");
        layers
            .add_environment(variables(&[
                ("PUNCHLENS_STORE__PATH", "b.db"),
                ("PUNCHLENS_PROCORE__PROJECTS", "[{ company = 8, project = 9 }]"),
                ("PUNCHLENS_LOG", "debug"),
                ("HOME", "/nowhere"),
            ]))
            .expect("valid");
        let from = |name: &str| Origin::Environment(name.to_owned());
        assert_eq!(value_of(&layers, "store.path"), ("b.db".into(), from("PUNCHLENS_STORE__PATH")));
        assert_eq!(value_of(&layers, "store.read_connections"), (4.into(), Origin::Default));
        assert_eq!(value_of(&layers, "procore.jitter"), (1.0.into(), origin()));
        assert!(value_of(&layers, "procore.projects").0.as_array().is_some_and(|list| list.len() == 1));
    }

    #[test]
    fn bad_layers_say_what_to_change() {
        let cases = [
            ("[store]\npth = \"a\"", "box.toml: there is no key 'store.pth', did you mean 'store.path'?"),
            ("[zebra]\nx = 1", "box.toml: there is no key 'zebra.x';"),
            ("store = 1", "box.toml: there is no key 'store'"),
            ("[store]\nread_connections = \"many\"", "'store.read_connections' must be integer, not string"),
            ("[store", "box.toml is not valid TOML"),
        ];
        for (text, expected) in cases {
            let message = layers().add_text(text, &origin()).expect_err(text).to_string();
            assert!(message.contains(expected), "{message}");
        }
        let error = layers().add_environment(variables(&[("PUNCHLENS_STORE__READ_CONNECTIONS", "many")]));
        assert!(error.expect_err("not a number").to_string().contains("must be integer"));
    }
}
