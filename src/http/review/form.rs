//! The card's form: what it shows, and what a person changed in it.

use crate::domain::card::Card;
use crate::domain::ids::{LocationId, TradeId, UserId};
use crate::domain::punch_item::{Edits, Priority, PunchItemDraft};
use crate::http::choices::{self, Choice, Choices};
use crate::http::error::HttpError;

use super::labels;
use super::submitted::Form;

/// The longest title that is taken.
const TITLE_MAX: usize = 255;

/// The longest description that is taken.
const DESCRIPTION_MAX: usize = 10_000;

/// The form's fields as text, before or after a person typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) location: String,
    pub(super) trade: String,
    pub(super) priority: String,
    pub(super) due: String,
    pub(super) manager: String,
}

/// One thing that cannot be taken as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldError {
    /// The field's name in the form.
    pub(super) field: &'static str,
    /// What is wrong and what to do.
    pub(super) text: String,
}

impl Fields {
    /// As a person sent them.
    pub(super) fn sent(form: &Form) -> Self {
        let text = |name| form.text(name).to_owned();
        Self {
            title: text("title"),
            description: text("description"),
            location: text("location"),
            trade: text("trade"),
            priority: text("priority"),
            due: text("due"),
            manager: text("manager"),
        }
    }

    /// `draft` as text, with names instead of ids.
    pub(super) fn of(draft: &PunchItemDraft, card: &Card, choices: &Choices) -> Self {
        Self {
            title: draft.title.clone(),
            description: draft.description.clone(),
            location: draft.location.map(|id| location_name(id, card, choices)).unwrap_or_default(),
            trade: draft.trade.map(|id| trade_name(id, card, choices)).unwrap_or_default(),
            priority: draft.priority.name().to_owned(),
            due: draft.due.map(|date| date.to_string()).unwrap_or_default(),
            manager: draft
                .manager
                .map(|id| name(&choices.managers, id.value(), "person"))
                .unwrap_or_default(),
        }
    }

    /// What these fields change in the draft that `card` suggests.
    ///
    /// # Errors
    /// With a complaint for every field that cannot be taken; nothing is then to be decided.
    pub(super) fn edits(&self, card: &Card, choices: &Choices) -> Result<Edits, Vec<FieldError>> {
        let suggested = Self::of(&card.draft, card, choices);
        let mut reader = Reader { complaints: Vec::new() };
        let edits = Edits {
            title: reader.text("title", &self.title, &suggested.title, TITLE_MAX),
            description: reader.text(
                "description",
                &self.description,
                &suggested.description,
                DESCRIPTION_MAX,
            ),
            location: reader
                .choice("location", &self.location, &suggested.location, &choices.locations)
                .map(LocationId::new),
            trade: reader.choice("trade", &self.trade, &suggested.trade, &choices.trades).map(TradeId::new),
            priority: reader.parsed::<Priority>("priority", &self.priority, &suggested.priority),
            due: reader.parsed("due", &self.due, &suggested.due),
            manager: reader
                .choice("manager", &self.manager, &suggested.manager, &choices.managers)
                .map(UserId::new),
        };
        if reader.complaints.is_empty() { Ok(edits) } else { Err(reader.complaints) }
    }
}

/// Whether a script's edits are such as the form would take.
///
/// # Errors
/// With the first thing that is wrong.
pub(in crate::http) fn check_texts(edits: &Edits) -> Result<(), HttpError> {
    let texts = [("title", &edits.title, TITLE_MAX), ("description", &edits.description, DESCRIPTION_MAX)];
    for (name, text, most) in texts {
        let length = text.as_ref().map(|text| text.trim().chars().count());
        if length.is_some_and(|length| length == 0 || length > most) {
            return Err(HttpError::Invalid(format!("The {name} must have 1 to {most} characters.")));
        }
    }
    Ok(())
}

fn location_name(id: LocationId, card: &Card, choices: &Choices) -> String {
    let own = card.place.location.as_ref().filter(|location| location.id == id);
    choices::label(&choices.locations, id.value()).map_or_else(
        || own.map_or_else(|| format!("location {id}"), |location| labels::path(&location.path)),
        str::to_owned,
    )
}

