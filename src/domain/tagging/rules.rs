//! The form of `tagging.toml`. Every key is documented there; units are in the names.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::fields::Configured;
use crate::domain::place::PlaceRules;
use crate::domain::punch_item::Priority;
use crate::domain::tagging::template::Template;

/// Everything that `tagging.toml` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// What becomes of each class, by the class's name in the model's manifest.
    pub class: BTreeMap<String, ClassRules>,
    /// What makes a finding more or less urgent, by the rule's name.
    pub priority: BTreeMap<String, PriorityRule>,
    /// When it should be mended.
    pub due: DueRules,
    /// Who is told.
    pub people: PeopleRules,
    /// Values of further fields, by their names in Procore.
    pub fields: BTreeMap<String, Configured>,
    /// How it is put.
    pub wording: WordingRules,
    /// How places are chosen.
    pub place: PlaceRules,
    /// Which regions become one.
    pub merge: MergeRules,
    /// Which findings are the same.
    pub once: OnceRules,
    /// What a rejection mutes.
    pub mute: MuteRules,
    /// How many drafts are made.
    pub caps: CapRules,
}

/// What a person would give as a defect's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// How long it is: cracks and joints.
    Length,
    /// How much of the wall it takes.
    Area,
}

/// An entry of Procore's lists, as people name it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Ref {
    /// By Procore's id.
    Id(i64),
    /// By its name (or, for people, the login).
    Name(String),
}

impl Ref {
    /// Whether it names nothing: the empty text.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Name(name) if name.trim().is_empty())
    }
}

/// What becomes of one class.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRules {
    /// How a title begins.
    pub title: String,
    /// One of them in a sentence.
    pub one: String,
    /// Several of them in a sentence.
    pub many: String,
    /// What others call it in a title.
    pub also_called: Vec<String>,
    /// What is given as its size.
    pub extent: Extent,
    /// The trades that mend it, the best first.
    pub trades: Vec<Ref>,
    /// The punch item types that fit, the best first.
    pub item_types: Vec<Ref>,
    /// The priority unless a rule says otherwise.
    pub priority: Priority,
}

impl ClassRules {
    /// For a class without a section: its own name, no trade.
    pub(super) fn spare(class: &str) -> Self {
        let name = class.replace('_', " ");
        let mut title = name.clone();
        title.get_mut(..1).map(str::make_ascii_uppercase).unwrap_or_default();
        Self {
            title,
            many: format!("places with {name}"),
            one: name,
            also_called: vec![],
            extent: Extent::Area,
            trades: vec![],
            item_types: vec![],
            priority: Priority::Medium,
        }
    }
}

/// Conditions that all must hold, and the priority that follows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorityRule {
    /// Any of these classes; empty for all.
    pub classes: Vec<String>,
    /// The longest region as a share of the photo's width.
    pub length_at_least: f32,
    /// All regions as a share of the photo.
    pub area_at_least: f32,
    /// The score.
    pub score_at_least: f32,
    /// Any of these in the location's names; empty for all.
    pub location_contains: Vec<String>,
    /// The priority.
    pub set: Priority,
    /// Whether the rule is used.
    pub enabled: bool,
}

/// A whole number, or "" for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "DaysText")]
pub struct Days(pub Option<u16>);

#[derive(Deserialize)]
#[serde(untagged)]
enum DaysText {
    Number(u16),
    Text(String),
}

impl TryFrom<DaysText> for Days {
    type Error = String;
    fn try_from(text: DaysText) -> Result<Self, String> {
        match text {
            DaysText::Number(days) => Ok(Self(Some(days))),
            DaysText::Text(text) if text.is_empty() => Ok(Self(None)),
            DaysText::Text(text) => Err(format!("'{text}' is neither a number of days nor \"\"")),
        }
    }
}

/// Days until it should be mended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DueRules {
    /// For high priority.
    pub high_days: Days,
    /// For medium priority.
    pub medium_days: Days,
    /// For low priority.
    pub low_days: Days,
    /// Whether weekends and holidays don't count.
    pub working_days: bool,
    /// Days that don't count.
    pub holidays: BTreeSet<Date>,
}

