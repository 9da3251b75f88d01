//! Holds requests and answers against `fixtures/procore-contract`, field by field.
//!
//! The grammar of those files is told in their README. It checks both sides: what our client asks
//! and what the simulator answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::record::{Host, Recorded};

/// One thing that is not as the contract has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where: `query.page`, `body.punch_item.name`, `answer[0].id`, …
    pub at: String,
    /// What is wrong there.
    pub problem: String,
}

impl Violation {
    fn new(at: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { at: at.into(), problem: problem.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.problem)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    method: String,
    path: String,
    #[serde(default)]
    query: Map<String, Value>,
    #[serde(default)]
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
}

#[derive(Debug)]
struct Contract {
    operations: Vec<Operation>,
    shapes: Map<String, Value>,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let parts = [
        include_str!("../../fixtures/procore-contract/oauth.json"),
        include_str!("../../fixtures/procore-contract/directory.json"),
        include_str!("../../fixtures/procore-contract/images.json"),
        include_str!("../../fixtures/procore-contract/uploads.json"),
        include_str!("../../fixtures/procore-contract/locations.json"),
        include_str!("../../fixtures/procore-contract/punch_items.json"),
        include_str!("../../fixtures/procore-contract/webhooks.json"),
    ];
    let shapes = include_str!("../../fixtures/procore-contract/shapes.json");
    let read = |part: &str| -> Vec<Operation> {
        serde_json::from_str(part).expect("the contract is compiled in and read by every test")
    };
    Contract {
        operations: parts.iter().flat_map(|part| read(part)).collect(),
        shapes: serde_json::from_str(shapes).expect("the contract is compiled in and read by every test"),
    }
});

/// What is wrong with a request.
pub fn check_request(request: &Recorded) -> Vec<Violation> {
    let authorized = request.header("authorization").is_some();
    if request.host == Host::Storage {
        let leak = authorized.then(|| Violation::new("authorization", "host B must never see the bearer"));
        return leak.into_iter().collect();
    }
    if request.path.starts_with("/api/v5/files/") {
        return (!authorized).then(|| Violation::new("authorization", "is missing")).into_iter().collect();
    }
    let Some(operation) = operation(request) else {
        return vec![Violation::new("path", format!("{} {} may not be used", request.method, request.path))];
    };
    let mut found = headers(request, authorized);
    query(operation, request, &mut found);
    let form = request.header("content-type").is_some_and(|kind| !kind.contains("json"));
    let reader = Reader { answer: false, form };
    match &operation.body {
        Some(shape) => reader.check("body", shape, &request.body, &mut found),
        None if request.body_bytes > 0 => found.push(Violation::new("body", "there may be none")),
        None => {}
    }
    found
}

/// What is wrong with the answer to a request; nothing when a fault had a hand in it.
pub fn check_answer(request: &Recorded) -> Vec<Violation> {
    let fine = (200..300).contains(&request.status);
    let Some(operation) = operation(request).filter(|_| fine && request.fault.is_none()) else {
        return Vec::new();
    };
    let Some(shape) = operation.answers.get(&request.status) else {
        return vec![Violation::new("status", format!("{} is not among the answers", request.status))];
    };
    let mut found = Vec::new();
    let reader = Reader { answer: true, form: false };
    match (&request.answer, shape) {
        (Some(_), Value::Null) => found.push(Violation::new("answer", "there may be none")),
        (Some(answer), shape) => reader.check("answer", shape, answer, &mut found),
        // Answers beyond the limit are not kept, so there is nothing to look at.
        (None, _) => {}
    }
    found
}

fn operation(request: &Recorded) -> Option<&'static Operation> {
    let fitting = CONTRACT.operations.iter().filter(|operation| {
        operation.method == request.method
            && request.host == Host::Procore
            && fits(&operation.path, &request.path)
    });
    // `/punch_items/recycle_bin` is also `/punch_items/{id}`: the plainer one is meant.
    fitting.min_by_key(|operation| operation.path.matches('{').count())
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted.starts_with('{') || wanted == given => {}
            _ => return false,
        }
    }
}

fn headers(request: &Recorded, authorized: bool) -> Vec<Violation> {
    let mut found = Vec::new();
    if request.path.starts_with("/rest/") {
        if !authorized {
            found.push(Violation::new("authorization", "is missing"));
        }
        let company = request.header("procore-company-id").and_then(|value| value.parse::<i64>().ok());
        if company.is_none() {
            found.push(Violation::new("procore-company-id", "is missing or no number"));
        }
    }
    if request.body_bytes > 0 && request.header("content-type").is_none() {
        found.push(Violation::new("content-type", "is missing"));
    }
    found
}

