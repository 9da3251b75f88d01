//! What Procore's refusal of a create or a change is about, read from its words.
//!
//! Procore has no codes for this: the field's name and a phrase of Rails' validations are all there is, as in
//! `location_id is invalid` or `Cost code can't be blank`.

use super::omitted_field::Field;
use super::place::tree::fold;

/// What a refusal calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// These fields name something that is not there any more: the item can go without them.
    Gone(Vec<Field>),
    /// Procore requires this of every item: no draft of the project gets through until it is configured.
    Required {
        /// The field, as Procore calls it.
        field: String,
        /// What to do.
        cure: String,
    },
    /// It is about this item's own content.
    Item,
    /// The words name no field.
    Unclear,
}

/// Phrases that say that a field must have a value.
const REQUIRED: [&str; 8] = [
    "can't be blank",
    "can’t be blank",
    "cannot be blank",
    "can not be blank",
    "is required",
    "must be present",
    "must be filled",
    "is missing",
];

/// Reads `said`, parts of which are divided by semicolons. `has` tells whether the request had a value in a field.
pub fn read(said: &str, has: impl Fn(Field) -> bool) -> Refusal {
    let parts: Vec<Part> = said.split(';').map(Part::of).collect();
    if let Some(field) = parts.iter().find_map(|part| part.lacks(&has)) {
        return Refusal::Required { cure: cure(&field), field };
    }
    let mut gone: Vec<Field> = Vec::new();
    for field in parts.iter().filter_map(|part| part.field).filter(|field| has(*field)) {
        if !gone.contains(&field) {
            gone.push(field);
        }
    }
    if !gone.is_empty() {
        Refusal::Gone(gone)
    } else if parts.iter().any(Part::names_content) {
        Refusal::Item
    } else {
        Refusal::Unclear
    }
}

/// One complaint.
struct Part {
    /// The words before a phrase that says that something is required.
    required: Option<String>,
    /// The field that can be left out, if it is about one.
    field: Option<Field>,
    text: String,
}

impl Part {
    fn of(said: &str) -> Self {
        let text = fold(said);
        let required = REQUIRED.iter().find_map(|phrase| text.find(phrase)).map(|end| label(&text[..end]));
        let subject = required.as_deref().unwrap_or(&text);
        Self { field: field(subject), required: required.clone(), text }
    }

    /// The field that every item must have, if the request did not have it and no reviewer can add it.
    fn lacks(&self, has: impl Fn(Field) -> bool) -> Option<String> {
        let required = self.required.clone().filter(|field| !field.is_empty())?;
        match self.field {
            // It had one, and Procore does not know it; or a reviewer chooses one on the card.
            Some(field) if has(field) || field == Field::Location => None,
            None if is_content(&required) => None,
            _ => Some(required),
        }
    }

    fn names_content(&self) -> bool {
        is_content(&self.text) || self.required.is_some()
    }
}

/// The field's name out of the words before the phrase: `validation failed: cost code` is `cost code`.
fn label(before: &str) -> String {
    let name = before.rsplit(':').next().unwrap_or(before);
    name.trim_matches(|c: char| !c.is_alphanumeric()).trim_start_matches("the ").to_owned()
}

fn field(subject: &str) -> Option<Field> {
    const NAMES: [(&str, Field); 8] = [
        ("punch_item_type", Field::ItemType),
        ("punch item type", Field::ItemType),
        ("punch_item_manager", Field::Manager),
        ("punch item manager", Field::Manager),
        ("final_approver", Field::Approver),
        ("final approver", Field::Approver),
        ("location", Field::Location),
        ("trade", Field::Trade),
    ];
    NAMES.into_iter().find(|(name, _)| subject.contains(name)).map(|(_, field)| field)
}

/// Fields that every draft has, with its own words in them.
fn is_content(text: &str) -> bool {
    ["name", "title", "description", "reference", "image_ids", "images", "priority"]
        .iter()
        .any(|own| text.split(|c: char| !c.is_alphanumeric() && c != '_').next() == Some(own))
}

/// What gives the field a value.
fn cure(required: &str) -> String {
    match field(required) {
        Some(Field::Trade) => {
            "list one of the company's trades under trades of every [class.…] in the rules file".into()
        }
        Some(Field::ItemType) => {
            "list one of the project's types under item_types of every [class.…] in the rules file".into()
        }
        Some(Field::Manager) => "set manager under [people] in the rules file".into(),
        Some(Field::Approver) => "set approver under [people] in the rules file".into(),
        _ if required.starts_with("due") => {
            "set the days of every priority under [due] in the rules file".into()
        }
        _ => format!(
            "give it a value in the project's rules file, under [fields], as in \"{required}\" = \"…\", or make it \
             optional in Procore's fieldset of punch items"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(_: Field) -> bool {
        true
    }

    #[test]
    fn what_is_gone_can_be_left_out() {
        let cases = [
            ("location_id is invalid", Field::Location),
            ("Location must exist", Field::Location),
            ("location can't be blank", Field::Location),
            ("trade_id is not active", Field::Trade),
            ("punch_item_type_id is invalid", Field::ItemType),
            ("Punch item manager is not a user of this project", Field::Manager),
            ("final_approver_id is invalid", Field::Approver),
        ];
        for (said, field) in cases {
            assert_eq!(read(said, all), Refusal::Gone(vec![field]), "{said}");
        }
        let both = Refusal::Gone(vec![Field::Location, Field::Trade]);
        assert_eq!(read("location_id is invalid; trade_id is invalid", all), both);
    }

    #[test]
    fn what_is_required_stops_all() {
        let required = |said: &str| match read(said, |_| false) {
            Refusal::Required { field, cure } => (field, cure),
            other => panic!("{said}: {other:?}"),
        };
        let (field, cure) = required("cost_code can't be blank");
        assert!(
            field == "cost_code" && cure.contains("[fields]") && cure.contains("\"cost_code\""),
            "{cure}"
        );
        assert_eq!(required("Validation failed: Cost Code can't be blank").0, "cost code");
        assert_eq!(required("custom_field_4711 is required").0, "custom_field_4711");
        assert!(required("punch_item_type can't be blank").1.contains("item_types"));
        assert!(required("due_date can't be blank").1.contains("[due]"));
        assert!(required("trade is required; location is required").1.contains("trades"));
    }

    #[test]
    fn what_a_reviewer_can_mend_is_the_items_own() {
        assert_eq!(read("location can't be blank", |_| false), Refusal::Item);
        assert_eq!(read("name is too long (maximum is 255 characters)", all), Refusal::Item);
        assert_eq!(read("name can't be blank", all), Refusal::Item);
        assert_eq!(read("no reason given", all), Refusal::Unclear);
        assert_eq!(read("trade_id is invalid", |_| false), Refusal::Unclear, "none was sent");
    }
}
