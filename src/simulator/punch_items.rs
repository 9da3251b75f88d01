//! The Punch List tool, REST v1.1.

use axum::Router;
use axum::routing::MethodFilter;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::access::Level;
use super::call::{Call, Refusal, Reply, on, stamp};
use super::events::{Cause, Change};
use super::listing::Page;
use super::punch_fields::{Attachment, Comment, Fields, PunchItem, may_become};
use super::punch_views::punch_item_row;
use super::state::{Shared, Sim, World, take};
use crate::domain::ids::{LocationId, ProjectId, PunchItemId, PunchItemTypeId, TradeId, UserId};

/// The resource's name in webhooks.
pub(super) const PUNCH_ITEMS: &str = "Punch Items";

pub(super) fn routes() -> Router<Sim> {
    const ALL: &str = "/rest/v1.1/punch_items";
    const ONE: &str = "/rest/v1.1/punch_items/{id}";
    Router::new()
        .route(ALL, on(MethodFilter::GET, list))
        .route(ALL, on(MethodFilter::POST, create))
        .route(&format!("{ALL}/recycle_bin"), on(MethodFilter::GET, recycle_bin))
        .route(ONE, on(MethodFilter::GET, show))
        .route(ONE, on(MethodFilter::PATCH, update))
        .route(ONE, on(MethodFilter::DELETE, delete))
        .route("/rest/v1.0/punch_items/{id}/comments", on(MethodFilter::POST, comment))
        .route("/rest/v1.0/punch_items/send_unsent", on(MethodFilter::POST, mail))
        .route("/rest/v1.0/punch_items/send_all_unsent", on(MethodFilter::POST, mail))
        .route(&format!("{ALL}/send_unsent"), on(MethodFilter::POST, mail))
        .route(&format!("{ALL}/send_all_unsent"), on(MethodFilter::POST, mail))
        .route("/rest/v1.0/punch_items/{id}/send_email", on(MethodFilter::POST, mail))
}

impl Shared {
    /// Changes an item on behalf of `cause` and tells the hooks.
    ///
    /// # Errors
    /// When there is no such item, or the fields or the transition are not valid.
    fn edit_punch_item(&self, id: PunchItemId, fields: &Value, cause: &Cause) -> Result<(), Refusal> {
        let now = self.now();
        let project = self.change(|world| {
            let (project, before) = world
                .punch_items
                .get(&id)
                .map(|item| (item.project, item.workflow_status.clone()))
                .ok_or_else(Refusal::not_found)?;
            let fields = Fields::read(world, project, fields)?;
            if let Some(after) = fields.workflow_status.as_deref().filter(|after| !may_become(&before, after))
            {
                let words = format!("cannot go from {before} to {after}");
                return Err(Refusal::invalid("workflow_status", &words));
            }
            if let Some(item) = world.punch_items.get_mut(&id) {
                fields.apply(item);
                item.updated_at = now;
                let closed = item.workflow_status == "closed";
                item.closed_at = closed.then(|| item.closed_at.unwrap_or(now));
                item.closed_by = closed.then(|| item.closed_by.unwrap_or(cause.user));
            }
            Ok(project)
        })?;
        self.emit(PUNCH_ITEMS, id.value(), Change::Update, project, cause);
        Ok(())
    }

    /// Somebody changes an item in Procore's own pages; `false` if that cannot be done.
    pub(super) fn person_edits(&self, id: PunchItemId, fields: &Value, user: UserId) -> bool {
        self.edit_punch_item(id, fields, &Cause::person(user)).is_ok()
    }

    /// Somebody makes an item in Procore's own pages; its id, or `None` if the fields are not valid.
    pub(super) fn person_adds(
        &self,
        project: ProjectId,
        fields: &Value,
        user: UserId,
    ) -> Option<PunchItemId> {
        let now = self.now();
        let id = self.change(|world| {
            let fields = Fields::read(world, project, fields).ok().filter(|fields| fields.name.is_some())?;
            let mut item = blank(world, project, user, now);
            fields.apply(&mut item);
            let id = item.id;
            world.punch_items.insert(id, item);
            Some(id)
        })?;
        self.emit(PUNCH_ITEMS, id.value(), Change::Create, project, &Cause::person(user));
        Some(id)
    }

    /// Moves an item to the recycle bin and tells the hooks; `false` if it is not there.
    pub(super) fn bin_punch_item(&self, id: PunchItemId, cause: &Cause) -> bool {
        let now = self.now();
        let project = self.change(|world| {
            let item = world.punch_items.get_mut(&id).filter(|item| item.deleted_at.is_none())?;
            item.deleted_at = Some(now);
            item.updated_at = now;
            Some(item.project)
        });
        if let Some(project) = project {
            self.emit(PUNCH_ITEMS, id.value(), Change::Delete, project, cause);
        }
        project.is_some()
    }
}

