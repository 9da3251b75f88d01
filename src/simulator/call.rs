//! A request as the handlers see it, and what they answer.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use bytes::Bytes;
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::state::{Sim, User};
use crate::domain::ids::ProjectId;

/// A file that came in a multipart body.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) field: String,
    pub(super) name: String,
    pub(super) bytes: Bytes,
}

/// A request, authenticated and taken apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    pub(super) path: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
    /// JSON, or form fields nested by their brackets; null if there was none.
    pub(super) body: Value,
    pub(super) files: Vec<File>,
    /// The body as it came.
    pub(super) raw: Bytes,
    /// Who asks; on host B and before there is a token, nobody.
    pub(super) user: Option<User>,
    pub(super) authorization: Option<String>,
}

/// A handler: one function of the state and the call.
pub(super) type Handle = fn(&Sim, &Call) -> Result<Reply, Refusal>;

/// Routes `method` to `handle`.
pub(super) fn on(method: MethodFilter, handle: Handle) -> MethodRouter<Sim> {
    axum::routing::on(
        method,
        move |State(sim): State<Sim>, Extension(call): Extension<Arc<Call>>| async move {
            handle(&sim, &call).into_response()
        },
    )
}

impl Call {
    /// A path parameter.
    ///
    /// # Errors
    /// 404 when it is no number, as for any other unknown path.
    pub(super) fn id(&self, name: &str) -> Result<i64, Refusal> {
        self.text_id(name)?.parse().map_err(|_| Refusal::not_found())
    }

    /// A path parameter as text.
    pub(super) fn text_id(&self, name: &str) -> Result<&str, Refusal> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).ok_or_else(Refusal::not_found)
    }

    /// The first query parameter of that name.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A list of ids: `name[]=1&name[]=2`, or `name=1,2`. `None` when the filter is not used.
    pub(super) fn ids(&self, name: &str) -> Result<Option<Vec<i64>>, Refusal> {
        let listed = format!("{name}[]");
        let mut used = false;
        let mut ids = Vec::new();
        for (_, value) in self.query.iter().filter(|(key, _)| key == name || *key == listed) {
            used = true;
            for id in value.trim_matches(['[', ']']).split(',').filter(|id| !id.is_empty()) {
                let id = id.trim().parse();
                ids.push(id.map_err(|_| Refusal::bad_request(&format!("{name} is invalid")))?);
            }
        }
        Ok(used.then_some(ids))
    }

    /// A query parameter that is true or false.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.query(name).map(|value| matches!(value, "true" | "1"))
    }

    /// A range of instants, `from...to`, quoted or not. `None` when the filter is not used.
    pub(super) fn range(&self, name: &str) -> Result<Option<(Timestamp, Timestamp)>, Refusal> {
        let Some(text) = self.query(name) else { return Ok(None) };
        let bad =
            || Refusal::bad_request(&format!("{name} must be two ISO 8601 times with three dots between"));
        let (from, to) = text.trim_matches('"').split_once("...").ok_or_else(bad)?;
        let from = instant(from, false).ok_or_else(bad)?;
        Ok(Some((from, instant(to, true).ok_or_else(bad)?)))
    }

    /// The project that the query names.
    pub(super) fn query_project(&self) -> Result<ProjectId, Refusal> {
        let id = self.query("project_id").and_then(|text| text.parse().ok());
        id.map(ProjectId::new).ok_or_else(|| Refusal::bad_request("project_id is missing"))
    }

    /// The project that the body names.
    pub(super) fn body_project(&self) -> Result<ProjectId, Refusal> {
        let id = integer(&self.body["project_id"]).map(ProjectId::new);
        id.ok_or_else(|| Refusal::bad_request("project_id is missing"))
    }

    pub(super) fn user(&self) -> Result<&User, Refusal> {
        self.user.as_ref().ok_or_else(Refusal::unauthorized)
    }
}

fn instant(text: &str, end: bool) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let date: Date = text.parse().ok()?;
        let date = if end { date.tomorrow().ok()? } else { date };
        TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
    })
}

/// A JSON number, or a string that holds one, as form fields do.
pub(super) fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A JSON boolean, or a string that says one.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str().map(|text| text == "true"))
}

