//! Compares values with the shapes of the contract's files.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};

use super::{CONTRACT, Violation};

/// Whether the text of a query or form field is of that type.
pub(super) fn text_fits(shape: &str, text: &str) -> bool {
    match shape {
        "string" | "any" => true,
        "integer" => text.parse::<i64>().is_ok(),
        "integers" => text.split(',').all(|part| part.parse::<i64>().is_ok()),
        "boolean" => matches!(text, "true" | "false"),
        "date" => text.parse::<Date>().is_ok(),
        "timestamp" => text.parse::<Timestamp>().is_ok(),
        "range" => {
            text.trim_matches('"').split_once("...").is_some_and(|(from, to)| moment(from) && moment(to))
        }
        choice => choices(choice).is_some_and(|mut choices| choices.any(|choice| choice == text)),
    }
}

fn moment(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok() || text.parse::<Date>().is_ok()
}

pub(super) fn choices(shape: &str) -> Option<impl Iterator<Item = &str>> {
    Some(shape.strip_prefix("one of ")?.split(", "))
}

/// Compares JSON with shapes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    /// Fields of an answer must be there, fields of a request need not.
    pub(super) answer: bool,
    /// Form fields are text whatever they mean.
    pub(super) form: bool,
}

impl Reader {
    pub(super) fn check(self, at: &str, shape: &Value, value: &Value, found: &mut Vec<Violation>) {
        match shape {
            Value::String(name) => self.check_named(at, name, value, found),
            Value::Array(items) => match (items.first(), value.as_array()) {
                (Some(shape), Some(values)) => {
                    for (place, value) in values.iter().enumerate() {
                        self.check(&format!("{at}[{place}]"), shape, value, found);
                    }
                }
                _ => found.push(Violation::new(at, "is not a list")),
            },
            Value::Object(fields) => match value.as_object() {
                Some(value) => self.check_fields(at, fields, value, found),
                None => found.push(Violation::new(at, "is not an object")),
            },
            _ => found.push(Violation::new(at, "the contract has no such shape")),
        }
    }

    fn check_named(self, at: &str, name: &str, value: &Value, found: &mut Vec<Violation>) {
        if let Some(reference) = name.strip_prefix('@') {
            return match CONTRACT.shapes.get(reference) {
                Some(shape) => self.check(at, shape, value, found),
                None => found.push(Violation::new(at, format!("the contract has no shape {reference}"))),
            };
        }
        let fits = match (name, value) {
            ("any", _) | ("boolean", Value::Bool(_)) => true,
            ("integer", Value::Number(number)) => number.is_i64(),
            ("integer" | "boolean", Value::String(text)) => self.form && text_fits(name, text),
            ("integer" | "boolean", _) => false,
            (name, Value::String(text)) => text_fits(name, text),
            _ => false,
        };
        if !fits {
            found.push(Violation::new(at, format!("{value} is not {name}")));
        }
    }

    fn check_fields(
        self,
        at: &str,
        shape: &Map<String, Value>,
        value: &Map<String, Value>,
        found: &mut Vec<Violation>,
    ) {
        for key in shape.keys().filter(|key| !key.ends_with('*')) {
            let name = key.trim_end_matches(['!', '?']);
            let needed = key.ends_with('!') || (self.answer && !key.ends_with('?'));
            let missing = match value.get(name) {
                None => needed,
                Some(value) => value.is_null() && key.ends_with('!'),
            };
            if missing {
                found.push(Violation::new(format!("{at}.{name}"), "is missing"));
            }
        }
        for (name, value) in value {
            let at = format!("{at}.{name}");
            match field(shape, name) {
                None => found.push(Violation::new(at, "is not a field of this operation")),
                Some(shape) if !value.is_null() => self.check(&at, shape, value, found),
                Some(_) => {}
            }
        }
    }
}

fn field<'a>(shape: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    shape
        .iter()
        .find(|(key, _)| match key.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => key.trim_end_matches(['!', '?']) == name,
        })
        .map(|(_, shape)| shape)
}
