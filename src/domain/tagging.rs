//! Turns a finding into the punch item that a superintendent would have typed, and says which rule
//! led to what.
//!
//! The rules are values from `tagging.toml`: the defaults are compiled in, a company's and a
//! project's file may be laid over them.

pub mod catalogue;
mod due;
mod layers;
mod people;
mod priority;
pub mod rules;
pub mod template;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::capture::TakenAt;
use crate::domain::fields::FieldValues;
use crate::domain::finding::Finding;
use crate::domain::geometry::{Size, Upright};
use crate::domain::ids::{ImageId, ProjectKey, PunchItemTypeId, TradeId};
use crate::domain::place::{Evidence, Place, PlaceRules};
use crate::domain::punch_item::PunchItemDraft;
use crate::domain::wording;

pub use catalogue::{Catalogue, Person, Trade};
pub use layers::TaggingError;
pub use rules::{CapRules, ClassRules, MergeRules, MuteRules, OnceRules, Rules};

/// The defaults, which are also the documented example.
pub const DEFAULTS: &str = include_str!("tagging.toml");

/// The rules in force for one project.
#[derive(Debug, Clone)]
pub struct Tagging {
    /// The texts laid over one another, for the next override.
    tree: toml::Table,
    rules: Rules,
}

/// What tagging must know of the photo.
#[derive(Debug, Clone)]
pub struct PhotoFacts {
    /// Full upright size.
    pub size: Size<Upright>,
    /// The file's name.
    pub filename: String,
    /// When it was taken.
    pub taken_at: Option<TakenAt>,
    /// The project that it is in.
    pub project: ProjectKey,
    /// Procore's id.
    pub image: ImageId,
}

/// A rule that had a say, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiredRule {
    /// Its key in `tagging.toml`, e.g. `class.crack.trades`.
    pub rule: String,
    /// One whole sentence.
    pub because: String,
}

impl FiredRule {
    fn new(rule: impl Into<String>, because: impl Into<String>) -> Self {
        Self { rule: rule.into(), because: because.into() }
    }
}

impl std::fmt::Display for FiredRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.because, self.rule)
    }
}

/// `rules` as `punchlens explain` prints them: one sentence each, in the order in which they fired.
pub fn explain(rules: &[FiredRule]) -> Vec<String> {
    rules.iter().map(ToString::to_string).collect()
}

/// A finding with its tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tagged {
    /// The punch item to be made.
    pub draft: PunchItemDraft,
    /// What people call the defect in a title: how an open item of the same thing is recognised.
    pub names: Vec<String>,
    /// The trade's name, as the draft holds only its id.
    pub trade_name: Option<String>,
    /// Every rule that fired.
    pub rules: Vec<FiredRule>,
}

impl Tagging {
    /// The rules as compiled in.
    pub fn default_rules() -> Self {
        layers::defaults()
    }

    /// These rules with `text` laid over them; `name` is how messages call it.
    ///
    /// # Errors
    /// When `text` is not TOML, has an unknown key, or a value is of the wrong type or impossible.
    pub fn with_override(self, name: &str, text: &str) -> Result<Self, TaggingError> {
        layers::lay_over(self, name, text)
    }

    /// The classes of `classes` that no `[class.…]` section covers: the service must not start.
    pub fn missing_classes(&self, classes: &[&str]) -> Vec<String> {
        let missing = classes.iter().filter(|class| !self.rules.class.contains_key(**class));
        missing.map(|class| (*class).to_owned()).collect()
    }

    /// The lines for `doctor`: what of these rules finds no counterpart in `catalogue`.
    pub fn gaps(&self, classes: &[&str], catalogue: &Catalogue) -> Vec<String> {
        let mut gaps = Vec::new();
        for class in classes {
            let Some(rules) = self.rules.class.get(*class) else { continue };
            if let Err(reason) = catalogue.trade(&rules.trades) {
                gaps.push(format!("class.{class}.trades: {reason}; its drafts have no trade."));
            }
            if let Err(reason) = catalogue.item_type(&rules.item_types) {
                gaps.push(format!("class.{class}.item_types: {reason}; its drafts have no type."));
            }
        }
        let people = [
            ("manager", catalogue.manager(&self.rules.people.manager)),
            ("approver", catalogue.approver(&self.rules.people.approver)),
        ];
        for (part, found) in people {
            gaps.extend(found.err().map(|reason| format!("people.{part}: {reason}; drafts have none.")));
        }
        gaps.extend(self.manager_gaps(catalogue));
        gaps
    }

