//! The webhooks API in its second form, REST v2.0: string ids, everything under `data`.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::MethodFilter;
use serde_json::{Value, json};

use super::call::{Call, Refusal, Reply, on, stamp};
use super::delivery::{Delivery, DeliveryState};
use super::hooks::{Hook, HookFields, Scope, bad_v2, resources};
use super::state::{Shared, Sim};

pub(super) fn routes() -> Router<Sim> {
    use MethodFilter as M;
    let bases =
        ["/rest/v2.0/companies/{company_id}", "/rest/v2.0/companies/{company_id}/projects/{project_id}"];
    bases.into_iter().fold(Router::new(), |router, base| {
        let hooks = format!("{base}/webhooks/hooks");
        let one = format!("{hooks}/{{hook_id}}");
        router
            .route(&hooks, on(M::GET, list))
            .route(&hooks, on(M::POST, create))
            .route(&one, on(M::GET, show))
            .route(&one, on(M::PATCH, update))
            .route(&one, on(M::DELETE, delete))
            .route(&format!("{one}/triggers"), on(M::GET, triggers))
            .route(&format!("{one}/triggers"), on(M::POST, add_trigger))
            .route(&format!("{one}/triggers/bulk"), on(M::POST, add_triggers))
            .route(&format!("{one}/triggers/bulk"), on(M::DELETE, drop_triggers))
            .route(&format!("{one}/triggers/{{id}}"), on(M::DELETE, drop_trigger))
            .route(&format!("{one}/deliveries"), on(M::GET, deliveries))
            .route(&format!("{base}/webhooks/resources"), on(M::GET, resource_list))
    })
}

fn scope(sim: &Shared, call: &Call) -> Result<Scope, Refusal> {
    sim.options.access.webhooks.at_least_standard("Webhooks API")?;
    Scope::v2(sim, call)
}

fn hook(sim: &Shared, call: &Call) -> Result<Hook, Refusal> {
    sim.hook(scope(sim, call)?, call.id("hook_id")?)
}

fn data(value: impl Into<Value>) -> Value {
    json!({ "data": value.into() })
}

fn list(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let scope = scope(sim, call)?;
    let (namespace, version) = (call.query("namespace"), call.query("payload_version"));
    let world = sim.world();
    let hooks = world.hooks.values().filter(|hook| hook.project == scope.0);
    let hooks = hooks
        .filter(|hook| namespace.is_none_or(|name| hook.namespace.as_deref() == Some(name)))
        .filter(|hook| version.is_none_or(|version| hook.version == version));
    let rows: Vec<Value> = hooks.map(Hook::v2_json).collect();
    Ok(Reply::data_page(sim, call, &rows))
}

fn create(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let scope = scope(sim, call)?;
    if !call.body["namespace"].is_string() {
        return Err(bad_v2("namespace is required"));
    }
    let id = sim.add_hook(scope, HookFields::read(&call.body, "payload_version")).map_err(bad_v2)?;
    Ok(Reply::created(data(sim.hook(scope, id)?.v2_json())))
}

fn show(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    Ok(Reply::ok(data(hook(sim, call)?.v2_json())))
}

fn update(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let found = hook(sim, call)?;
    let fields = HookFields::read(&call.body, "payload_version");
    fields.check().map_err(bad_v2)?;
    let now = sim.now();
    sim.change(|world| world.hooks.get_mut(&found.id).map(|hook| fields.apply(hook, now)));
    Ok(Reply::ok(data(hook(sim, call)?.v2_json())))
}

fn delete(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let found = hook(sim, call)?;
    sim.change(|world| world.hooks.remove(&found.id));
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn triggers(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    let rows: Vec<Value> = hook.triggers.iter().map(|trigger| hook.trigger_v2_json(trigger)).collect();
    Ok(Reply::data_page(sim, call, &rows))
}

fn added(sim: &Shared, hook: &Hook, trigger: &Value) -> Result<Value, &'static str> {
    let (resource, change) = (trigger["resource_name"].as_str(), trigger["event_type"].as_str());
    let (Some(resource), Some(change)) = (resource, change) else {
        return Err("resource_name and event_type are required");
    };
    sim.add_trigger(hook.id, resource, change).map(|trigger| hook.trigger_v2_json(&trigger))
}

