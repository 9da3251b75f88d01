//! A punch item, and what may be written into one.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::call::{Refusal, boolean, integer, integers};
use super::state::World;
use crate::domain::ids::{ImageId, LocationId, ProjectId, PunchItemId, PunchItemTypeId, TradeId, UserId};

/// An item of the Punch List.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PunchItem {
    pub id: PunchItemId,
    /// The project it is in.
    pub project: ProjectId,
    /// The number that people see.
    pub position: i64,
    pub name: String,
    pub description: Option<String>,
    /// Where it stands; `draft` until it is sent.
    pub workflow_status: String,
    /// `low`, `medium` or `high`.
    pub priority: Option<String>,
    /// Whether only admins, its creator and those named on it see it.
    pub private: bool,
    /// The reference that its creator gave it.
    pub reference: Option<String>,
    /// When it is due.
    pub due: Option<Date>,
    pub location: Option<LocationId>,
    pub trade: Option<TradeId>,
    pub item_type: Option<PunchItemTypeId>,
    pub manager: Option<UserId>,
    /// Who has the last word.
    pub final_approver: Option<UserId>,
    /// Photos of the Photos tool that were attached by id.
    pub images: Vec<ImageId>,
    /// Cost code and custom fields, by their names in requests.
    pub further: serde_json::Map<String, Value>,
    /// Files that were attached: id, name, project and storage key.
    pub attachments: Vec<Attachment>,
    /// What was said about it.
    pub comments: Vec<Comment>,
    pub created_by: UserId,
    pub closed_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When it went to the recycle bin.
    pub deleted_at: Option<Timestamp>,
}

/// A file on a punch item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attachment {
    pub id: i64,
    /// The name of the file.
    pub filename: String,
    /// Where its bytes lie on host B.
    pub key: String,
}

/// A comment on a punch item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comment {
    pub id: i64,
    pub body: String,
    pub by: UserId,
    pub at: Timestamp,
}

const STATES: [&str; 9] = [
    "draft",
    "initiated",
    "in_dispute",
    "work_required",
    "ready_for_review",
    "work_not_accepted",
    "ready_to_close",
    "not_accepted_by_creator",
    "closed",
];

/// Whether an item may go from one workflow status to another.
pub(super) fn may_become(from: &str, to: &str) -> bool {
    let next: &[&str] = match from {
        "draft" => &["initiated", "work_required", "closed"],
        "initiated" => &["in_dispute", "work_required", "ready_to_close", "closed"],
        "in_dispute" => &["draft", "initiated", "closed"],
        "work_required" => &["ready_for_review", "ready_to_close", "in_dispute", "closed"],
        "ready_for_review" => &["work_not_accepted", "ready_to_close", "closed"],
        "work_not_accepted" => &["ready_for_review", "closed"],
        "ready_to_close" => &["closed", "not_accepted_by_creator"],
        "not_accepted_by_creator" => &["work_required", "ready_to_close", "closed"],
        "closed" => &["work_required", "initiated"],
        _ => &[],
    };
    from == to || next.contains(&to)
}

/// The fields of a create or an update, checked.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) name: Option<String>,
    description: Option<String>,
    pub(super) workflow_status: Option<String>,
    priority: Option<String>,
    private: Option<bool>,
    reference: Option<String>,
    due: Option<Date>,
    location: Option<LocationId>,
    trade: Option<TradeId>,
    item_type: Option<PunchItemTypeId>,
    manager: Option<UserId>,
    final_approver: Option<UserId>,
    position: Option<i64>,
    images: Option<Vec<ImageId>>,
}

