//! Webhooks: hooks and what they listen for, in the shapes of REST v1.0 and v2.0.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use url::{Host, Url};

use super::call::{Call, Refusal, integer, stamp};
use super::events::{Change, Family};
use super::state::{Shared, take};
use crate::domain::ids::{CompanyId, ProjectId};

/// Where events are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hook {
    pub id: i64,
    /// The project whose events it gets; without one, the company's.
    pub project: Option<ProjectId>,
    /// The version as it was asked for, e.g. `v2` or `v4.0`.
    pub version: String,
    /// The payload family that this means.
    pub family: Family,
    pub namespace: Option<String>,
    pub destination_url: String,
    /// The `Authorization` value that is sent along.
    #[serde(skip)]
    pub authorization: Option<String>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// What it listens for.
    pub triggers: Vec<Trigger>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// One kind of event that a hook listens for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trigger {
    pub id: i64,
    pub resource: String,
    /// What happened to it.
    pub change: Change,
}

impl Trigger {
    pub(super) fn fires(&self, resource: &str, change: Change) -> bool {
        self.resource == resource && self.change == change
    }
}

/// A resource that can be listened to.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) name: &'static str,
    pub(super) tool: &'static str,
    pub(super) changes: &'static [Change],
    company: bool,
}

const ALL: &[Change] = &[Change::Create, Change::Update, Change::Delete];

const fn of_project(name: &'static str, tool: &'static str) -> Resource {
    Resource { name, tool, changes: ALL, company: false }
}

const fn of_company(name: &'static str, changes: &'static [Change]) -> Resource {
    Resource { name, tool: "Company Settings", changes, company: true }
}

const RESOURCES: &[Resource] = &[
    of_project("Images", "Photos"),
    of_project("Image Categories", "Photos"),
    of_project("Punch Items", "Punch List"),
    of_project("Observation Items", "Observations"),
    of_project("Locations", "Project Settings"),
    of_project("Daily Logs", "Daily Log"),
    of_project("Coordination Issues", "Coordination Issues"),
    of_company("Trades", &[Change::Create, Change::Delete]),
    of_company("Projects", &[Change::Create, Change::Update]),
];

/// What a hook of this scope can listen to. Photos belong to projects: a company's hook cannot.
pub(super) fn resources(company: bool) -> impl Iterator<Item = &'static Resource> {
    RESOURCES.iter().filter(move |resource| resource.company == company)
}

/// A company, or one project of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope(pub(super) Option<ProjectId>);

impl Scope {
    /// From `project_id` or `company_id`, wherever v1.0 has them: query first, then body.
    pub(super) fn v1(sim: &Shared, call: &Call) -> Result<Self, Refusal> {
        let number = |name: &str| {
            call.query(name).and_then(|text| text.parse().ok()).or_else(|| integer(&call.body[name]))
        };
        match (number("project_id"), number("company_id")) {
            (Some(project), None) => Self::project(sim, ProjectId::new(project)),
            (None, Some(company)) => Self::company(sim, CompanyId::new(company)),
            _ => Err(Refusal::bad_request("either company_id or project_id is required")),
        }
    }

    /// From the path of a v2.0 call.
    pub(super) fn v2(sim: &Shared, call: &Call) -> Result<Self, Refusal> {
        let company = Self::company(sim, CompanyId::new(call.id("company_id")?))?;
        match call.id("project_id") {
            Ok(project) => Self::project(sim, ProjectId::new(project)),
            Err(_) => Ok(company),
        }
    }

    fn project(sim: &Shared, project: ProjectId) -> Result<Self, Refusal> {
        sim.open(project)?;
        Ok(Self(Some(project)))
    }

    fn company(sim: &Shared, company: CompanyId) -> Result<Self, Refusal> {
        if sim.world().company.id == company {
            return Ok(Self(None));
        }
        Err(Refusal::forbidden("App is not connected to this company"))
    }
}

/// What makes or changes a hook; absent fields stay as they are.
#[derive(Debug, Clone, Default)]
pub(super) struct HookFields {
    version: Option<String>,
    namespace: Option<String>,
    destination_url: Option<String>,
    authorization: Option<String>,
    status: Option<String>,
}

impl HookFields {
    /// The fields of a new hook.
    pub(super) fn new(destination_url: &str, authorization: &str, version: &str) -> Self {
        Self {
            version: Some(version.to_owned()),
            namespace: Some("punchlens".to_owned()),
            destination_url: Some(destination_url.to_owned()),
            authorization: Some(authorization.to_owned()),
            status: None,
        }
    }

    /// Reads `fields`, where the version stands under `version`.
    pub(super) fn read(fields: &Value, version: &str) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            version: text(&fields[version]),
            namespace: text(&fields["namespace"]),
            destination_url: text(&fields["destination_url"]),
            authorization: text(&fields["destination_headers"]["Authorization"]),
            status: text(&fields["status"]),
        }
    }

    /// Why they cannot be, if they cannot.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.version.as_deref().is_some_and(|text| Family::read(text).is_none()) {
            return Err("the payload version is not supported");
        }
        if self.namespace.as_deref().is_some_and(|name| name.is_empty() || !name.chars().all(plain)) {
            return Err("namespace may have a-z, 0-9 and - only");
        }
        if self.destination_url.as_deref().is_some_and(|url| !reachable(url)) {
            return Err("destination_url must be an https address");
        }
        if self.status.as_deref().is_some_and(|status| !["active", "disabled"].contains(&status)) {
            return Err("status must be active or disabled");
        }
        Ok(())
    }

    pub(super) fn apply(self, hook: &mut Hook, now: Timestamp) {
        if let Some(version) = self.version {
            hook.family = Family::read(&version).unwrap_or(hook.family);
            hook.version = version;
        }
        hook.namespace = self.namespace.or_else(|| hook.namespace.take());
        hook.authorization = self.authorization.or_else(|| hook.authorization.take());
        hook.destination_url = self.destination_url.unwrap_or_else(|| hook.destination_url.clone());
        hook.enabled = self.status.map_or(hook.enabled, |status| status == "active");
        hook.updated_at = now;
    }
}