/// The ids in a JSON list.
pub(super) fn integers(value: &Value) -> Option<Vec<i64>> {
    value.as_array()?.iter().map(integer).collect()
}

/// `2026-06-02T16:05:01Z`, the precision of Procore's answers.
pub(super) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An answer that is no error.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

/// What an answer carries.
#[derive(Debug)]
pub(super) enum Body {
    Json(Value),
    Bytes(Bytes),
    Text(String),
    Empty,
}

impl Reply {
    fn json(status: StatusCode, body: Value) -> Self {
        Self { status, headers: HeaderMap::new(), body: Body::Json(body) }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(super) fn created(body: Value) -> Self {
        Self::json(StatusCode::CREATED, body)
    }

    pub(super) fn multi_status(body: Value) -> Self {
        Self::json(StatusCode::MULTI_STATUS, body)
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Body::Empty }
    }

    /// Adds a header; names and values are the simulator's own.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        let (kind, body) = match self.body {
            Body::Json(value) => (Some(json), value.to_string().into()),
            Body::Text(words) => (Some(text), words.into()),
            Body::Bytes(bytes) => (None, bytes.into()),
            Body::Empty => (None, axum::body::Body::empty()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        if let Some(kind) = kind {
            response.headers_mut().entry(header::CONTENT_TYPE).or_insert(kind);
        }
        response
    }
}

/// An error answer, in one of the several shapes that Procore uses.
#[derive(Debug)]
pub(super) struct Refusal(Box<Reply>);

impl Refusal {
    pub(super) fn new(status: StatusCode, body: Value) -> Self {
        Self(Box::new(Reply::json(status, body)))
    }

    pub(super) fn text(status: StatusCode, words: &str) -> Self {
        Self(Box::new(Reply { status, headers: HeaderMap::new(), body: Body::Text(words.to_owned()) }))
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, json!({ "errors": message }))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, json!({ "errors": "The access token is invalid" }))
            .with("www-authenticate", "Bearer realm=\"Doorkeeper\", error=\"invalid_token\"")
    }

    pub(super) fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, json!({ "code": 403, "message": message, "reason": "forbidden" }))
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, json!({ "message": "Not Found", "error": "not_found" }))
    }

    /// 422 about one field, the way of Rails.
    pub(super) fn invalid(field: &str, message: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, json!({ "errors": { field: [message] } }))
    }

    /// An error the way of REST v2.0.
    pub(super) fn v2(status: StatusCode, code: &str, message: &str) -> Self {
        Self::new(status, json!({ "error": { "code": code, "message": message, "details": [] } }))
    }

    pub(super) fn with(self, name: &'static str, value: &str) -> Self {
        Self(Box::new(self.0.with(name, value)))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(query: &[(&str, &str)]) -> Call {
        let query = query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Call { query, ..Call::default() }
    }

    #[test]
    fn id_filters_come_listed_or_joined() {
        let check = |query: &[(&str, &str)], expected: Option<Vec<i64>>| {
            assert_eq!(call(query).ids("filters[id]").ok(), Some(expected), "{query:?}");
        };
        check(&[], None);
        check(
            &[("filters[id][]", "1"), ("filters[id][]", "562950208716653")],
            Some(vec![1, 562_950_208_716_653]),
        );
        check(&[("filters[id]", "1,2")], Some(vec![1, 2]));
        check(&[("filters[id]", "[1,2]")], Some(vec![1, 2]));
        assert!(call(&[("filters[id][]", "x")]).ids("filters[id]").is_err());
    }

    #[test]
    fn ranges_have_three_dots() {
        let check = |text: &str, expected: Option<(i64, i64)>| {
            let range = call(&[("filters[updated_at]", text)]).range("filters[updated_at]");
            let range = range.ok().flatten().map(|(from, to)| (from.as_second(), to.as_second()));
            assert_eq!(range, expected, "{text}");
        };
        check("1970-01-01T00:00:10Z...1970-01-01T00:00:20Z", Some((10, 20)));
        check("\"1970-01-01...1970-01-01\"", Some((0, 86_400)));
        check("1970-01-01T00:00:10Z..1970-01-01T00:00:20Z", None);
        check("1970-01-01", None);
    }
}
