//! What a reviewer chose on the last cards, offered on the next one.

use crate::domain::card::Card;
use crate::domain::punch_item::Edits;
use crate::domain::review::Verdict;
use crate::http::choices::{self, Choice, Choices};

use super::form::Fields;

/// Choices offered for one field; more would push the rest off the screen.
const OFFERED: usize = 3;

/// What was chosen lately, by field, latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) locations: Vec<String>,
    pub(super) trades: Vec<String>,
    pub(super) managers: Vec<String>,
    pub(super) dues: Vec<String>,
    /// The manager of the last card for the same trade.
    manager_of_trade: Option<String>,
}

impl Remembered {
    /// From the reviewer's last decisions, latest first, for `card` of the same project.
    pub(super) fn of(last: &[Card], card: &Card, choices: &Choices) -> Self {
        let edits: Vec<(&Card, &Edits)> = last
            .iter()
            .filter(|other| other.project == card.project)
            .filter_map(|other| match &other.decision.as_ref()?.verdict {
                Verdict::Accept { edits } => Some((other, edits)),
                Verdict::Reject { .. } => None,
            })
            .collect();
        let mut same_trade =
            edits.iter().filter(|(other, _)| other.decided_draft().trade == card.draft.trade);
        let manager_of_trade = same_trade.find_map(|(_, edits)| edits.manager);
        let chosen = |list: &[Choice], pick: &dyn Fn(&Edits) -> Option<i64>| {
            let ids = edits.iter().filter_map(|(_, edits)| pick(edits));
            distinct(ids.filter_map(|id| choices::label(list, id).map(str::to_owned)))
        };
        Self {
            locations: chosen(&choices.locations, &|edits| {
                edits.location.map(crate::domain::ids::LocationId::value)
            }),
            trades: chosen(&choices.trades, &|edits| edits.trade.map(crate::domain::ids::TradeId::value)),
            managers: chosen(&choices.managers, &|edits| {
                edits.manager.map(crate::domain::ids::UserId::value)
            }),
            dues: distinct(edits.iter().filter_map(|(_, edits)| edits.due).map(|due| due.to_string())),
            manager_of_trade: manager_of_trade
                .and_then(|id| choices::label(&choices.managers, id.value()).map(str::to_owned)),
        }
    }

    /// Fills in who manages the trade's items, where nobody is suggested; tells whether it did. The page
    /// marks the field as changed, and the person sees it before anything is sent.
    pub(super) fn fill(&self, fields: &mut Fields) -> bool {
        let Some(manager) = self.manager_of_trade.as_ref().filter(|_| fields.manager.is_empty()) else {
            return false;
        };
        fields.manager.clone_from(manager);
        true
    }

    /// What to offer for a field that now holds `value`.
    pub(super) fn offered<'a>(&'a self, field: &str, value: &str) -> Vec<&'a str> {
        let list = match field {
            "location" => &self.locations,
            "trade" => &self.trades,
            "manager" => &self.managers,
            "due" => &self.dues,
            _ => return Vec::new(),
        };
        list.iter().map(String::as_str).filter(|own| *own != value).take(OFFERED).collect()
    }
}

fn distinct(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{LocationId, TradeId, UserId};
    use crate::domain::review::{Decision, FindingState};
    use crate::http::sample;

    fn decided(number: i64, edits: Edits) -> Card {
        let decision = Decision {
            verdict: Verdict::Accept { edits },
            reviewer: "Ana".into(),
            person: None,
            at: "2026-03-05T15:00:00Z".parse().expect("a time"),
        };
        Card { state: FindingState::Accepted, decision: Some(decision), ..sample::card(number) }
    }

    fn lists() -> Choices {
        Choices {
            managers: choices::list([(1, "Lee Park".to_owned()), (2, "Mo Diaz".to_owned())]),
            ..sample::choices()
        }
    }

    #[test]
    fn the_last_choices_are_offered_once_and_not_the_present_one() {
        let to = |id| Edits { location: Some(LocationId::new(id)), ..Edits::default() };
        let last = [decided(1, to(205)), decided(2, to(204)), decided(3, to(205))];
        let remembered = Remembered::of(&last, &sample::card(9), &lists());
        let here = "Building A › Floor 2 › Unit 204";
        assert_eq!(remembered.offered("location", here), ["Building A › Floor 2 › Unit 205"]);
        assert!(remembered.offered("trade", "").is_empty() && remembered.offered("title", "").is_empty());
    }

    #[test]
    fn the_manager_goes_with_the_trade() {
        let manager = |trade: Option<i64>| Edits {
            manager: Some(UserId::new(2)),
            trade: trade.map(TradeId::new),
            ..Edits::default()
        };
        let (card, lists) = (sample::card(9), lists());
        let filled = |last: &[Card]| {
            let mut fields = Fields::of(&card.draft, &card, &lists);
            Remembered::of(last, &card, &lists).fill(&mut fields).then_some(fields.manager)
        };
        assert_eq!(filled(&[decided(1, manager(None))]).as_deref(), Some("Mo Diaz"));
        assert_eq!(filled(&[decided(1, manager(Some(10)))]), None, "that was another trade's");
        assert_eq!(filled(&[]), None);
    }
}
