//! What a company asks of punch items: fieldsets with custom fields, and cost codes.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::fields::FieldDefinition;
use crate::domain::ids::ProjectKey;
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::error::Error;
use crate::procore::lenient;
use crate::procore::paging::V1_ROWS;

/// The class whose fieldset is that of punch items.
const PUNCH_ITEM: &str = "PunchItem";

/// A fieldset of one kind of records.
#[derive(Deserialize)]
struct FieldSet {
    #[serde(default, deserialize_with = "lenient::text")]
    class_name: String,
    #[serde(default, rename = "type", deserialize_with = "lenient::text")]
    kind: String,
    // Of custom fields the keys are `custom_field_…`, of others their names.
    #[serde(default)]
    fields: Map<String, Value>,
}

impl FieldSet {
    fn is_of_punch_items(&self) -> bool {
        self.class_name == PUNCH_ITEM || self.kind.rsplit("::").next() == Some(PUNCH_ITEM)
    }
}

#[derive(Deserialize)]
struct CostCode {
    id: i64,
    #[serde(default, deserialize_with = "lenient::text")]
    full_code: String,
    #[serde(default, deserialize_with = "lenient::text")]
    name: String,
}

impl Client {
    /// The visible fields of the project's punch items. Empty where the company has configured none.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn punch_item_fields(&self, project: ProjectKey) -> Result<Vec<FieldDefinition>, Error> {
        self.permit(project)?;
        let path = format!("/rest/v1.0/projects/{}/configurable_field_sets", project.project);
        let call = Call::get(project.company, path).query("include_lov_entries", true);
        let sets: Vec<FieldSet> = self.list("fieldsets", call, V1_ROWS).await?;
        let own = sets.iter().find(|set| set.is_of_punch_items());
        let fields = own.map(|set| set.fields.iter().filter_map(|(key, field)| definition(key, field)));
        Ok(fields.into_iter().flatten().collect())
    }

    /// The project's cost codes, by id, code and name.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn cost_codes(&self, project: ProjectKey) -> Result<Vec<(i64, String, String)>, Error> {
        self.permit(project)?;
        let call = Call::get(project.company, "/rest/v1.0/cost_codes").query("project_id", project.project);
        let codes: Vec<CostCode> = self.list("cost codes", call, V1_ROWS).await?;
        Ok(codes.into_iter().map(|code| (code.id, code.full_code, code.name)).collect())
    }
}

fn definition(key: &str, field: &Value) -> Option<FieldDefinition> {
    if field["visible"] == false {
        return None;
    }
    let text = |name: &str| field[name].as_str().map(str::to_owned);
    let name = match field["custom_field_definition_id"].as_i64() {
        Some(id) => format!("custom_field_{id}"),
        None => text("name").unwrap_or_else(|| key.to_owned()),
    };
    let entries = field["lov_entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let entry = |entry: &Value| Some((entry["id"].as_i64()?, entry["label"].as_str()?.to_owned()));
    Some(FieldDefinition {
        label: text("label").unwrap_or_else(|| name.replace('_', " ")),
        name,
        data_type: text("data_type").unwrap_or_default(),
        required: field["required"] == true,
        entries: entries.iter().filter_map(entry).collect(),
    })
}
