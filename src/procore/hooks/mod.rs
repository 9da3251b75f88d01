//! Webhook subscriptions: one hook a permitted project, and one a company for what Procore tells of companies
//! alone. REST v2.0 first, v1.0 where that is not offered.

mod calls;
mod deliveries;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::domain::ids::{CompanyId, ProjectKey};
use crate::procore::call::Call;
use crate::procore::error::Error;
use crate::procore::lenient;

pub use deliveries::{Delivery, DeliveryStatus};

/// Payload family asked for with v2.0 hooks.
const PAYLOAD_VERSION: &str = "v4.0";

/// Payload family asked for with v1.0 hooks.
const OLD_PAYLOAD_VERSION: &str = "v2";

/// What Procore shows of an authorization value: its last characters.
const SHOWN_TAIL: usize = 5;

/// What is wanted of a project, in Procore's names.
const OF_PROJECT: [(&str, &[&str]); 4] = [
    (PHOTOS, &["create", "update", "delete"]),
    ("Punch Items", &["update", "delete"]),
    ("Locations", &["create", "update", "delete"]),
    (TRADES, &["create", "update", "delete"]),
];

/// What is wanted of a company, for what its projects do not offer.
const OF_COMPANY: [(&str, &[&str]); 1] = [(TRADES, &["create", "delete"])];

/// The one resource without which a project's hook is useless.
const PHOTOS: &str = "Images";

/// Trades belong to companies; v1.0 offers them to nobody else.
const TRADES: &str = "Trades";

/// Of what a hook tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookScope {
    Project(ProjectKey),
    /// What a company has in common for its projects.
    Company(CompanyId),
}

impl HookScope {
    /// The company, or the project's.
    pub const fn company(self) -> CompanyId {
        match self {
            Self::Project(project) => project.company,
            Self::Company(company) => company,
        }
    }

    const fn wanted(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Project(_) => &OF_PROJECT,
            Self::Company(_) => &OF_COMPANY,
        }
    }

    /// The name and the id by which v1.0 knows it.
    const fn parameter(self) -> (&'static str, i64) {
        match self {
            Self::Project(project) => ("project_id", project.project.value()),
            Self::Company(company) => ("company_id", company.value()),
        }
    }
}

impl From<ProjectKey> for HookScope {
    fn from(project: ProjectKey) -> Self {
        Self::Project(project)
    }
}

impl fmt::Display for HookScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(project) => project.fmt(f),
            Self::Company(company) => write!(f, "company {company}"),
        }
    }
}

/// Which of Procore's two hook APIs a hook belongs to; the two do not mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookApi {
    /// REST v2.0, payload v4.0.
    V2,
    /// REST v1.0, payload v2.
    V1,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its id within its API.
    pub id: String,
    /// Which API it belongs to.
    pub api: HookApi,
    pub namespace: String,
    pub destination_url: String,
    pub payload_version: Option<String>,
    /// Whether it was switched off.
    pub disabled: bool,
    /// The authorization value as Procore shows it: masked but for its end.
    pub authorization: Option<String>,
}

/// One kind of change that a hook tells of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trigger {
    /// The resource, e.g. `Images`.
    pub resource: String,
    /// `create`, `update` or `delete`.
    pub event: String,
}

/// How a hook should be.
#[derive(Debug, Clone, Copy)]
pub struct HookSpec<'a> {
    /// Marks it as ours.
    pub namespace: &'a str,
    pub destination_url: &'a str,
    /// The value of their `Authorization` header.
    pub authorization: &'a SecretString,
}

/// What a sync found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSync {
    /// The hook as it now is.
    pub hook: Hook,
    /// Whether it was made just now.
    pub created: bool,
    /// Whether its authorization value was out of date and has been replaced.
    pub rotated: bool,
    /// Triggers added just now.
    pub added: Vec<Trigger>,
    /// Triggers that Procore does not offer here; their changes are found by sweeping.
    pub unavailable: Vec<Trigger>,
    /// Other hooks in our namespace, which lead elsewhere: remove them if no other box owns them.
    pub strays: Vec<Hook>,
}

#[derive(Deserialize)]
struct WireHook {
    #[serde(deserialize_with = "lenient::text")]
    id: String,
    #[serde(default, deserialize_with = "lenient::text")]
    namespace: String,
    #[serde(default, deserialize_with = "lenient::text")]
    destination_url: String,
    #[serde(default, alias = "api_version", deserialize_with = "lenient::opt_text")]
    payload_version: Option<String>,
    #[serde(default, deserialize_with = "lenient::opt_text")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient::opt_object")]
    destination_headers: Option<WireHeaders>,
}

#[derive(Deserialize)]
struct WireHeaders {
    #[serde(default, rename = "Authorization", deserialize_with = "lenient::opt_text")]
    authorization: Option<String>,
}

impl WireHook {
    fn hook(self, api: HookApi) -> Hook {
        Hook {
            id: self.id,
            api,
            namespace: self.namespace,
            destination_url: self.destination_url,
            payload_version: self.payload_version,
            disabled: self.status.as_deref() == Some("disabled"),
            authorization: self.destination_headers.and_then(|headers| headers.authorization),
        }
    }
}

#[derive(Deserialize)]
struct WireTrigger {
    #[serde(default, deserialize_with = "lenient::text")]
    resource_name: String,
    #[serde(default, deserialize_with = "lenient::text")]
    event_type: String,
}