/// Who is put on the draft.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleRules {
    /// The punch item manager.
    pub manager: Ref,
    /// The final approver.
    pub approver: Ref,
    /// Managers of single trades, by the trade's name or id.
    pub manager_by_trade: BTreeMap<String, Ref>,
    /// Managers of single locations and what is below them, by path, as in `Building A>Floor 2`.
    pub manager_by_location: BTreeMap<String, Ref>,
}

/// How a draft is put.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordingRules {
    /// The title.
    pub title: Template,
    /// The description.
    pub description: Template,
    /// Address of a photo for people, with {company}, {project} and {image} for the ids; "" for none.
    pub photo_link: String,
    /// Millimetres that the photo's width shows; 0 for unknown.
    pub photo_width_mm: f64,
}

/// Which regions of one class are one.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeRules {
    /// Intersection over the smaller one, from which regions merge.
    pub overlap: f32,
    /// Gap up to which regions merge, as a share of the photo's longer side.
    pub gap: f32,
}

/// Which sightings are of the same defect.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnceRules {
    /// Bits in which two copies of one photo may differ.
    pub copy_bits: u32,
    /// Seconds that a burst lasts.
    pub burst_s: i64,
    /// Bits in which regions of a burst may differ.
    pub burst_bits: u32,
    /// Bits in which regions at one location may differ at any time.
    pub again_bits: u32,
    /// Bits up to which a person is asked.
    pub maybe_bits: u32,
    /// Mean difference of colour up to which pictures can show the same, in steps of 15.
    pub colour_steps: f32,
    /// Cells of 64 that must have structure before likeness means anything.
    pub structure_min: u32,
}

/// What a rejection mutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MuteRules {
    /// Days for which "too early" mutes.
    pub too_early_days: u16,
}

/// How many drafts are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapRules {
    /// From one photo.
    pub per_photo: u32,
    /// For one project on one day.
    pub per_project_day: u32,
}

impl Rules {
    /// What no type can say: the key and what is wrong with its value.
    pub(super) fn impossible(&self) -> Option<(String, &'static str)> {
        const SHARE: &str = "must lie in 0..=1";
        let share = |v: f64| (0.0..=1.0).contains(&v);
        let positive = |v: f64| v.is_finite() && v > 0.0;
        let fixed = [
            (
                share(self.place.min_share) && self.place.min_share >= 0.5,
                "place.min_share",
                "must lie in 0.5..=1",
            ),
            (share(self.place.min_on_site), "place.min_on_site", SHARE),
            (positive(self.place.assumed_accuracy_m), "place.assumed_accuracy_m", "must be more than 0"),
            (positive(self.place.max_radius_m), "place.max_radius_m", "must be more than 0"),
            (positive(self.place.vertical_factor), "place.vertical_factor", "must be more than 0"),
            (self.place.neighbour_max_m >= 0.0, "place.neighbour_max_m", "must not be negative"),
            (self.place.neighbour_max_s >= 0, "place.neighbour_max_s", "must not be negative"),
            (
                share(self.merge.overlap.into()) && self.merge.overlap > 0.0,
                "merge.overlap",
                "must lie in 0..=1 and not be 0",
            ),
            (share(self.merge.gap.into()), "merge.gap", SHARE),
            (self.wording.photo_width_mm >= 0.0, "wording.photo_width_mm", "must not be negative"),
            (self.once.burst_s >= 0, "once.burst_s", "must not be negative"),
            (
                self.once.copy_bits <= 7,
                "once.copy_bits",
                "must be at most 7: more makes looking copies up slow",
            ),
            (
                self.once.maybe_bits >= self.once.again_bits,
                "once.maybe_bits",
                "must not be below once.again_bits",
            ),
        ];
        let of_rules = self.priority.iter().flat_map(|(name, rule)| {
            let key = move |field: &str| format!("priority.{name}.{field}");
            [
                (rule.length_at_least >= 0.0, key("length_at_least"), "must not be negative"),
                (share(rule.area_at_least.into()), key("area_at_least"), SHARE),
                (share(rule.score_at_least.into()), key("score_at_least"), SHARE),
            ]
        });
        let fixed = fixed.into_iter().map(|(holds, key, words)| (holds, key.to_owned(), words));
        fixed.chain(of_rules).find(|(holds, ..)| !holds).map(|(_, key, words)| (key, words))
    }
}