/// https only, as with Procore; plain http to this machine is what makes a simulator useful.
fn reachable(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

impl Shared {
    /// Makes a hook, or says why not.
    pub(super) fn add_hook(&self, scope: Scope, fields: HookFields) -> Result<i64, &'static str> {
        fields.check()?;
        if fields.version.is_none() || fields.destination_url.is_none() {
            return Err("version and destination_url are required");
        }
        let now = self.now();
        Ok(self.change(|world| {
            let id = take(&mut world.next.hook);
            let mut hook = Hook {
                id,
                project: scope.0,
                version: String::new(),
                family: Family::V2,
                namespace: None,
                destination_url: String::new(),
                authorization: None,
                enabled: true,
                triggers: Vec::new(),
                created_at: now,
                updated_at: now,
            };
            fields.apply(&mut hook, now);
            world.hooks.insert(id, hook);
            id
        }))
    }

    /// The hook of that id in that scope.
    pub(super) fn hook(&self, scope: Scope, id: i64) -> Result<Hook, Refusal> {
        let world = self.world();
        let hook = world.hooks.get(&id).filter(|hook| hook.project == scope.0);
        hook.cloned().ok_or_else(Refusal::not_found)
    }

    /// Adds a trigger to a hook, or says why not; one that is there already is found again.
    pub(super) fn add_trigger(
        &self,
        hook: i64,
        resource: &str,
        change: &str,
    ) -> Result<Trigger, &'static str> {
        let change = Change::read(change).ok_or("event_type is not supported")?;
        self.change(|world| {
            let hook = world.hooks.get_mut(&hook).ok_or("the hook does not exist")?;
            let known = resources(hook.project.is_none()).find(|known| known.name == resource);
            let known = known.ok_or("resource_name is not supported in this scope")?;
            if !known.changes.contains(&change) {
                return Err("event_type is not supported for this resource");
            }
            if let Some(found) = hook.triggers.iter().find(|trigger| trigger.fires(resource, change)) {
                return Ok(found.clone());
            }
            let trigger =
                Trigger { id: take(&mut world.next.trigger), resource: resource.to_owned(), change };
            hook.triggers.push(trigger.clone());
            Ok(trigger)
        })
    }

    /// Takes triggers away; those that were there.
    pub(super) fn drop_triggers(&self, hook: i64, ids: &[i64]) -> Vec<i64> {
        self.change(|world| {
            let Some(hook) = world.hooks.get_mut(&hook) else { return Vec::new() };
            let (gone, kept): (Vec<_>, Vec<_>) =
                hook.triggers.drain(..).partition(|trigger| ids.contains(&trigger.id));
            hook.triggers = kept;
            gone.iter().map(|trigger| trigger.id).collect()
        })
    }
}

/// 400 in the shape of v2.0.
pub(super) fn bad_v2(message: &str) -> Refusal {
    Refusal::v2(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
}

impl Hook {
    /// Every read hides all but the last five characters of the `Authorization` value.
    fn masked(&self, mask: &str) -> Value {
        let Some(secret) = &self.authorization else { return json!({ "Authorization": null }) };
        let tail = secret.char_indices().rev().nth(4).map_or("", |(at, _)| &secret[at..]);
        json!({ "Authorization": format!("{mask}{tail}") })
    }

    pub(super) fn v1_json(&self) -> Value {
        json!({
            "id": self.id,
            "api_version": self.version,
            "destination_headers": self.masked("..."),
            "destination_url": self.destination_url,
            "owned_by_company_id": self.project.is_none().then_some(super::seed::COMPANY),
            "owned_by_project_id": self.project,
            "owned_by_user_id": null,
            "namespace": self.namespace,
        })
    }

    pub(super) fn v2_json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "status": if self.enabled { "active" } else { "disabled" },
            "payload_version": self.version,
            "namespace": self.namespace,
            "destination_headers": self.masked("*****"),
            "destination_url": self.destination_url,
            "trigger_count": self.triggers.len(),
            "company_id": super::seed::COMPANY.to_string(),
            "project_id": self.project.map(|id| id.to_string()),
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
        })
    }

    pub(super) fn trigger_v1_json(&self, trigger: &Trigger) -> Value {
        json!({
            "id": trigger.id,
            "webhook_hook_id": self.id,
            "resource_name": trigger.resource,
            "resource_id": null,
            // Lower case going in, upper case coming out.
            "event_type": trigger.change.name().to_uppercase(),
            "company_id": self.project.is_none().then_some(super::seed::COMPANY),
            "project_id": self.project,
            "user_id": null,
        })
    }

    pub(super) fn trigger_v2_json(&self, trigger: &Trigger) -> Value {
        json!({
            "id": trigger.id.to_string(),
            "webhook_hook_id": self.id.to_string(),
            "resource_name": trigger.resource,
            "event_type": trigger.change.name(),
            "company_id": super::seed::COMPANY.to_string(),
            "project_id": self.project.map(|id| id.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_https_or_this_machine() {
        let check = |url, expected| assert_eq!(reachable(url), expected, "{url}");
        check("https://edge.example.com/procore/events", true);
        check("http://127.0.0.1:8080/webhooks", true);
        check("http://localhost:8080/webhooks", true);
        check("http://edge.example.com/", false);
        check("ftp://127.0.0.1/", false);
        check("edge", false);
    }
}
