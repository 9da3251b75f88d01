//! Values for fields that a company requires of its punch items: configured by name, sent as Procore wants them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::place::tree::fold;

/// The fields of a request by Procore's own names, e.g. `cost_code_id` or `custom_field_49417`.
pub type FieldValues = BTreeMap<String, Value>;

/// A value as it stands in the rules file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Configured {
    /// Yes or no.
    Flag(bool),
    /// A whole number, or Procore's id of an entry.
    Whole(i64),
    /// Any number.
    Number(f64),
    /// A text, a date, or an entry's name.
    Text(String),
    /// Several entries of a list.
    Several(Vec<Configured>),
}

/// A field of Procore's fieldset of punch items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDefinition {
    /// Procore's name, e.g. `custom_field_49417` or `cost_code`.
    pub name: String,
    /// What people read.
    pub label: String,
    /// `string`, `decimal`, `boolean`, `lov_entry`, `lov_entries`, …; empty for Procore's own fields.
    pub data_type: String,
    /// Whether an item must have it.
    pub required: bool,
    /// The entries of a list, by id and name.
    pub entries: Vec<(i64, String)>,
}

/// What the names in the rules are matched to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldNames {
    /// The project's fieldset; empty where it cannot be read.
    pub fields: Vec<FieldDefinition>,
    /// The project's cost codes, by id, code and name; empty where they cannot be read or nothing names one.
    pub cost_codes: Vec<(i64, String, String)>,
}

/// What is sent, and what cannot be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolved {
    /// The fields of the request.
    pub values: FieldValues,
    /// One sentence for each configured field that is not sent.
    pub gaps: Vec<String>,
}

/// Whether choosing what to send takes the project's fieldset.
pub fn takes_fieldset(configured: &BTreeMap<String, Configured>) -> bool {
    let by_number = |value: &Configured| !matches!(value, Configured::Text(_) | Configured::Several(_));
    configured.iter().any(|(name, value)| own(name).is_none() && !(is_custom(name) && by_number(value)))
}

/// Whether it takes the project's cost codes.
pub fn takes_cost_codes(configured: &BTreeMap<String, Configured>) -> bool {
    configured.iter().any(|(name, value)| {
        own(name) == Some(ProcoreField::CostCode) && matches!(value, Configured::Text(_))
    })
}

/// Matches what is configured to what Procore has.
pub fn resolve(configured: &BTreeMap<String, Configured>, known: &FieldNames) -> Resolved {
    let mut resolved = Resolved::default();
    for (name, value) in configured {
        match field(name, value, known) {
            Ok((field, value)) => {
                resolved.values.insert(field, value);
            }
            Err(why) => resolved.gaps.push(format!("fields.\"{name}\": {why}; items go without it.")),
        }
    }
    resolved
}

/// Fields of the fieldset that an item must have and that no draft gets, as their labels.
pub fn lacking(configured: &BTreeMap<String, Configured>, known: &FieldNames) -> Vec<String> {
    // What drafts have, or may be given on the card.
    const GIVEN: [&str; 12] = [
        "name",
        "title",
        "description",
        "location",
        "trade",
        "punch item type",
        "type",
        "priority",
        "due date",
        "due",
        "punch item manager",
        "private",
    ];
    let values = resolve(configured, known).values;
    let sent = |field: &FieldDefinition| {
        values.contains_key(&field.name)
            || own(&field.name).is_some_and(|own| values.contains_key(own.name()))
    };
    let required = known.fields.iter().filter(|field| field.required && !sent(field));
    let required = required.filter(|field| !GIVEN.contains(&plain(&field.name).as_str()));
    required.map(|field| field.label.clone()).collect()
}

/// Procore's own fields that drafts don't have by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProcoreField {
    CostCode,
    CostImpact,
    CostImpactAmount,
    ScheduleImpact,
    ScheduleImpactDays,
    Assignees,
    Distribution,
}

impl ProcoreField {
    const fn name(self) -> &'static str {
        match self {
            Self::CostCode => "cost_code_id",
            Self::CostImpact => "cost_impact",
            Self::CostImpactAmount => "cost_impact_amount",
            Self::ScheduleImpact => "schedule_impact",
            Self::ScheduleImpactDays => "schedule_impact_days",
            Self::Assignees => "login_information_ids",
            Self::Distribution => "distribution_member_ids",
        }
    }
}

fn own(name: &str) -> Option<ProcoreField> {
    Some(match plain(name).as_str() {
        "cost code" => ProcoreField::CostCode,
        "cost impact" => ProcoreField::CostImpact,
        "cost impact amount" => ProcoreField::CostImpactAmount,
        "schedule impact" => ProcoreField::ScheduleImpact,
        "schedule impact days" => ProcoreField::ScheduleImpactDays,
        "assignees" | "login information" => ProcoreField::Assignees,
        "distribution" | "distribution members" | "distribution member" => ProcoreField::Distribution,
        _ => return None,
    })
}