fn create(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let project = call.body_project()?;
    sim.open(project)?;
    sim.world().policies.open()?;
    sim.options.access.punch_list.at_least_standard("Punch List")?;
    let given = &call.body["punch_item"];
    if !given.is_object() {
        return Err(Refusal::bad_request("punch_item is missing"));
    }
    let uploads = given["upload_ids"].as_array().map(Vec::as_slice).unwrap_or_default();
    let uploads = uploads.iter().map(|uuid| sim.claim_upload(uuid.as_str().unwrap_or_default()));
    let mut files = uploads.collect::<Result<Vec<_>, _>>()?;
    let sent = call.files.iter().filter(|file| file.field.starts_with("attachments"));
    files.extend(sent.map(|file| (file.name.clone(), file.bytes.clone())));
    let (now, cause) = (sim.now(), Cause::of(call)?);
    let validate = call.flag("run_configurable_validations").unwrap_or(false);
    let id = sim.change(|world| {
        let place = given["location_id"].as_i64().map(LocationId::new);
        if world.policies.lost_location_is_not_found
            && place.is_some_and(|id| !world.locations.contains_key(&id))
        {
            return Err(Refusal::not_found());
        }
        let mut fields = Fields::read(world, project, given)?;
        let further = world.policies.further(given, validate)?;
        if fields.name.is_none() {
            return Err(Refusal::invalid("name", "can't be blank"));
        }
        if world.faults.drafts_ignored {
            fields.workflow_status = Some("initiated".into());
        }
        let mut item = blank(world, project, cause.user, now);
        fields.apply(&mut item);
        item.further = further;
        for (filename, bytes) in &files {
            let key = world.ulid(now);
            let id = take(&mut world.next.attachment);
            world.files.insert(key.clone(), bytes.clone());
            item.attachments.push(Attachment { id, filename: filename.clone(), key });
        }
        let id = item.id;
        world.punch_items.insert(id, item);
        Ok(id)
    })?;
    sim.emit(PUNCH_ITEMS, id.value(), Change::Create, project, &cause);
    for (filename, bytes) in files {
        sim.aggregate(project, &filename, bytes, &cause);
    }
    Ok(Reply::created(shown(sim, id)?))
}

fn blank(world: &mut World, project: ProjectId, user: UserId, now: Timestamp) -> PunchItem {
    let of_project = world.punch_items.values().filter(|item| item.project == project);
    let position = of_project.map(|item| item.position).max().unwrap_or(411) + 1;
    PunchItem {
        id: PunchItemId::new(take(&mut world.next.punch_item)),
        project,
        position,
        name: String::new(),
        description: None,
        // What Procore does without a status is not documented; the worse case serves better here.
        workflow_status: "initiated".into(),
        priority: None,
        private: false,
        reference: None,
        due: None,
        location: None,
        trade: None,
        item_type: None,
        // Without a manager, the creator is it.
        manager: Some(user),
        final_approver: None,
        images: Vec::new(),
        further: serde_json::Map::new(),
        attachments: Vec::new(),
        comments: Vec::new(),
        created_by: user,
        closed_by: None,
        created_at: now,
        updated_at: now,
        closed_at: None,
        deleted_at: None,
    }
}

/// The item that the path names, if it is in that project; with those in the recycle bin if wanted.
fn find(sim: &Shared, call: &Call, project: ProjectId, deleted: bool) -> Result<PunchItem, Refusal> {
    sim.open(project)?;
    sim.world().policies.open()?;
    sim.options.access.punch_list.at_least_read_only("Punch List")?;
    let id = PunchItemId::new(call.id("id")?);
    let world = sim.world();
    let item = world.punch_items.get(&id).filter(|item| item.project == project);
    let item = item.filter(|item| deleted || item.deleted_at.is_none());
    item.cloned().ok_or_else(Refusal::not_found)
}

/// With Standard permission an item can be changed by its creator, and only in these two states.
fn changeable(sim: &Shared, item: &PunchItem, user: UserId) -> Result<(), Refusal> {
    let level = sim.options.access.punch_list;
    level.at_least_standard("Punch List")?;
    let own = item.created_by == user && matches!(item.workflow_status.as_str(), "draft" | "in_dispute");
    if level >= Level::Admin || own {
        return Ok(());
    }
    Err(Refusal::forbidden("You do not have permission to edit this punch item"))
}

fn shown(sim: &Shared, id: PunchItemId) -> Result<Value, Refusal> {
    let world = sim.world();
    let item = world.punch_items.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(sim.punch_item_json(&world, item))
}

fn show(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let deleted = call.flag("include_deleted").unwrap_or(false);
    let item = find(sim, call, call.query_project()?, deleted)?;
    Ok(Reply::ok(shown(sim, item.id)?))
}

