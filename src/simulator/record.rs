//! What was asked of the simulator, kept for tests to look at.

use serde::Serialize;
use serde_json::Value;

/// Which of the two hosts was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// Host A: Procore's own, with the API, the login and the file links.
    Procore,
    /// Host B: the cloud provider's storage.
    Storage,
}

/// One request and its fate. Secrets are left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordedRequest {
    /// Counts up from 1.
    pub number: u64,
    /// Which host was asked.
    pub host: Host,
    /// The method, upper case.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// Header names in lower case; of `authorization` only the scheme is kept.
    pub headers: Vec<(String, String)>,
    /// The JSON body, or form fields nested by their brackets; null for anything else.
    pub body: Value,
    /// Length of the body.
    pub body_bytes: usize,
    /// The HTTP status; 0 when the connection was cut before there was one.
    pub status: u16,
    /// The JSON answer, if it was one and not above `Options::keep_answer_bytes`.
    pub answer: Option<Value>,
    /// The fault that hit it, if one did.
    pub fault: Option<String>,
}

impl RecordedRequest {
    /// A header's value; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first query parameter of that name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether this is a `method` request to `path`.
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }
}

/// Keeps the scheme of an `Authorization` value, and nothing else.
pub(super) fn without_secret(name: &str, value: &str) -> String {
    if name == "authorization" {
        let scheme = value.split_once(' ').map_or("", |(scheme, _)| scheme);
        return format!("{scheme} [redacted]").trim_start().to_owned();
    }
    value.to_owned()
}

/// Blanks what a body should not tell, at any depth.
pub(super) fn redact(body: &mut Value) {
    const SECRET: [&str; 6] =
        ["client_secret", "access_token", "refresh_token", "token", "code", "Authorization"];
    match body {
        Value::Object(fields) => {
            for (name, value) in fields {
                if SECRET.contains(&name.as_str()) && value.is_string() {
                    *value = Value::String("[redacted]".into());
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_do_not_reach_the_record() {
        assert_eq!(without_secret("authorization", "Bearer abc"), "Bearer [redacted]");
        assert_eq!(without_secret("authorization", "abc"), "[redacted]");
        assert_eq!(without_secret("accept", "a/b"), "a/b");
        let mut body = json!({ "hook": { "destination_headers": { "Authorization": "Bearer s" } }, "client_secret": "s" });
        redact(&mut body);
        assert!(!body.to_string().contains("\"s\"") && !body.to_string().contains("Bearer s"));
    }
}
