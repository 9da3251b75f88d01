//! How punch items look in answers: whole, and as rows of a list.

use serde_json::{Value, json};

use super::call::stamp;
use super::echo::{EchoedImages, file_id};
use super::punch_fields::PunchItem;
use super::state::{Shared, User, World};
use crate::domain::ids::UserId;

impl PunchItem {
    /// `Open`, `Closed` or `Pending`; for a draft Procore does not say which, so do not build on it.
    pub(super) fn coarse_status(&self) -> &'static str {
        match self.workflow_status.as_str() {
            "closed" => "Closed",
            "draft" | "initiated" => "Pending",
            _ => "Open",
        }
    }
}

impl Shared {
    /// The answer to create, show and update.
    pub(super) fn punch_item_json(&self, world: &World, item: &PunchItem) -> Value {
        let mut body = shared_fields(world, item);
        let person = |id: Option<UserId>| id.and_then(|id| world.people.find(id)).map(full_person);
        let own = json!({
            "rich_text_description": item.description.as_ref().map(|text| format!("<p>{text}</p>")),
            "date_initiated": (item.workflow_status != "draft").then(|| stamp(item.created_at)[..10].to_owned()),
            "cost_impact_amount": null,
            "can_email": false,
            "created_by": person(Some(item.created_by)),
            "closed_by": person(item.closed_by),
            "punch_item_manager": person(item.manager),
            "final_approver": person(item.final_approver),
            "location": world.location_json(item.location, false),
            "assignments": [],
            "distribution_members": [],
            "comments": comments(world, item),
            "attachments": self.attachments(world, item),
            "images": self.images(world, item),
            "web_images": [],
            "drawing_ids": [],
            "current_drawing_revision_ids": [],
            "download_all_attachments_uuid": format!("sim-{}", item.id),
        });
        merge(&mut body, own);
        body
    }

    fn attachments(&self, world: &World, item: &PunchItem) -> Vec<Value> {
        let row = |id: Value, key: &str, filename: &str| {
            json!({
                "id": id,
                "url": self.file_url(item.project, key),
                "filename": filename,
                "viewable_document_id": null,
                "attached_to_item_id": item.id,
                "attached_to_item_type": "PunchItem",
                "viewer_url": null,
            })
        };
        let files = item.attachments.iter().map(|file| row(json!(file.id), &file.key, &file.filename));
        let images = item.images.iter().filter(|_| world.faults.echo.images == EchoedImages::Empty);
        let images = images.filter_map(|id| world.images.get(id));
        files.chain(images.map(|image| row(file_id(image.id), &image.key, &image.filename))).collect()
    }

    fn images(&self, world: &World, item: &PunchItem) -> Vec<Value> {
        let echo = world.faults.echo.images;
        let images = item.images.iter().filter_map(|id| world.images.get(id));
        let row = |image: &super::state::Image| {
            let url = self.file_url(image.project, &image.key);
            let id = match echo {
                EchoedImages::FileIds => file_id(image.id),
                EchoedImages::AsSent | EchoedImages::Empty => json!(image.id),
            };
            json!({ "id": id, "url": url, "filename": image.filename })
        };
        images.filter(|_| echo != EchoedImages::Empty).map(row).collect()
    }
}

/// A row of a list. The cost amount is a string here and a number there; so it is in Procore.
pub(super) fn punch_item_row(world: &World, item: &PunchItem) -> Value {
    let mut body = shared_fields(world, item);
    let person = |id: Option<UserId>| id.and_then(|id| world.people.find(id)).map(row_person);
    let own = json!({
        "cost_impact_amount": "0.0",
        "schedule_risk_confidence": null,
        "schedule_risk_probability": null,
        "has_resolved_responses": false,
        "has_unresolved_responses": false,
        "created_by": person(Some(item.created_by)),
        "closed_by": person(item.closed_by),
        "punch_item_manager": person(item.manager),
        "final_approver": person(item.final_approver),
        "location": world.location_json(item.location, true),
        "assignments": [],
        "assignees": [],
    });
    merge(&mut body, own);
    body
}

/// What the whole item and the row have in common.
fn shared_fields(world: &World, item: &PunchItem) -> Value {
    let ball = item.manager.filter(|_| item.workflow_status != "closed");
    let ball = ball.and_then(|id| world.people.find(id));
    let kind = item.item_type.and_then(|id| world.types.iter().find(|kind| kind.id == id));
    json!({
        "id": item.id,
        "position": item.position,
        "name": world.faults.echo.text(&item.name),
        "description": item.description.as_deref().map(|text| world.faults.echo.text(text)),
        "status": item.coarse_status(),
        "workflow_status": item.workflow_status,
        "priority": item.priority,
        "private": item.private,
        "reference": item.reference,
        "due_date": item.due,
        "created_at": stamp(item.created_at),
        "updated_at": stamp(item.updated_at),
        "closed_at": item.closed_at.map(stamp),
        "deleted_at": item.deleted_at.map(stamp),
        "cost_impact": null,
        "schedule_impact": null,
        "schedule_impact_days": null,
        "schedule_risk": null,
        "schedule_risk_reason": null,
        "cost_code": world.cost_code(&item.further),
        "ball_in_court": ball.iter().map(|user| json!({ "id": user.id, "name": user.name, "locale": "en" })).collect::<Vec<_>>(),
        "punch_item_type": kind.map(|kind| json!({ "id": kind.id, "name": kind.name })),
        "trade": item.trade.and_then(|id| world.trade_json(id)),
        "custom_fields": world.custom_fields(&item.further),
    })
}

fn full_person(user: &User) -> Value {
    json!({ "id": user.id, "name": user.name, "login": user.login, "company_name": user.company_name })
}

fn row_person(user: &User) -> Value {
    json!({ "id": user.id, "name": user.name, "locale": "en", "company_name": user.company_name })
}

fn comments(world: &World, item: &PunchItem) -> Vec<Value> {
    let row = |comment: &super::punch_fields::Comment| {
        json!({
            "id": comment.id,
            "body": world.faults.echo.text(&comment.body),
            "creator": world.people.find(comment.by).map(super::directory::person),
            "created_at": stamp(comment.at),
            "updated_at": stamp(comment.at),
        })
    };
    item.comments.iter().map(row).collect()
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
