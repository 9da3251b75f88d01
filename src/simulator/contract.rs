//! Holds requests and answers against `fixtures/procore-contract`, field by field.
//!
//! The grammar of those files is told in their README. Requests are judged by `operations.json`, a translation of
//! Procore's own document that nobody here wrote; answers, whose schemas that document cuts short, by the shapes beside
//! it, which were written by hand.

mod reader;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::reader::{Reader, text_fits};
use super::record::{Host, RecordedRequest};

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

/// What may be sent, and what comes back: as `A`, the statuses alone or the shapes too.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation<A> {
    method: String,
    path: String,
    #[serde(default)]
    query: Map<String, Value>,
    #[serde(default)]
    body: Option<Value>,
    answers: A,
}

/// By status, the shape of the answer.
type Shapes = BTreeMap<u16, Value>;

#[derive(Debug)]
struct Contract {
    /// As Procore's document has them.
    translated: Vec<Operation<Vec<u16>>>,
    operations: Vec<Operation<Shapes>>,
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
    let translated = include_str!("../../fixtures/procore-contract/operations.json");
    Contract {
        translated: read(translated),
        operations: parts.iter().flat_map(|part| read::<Vec<Operation<Shapes>>>(part)).collect(),
        shapes: read(shapes),
    }
});

fn read<T: DeserializeOwned>(part: &str) -> T {
    serde_json::from_str(part).expect("the contract is compiled in and read by every test")
}

/// What is wrong with a request and its answer, each in a sentence.
pub fn check(request: &RecordedRequest) -> Vec<String> {
    let found = check_request(request).into_iter().chain(check_answer(request));
    found.map(|violation| format!("{} {}: {violation}", request.method, request.path)).collect()
}

/// What is wrong with a request.
pub fn check_request(request: &RecordedRequest) -> Vec<Violation> {
    let authorized = request.header("authorization").is_some();
    if request.host == Host::Storage {
        let leak = authorized.then(|| Violation::new("authorization", "host B must never see the bearer"));
        return leak.into_iter().collect();
    }
    if request.path.starts_with("/api/v5/files/") {
        return (!authorized).then(|| Violation::new("authorization", "is missing")).into_iter().collect();
    }
    let translated = find(&CONTRACT.translated, request);
    let own = find(&CONTRACT.operations, request);
    let Some(parameters) = translated.map(|found| &found.query).or(own.map(|found| &found.query)) else {
        return vec![Violation::new("path", format!("{} {} may not be used", request.method, request.path))];
    };
    let mut found = headers(request, authorized);
    query(parameters, request, &mut found);
    let form = request.header("content-type").is_some_and(|kind| !kind.contains("json"));
    let reader = Reader { answer: false, form };
    // Bodies of which the document says nothing are told here.
    let told = translated.and_then(|found| found.body.as_ref()).filter(|body| *body != "any");
    match told.or(own.and_then(|found| found.body.as_ref())) {
        Some(shape) => reader.check("body", shape, &request.body, &mut found),
        None if request.body_bytes > 0 => found.push(Violation::new("body", "there may be none")),
        None => {}
    }
    found
}

/// What is wrong with the answer to a request; nothing when a fault had a hand in it.
pub fn check_answer(request: &RecordedRequest) -> Vec<Violation> {
    let fine = (200..300).contains(&request.status);
    let Some(operation) = find(&CONTRACT.operations, request).filter(|_| fine && request.fault.is_none())
    else {
        return Vec::new();
    };
    let translated = find(&CONTRACT.translated, request);
    let declared = translated.is_none_or(|found| found.answers.contains(&request.status));
    let Some(shape) = operation.answers.get(&request.status).filter(|_| declared) else {
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

fn find<'a, A>(operations: &'a [Operation<A>], request: &RecordedRequest) -> Option<&'a Operation<A>> {
    let fitting = operations.iter().filter(|operation| {
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

fn headers(request: &RecordedRequest, authorized: bool) -> Vec<Violation> {
    let mut found = Vec::new();
    if request.path.starts_with("/rest/") {
        if !authorized {
            found.push(Violation::new("authorization", "is missing"));
        }
        let company = request.header("procore-company-id").map(|value| value.parse::<i64>().is_ok());
        // Who somebody is, and in which companies, is known without one.
        let free = matches!(request.path.as_str(), "/rest/v1.0/me" | "/rest/v1.0/companies")
            && request.query("company_id").or(request.query("project_id")).is_none();
        if company != Some(true) && !(free && company.is_none()) {
            found.push(Violation::new("procore-company-id", "is missing or no number"));
        }
    }
    if request.body_bytes > 0 && request.header("content-type").is_none() {
        found.push(Violation::new("content-type", "is missing"));
    }
    found
}

fn query(parameters: &Map<String, Value>, request: &RecordedRequest, found: &mut Vec<Violation>) {
    for name in parameters.keys().filter_map(|name| name.strip_suffix('!')) {
        if request.query(name).is_none() {
            found.push(Violation::new(format!("query.{name}"), "is missing"));
        }
    }
    for (name, value) in &request.query {
        let plain = name.strip_suffix("[]").unwrap_or(name);
        let required = format!("{plain}!");
        let shape = parameters.get(plain).or_else(|| parameters.get(&required));
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

#[cfg(test)]
mod tests;