#[derive(Deserialize)]
struct WireResource {
    #[serde(default, deserialize_with = "lenient::text")]
    name: String,
    #[serde(default, deserialize_with = "lenient::side_list")]
    actions: Vec<Value>,
}

impl Hook {
    /// Whether Procore sends `authorization` with it, as far as the masked value tells.
    pub fn carries(&self, authorization: &SecretString) -> bool {
        let value = authorization.expose_secret();
        let tail = value.char_indices().rev().nth(SHOWN_TAIL - 1).map_or(value, |(at, _)| &value[at..]);
        self.authorization.as_deref().is_some_and(|shown| shown.ends_with(tail))
    }

    fn path(&self, scope: HookScope) -> String {
        format!("{}/{}", collection(self.api, scope), self.id)
    }
}

fn collection(api: HookApi, scope: HookScope) -> String {
    match api {
        HookApi::V2 => format!("{}/hooks", v2(scope)),
        HookApi::V1 => "/rest/v1.0/webhooks/hooks".to_owned(),
    }
}

fn v2(scope: HookScope) -> String {
    match scope {
        HookScope::Project(ProjectKey { company, project }) => {
            format!("/rest/v2.0/companies/{company}/projects/{project}/webhooks")
        }
        HookScope::Company(company) => format!("/rest/v2.0/companies/{company}/webhooks"),
    }
}

/// A read or a delete: v1.0 wants the scope in the query, v2.0 has it in the path.
fn scoped(call: Call, api: HookApi, scope: HookScope) -> Call {
    let (name, id) = scope.parameter();
    match api {
        HookApi::V2 => call,
        HookApi::V1 => call.query(name, id),
    }
}

/// A body for v1.0, with the scope in it.
fn scoped_body(scope: HookScope, fields: Value) -> Value {
    let (name, id) = scope.parameter();
    let mut body = serde_json::Map::from_iter([(name.to_owned(), id.into())]);
    if let Value::Object(fields) = fields {
        body.extend(fields);
    }
    Value::Object(body)
}

/// The triggers that are wanted, split into those that `offered` has and those that it has not.
/// Without knowledge of the offer, everything is tried but what only companies get.
fn split_wanted(scope: HookScope, offered: Option<&[WireResource]>) -> (Vec<Trigger>, Vec<Trigger>) {
    let wanted = scope.wanted().iter().flat_map(|(resource, events)| {
        events.iter().map(|event| Trigger { resource: (*resource).to_owned(), event: (*event).to_owned() })
    });
    wanted.partition(|trigger| match offered {
        None => trigger.resource != TRADES || matches!(scope, HookScope::Company(_)),
        Some(resources) => resources
            .iter()
            .any(|resource| resource.name == trigger.resource && resource.offers(&trigger.event)),
    })
}

impl HookSync {
    /// Whether trades are to be asked of the company's hook.
    pub fn lacks_trades(&self) -> bool {
        self.unavailable.iter().any(|trigger| trigger.resource == TRADES)
    }
}

impl WireResource {
    /// Actions come as text or as objects that name one; a resource without any offers all.
    fn offers(&self, event: &str) -> bool {
        let named = |action: &Value| {
            let texts = action.as_object().into_iter().flat_map(|object| object.values());
            texts.chain([action]).filter_map(Value::as_str).any(|text| text.eq_ignore_ascii_case(event))
        };
        self.actions.is_empty() || self.actions.iter().any(named)
    }
}

/// Whether an error of the v2.0 API means that it is not offered here.
const fn not_offered(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. } | Error::Rejected { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ProjectId;

    fn split(offered: Option<&str>) -> (Vec<String>, Vec<String>) {
        let offered: Option<Vec<WireResource>> =
            offered.map(|json| serde_json::from_str(json).expect("resources"));
        let project = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };
        let (wanted, unavailable) = split_wanted(project.into(), offered.as_deref());
        let names = |triggers: Vec<Trigger>| {
            triggers.into_iter().map(|trigger| format!("{} {}", trigger.resource, trigger.event)).collect()
        };
        (names(wanted), names(unavailable))
    }

    #[test]
    fn triggers_follow_the_offer() {
        let (wanted, unavailable) = split(Some(
            r#"[{"name": "Images"}, {"name": "Locations", "actions": ["create", {"type": "UPDATE"}]}]"#,
        ));
        assert_eq!(
            wanted,
            ["Images create", "Images update", "Images delete", "Locations create", "Locations update"]
        );
        assert_eq!(unavailable.len(), 6, "{unavailable:?}");
        let (wanted, unavailable) = split(None);
        assert_eq!((wanted.len(), unavailable.len()), (8, 3));
        assert!(unavailable.iter().all(|name| name.starts_with("Trades")));
    }

    #[test]
    fn a_masked_value_is_compared_by_its_end() {
        let check = |shown: Option<&str>, value: &str, expected| {
            let hook = Hook {
                id: "1".into(),
                api: HookApi::V2,
                namespace: "punchlens".into(),
                destination_url: "https://x".into(),
                payload_version: None,
                disabled: false,
                authorization: shown.map(str::to_owned),
            };
            assert_eq!(hook.carries(&value.into()), expected, "{shown:?} {value}");
        };
        check(Some("*****x9Qpz"), "Bearer 123x9Qpz", true);
        check(Some("...x9Qpz"), "Bearer 123x9Qpz", true);
        check(Some("*****x9Qpz"), "Bearer 123x9Qpy", false);
        check(Some("abc"), "abc", true);
        check(None, "Bearer 1", false);
    }
}