    /// All rules.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How places are chosen.
    pub const fn place(&self) -> &PlaceRules {
        &self.rules.place
    }

    /// The punch item for `finding`, found in `photo` at `place` by `model` (`name version`), on
    /// the day `today`.
    ///
    /// A class that no section covers gets its own name as the title and no trade; the service
    /// refuses to start with such a model, see [`Tagging::missing_classes`].
    pub fn tag(
        &self,
        finding: &Finding,
        photo: &PhotoFacts,
        place: &Place,
        catalogue: &Catalogue,
        model: &str,
        today: Date,
    ) -> Tagged {
        let mut fired = place_rules(place);
        let class = finding.class.name();
        let spare = ClassRules::spare(class);
        let rules = self.rules.class.get(class).unwrap_or(&spare);
        let trade = note(catalogue.trade(&rules.trades), class, "trades", "no trade", &mut fired);
        let item_type =
            note(catalogue.item_type(&rules.item_types), class, "item_types", "no type", &mut fired);
        let priority = priority::decide(&self.rules, rules, finding, photo.size, place, &mut fired);
        let due = due::decide(&self.rules.due, priority, today, &mut fired);
        let trade = trade.as_ref().map(|(id, name)| (TradeId::new(*id), name.clone()));
        let path = place.location.as_ref().map_or(&[][..], |location| &location.path);
        let (manager, why) = self.manager(trade.as_ref().map(|(id, _)| *id), path, catalogue);
        fired.extend(why);
        let approver = people::approver(&self.rules.people.approver, catalogue, &mut fired);
        let link = &self.rules.wording.photo_link;
        let words = wording::Words { finding, rules, photo, place, model, link };
        let draft = PunchItemDraft {
            title: self.title(&words),
            description: self.description(&words),
            reference: finding.id.reference(),
            location: place.id(),
            trade: trade.as_ref().map(|(id, _)| *id),
            item_type: item_type.map(|(id, _)| PunchItemTypeId::new(id)),
            priority,
            due,
            manager,
            approver,
            images: vec![photo.image],
            fields: FieldValues::new(),
        };
        let names = std::iter::once(&rules.title).chain(&rules.also_called).cloned().collect();
        Tagged { draft, names, trade_name: trade.map(|(_, name)| name), rules: fired }
    }

    fn title(&self, words: &wording::Words<'_>) -> String {
        self.rules.wording.title.line(&|field| words.in_title(field))
    }

    fn description(&self, words: &wording::Words<'_>) -> String {
        let scale = self.rules.wording.photo_width_mm;
        self.rules.wording.description.lines(&|field| words.in_description(field, scale))
    }
}

/// Notes which entry of a class's list was taken, or why none was.
fn note(
    found: Result<catalogue::CatalogueMatch, String>,
    class: &str,
    list: &str,
    none: &str,
    fired: &mut Vec<FiredRule>,
) -> Option<(i64, String)> {
    let rule = format!("class.{class}.{list}");
    match found {
        Ok(found) => {
            fired.push(FiredRule::new(rule, found.because));
            Some((found.id, found.name))
        }
        Err(reason) => {
            fired.push(FiredRule::new(rule, format!("The draft has {none}, because {reason}.")));
            None
        }
    }
}

fn place_rules(place: &Place) -> Vec<FiredRule> {
    let rule = match place.evidence {
        Evidence::PhotoLocation | Evidence::Unknown { .. } => "place",
        Evidence::Text { .. } => "place.text",
        Evidence::Neighbour { .. } => "place.neighbour_max_s",
        Evidence::SiteOutline { .. } | Evidence::GpsOnly { .. } => "place.min_share",
    };
    let mut fired = vec![FiredRule::new(rule, format!("Place: {}.", place.words()))];
    fired.extend(place.notes.iter().map(|note| FiredRule::new("place", note.clone())));
    fired
}

#[cfg(test)]
mod tests;
