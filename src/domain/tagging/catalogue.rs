//! What Procore offers to choose from, and how the rules' names are matched to it.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{PunchItemTypeId, TradeId, UserId};
use crate::domain::place::tree;
use crate::domain::tagging::rules::Ref;

/// A trade of the company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// Procore's id.
    pub id: TradeId,
    /// Its name, e.g. `09 - Drywall`.
    pub name: String,
    /// Whether the company still uses it.
    pub active: bool,
}

/// Somebody whom Procore offers for a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Procore's id.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their login, usually an e-mail address.
    pub login: Option<String>,
}

/// What a project's punch items can be given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The company's trades.
    pub trades: Vec<Trade>,
    /// The project's punch item types.
    pub item_types: Vec<(PunchItemTypeId, String)>,
    /// Who may manage.
    pub managers: Vec<Person>,
    /// Who may approve.
    pub approvers: Vec<Person>,
}

/// The entry that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueMatch {
    /// Procore's id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// A whole sentence.
    pub because: String,
}

/// One thing that can be taken.
struct CatalogueEntry<'a> {
    id: i64,
    names: [Option<&'a str>; 2],
    active: bool,
}

impl Catalogue {
    /// The first of `wanted` that is an active trade.
    ///
    /// # Errors
    /// Why none is, in words that follow "because".
    pub fn trade(&self, wanted: &[Ref]) -> Result<CatalogueMatch, String> {
        let offers = self.trades.iter().map(|trade| CatalogueEntry {
            id: trade.id.value(),
            names: [Some(&trade.name), None],
            active: trade.active,
        });
        first(wanted, &offers.collect::<Vec<_>>(), "trade", "company")
    }

    /// The first of `wanted` that is a punch item type.
    ///
    /// # Errors
    /// As for [`Catalogue::trade`].
    pub fn item_type(&self, wanted: &[Ref]) -> Result<CatalogueMatch, String> {
        let offers = self.item_types.iter().map(|(id, name)| CatalogueEntry {
            id: id.value(),
            names: [Some(name), None],
            active: true,
        });
        first(wanted, &offers.collect::<Vec<_>>(), "punch item type", "project")
    }

    /// The manager that the rules name; `Ok(None)` where they name nobody.
    ///
    /// # Errors
    /// As for [`Catalogue::trade`].
    pub fn manager(&self, wanted: &Ref) -> Result<Option<CatalogueMatch>, String> {
        person(wanted, &self.managers, "punch item manager")
    }

    /// The approver that the rules name; `Ok(None)` where they name nobody.
    ///
    /// # Errors
    /// As for [`Catalogue::trade`].
    pub fn approver(&self, wanted: &Ref) -> Result<Option<CatalogueMatch>, String> {
        person(wanted, &self.approvers, "final approver")
    }
}

fn person(wanted: &Ref, people: &[Person], part: &str) -> Result<Option<CatalogueMatch>, String> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let offers = people.iter().map(|person| CatalogueEntry {
        id: person.id.value(),
        names: [Some(&person.name), person.login.as_deref()],
        active: true,
    });
    first(std::slice::from_ref(wanted), &offers.collect::<Vec<_>>(), part, "project").map(Some)
}