/// A name without what people vary: `cost_code_id` and `Cost Code` are one.
fn plain(name: &str) -> String {
    let name = fold(&name.replace('_', " "));
    let short = name.strip_suffix(" ids").or_else(|| name.strip_suffix(" id")).map(str::to_owned);
    short.unwrap_or(name)
}

fn is_custom(name: &str) -> bool {
    name.strip_prefix("custom_field_")
        .is_some_and(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_digit()))
}

fn field(name: &str, value: &Configured, known: &FieldNames) -> Result<(String, Value), String> {
    if let Some(own) = own(name) {
        return Ok((own.name().to_owned(), own_value(own, value, known)?));
    }
    let same = |field: &&FieldDefinition| field.name == name || fold(&field.label) == fold(name);
    let mut fitting = known.fields.iter().filter(|field| is_custom(&field.name)).filter(same);
    match (fitting.next(), fitting.next()) {
        (Some(field), None) => Ok((field.name.clone(), custom_value(field, value)?)),
        (Some(_), Some(_)) => {
            Err("several fields have this label: name it by its number, custom_field_…".into())
        }
        // Procore judges a value that cannot be looked up.
        (None, _) if is_custom(name) && known.fields.is_empty() => Ok((name.to_owned(), raw(value))),
        (None, _) if known.fields.is_empty() => {
            Err("Procore's fieldset cannot be read: name the field by its number, custom_field_…".into())
        }
        (None, _) => {
            let labels: Vec<&str> = known
                .fields
                .iter()
                .filter(|field| is_custom(&field.name))
                .map(|field| field.label.as_str())
                .collect();
            Err(format!("the project's punch items have no such field, but: {}", labels.join(", ")))
        }
    }
}

fn own_value(own: ProcoreField, value: &Configured, known: &FieldNames) -> Result<Value, String> {
    const IMPACTS: [&str; 5] = ["yes_known", "yes_unknown", "no_impact", "tbd", "n_a"];
    match (own, value) {
        (ProcoreField::CostCode, Configured::Text(text)) => {
            let same = |(_, code, name): &&(i64, String, String)| {
                [fold(code), fold(name), fold(&format!("{code} {name}")), fold(&format!("{code} - {name}"))]
                    .contains(&fold(text))
            };
            let code = known.cost_codes.iter().find(same);
            code.map(|(id, ..)| json!(id)).ok_or_else(|| {
                if known.cost_codes.is_empty() {
                    "Procore's cost codes cannot be read: give the id".to_owned()
                } else {
                    format!("the project has no cost code '{text}'")
                }
            })
        }
        (ProcoreField::CostImpact | ProcoreField::ScheduleImpact, Configured::Text(text)) => {
            let wanted = fold(text).replace([' ', '/'], "_");
            let impact = IMPACTS.into_iter().find(|impact| *impact == wanted);
            impact.map(|impact| json!(impact)).ok_or_else(|| format!("it is one of {}", IMPACTS.join(", ")))
        }
        (
            ProcoreField::CostCode | ProcoreField::CostImpactAmount | ProcoreField::ScheduleImpactDays,
            Configured::Whole(number),
        ) => Ok(json!(number)),
        (ProcoreField::Assignees | ProcoreField::Distribution, Configured::Whole(id)) => Ok(json!([id])),
        (ProcoreField::Assignees | ProcoreField::Distribution, Configured::Several(ids))
            if ids.iter().all(|id| matches!(id, Configured::Whole(_))) =>
        {
            Ok(raw(value))
        }
        (ProcoreField::Assignees | ProcoreField::Distribution, _) => {
            Err("it is a list of Procore's ids of users".into())
        }
        (ProcoreField::CostCode, _) => Err("it is a cost code's id, code or name".into()),
        (ProcoreField::CostImpact | ProcoreField::ScheduleImpact, _) => {
            Err(format!("it is one of {}", IMPACTS.join(", ")))
        }
        (ProcoreField::CostImpactAmount | ProcoreField::ScheduleImpactDays, _) => {
            Err("it is a whole number".into())
        }
    }
}

