//! How urgent a finding is.

use crate::domain::finding::Finding;
use crate::domain::geometry::{Size, Upright};
use crate::domain::place::Place;
use crate::domain::punch_item::Priority;
use crate::domain::tagging::FiredRule;
use crate::domain::tagging::rules::{ClassRules, PriorityRule, Rules};
use crate::domain::wording;

/// The most urgent priority of all rules that fire; the class's own where none does.
pub(super) fn decide(
    rules: &Rules,
    class: &ClassRules,
    finding: &Finding,
    photo: Size<Upright>,
    place: &Place,
    fired: &mut Vec<FiredRule>,
) -> Priority {
    let length = wording::length_share(finding, class.extent, photo);
    let facts = PriorityInputs { finding, length, place };
    let hits: Vec<(Priority, FiredRule)> = rules
        .priority
        .iter()
        .filter_map(|(name, rule)| {
            let reasons = facts.reasons(rule)?;
            let because = format!("Priority {}: {}.", rule.set, reasons.join(", "));
            Some((rule.set, FiredRule::new(format!("priority.{name}"), because)))
        })
        .collect();
    let Some(most) = hits.iter().map(|(priority, _)| *priority).max() else {
        let name = finding.class.name();
        let because = format!("Priority {}: as for any {}.", class.priority, class.one);
        fired.push(FiredRule::new(format!("class.{name}.priority"), because));
        return class.priority;
    };
    fired.extend(hits.into_iter().map(|(_, rule)| rule));
    most
}

struct PriorityInputs<'a> {
    finding: &'a Finding,
    length: f32,
    place: &'a Place,
}

impl PriorityInputs<'_> {
    /// Why `rule` fires, condition by condition; `None` if it does not.
    fn reasons(&self, rule: &PriorityRule) -> Option<Vec<String>> {
        let class = self.finding.class.name();
        if !rule.enabled || !(rule.classes.is_empty() || rule.classes.iter().any(|name| name == class)) {
            return None;
        }
        let mut reasons = vec![class.replace('_', " ")];
        let mut at_least = |name: &str, found: f32, least: f32| {
            if found < least {
                return None;
            }
            if least > 0.0 {
                reasons.push(format!("{name} {} of at least {}", percent(found), percent(least)));
            }
            Some(())
        };
        at_least("length", self.length, rule.length_at_least)?;
        at_least("area", self.finding.area_share, rule.area_at_least)?;
        at_least("score", self.finding.score.value(), rule.score_at_least)?;
        if !rule.location_contains.is_empty() {
            reasons.push(self.named_in_location(&rule.location_contains)?);
        }
        Some(reasons)
    }

    fn named_in_location(&self, words: &[String]) -> Option<String> {
        let location = self.place.location.as_ref()?;
        let name = location.words().to_lowercase();
        let word = words.iter().find(|word| name.contains(&word.to_lowercase()))?;
        Some(format!("“{word}” in the location's name"))
    }
}

fn percent(share: f32) -> String {
    format!("{:.0} %", share * 100.0)
}
