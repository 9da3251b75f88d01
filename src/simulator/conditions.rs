//! How a project is set up, and what stands between it and its clients: tools that are off, lists that a role may not
//! read, paths that are hidden for a while, files that arrive as something else.
//!
//! Unlike [`super::Faults`] these hold until they are changed.

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Call, Refusal};
use super::faults::path_matches;
use super::state::{Shared, Sim};
use crate::domain::ids::ProjectId;

/// Everything that holds for now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conditions {
    /// Paths that are refused.
    pub refusals: Vec<Refused>,
    /// Tools that are switched off in a project.
    pub tools_off: Vec<ToolOff>,
    /// What is told of a photo's length.
    pub sizes: Sizes,
    /// What the file host sends in place of the next photos, one each; the last one stays when `files_stay`.
    pub files: Vec<FileSent>,
    /// Whether the last of `files` holds for all that follow.
    pub files_stay: bool,
}

/// A path that is refused, as to a role that may not use it or for something that is hidden.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// The method, or any.
    #[serde(default)]
    pub method: Option<String>,
    /// The path: `*` stands for one segment, `**` at the end for all that follow.
    pub path: String,
    /// 403 or 404.
    pub status: u16,
}

/// A tool that is switched off in a project: 403 to everything that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolOff {
    pub project: i64,
    pub tool: Tool,
}

/// A tool of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    Photos,
    PunchList,
}

impl Tool {
    /// Whether `path` belongs to it.
    fn owns(self, path: &str) -> bool {
        let parts: &[&str] = match self {
            Self::Photos => &["images", "image_categories"],
            Self::PunchList => {
                &["punch_items", "punch_item_types", "available_punch_item_managers", "punch_list"]
            }
        };
        path.split('/').any(|segment| parts.contains(&segment))
    }
}

/// What a photo's `size` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sizes {
    /// The length of the file.
    #[default]
    Right,
    Absent,
    /// Another length than the file has.
    Wrong,
}

/// What the file host sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSent {
    Whole,
    /// Its first half, as if that were all.
    Half,
    Empty,
    /// A page of the network.
    Page,
    /// An error document of the storage, with status 200.
    Xml,
}

impl FileSent {
    fn of(self, file: Bytes) -> Bytes {
        match self {
            Self::Whole => file,
            Self::Half => file.slice(..file.len() / 2),
            Self::Empty => Bytes::new(),
            Self::Page => Bytes::from_static(
                b"<!DOCTYPE html><html><head><title>Access blocked</title></head><body>Sign in</body></html>",
            ),
            Self::Xml => Bytes::from_static(
                b"<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>",
            ),
        }
    }
}

pub(super) fn routes() -> Router<Sim> {
    Router::new().route("/simulator/conditions", post(set))
}

async fn set(State(sim): State<Sim>, Json(conditions): Json<Conditions>) -> StatusCode {
    sim.change(|world| world.conditions = conditions);
    StatusCode::NO_CONTENT
}

impl Shared {
    /// Refuses what the conditions refuse.
    pub(super) fn conditions_allow(&self, method: &str, call: &Call) -> Result<(), Refusal> {
        let world = self.world();
        let refused = world.conditions.refusals.iter().find(|refused| {
            refused.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && path_matches(&refused.path, &call.path)
        });
        if let Some(refused) = refused {
            let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::FORBIDDEN);
            let words = if status == StatusCode::NOT_FOUND { "Not Found" } else { "You are not allowed" };
            return Err(Refusal::new(status, json!({ "code": status.as_u16(), "message": words })));
        }
        let project = project_of(call);
        let off = world
            .conditions
            .tools_off
            .iter()
            .find(|off| project == Some(ProjectId::new(off.project)) && off.tool.owns(&call.path));
        if off.is_some() {
            return Err(Refusal::forbidden("The tool is not enabled in this project"));
        }
        Ok(())
    }

    /// The file as the host sends it.
    pub(super) fn as_sent(&self, file: Bytes) -> Bytes {
        self.change(|world| {
            let conditions = &mut world.conditions;
            let sent = match &conditions.files[..] {
                [] => FileSent::Whole,
                [last] if conditions.files_stay => *last,
                _ => conditions.files.remove(0),
            };
            sent.of(file)
        })
    }
}

impl Sizes {
    /// What is told of a file of this length.
    pub(super) fn tell(self, length: usize) -> Value {
        match self {
            Self::Right => json!(length),
            Self::Absent => Value::Null,
            Self::Wrong => json!(length + 1),
        }
    }
}

/// The project that a call names, wherever it does.
fn project_of(call: &Call) -> Option<ProjectId> {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let in_path = || {
        let mut segments = call.path.split('/').skip_while(|segment| *segment != "projects");
        segments.nth(1)?.parse().ok()
    };
    let named = call.query("project_id").and_then(|text| text.parse().ok());
    named.or_else(in_path).or_else(|| number(&call.body["project_id"])).map(ProjectId::new)
}
