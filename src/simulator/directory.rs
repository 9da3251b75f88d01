//! Who and what there is: the caller, companies, projects, people, trades, types, permissions.

use axum::Router;
use axum::routing::MethodFilter;
use serde_json::{Value, json};

use super::access::{Access, Level};
use super::call::{Call, Refusal, Reply, on, stamp};
use super::state::{Project, Sim, User, World};
use crate::domain::ids::{CompanyId, ProjectId, TradeId};

pub(super) fn routes() -> Router<Sim> {
    const MANAGERS: &str = "/rest/v1.0/projects/{project_id}/available_punch_item_managers";
    // Whoever may manage may approve here.
    const APPROVERS: &str = "/rest/v1.0/projects/{project_id}/punch_list/available_final_approvers";
    Router::new()
        .route("/rest/v1.0/me", on(MethodFilter::GET, me))
        .route("/rest/v1.0/companies", on(MethodFilter::GET, companies))
        .route("/rest/v1.1/projects", on(MethodFilter::GET, projects))
        .route("/rest/v1.0/settings/permissions", on(MethodFilter::GET, permissions))
        .route("/rest/v1.0/companies/{company_id}/trades", on(MethodFilter::GET, trades))
        .route("/rest/v1.0/punch_item_types", on(MethodFilter::GET, types))
        .route(MANAGERS, on(MethodFilter::GET, managers))
        .route(APPROVERS, on(MethodFilter::GET, managers))
}

impl World {
    /// A trade as it stands in lists and inside other answers.
    pub(super) fn trade_json(&self, id: TradeId) -> Option<Value> {
        let trade = self.trade(id)?;
        Some(json!({
            "id": trade.id,
            "name": trade.name,
            "active": trade.active,
            "updated_at": stamp(trade.updated_at),
        }))
    }
}

/// `{id, login, name}`.
pub(super) fn person(user: &User) -> Value {
    json!({ "id": user.id, "login": user.login, "name": user.name })
}

impl Call {
    /// Whether a person asks who they are, or in which companies: the two calls that need no company's header, unless
    /// they are about one. A service account must name it there too.
    pub(super) fn asks_who_a_person_is(&self) -> bool {
        let person = self.user.as_ref().is_some_and(|user| user.application.is_none());
        let free = matches!(self.path.as_str(), "/rest/v1.0/me" | "/rest/v1.0/companies");
        person && free && self.query("company_id").or(self.query("project_id")).is_none()
    }
}

/// Names belong to a company's directory: without one, the login is all that is known.
fn me(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let user = call.user()?;
    let company = call.query("company_id").and_then(|text| text.parse().ok()).map(CompanyId::new);
    if company.is_some_and(|company| !sim.world().companies_of(user).contains(&company)) {
        return Err(Refusal::forbidden("You do not have access to this company"));
    }
    let mut row = person(user);
    if company.is_none() && call.query("project_id").is_none() {
        row["name"] = Value::Null;
    }
    Ok(Reply::ok(row))
}

fn companies(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let world = sim.world();
    let row = |id: CompanyId| {
        json!({
            "id": id,
            "name": world.company_name(id),
            "is_active": true,
            "logo_url": null,
            "pcn_business_experience": false,
            "my_company": true,
        })
    };
    let rows: Vec<Value> = world.companies_of(call.user()?).into_iter().map(row).collect();
    Ok(Reply::page(sim, call, &rows, 2000))
}

