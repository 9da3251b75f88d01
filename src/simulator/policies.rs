//! How a company has set up its Punch List: switched off, with required fields and fields of its own.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::MethodFilter;
use serde_json::{Map, Value, json};

use super::Simulator;
use super::call::{Call, Refusal, Reply, on};
use super::state::{Sim, World};
use crate::domain::ids::{LocationId, ProjectId};

/// A field of the fieldset of punch items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetField {
    /// The id of a custom field's definition; absent for a field of Procore's own.
    pub definition: Option<i64>,
    pub label: String,
    /// `string`, `decimal`, `boolean`, `lov_entry` or `lov_entries`.
    pub data_type: String,
    /// Whether an item must have it.
    pub required: bool,
    /// The entries of a list.
    pub entries: Vec<(i64, String)>,
}

impl SetField {
    /// Its name in requests and in complaints.
    fn name(&self) -> String {
        match self.definition {
            Some(id) => format!("custom_field_{id}"),
            None => self.label.to_lowercase().replace(' ', "_"),
        }
    }

    fn json(&self) -> Value {
        let mut field = json!({ "name": self.name(), "visible": true, "required": self.required });
        if let Some(id) = self.definition {
            let entries = self.entries.iter().map(|(id, label)| json!({ "id": id, "label": label }));
            field["id"] = json!(id + 1_000_000);
            field["custom_field_definition_id"] = json!(id);
            field["label"] = json!(self.label);
            field["data_type"] = json!(self.data_type);
            field["lov_entries"] = entries.collect();
        }
        field
    }

    fn takes(&self, value: &Value) -> bool {
        let known = |value: &Value| self.entries.iter().any(|(id, _)| value.as_i64() == Some(*id));
        match self.data_type.as_str() {
            "boolean" => value.is_boolean(),
            "decimal" => value.is_number(),
            "lov_entry" => known(value),
            "lov_entries" => value.as_array().is_some_and(|values| values.iter().all(known)),
            _ => value.is_string(),
        }
    }
}

/// How the Punch List is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies {
    /// With which status every call to a Punch List that is switched off is answered: 403, or 404 as for what may not be
    /// seen.
    pub switched_off: Option<u16>,
    /// Whether required fields are enforced though `run_configurable_validations` was not asked for.
    pub enforced: bool,
    /// Whether a location that is not there is answered with 404 instead of 422.
    pub lost_location_is_not_found: bool,
    /// The fieldset of punch items.
    pub fieldset: Vec<SetField>,
    /// The project's cost codes, by id, code and name.
    pub cost_codes: Vec<(i64, String, String)>,
}

impl Simulator {
    /// Sets up the company's Punch List anew.
    pub fn set_policies(&self, policies: Policies) {
        self.sim.change(|world| world.policies = policies);
    }

    /// Somebody deletes a location; no event tells of it.
    pub fn delete_location_silently(&self, id: LocationId) {
        self.sim.change(|world| world.locations.remove(&id));
    }
}

pub(super) fn routes() -> Router<Sim> {
    Router::new()
        .route("/rest/v1.0/projects/{project_id}/configurable_field_sets", on(MethodFilter::GET, field_sets))
        .route("/rest/v1.0/cost_codes", on(MethodFilter::GET, cost_codes))
}

impl Policies {
    /// Refuses what is asked of a tool that is switched off.
    pub(super) fn open(&self) -> Result<(), Refusal> {
        match self.switched_off {
            None => Ok(()),
            Some(404) => Err(Refusal::not_found()),
            Some(_) => Err(Refusal::forbidden("The Punch List tool is disabled in this project")),
        }
    }

    /// The fields of a create beyond Procore's usual ones.
    pub(super) fn further(&self, given: &Value, validate: bool) -> Result<Map<String, Value>, Refusal> {
        let mut further = Map::new();
        for (name, value) in given.as_object().into_iter().flatten() {
            if let Some(id) = name.strip_prefix("custom_field_") {
                let field = self.fieldset.iter().find(|field| field.definition == id.parse().ok());
                if !field.is_some_and(|field| field.takes(value)) {
                    return Err(Refusal::invalid(name, "is invalid"));
                }
                further.insert(name.clone(), value.clone());
            }
            if name == "cost_code_id" {
                if !self.cost_codes.iter().any(|(id, ..)| value.as_i64() == Some(*id)) {
                    return Err(Refusal::invalid(name, "is invalid"));
                }
                further.insert(name.clone(), value.clone());
            }
        }
        let empty = |field: &&SetField| {
            let name = field.name();
            given.get(&name).is_none_or(Value::is_null)
                && given.get(format!("{name}_id")).is_none_or(Value::is_null)
        };
        let lacking: Map<String, Value> = self
            .fieldset
            .iter()
            .filter(|field| field.required && (self.enforced || validate))
            .filter(empty)
            .map(|field| (field.name(), json!(["can't be blank"])))
            .collect();
        if lacking.is_empty() {
            return Ok(further);
        }
        Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, json!({ "errors": lacking })))
    }
}

impl World {
    /// An item's custom fields as answers show them.
    pub(super) fn custom_fields(&self, further: &Map<String, Value>) -> Value {
        let shown = further.iter().filter_map(|(name, value)| {
            let id = name.strip_prefix("custom_field_")?.parse().ok();
            let field = self.policies.fieldset.iter().find(|field| field.definition == id)?;
            Some((name.clone(), json!({ "data_type": field.data_type, "value": value })))
        });
        Value::Object(shown.collect())
    }

    pub(super) fn cost_code(&self, further: &Map<String, Value>) -> Value {
        let id = further.get("cost_code_id").and_then(Value::as_i64);
        let code = self.policies.cost_codes.iter().find(|(own, ..)| Some(*own) == id);
        code.map_or(Value::Null, |(id, code, name)| json!({ "id": id, "name": format!("{code} {name}") }))
    }
}

fn field_sets(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    sim.open(ProjectId::new(call.id("project_id")?))?;
    let world = sim.world();
    if world.policies.fieldset.is_empty() {
        return Ok(Reply::page(sim, call, &[], 2000));
    }
    let fields: Map<String, Value> =
        world.policies.fieldset.iter().map(|field| (field.name(), field.json())).collect();
    let set = json!({
        "id": 7001,
        "name": "Punch items",
        "type": "ConfigurableFieldSet::PunchItem",
        "category": "",
        "class_name": "PunchItem",
        "fields": fields,
        "sections": [],
    });
    Ok(Reply::page(sim, call, &[set], 2000))
}

fn cost_codes(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    sim.open(call.query_project()?)?;
    let world = sim.world();
    let row = |(id, code, name): &(i64, String, String)| json!({ "id": id, "full_code": code, "name": name });
    let rows: Vec<Value> = world.policies.cost_codes.iter().map(row).collect();
    Ok(Reply::page(sim, call, &rows, 2000))
}