fn add_trigger(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    let trigger = added(sim, &hook, &call.body).map_err(bad_v2)?;
    Ok(Reply::created(data(trigger)))
}

fn add_triggers(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    let wanted = call.body.as_array().ok_or_else(|| bad_v2("a list of triggers is required"))?;
    let (made, refused): (Vec<_>, Vec<_>) =
        wanted.iter().map(|trigger| added(sim, &hook, trigger)).partition(Result::is_ok);
    let made: Vec<Value> = made.into_iter().flatten().collect();
    if refused.is_empty() {
        return Ok(Reply::created(data(Value::Array(made))));
    }
    let failed = refused.into_iter().filter_map(Result::err).map(|message| json!({ "message": message }));
    Ok(Reply::multi_status(data(json!({ "succeeded": made, "failed": failed.collect::<Vec<_>>() }))))
}

fn drop_triggers(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    let wanted = call.body.as_array().ok_or_else(|| bad_v2("a list of trigger ids is required"))?;
    let ids: Vec<i64> = wanted.iter().filter_map(super::call::integer).collect();
    let gone: Vec<String> = sim.drop_triggers(hook.id, &ids).iter().map(ToString::to_string).collect();
    Ok(Reply::ok(data(json!({ "succeeded": gone }))))
}

fn drop_trigger(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    if sim.drop_triggers(hook.id, &[call.id("id")?]).is_empty() {
        return Err(Refusal::not_found());
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn resource_list(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let scope = scope(sim, call)?;
    let version = call.query("payload_version").ok_or_else(|| bad_v2("payload_version is required"))?;
    let rows: Vec<Value> = resources(scope.0.is_none())
        .map(|resource| {
            json!({
                "category": "Project Management",
                "tool": resource.tool,
                "name": resource.name,
                "payload_version": version,
                "actions": resource.changes.iter().map(|change| change.name()).collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(Reply::data_page(sim, call, &rows))
}

fn deliveries(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    let status = call.query("filter[status]");
    let (name, kind) = (call.query("filter[resource_name]"), call.query("filter[event_type]"));
    let day = |at: jiff::Timestamp| stamp(at)[..10].to_owned();
    let (from, to) = (call.query("filter[start]"), call.query("filter[end]"));
    let world = sim.world();
    let rows: Vec<Value> = world
        .deliveries
        .values()
        .filter(|row| row.hook == hook.id)
        .filter(|row| status.is_none_or(|status| state_name(row.state, "succeeded") == status))
        .filter(|row| name.is_none_or(|name| row.resource == name))
        .filter(|row| kind.is_none_or(|kind| row.change.name() == kind))
        .filter(|row| from.is_none_or(|from| day(row.at).as_str() >= from))
        .filter(|row| to.is_none_or(|to| day(row.at).as_str() <= to))
        .map(row)
        .collect();
    Ok(Reply::data_page(sim, call, &rows))
}

/// The filter says `succeeded` for what the row calls `delivered`.
fn state_name(state: DeliveryState, delivered: &'static str) -> &'static str {
    match state {
        DeliveryState::Enqueued => "enqueued",
        DeliveryState::Retrying => "retrying",
        DeliveryState::Failed => "failed",
        DeliveryState::Discarded => "discarded",
        DeliveryState::Delivered => delivered,
    }
}

fn row(delivery: &Delivery) -> Value {
    let attempts = delivery.attempts.iter().map(|attempt| {
        json!({
            "started_at": stamp(attempt.at),
            "response_status": attempt.status,
            "response_error": attempt.error,
            "response_body": attempt.answer,
        })
    });
    json!({
        "id": delivery.number.to_string(),
        "status": state_name(delivery.state, "delivered"),
        "payload": delivery.v2_event(),
        "delivery_attempts": attempts.collect::<Vec<_>>(),
    })
}