fn projects(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let company = call.query("company_id").and_then(|text| text.parse().ok()).map(CompanyId::new);
    let company = company.ok_or_else(|| Refusal::bad_request("company_id is missing"))?;
    let ids = call.ids("filters[id]")?;
    let world = sim.world();
    let user = call.user()?;
    if !world.companies_of(user).contains(&company) {
        return Err(Refusal::forbidden("App is not connected to this company"));
    }
    let permitted = world.projects.iter().filter(|project| project.company == company);
    let permitted = permitted.filter(|project| match user.application {
        Some(_) => project.permitted,
        None => world.membership(user.id, project.id).is_some(),
    });
    let wanted = permitted.filter(|project| ids.as_ref().is_none_or(|ids| ids.contains(&project.id.value())));
    let row = |project: &Project| match call.query("view") {
        Some("ids") => json!({ "id": project.id }),
        _ => json!({
            "id": project.id,
            "name": project.name,
            "display_name": format!("{} - {}", project.number, project.name),
            "project_number": project.number,
            "active": true,
            "company": { "id": company, "name": world.company_name(company) },
        }),
    };
    let rows: Vec<Value> = wanted.map(row).collect();
    Ok(Reply::page(sim, call, &rows, 300))
}

fn permissions(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let user = call.user()?;
    let access = match (&user.application, call.query("project_id")) {
        (None, Some(_)) => {
            let membership = sim.world().membership(user.id, call.query_project()?);
            membership
                .ok_or_else(|| Refusal::forbidden("You do not have permission to access this project"))?
        }
        (None, None) => Access {
            photos: Level::None,
            punch_list: Level::None,
            webhooks: Level::None,
            ..Access::default()
        },
        (Some(_), Some(_)) => {
            sim.open(call.query_project()?)?;
            sim.options.access
        }
        (Some(_), None) => sim.options.access,
    };
    let tool = |id: i64, name: &str, friendly: &str, level: Level| {
        json!({
            "id": id,
            "name": name,
            "friendly_name": friendly,
            "domain_id": id,
            "tab_group": "project",
            "available_for_user": level > Level::None,
            "url": format!("/{}/project/{name}", super::seed::PROJECT),
            "user_access_level": { "id": level.id(), "name": level.name() },
            "permitted_actions": [],
            "create_url": null,
            "can_create": level >= Level::Standard,
            "trial": false,
        })
    };
    Ok(Reply::ok(json!({ "tools": [
        tool(20, "images", "Photos", access.photos),
        tool(25, "punch_list", "Punch List", access.punch_list),
        tool(61, "webhooks", "Webhooks API", access.webhooks),
    ] })))
}

fn trades(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let world = sim.world();
    if CompanyId::new(call.id("company_id")?) != world.company.id {
        return Err(Refusal::not_found());
    }
    let active = call.flag("filters[active]");
    let words = call.query("filters[query]").map(str::to_lowercase);
    let updated = call.range("filters[updated_at]")?;
    let rows: Vec<Value> = world
        .trades
        .iter()
        .filter(|trade| active.is_none_or(|active| trade.active == active))
        .filter(|trade| words.as_ref().is_none_or(|words| trade.name.to_lowercase().contains(words)))
        .filter(|trade| updated.is_none_or(|(from, to)| from <= trade.updated_at && trade.updated_at <= to))
        .filter_map(|trade| world.trade_json(trade.id))
        .collect();
    Ok(Reply::page(sim, call, &rows, 2000))
}

fn types(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    sim.open(call.query_project()?)?;
    let named: Vec<&str> = call
        .query
        .iter()
        .filter(|(key, _)| key == "filters[name][]" || key == "filters[name]")
        .map(|(_, value)| value.as_str())
        .collect();
    let world = sim.world();
    let types = world.types.iter().filter(|kind| named.is_empty() || named.contains(&kind.name.as_str()));
    let rows: Vec<Value> = types
        .map(|kind| {
            let at = stamp(kind.created_at);
            json!({ "id": kind.id, "name": kind.name, "created_at": at, "updated_at": at })
        })
        .collect();
    Ok(Reply::page(sim, call, &rows, 2000))
}

fn managers(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    sim.open(ProjectId::new(call.id("project_id")?))?;
    let words = call.query("query").map(str::to_lowercase);
    let world = sim.world();
    let managers = world.people.managers.iter();
    let managers =
        managers.filter(|user| words.as_ref().is_none_or(|words| user.name.to_lowercase().contains(words)));
    let rows: Vec<Value> = managers.map(person).collect();
    Ok(Reply::page(sim, call, &rows, 2000))
}