fn custom_value(field: &FieldDefinition, value: &Configured) -> Result<Value, String> {
    match (field.data_type.as_str(), value) {
        ("boolean", Configured::Flag(_))
        | ("decimal" | "number", Configured::Whole(_) | Configured::Number(_)) => Ok(raw(value)),
        ("boolean", _) => Err("it is true or false".into()),
        ("decimal" | "number", _) => Err("it is a number".into()),
        ("lov_entry", value) => entry(field, value).map(|id| json!(id)),
        ("lov_entries", Configured::Several(values)) => values
            .iter()
            .map(|value| entry(field, value))
            .collect::<Result<Vec<_>, _>>()
            .map(|ids| json!(ids)),
        // Procore wants a list of ids even for one.
        ("lov_entries", value) => entry(field, value).map(|id| json!([id])),
        _ => Ok(raw(value)),
    }
}

fn entry(field: &FieldDefinition, value: &Configured) -> Result<i64, String> {
    match value {
        Configured::Whole(id)
            if field.entries.is_empty() || field.entries.iter().any(|(own, _)| own == id) =>
        {
            Ok(*id)
        }
        Configured::Text(text) => {
            let same = |(_, name): &&(i64, String)| fold(name) == fold(text);
            field.entries.iter().find(same).map(|(id, _)| *id).ok_or_else(|| no_entry(field))
        }
        _ => Err(no_entry(field)),
    }
}

fn no_entry(field: &FieldDefinition) -> String {
    let names: Vec<&str> = field.entries.iter().map(|(_, name)| name.as_str()).collect();
    format!("it is one of: {}", names.join(", "))
}

fn raw(value: &Configured) -> Value {
    match value {
        Configured::Flag(flag) => json!(flag),
        Configured::Whole(number) => json!(number),
        Configured::Number(number) => json!(number),
        Configured::Text(text) => json!(text),
        Configured::Several(values) => values.iter().map(raw).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> FieldNames {
        let field = |id: i64, label: &str, data_type: &str, entries: &[(i64, &str)]| FieldDefinition {
            name: format!("custom_field_{id}"),
            label: label.into(),
            data_type: data_type.into(),
            required: true,
            entries: entries.iter().map(|(id, name)| (*id, (*name).to_owned())).collect(),
        };
        let own = FieldDefinition {
            name: "cost_code".into(),
            label: "Cost Code".into(),
            data_type: String::new(),
            required: true,
            entries: vec![],
        };
        FieldNames {
            fields: vec![
                own,
                field(1, "Severity", "lov_entry", &[(11, "Minor"), (12, "Major")]),
                field(2, "Walls", "lov_entries", &[(21, "North"), (22, "South")]),
                field(3, "Drawing Number", "string", &[]),
                field(4, "Warranty", "boolean", &[]),
            ],
            cost_codes: vec![(900, "09-250".into(), "Gypsum Board".into())],
        }
    }

    fn configured(text: &str) -> BTreeMap<String, Configured> {
        toml::from_str(text).expect("TOML")
    }

    #[test]
    fn names_become_what_procore_wants() {
        let rules = configured(
            "\"Cost Code\" = \"09-250\"\nseverity = \"minor\"\ncustom_field_2 = [\"South\", 21]\n\
             \"Drawing Number\" = \"A-1\"\nWarranty = false\ncost_impact = \"No Impact\"",
        );
        assert!(takes_fieldset(&rules) && takes_cost_codes(&rules));
        let resolved = resolve(&rules, &known());
        assert_eq!(resolved.gaps, Vec::<String>::new());
        let expected = json!({
            "cost_code_id": 900, "custom_field_1": 11, "custom_field_2": [22, 21], "custom_field_3": "A-1",
            "custom_field_4": false, "cost_impact": "no_impact",
        });
        assert_eq!(json!(resolved.values), expected);
        assert_eq!(lacking(&rules, &known()), Vec::<String>::new());
    }

    #[test]
    fn what_does_not_fit_is_told_and_not_sent() {
        let rules =
            configured("Severity = \"Huge\"\nWarranty = \"yes\"\nColour = \"red\"\n\"Cost Code\" = \"1\"");
        let Resolved { values, gaps } = resolve(&rules, &known());
        assert!(values.is_empty() && gaps.len() == 4, "{gaps:?}");
        assert!(gaps.iter().any(|gap| gap.contains("it is one of: Minor, Major")), "{gaps:?}");
        assert!(gaps.iter().any(|gap| gap.contains("no such field, but: Severity")), "{gaps:?}");
        assert_eq!(lacking(&rules, &known()).len(), 5);
    }

    #[test]
    fn numbers_work_where_nothing_can_be_looked_up() {
        let rules = configured("custom_field_77 = 5\n\"Cost Code\" = 12");
        assert!(!takes_fieldset(&rules) && !takes_cost_codes(&rules));
        let values = resolve(&rules, &FieldNames::default()).values;
        assert_eq!(json!(values), json!({ "custom_field_77": 5, "cost_code_id": 12 }));
    }
}