fn first(
    wanted: &[Ref],
    offers: &[CatalogueEntry<'_>],
    what: &str,
    whose: &str,
) -> Result<CatalogueMatch, String> {
    let mut doubts = Vec::new();
    for (place, wanted) in wanted.iter().enumerate() {
        match fitting(wanted, offers).as_slice() {
            [] => {}
            [offer] if !offer.active => doubts.push(format!("{} is not active", quoted(offer))),
            [offer] => {
                let order = if place == 0 { "the first choice" } else { "the first listed one there is" };
                return Ok(CatalogueMatch {
                    id: offer.id,
                    name: offer.names[0].unwrap_or_default().to_owned(),
                    because: format!("The {what} is {}: {order}.", quoted(offer)),
                });
            }
            [offer, ..] => doubts.push(format!("several are called {}", quoted(offer))),
        }
    }
    doubts.dedup();
    let doubts = if doubts.is_empty() { String::new() } else { format!(" ({})", doubts.join("; ")) };
    Err(match wanted.len() {
        0 => format!("no {what} is listed"),
        1 => format!("the one listed is no {what} of the {whose}{doubts}"),
        n => format!("none of the {n} listed is a {what} of the {whose} in use{doubts}"),
    })
}

/// All offers that `wanted` can mean: one by id; by name the active before the inactive, and the
/// exact spelling before one that differs in case and spaces.
fn fitting<'a, 'b>(wanted: &Ref, offers: &'a [CatalogueEntry<'b>]) -> Vec<&'a CatalogueEntry<'b>> {
    let wanted = match wanted {
        Ref::Id(id) => return offers.iter().filter(|offer| offer.id == *id).take(1).collect(),
        Ref::Name(name) => name,
    };
    let alike = plain(wanted);
    let of = |active: bool, exact: bool| -> Vec<&'a CatalogueEntry<'b>> {
        let same = |name: &str| if exact { name == wanted } else { plain(name) == alike };
        let named = |offer: &&CatalogueEntry<'_>| {
            offer.active == active && offer.names.iter().flatten().any(|name| same(name))
        };
        offers.iter().filter(named).collect()
    };
    let tries = [(true, true), (true, false), (false, true), (false, false)];
    let mut found = tries.into_iter().map(|(active, exact)| of(active, exact));
    found.find(|found| !found.is_empty()).unwrap_or_default()
}

/// A name without what people vary: case, spaces, kinds of dashes.
fn plain(name: &str) -> String {
    tree::fold(&name.replace(['–', '—', '‐', '‑'], "-"))
}

fn quoted(offer: &CatalogueEntry<'_>) -> String {
    format!("“{}”", offer.names[0].unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let trades = [
            (1, "09 - Drywall", true),
            (2, "Painting", false),
            (3, "painting", true),
            (4, "Concrete", false),
            (5, "Masonry", true),
            (6, "MASONRY", true),
        ];
        let trade =
            |(id, name, active): (i64, &str, bool)| Trade { id: TradeId::new(id), name: name.into(), active };
        let pat =
            Person { id: UserId::new(7), name: "Pat Manager".into(), login: Some("pat@example.com".into()) };
        Catalogue { trades: trades.map(trade).into(), managers: vec![pat], ..Catalogue::default() }
    }

    fn names(names: &[&str]) -> Vec<Ref> {
        names.iter().map(|name| Ref::Name((*name).into())).collect()
    }

    #[test]
    fn a_trade_is_taken_by_id_or_name_and_only_if_active() {
        let cases: &[(&[&str], Result<i64, &str>)] = &[
            (&["09 - Drywall"], Ok(1)),
            (&["09 – drywall"], Ok(1)),
            (&["Drywall"], Err("the one listed is no trade of the company")),
            (&["Painting"], Ok(3)),
            (&["Concrete"], Err("the one listed is no trade of the company (“Concrete” is not active)")),
            (&["Concrete", "Painting"], Ok(3)),
            (&["masonry"], Err("the one listed is no trade of the company (several are called “Masonry”)")),
            (&["MASONRY"], Ok(6)),
            (&[], Err("no trade is listed")),
        ];
        for (wanted, expected) in cases {
            let found = catalogue().trade(&names(wanted)).map(|found| found.id);
            assert_eq!(found, expected.map_err(str::to_owned), "{wanted:?}");
        }
        assert_eq!(catalogue().trade(&[Ref::Id(5)]).map(|found| found.name), Ok("Masonry".into()));
        assert!(catalogue().trade(&[Ref::Id(4)]).is_err(), "not active");
    }

    #[test]
    fn people_are_found_by_id_name_or_login() {
        for wanted in [Ref::Id(7), Ref::Name("pat manager".into()), Ref::Name("pat@example.com".into())] {
            assert_eq!(catalogue().manager(&wanted).map(|found| found.map(|found| found.id)), Ok(Some(7)));
        }
        assert_eq!(catalogue().manager(&Ref::Name(String::new())), Ok(None));
        assert!(catalogue().approver(&Ref::Id(7)).is_err());
    }
}
