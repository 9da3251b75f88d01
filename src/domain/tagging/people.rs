//! Who is put on a draft, and on an accepted item unless its reviewer chooses.

use crate::domain::ids::{TradeId, UserId};
use crate::domain::place::tree;
use crate::domain::tagging::catalogue::Catalogue;
use crate::domain::tagging::rules::Ref;
use crate::domain::tagging::{FiredRule, Tagging};

impl Tagging {
    /// The manager whom the rules name for an item of `trade` at the location `path`: by trade, else by the nearest location
    /// above, else the project's. Somebody whom Procore does not offer is passed over, and the rules that fired say so.
    pub fn manager(
        &self,
        trade: Option<TradeId>,
        path: &[String],
        catalogue: &Catalogue,
    ) -> (Option<UserId>, Vec<FiredRule>) {
        let mut fired = Vec::new();
        for (rule, wanted) in self.managers_for(trade, path, catalogue) {
            match catalogue.manager(wanted) {
                Err(_) if catalogue.managers.is_empty() && matches!(wanted, Ref::Id(_)) => {
                    let Ref::Id(id) = wanted else { continue };
                    fired.push(FiredRule::new(
                        rule,
                        format!("The manager is Procore's user {id}, unchecked."),
                    ));
                    return (Some(UserId::new(*id)), fired);
                }
                Ok(None) => {}
                Ok(Some(found)) => {
                    fired.push(FiredRule::new(rule, found.because));
                    return (Some(UserId::new(found.id)), fired);
                }
                Err(reason) => {
                    fired.push(FiredRule::new(rule, format!("It names no manager, because {reason}.")));
                }
            }
        }
        (None, fired)
    }

    /// What the rules name as manager, with the rules' keys, the most special first.
    fn managers_for<'a>(
        &'a self,
        trade: Option<TradeId>,
        path: &[String],
        catalogue: &Catalogue,
    ) -> Vec<(String, &'a Ref)> {
        let people = &self.rules.people;
        let trade = trade.and_then(|id| catalogue.trades.iter().find(|trade| trade.id == id));
        let of_trade = people.manager_by_trade.iter().filter(|(name, _)| {
            trade.is_some_and(|trade| {
                tree::fold(name) == tree::fold(&trade.name) || **name == trade.id.to_string()
            })
        });
        let mut of_place: Vec<_> =
            people.manager_by_location.iter().filter(|(name, _)| is_at_or_above(name, path)).collect();
        of_place.sort_by_key(|(name, _)| std::cmp::Reverse(parts(name).len()));
        let key = |table: &str, name: &str| format!("people.{table}.\"{name}\"");
        of_trade
            .map(|(name, wanted)| (key("manager_by_trade", name), wanted))
            .chain(of_place.into_iter().map(|(name, wanted)| (key("manager_by_location", name), wanted)))
            .chain([("people.manager".to_owned(), &people.manager)])
            .collect()
    }

    /// Managers by trade or location that match nothing in Procore, or name nobody whom Procore offers; for `doctor`.
    pub fn manager_gaps(&self, catalogue: &Catalogue) -> Vec<String> {
        let people = &self.rules.people;
        let unknown = people.manager_by_trade.keys().filter(|name| {
            let same = |trade: &crate::domain::tagging::Trade| {
                tree::fold(name) == tree::fold(&trade.name) || **name == trade.id.to_string()
            };
            !catalogue.trades.iter().any(same)
        });
        let unknown =
            unknown.map(|name| format!("people.manager_by_trade.\"{name}\": the company has no such trade."));
        let tables = [
            ("manager_by_trade", &people.manager_by_trade),
            ("manager_by_location", &people.manager_by_location),
        ];
        let nobody = tables.into_iter().flat_map(|(table, entries)| {
            entries.iter().filter_map(move |(name, wanted)| {
                let reason = catalogue.manager(wanted).err()?;
                Some(format!("people.{table}.\"{name}\": {reason}."))
            })
        });
        unknown.chain(nobody).collect()
    }
}

/// The final approver, if the rules name one whom Procore offers.
pub(super) fn approver(wanted: &Ref, catalogue: &Catalogue, fired: &mut Vec<FiredRule>) -> Option<UserId> {
    const RULE: &str = "people.approver";
    match catalogue.approver(wanted) {
        Ok(None) => None,
        Ok(Some(found)) => {
            fired.push(FiredRule::new(RULE, found.because));
            Some(UserId::new(found.id))
        }
        Err(reason) => {
            fired.push(FiredRule::new(RULE, format!("The draft has no approver, because {reason}.")));
            None
        }
    }
}

fn parts(name: &str) -> Vec<String> {
    name.split('>').map(tree::fold).filter(|part| !part.is_empty()).collect()
}

/// Whether the location that the rules call `name`, as in `Building A>Floor 2`, is `path` or contains it.
fn is_at_or_above(name: &str, path: &[String]) -> bool {
    let wanted = parts(name);
    !wanted.is_empty()
        && wanted.len() <= path.len()
        && wanted.iter().zip(path).all(|(wanted, part)| *wanted == tree::fold(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tagging::{Person, Trade};

    #[test]
    fn managers_come_by_trade_then_location_then_project() {
        let rules = "[people]\nmanager = \"Pat\"\n[people.manager_by_trade]\n\"09 - drywall\" = 2\n\"Roofing\" = \"Nobody\"\n\
                     [people.manager_by_location]\n\"Building A\" = 3\n\"Building A>Floor 2\" = \"Lee\"";
        let tagging = Tagging::default_rules().with_override("box.toml", rules).expect("valid");
        let person = |id, name: &str| Person { id: UserId::new(id), name: name.into(), login: None };
        let trade = |id, name: &str| Trade { id: TradeId::new(id), name: name.into(), active: true };
        let catalogue = Catalogue {
            trades: vec![trade(9, "09 - Drywall"), trade(7, "Roofing"), trade(5, "Paint")],
            managers: vec![person(1, "Pat"), person(2, "Kim"), person(3, "Mo"), person(4, "Lee")],
            ..Catalogue::default()
        };
        let path = |text: &str| -> Vec<String> { text.split('>').map(str::to_owned).collect() };
        let manager = |trade: i64, place: &str| {
            tagging.manager(Some(TradeId::new(trade)), &path(place), &catalogue).0.map(UserId::value)
        };
        assert_eq!(manager(9, "Building A>Floor 2>Unit 204"), Some(2));
        assert_eq!(manager(5, "building a>floor 2>Unit 204"), Some(4), "the nearest location");
        assert_eq!(manager(5, "Building A>Floor 3"), Some(3));
        assert_eq!(manager(5, "Building B"), Some(1));
        assert_eq!(manager(7, "Building B"), Some(1), "whom Procore does not offer is passed over");
        let gaps = tagging.manager_gaps(&catalogue);
        assert!(gaps.len() == 1 && gaps[0].contains("Roofing"), "{gaps:?}");
    }
}