fn trade_name(id: TradeId, card: &Card, choices: &Choices) -> String {
    let own = card.trade_name.as_ref().filter(|_| card.draft.trade == Some(id));
    own.cloned().unwrap_or_else(|| name(&choices.trades, id.value(), "trade"))
}

fn name(list: &[Choice], id: i64, kind: &str) -> String {
    choices::label(list, id).map_or_else(|| format!("{kind} {id}"), str::to_owned)
}

struct Reader {
    complaints: Vec<FieldError>,
}

impl Reader {
    fn complain(&mut self, field: &'static str, text: impl Into<String>) {
        self.complaints.push(FieldError { field, text: text.into() });
    }

    fn text(&mut self, field: &'static str, typed: &str, suggested: &str, most: usize) -> Option<String> {
        // Browsers send line ends as CR LF.
        let typed = typed.replace("\r\n", "\n");
        let typed = typed.trim();
        if typed == suggested.trim() {
            return None;
        }
        if typed.is_empty() {
            self.complain(field, "This can’t be empty.");
            return None;
        }
        if typed.chars().count() > most {
            self.complain(field, format!("This is longer than {most} characters."));
            return None;
        }
        Some(typed.to_owned())
    }

    fn choice(&mut self, field: &'static str, typed: &str, suggested: &str, list: &[Choice]) -> Option<i64> {
        let typed = typed.trim();
        if typed == suggested.trim() {
            return None;
        }
        if typed.is_empty() {
            self.complain(field, format!("Choose another one, or keep “{suggested}”."));
            return None;
        }
        let found = choices::find(list, typed).map(|choice| choice.id);
        if found.is_none() {
            self.complain(field, format!("“{typed}” is not in Procore’s list. Choose one from the list."));
        }
        found
    }

    fn parsed<T: std::str::FromStr>(
        &mut self,
        field: &'static str,
        typed: &str,
        suggested: &str,
    ) -> Option<T> {
        let typed = typed.trim();
        if typed == suggested {
            return None;
        }
        let parsed = typed.parse().ok();
        if parsed.is_none() {
            self.complain(
                field,
                if typed.is_empty() { "This can’t be emptied." } else { "This can’t be read." },
            );
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sample;

    fn changed(change: impl FnOnce(&mut Fields)) -> Result<Edits, Vec<&'static str>> {
        let (card, choices) = (sample::card(1), sample::choices());
        let mut fields = Fields::of(&card.draft, &card, &choices);
        change(&mut fields);
        fields.edits(&card, &choices).map_err(|complaints| complaints.iter().map(|c| c.field).collect())
    }

    #[test]
    fn an_untouched_form_changes_nothing() {
        assert_eq!(changed(|_| ()), Ok(Edits::default()));
        assert_eq!(
            changed(|fields| fields.description = fields.description.replace('\n', "\r\n")),
            Ok(Edits::default())
        );
    }

    #[test]
    fn edits_are_only_what_differs() {
        let edits = changed(|fields| {
            fields.title = " Crack by the door ".into();
            fields.priority = "high".into();
            fields.location = "unit 205".into();
            fields.due = "2026-04-01".into();
        });
        let expected = Edits {
            title: Some("Crack by the door".into()),
            priority: Some(Priority::High),
            location: Some(LocationId::new(205)),
            due: Some(jiff::civil::date(2026, 4, 1)),
            ..Edits::default()
        };
        assert_eq!(edits, Ok(expected));
    }

    #[test]
    fn every_bad_field_is_named() {
        let complaints = changed(|fields| {
            fields.title = "  ".into();
            fields.location = "Mars".into();
            fields.trade = String::new();
            fields.priority = "urgent".into();
            fields.due = "tomorrow".into();
            fields.description = "x".repeat(DESCRIPTION_MAX + 1);
        });
        assert_eq!(complaints, Err(vec!["title", "description", "location", "trade", "priority", "due"]));
    }
}
