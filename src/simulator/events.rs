//! What happened, and how the payload families v2, v3 and v4 tell it.

use jiff::Timestamp;
use rand::RngExt;
use serde::Serialize;
use serde_json::{Value, json};

use super::call::{Call, Refusal};
use super::state::{Shared, User, World, take};
use crate::domain::ids::{ProjectId, UserId};

/// What happened to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Create,
    Update,
    Delete,
}

impl Change {
    pub(super) fn read(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "create" => Some(Self::Create),
            "update" => Some(Self::Update),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Who made something happen.
#[derive(Debug, Clone)]
pub(super) struct Cause {
    pub(super) user: UserId,
    pub(super) application: Option<String>,
}

impl Cause {
    /// A person in Procore's own pages or phone app.
    pub(super) fn person(user: UserId) -> Self {
        Self { user, application: None }
    }

    /// Whoever makes this call.
    pub(super) fn of(call: &Call) -> Result<Self, Refusal> {
        let User { id, application, .. } = call.user()?.clone();
        Ok(Self { user: id, application })
    }
}

/// The generations of webhook payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Family {
    /// Numbers for ids, metadata.
    V2,
    /// v2 with related resources.
    V3,
    /// Strings for ids, no metadata.
    V4,
}

impl Family {
    /// From the version strings that Procore's pages use.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "v2" | "v2.0" => Some(Self::V2),
            "v3" | "v3.0" => Some(Self::V3),
            "v4" | "v4.0" => Some(Self::V4),
            _ => None,
        }
    }
}

/// One thing that happened, before it is told to any hook.
#[derive(Debug, Clone)]
pub(super) struct ChangeEvent<'a> {
    pub(super) resource: &'a str,
    pub(super) id: i64,
    pub(super) change: Change,
    /// Nothing for what belongs to the company.
    pub(super) project: Option<ProjectId>,
    pub(super) cause: &'a Cause,
    pub(super) at: Timestamp,
}

/// An event with ids of its own, in the shape of `family`, and its numeric id.
///
/// `version` is what the hook was made with: `v2` and `v2.0` both occur.
pub(super) fn payload(
    world: &mut World,
    what: &ChangeEvent<'_>,
    family: Family,
    version: &str,
) -> (i64, Value) {
    let number = take(&mut world.next.event);
    let ulid = world.ulid(what.at);
    let timestamp = what.at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let company = world.company.id;
    if family == Family::V4 {
        let event = json!({
            "id": ulid,
            "timestamp": timestamp,
            "reason": what.change.name(),
            "company_id": company.to_string(),
            "project_id": what.project.map(|id| id.to_string()),
            "user_id": what.cause.user.to_string(),
            "resource_type": what.resource,
            "resource_id": what.id.to_string(),
        });
        return (number, event);
    }
    // Procore leaves the metadata out now and then, even where it is known.
    let known = world.rng.random_bool(0.75);
    let or_null = |value: Value| if known { value } else { Value::Null };
    let mut event = json!({
        "id": number,
        "ulid": ulid,
        "timestamp": timestamp,
        "metadata": {
            "source_user_id": or_null(json!(what.cause.user)),
            "source_project_id": or_null(json!(what.project)),
            "source_operation_id": null,
            "source_company_id": or_null(json!(company)),
            "source_application_id": or_null(json!(what.cause.application)),
        },
        "user_id": what.cause.user,
        "company_id": company,
        "project_id": what.project,
        "api_version": version,
        "event_type": what.change.name(),
        "resource_name": what.resource,
        "resource_id": what.id,
    });
    if family == Family::V3 {
        event["related_resources"] = json!([]);
    }
    (number, event)
}

impl Shared {
    /// Tells every hook that listens for it.
    pub(super) fn emit(
        &self,
        resource: &str,
        id: i64,
        change: Change,
        project: impl Into<Option<ProjectId>>,
        cause: &Cause,
    ) {
        let project = project.into();
        let what = ChangeEvent { resource, id, change, project, cause, at: self.now() };
        self.change(|world| {
            let listening: Vec<i64> = world
                .hooks
                .values()
                .filter(|hook| hook.enabled && hook.project == project)
                .filter(|hook| hook.triggers.iter().any(|trigger| trigger.fires(resource, change)))
                .map(|hook| hook.id)
                .collect();
            for hook in listening {
                super::delivery::tell(world, hook, &what);
            }
        });
    }
}
