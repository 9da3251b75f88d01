//! The webhooks API in its first form, REST v1.0.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::MethodFilter;
use serde_json::{Value, json};

use super::call::{Call, Refusal, Reply, on, stamp};
use super::delivery::{Delivery, DeliveryState};
use super::events::Change;
use super::hooks::{Hook, HookFields, Scope, resources};
use super::state::{Shared, Sim};

/// The most triggers that one bulk call may have.
const BULK: usize = 500;

pub(super) fn routes() -> Router<Sim> {
    use MethodFilter as M;
    const HOOKS: &str = "/rest/v1.0/webhooks/hooks";
    const ONE: &str = "/rest/v1.0/webhooks/hooks/{hook_id}";
    Router::new()
        .route(HOOKS, on(M::GET, list))
        .route(HOOKS, on(M::POST, create))
        .route(ONE, on(M::GET, show))
        .route(ONE, on(M::PATCH, update))
        .route(ONE, on(M::DELETE, delete))
        .route(&format!("{ONE}/triggers"), on(M::GET, triggers))
        .route(&format!("{ONE}/triggers"), on(M::POST, add_trigger))
        .route(&format!("{ONE}/triggers/bulk"), on(M::POST, add_triggers))
        .route(&format!("{ONE}/triggers/{{id}}"), on(M::DELETE, drop_trigger))
        .route(&format!("{ONE}/deliveries"), on(M::GET, deliveries))
        .route("/rest/v1.0/webhooks/resources", on(M::GET, resource_list))
        .route("/rest/v1.0/webhooks/resources/api_versions", on(M::GET, versions))
}

fn scope(sim: &Shared, call: &Call) -> Result<Scope, Refusal> {
    sim.options.access.webhooks.at_least_standard("Webhooks API")?;
    Scope::v1(sim, call)
}

fn hook(sim: &Shared, call: &Call) -> Result<Hook, Refusal> {
    sim.hook(scope(sim, call)?, call.id("hook_id")?)
}

fn list(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let scope = scope(sim, call)?;
    let (namespace, version) = (call.query("namespace"), call.query("api_version"));
    let world = sim.world();
    let hooks = world.hooks.values().filter(|hook| hook.project == scope.0);
    let hooks = hooks
        .filter(|hook| namespace.is_none_or(|name| hook.namespace.as_deref() == Some(name)))
        .filter(|hook| version.is_none_or(|version| hook.version == version));
    Ok(Reply::ok(hooks.map(Hook::v1_json).collect()))
}

fn create(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let scope = scope(sim, call)?;
    let fields = HookFields::read(&call.body["hook"], "api_version");
    let id = sim.add_hook(scope, fields).map_err(Refusal::bad_request)?;
    Ok(Reply::created(sim.hook(scope, id)?.v1_json()))
}

fn show(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    Ok(Reply::ok(hook(sim, call)?.v1_json()))
}

fn update(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let found = hook(sim, call)?;
    let fields = HookFields::read(&call.body["hook"], "api_version");
    fields.check().map_err(Refusal::bad_request)?;
    let now = sim.now();
    sim.change(|world| world.hooks.get_mut(&found.id).map(|hook| fields.apply(hook, now)));
    Ok(Reply::ok(hook(sim, call)?.v1_json()))
}

fn delete(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let found = hook(sim, call)?;
    sim.change(|world| world.hooks.remove(&found.id));
    Ok(Reply::ok(json!({})))
}

fn triggers(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    Ok(Reply::ok(hook.triggers.iter().map(|trigger| hook.trigger_v1_json(trigger)).collect()))
}

fn add_trigger(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    let trigger = added(sim, &hook, &call.body["trigger"]).map_err(Refusal::bad_request)?;
    Ok(Reply::created(trigger))
}

fn added(sim: &Shared, hook: &Hook, trigger: &Value) -> Result<Value, &'static str> {
    let (resource, change) = (trigger["resource_name"].as_str(), trigger["event_type"].as_str());
    let (Some(resource), Some(change)) = (resource, change) else {
        return Err("resource_name and event_type are required");
    };
    sim.add_trigger(hook.id, resource, change).map(|trigger| hook.trigger_v1_json(&trigger))
}

fn add_triggers(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    let wanted = call.body["triggers"].as_array().or_else(|| call.body.as_array());
    let wanted = wanted.ok_or_else(|| Refusal::bad_request("triggers is missing"))?;
    if wanted.len() > BULK {
        let body = json!({ "error": { "code": "413", "message": "too many triggers" } });
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, body));
    }
    let (mut success, mut failed) = (Vec::new(), Vec::new());
    for trigger in wanted {
        match added(sim, &hook, trigger) {
            Ok(row) => success.push(row),
            Err(message) => {
                failed.push(json!({ "code": 400, "message": message, "trigger": trigger, "errors": {} }));
            }
        }
    }
    if failed.is_empty() {
        return Ok(Reply::ok(json!({ "success": success })));
    }
    Ok(Reply::multi_status(json!({ "success": success, "failed": failed })))
}

fn drop_trigger(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    if sim.drop_triggers(hook.id, &[call.id("id")?]).is_empty() {
        return Err(Refusal::not_found());
    }
    Ok(Reply::ok(json!({})))
}

fn resource_list(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let scope = scope(sim, call)?;
    let rows = resources(scope.0.is_none()).map(|resource| {
        let allowed = |change: Change| if resource.changes.contains(&change) { "true" } else { "false" };
        json!({
            "api_version": "v2",
            "product_category": resource.tool,
            "tools": resource.name,
            "except": [],
            "create": allowed(Change::Create),
            "update": allowed(Change::Update),
            "delete": allowed(Change::Delete),
        })
    });
    Ok(Reply::ok(rows.collect()))
}

fn versions(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    scope(sim, call)?;
    Ok(Reply::ok(json!(["v2", "v3.0", "v4.0"])))
}

fn deliveries(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let hook = hook(sim, call)?;
    let status = call.query("filters[status]").or_else(|| call.query("filter[status]")).unwrap_or("any");
    let number = |name: &str| call.query(name).and_then(|text| text.parse::<i64>().ok());
    let start = number("page_start").unwrap_or(0);
    let size = number("page_size").unwrap_or(100).clamp(1, 1000);
    let world = sim.world();
    let rows = world
        .deliveries
        .values()
        .filter(|row| row.hook == hook.id && row.number > start)
        .filter(|row| match status {
            "successful" => row.state == DeliveryState::Delivered,
            "failing" => matches!(row.state, DeliveryState::Retrying | DeliveryState::Failed),
            "discarded" => row.state == DeliveryState::Discarded,
            _ => true,
        })
        .take(usize::try_from(size).unwrap_or(100));
    Ok(Reply::ok(rows.map(row).collect()))
}

fn row(delivery: &Delivery) -> Value {
    let last = delivery.attempts.last();
    let outcome = match delivery.state {
        DeliveryState::Delivered if delivery.attempts.len() > 1 => "retried",
        DeliveryState::Delivered => "ok",
        DeliveryState::Discarded => "discarded",
        _ => "failed",
    };
    json!({
        "event": delivery.v2_event(),
        "event_id": delivery.number,
        "outcome": outcome,
        "response_body": last.and_then(|attempt| attempt.answer.clone()),
        "response_error": last.and_then(|attempt| attempt.error.clone()),
        "response_status": last.and_then(|attempt| attempt.status),
        "response_headers": {},
        "started_at": last.map(|attempt| stamp(attempt.at)),
        "completed_at": last.map(|attempt| stamp(attempt.at)),
    })
}