impl Fields {
    pub(super) fn read(world: &World, project: ProjectId, fields: &Value) -> Result<Self, Refusal> {
        let text = |name: &str| fields[name].as_str().map(str::to_owned);
        let number = |name: &str| match &fields[name] {
            Value::Null => Ok(None),
            value => integer(value).map(Some).ok_or_else(|| Refusal::invalid(name, "is not a number")),
        };
        let read = Self {
            name: text("name"),
            description: text("description"),
            workflow_status: text("workflow_status"),
            priority: text("priority"),
            private: boolean(&fields["private"]),
            reference: text("reference"),
            due: match text("due") {
                Some(due) => Some(due.parse().map_err(|_| Refusal::invalid("due", "is not a date"))?),
                None => None,
            },
            location: number("location_id")?.map(LocationId::new),
            trade: number("trade_id")?.map(TradeId::new),
            item_type: number("punch_item_type_id")?.map(PunchItemTypeId::new),
            manager: number("punch_item_manager_id")?.map(UserId::new),
            final_approver: number("final_approver_id")?.map(UserId::new),
            position: number("position")?,
            images: match &fields["image_ids"] {
                Value::Null => None,
                ids => {
                    let ids = integers(ids).ok_or_else(|| Refusal::invalid("image_ids", "is invalid"))?;
                    Some(ids.into_iter().map(ImageId::new).collect())
                }
            },
        };
        read.check(world, project)?;
        Ok(read)
    }

    fn check(&self, world: &World, project: ProjectId) -> Result<(), Refusal> {
        let must = |holds: bool, field: &str| {
            if holds { Ok(()) } else { Err(Refusal::invalid(field, "is invalid")) }
        };
        let image_there =
            |id| world.images.get(id).is_some_and(|image| image.project == project && !image.deleted);
        let person_there = |id: Option<UserId>| id.is_none_or(|id| world.people.find(id).is_some());
        let place_there = |id| world.locations.get(&id).is_some_and(|place| place.project == project);
        must(self.name.as_ref().is_none_or(|name| !name.trim().is_empty()), "name")?;
        must(
            self.workflow_status.as_deref().is_none_or(|status| STATES.contains(&status)),
            "workflow_status",
        )?;
        must(
            self.priority.as_deref().is_none_or(|name| ["low", "medium", "high"].contains(&name)),
            "priority",
        )?;
        must(self.location.is_none_or(place_there), "location_id")?;
        must(self.trade.is_none_or(|id| world.trade(id).is_some_and(|trade| trade.active)), "trade_id")?;
        must(
            self.item_type.is_none_or(|id| world.types.iter().any(|kind| kind.id == id)),
            "punch_item_type_id",
        )?;
        must(person_there(self.manager), "punch_item_manager_id")?;
        must(person_there(self.final_approver), "final_approver_id")?;
        must(self.images.iter().flatten().all(image_there), "image_ids")
    }

    pub(super) fn apply(self, item: &mut PunchItem) {
        item.name = self.name.unwrap_or_else(|| item.name.clone());
        item.description = self.description.or_else(|| item.description.take());
        item.priority = self.priority.or_else(|| item.priority.take());
        item.reference = self.reference.or_else(|| item.reference.take());
        item.workflow_status = self.workflow_status.unwrap_or_else(|| item.workflow_status.clone());
        item.private = self.private.unwrap_or(item.private);
        item.due = self.due.or(item.due);
        item.location = self.location.or(item.location);
        item.trade = self.trade.or(item.trade);
        item.item_type = self.item_type.or(item.item_type);
        item.manager = self.manager.or(item.manager);
        item.final_approver = self.final_approver.or(item.final_approver);
        item.position = self.position.unwrap_or(item.position);
        item.images = self.images.unwrap_or_else(|| std::mem::take(&mut item.images));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_leads_to_closed_and_none_back_to_draft_alone() {
        for from in STATES {
            let mut reached = vec![from];
            while let Some(next) = STATES
                .into_iter()
                .find(|to| !reached.contains(to) && reached.iter().any(|from| may_become(from, to)))
            {
                reached.push(next);
            }
            assert!(reached.contains(&"closed"), "{from}");
        }
        assert!(may_become("draft", "initiated") && !may_become("initiated", "draft"));
        assert!(!may_become("draft", "ready_for_review") && !may_become("nonsense", "draft"));
    }
}