fn query(operation: &Operation, request: &Recorded, found: &mut Vec<Violation>) {
    for name in operation.query.keys().filter_map(|name| name.strip_suffix('!')) {
        if request.query(name).is_none() {
            found.push(Violation::new(format!("query.{name}"), "is missing"));
        }
    }
    for (name, value) in &request.query {
        let plain = name.strip_suffix("[]").unwrap_or(name);
        let required = format!("{plain}!");
        let shape = operation.query.get(plain).or_else(|| operation.query.get(&required));
        let at = format!("query.{name}");
        match shape.and_then(Value::as_str) {
            None => found.push(Violation::new(at, "is not a parameter of this operation")),
            Some(shape) if !text_fits(shape, value) => {
                found.push(Violation::new(at, format!("'{value}' is not {shape}")));
            }
            Some(_) => {}
        }
    }
}

/// Whether the text of a query or form field is of that type.
fn text_fits(shape: &str, text: &str) -> bool {
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

fn choices(shape: &str) -> Option<impl Iterator<Item = &str>> {
    Some(shape.strip_prefix("one of ")?.split(", "))
}

/// Compares JSON with shapes.
#[derive(Debug, Clone, Copy)]
struct Reader {
    /// Fields of an answer must be there, fields of a request need not.
    answer: bool,
    /// Form fields are text whatever they mean.
    form: bool,
}

impl Reader {
    fn check(self, at: &str, shape: &Value, value: &Value, found: &mut Vec<Violation>) {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(method: &str, path: &str, query: &[(&str, &str)], body: Value) -> Recorded {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Recorded {
            number: 1,
            host: Host::Procore,
            method: method.into(),
            path: path.into(),
            query: query.iter().map(|(name, value)| header(name, value)).collect(),
            headers: vec![
                header("authorization", "Bearer [redacted]"),
                header("procore-company-id", "8"),
                header("content-type", "application/json"),
            ],
            body_bytes: usize::from(!body.is_null()),
            body,
            status: 200,
            answer: None,
            fault: None,
        }
    }

    fn places(violations: &[Violation]) -> Vec<&str> {
        violations.iter().map(|violation| violation.at.as_str()).collect()
    }

    #[test]
    fn every_reference_of_the_contract_leads_somewhere() {
        fn walk(shape: &Value) {
            match shape {
                Value::String(name) => {
                    let known = match name.strip_prefix('@') {
                        Some(reference) => CONTRACT.shapes.contains_key(reference),
                        None => {
                            choices(name).is_some()
                                || ["integer", "string", "boolean", "timestamp", "date", "any"]
                                    .contains(&name.as_str())
                        }
                    };
                    assert!(known, "{name}");
                }
                Value::Array(items) => items.iter().for_each(walk),
                Value::Object(fields) => fields.values().for_each(walk),
                _ => {}
            }
        }
        CONTRACT.shapes.values().for_each(walk);
        for operation in &CONTRACT.operations {
            operation.body.iter().chain(operation.answers.values()).for_each(walk);
        }
        assert!(CONTRACT.operations.len() > 50);
    }

    #[test]
    fn requests_are_held_to_names_types_and_headers() {
        let check = |request: Recorded, expected: &[&str]| {
            let found = check_request(&request);
            assert_eq!(places(&found), expected, "{found:?}");
        };
        let items = "/rest/v1.1/punch_items";
        let item = |item: Value| json!({ "project_id": 6778, "punch_item": item });
        check(request("POST", items, &[], item(json!({ "name": "x", "workflow_status": "draft" }))), &[]);
        check(
            request("POST", items, &[], item(json!({ "due_date": "2026-01-01" }))),
            &["body.punch_item.name", "body.punch_item.due_date"],
        );
        check(
            request("POST", items, &[], item(json!({ "name": "x", "image_ids": ["1"] }))),
            &["body.punch_item.image_ids[0]"],
        );
        check(
            request("GET", items, &[("filters[reference]", "x")], Value::Null),
            &["query.project_id", "query.filters[reference]"],
        );
        let range = ("filters[updated_at]", "2026-01-01T00:00:00Z..2026-01-02T00:00:00Z");
        check(
            request("GET", items, &[("project_id", "1"), range], Value::Null),
            &["query.filters[updated_at]"],
        );
        check(request("GET", items, &[("project_id", "1"), ("filters[id][]", "7")], Value::Null), &[]);
        check(request("POST", "/rest/v1.1/punch_items/send_unsent", &[], Value::Null), &["path"]);
        let bare = Recorded { headers: Vec::new(), ..request("GET", "/rest/v1.0/me", &[], Value::Null) };
        check(bare, &["authorization", "procore-company-id"]);
        let leak = Recorded { host: Host::Storage, ..request("GET", "/sim-files/x", &[], Value::Null) };
        check(leak, &["authorization"]);
    }

    #[test]
    fn answers_have_every_field_and_no_other() {
        let me = |answer: Value| {
            let request = request("GET", "/rest/v1.0/me", &[], Value::Null);
            check_answer(&Recorded { answer: Some(answer), ..request })
        };
        assert!(me(json!({ "id": 1, "login": null, "name": "x" })).is_empty());
        let found = me(json!({ "id": null, "login": 5, "extra": 1 }));
        assert_eq!(places(&found), ["answer.id", "answer.name", "answer.extra", "answer.login"]);
    }
}