fn update(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let item = find(sim, call, call.body_project()?, false)?;
    let cause = Cause::of(call)?;
    changeable(sim, &item, cause.user)?;
    let fields = &call.body["punch_item"];
    if !fields.is_object() {
        return Err(Refusal::bad_request("punch_item is missing"));
    }
    // Procore's schema asks for the name on every update, not only when it changes.
    if !fields["name"].is_string() {
        return Err(Refusal::bad_request("punch_item[name] is missing"));
    }
    sim.edit_punch_item(item.id, fields, &cause)?;
    Ok(Reply::ok(shown(sim, item.id)?))
}

fn delete(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let item = find(sim, call, call.query_project()?, false)?;
    let cause = Cause::of(call)?;
    changeable(sim, &item, cause.user)?;
    sim.bin_punch_item(item.id, &cause);
    Ok(Reply::ok(json!({})))
}

fn list(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    rows(sim, call, |item| item.deleted_at.is_none())
}

fn recycle_bin(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    rows(sim, call, |item| item.deleted_at.is_some())
}

fn rows(sim: &Sim, call: &Call, kept: fn(&PunchItem) -> bool) -> Result<Reply, Refusal> {
    let project = call.query_project()?;
    sim.open(project)?;
    sim.world().policies.open()?;
    sim.options.access.punch_list.at_least_read_only("Punch List")?;
    let ids = call.ids("filters[id]")?;
    let places = call.ids("filters[location_id]")?;
    let updated = call.range("filters[updated_at]")?;
    let below = call.flag("filters[include_sublocations]").unwrap_or(false);
    let number = |name: &str| call.query(name).and_then(|text| text.parse::<i64>().ok());
    let (trade, kind) = (number("filters[trade_id]"), number("filters[punch_item_type_id]"));
    let (status, priority) = (call.query("filters[status]"), call.query("filters[priority]"));
    let words = call.query("filters[query]").map(str::to_lowercase);
    let world = sim.world();
    let at_place = |item: &PunchItem| {
        let Some(places) = &places else { return true };
        let Some(place) = item.location else { return false };
        places
            .iter()
            .map(|id| LocationId::new(*id))
            .any(|root| place == root || (below && world.is_within(place, root)))
    };
    let items: Vec<&PunchItem> = world
        .punch_items
        .values()
        .filter(|item| item.project == project && kept(item))
        .filter(|item| ids.as_ref().is_none_or(|ids| ids.contains(&item.id.value())))
        .filter(|item| at_place(item))
        .filter(|item| trade.is_none_or(|trade| item.trade.map(TradeId::value) == Some(trade)))
        .filter(|item| kind.is_none_or(|kind| item.item_type.map(PunchItemTypeId::value) == Some(kind)))
        .filter(|item| status.is_none_or(|status| item.coarse_status().eq_ignore_ascii_case(status)))
        .filter(|item| priority.is_none_or(|priority| item.priority.as_deref() == Some(priority)))
        // What the search looks at is not documented; the title is sure, the reference is not.
        .filter(|item| words.as_ref().is_none_or(|words| item.name.to_lowercase().contains(words)))
        .filter(|item| updated.is_none_or(|(from, to)| from <= item.updated_at && item.updated_at <= to))
        .collect();
    let page = Page::of(sim, call, items.len(), 100, 2000);
    let rows = page.cut(&items).iter().map(|item| punch_item_row(&world, item)).collect();
    Ok(Reply::listed(sim, call, &page, rows))
}

fn comment(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let item = find(sim, call, call.query_project()?, false)?;
    sim.world().policies.open()?;
    sim.options.access.punch_list.at_least_standard("Punch List")?;
    let body = call.body["comment"]["body"].as_str().filter(|body| !body.trim().is_empty());
    let body = body.ok_or_else(|| Refusal::invalid("body", "can't be blank"))?.to_owned();
    let (now, user) = (sim.now(), call.user()?.clone());
    let id = sim.change(|world| {
        let id = take(&mut world.next.comment);
        if let Some(item) = world.punch_items.get_mut(&item.id) {
            item.comments.push(Comment { id, body: body.clone(), by: user.id, at: now });
            item.updated_at = now;
        }
        id
    });
    sim.emit(PUNCH_ITEMS, item.id.value(), Change::Update, item.project, &Cause::of(call)?);
    Ok(Reply::created(json!({
        "id": id,
        "attachments": [],
        "body": body,
        "created_at": stamp(now),
        "created_by": { "id": user.id, "name": user.name, "login": user.login, "company_name": user.company_name },
        "type": "comment",
    })))
}

/// Mails people about every unsent item of the project: nothing that may happen by itself.
fn mail(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    tracing::error!(path = call.path, "the simulator was asked to e-mail people about punch items");
    sim.change(|world| world.mailings.push(call.path.clone()));
    sim.world().policies.open()?;
    sim.options.access.punch_list.at_least_standard("Punch List")?;
    Ok(Reply::ok(json!({})))
}
