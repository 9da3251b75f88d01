//! Punch items that are open in Procore already, and which of them a new finding repeats.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::domain::ids::{LocationId, PunchItemId, TradeId};
use crate::domain::tagging::Tagged;

/// An open punch item, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenItem {
    /// Procore's id.
    pub id: PunchItemId,
    /// The number that people see.
    pub position: Option<i64>,
    /// The title.
    pub title: String,
    /// Where.
    pub location: Option<LocationId>,
    /// Whose work.
    pub trade: Option<TradeId>,
    /// The free text by which we know our own.
    pub reference: Option<String>,
}

/// The open items of one project, by location and trade: a look-up costs as much as there are open
/// items of one trade at one location.
#[derive(Debug, Clone, Default)]
pub struct OpenItems {
    by_place: HashMap<(LocationId, TradeId), Vec<Entry>>,
    by_reference: HashMap<String, PunchItemId>,
}

/// What of an open item a finding repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed<'a> {
    /// It was made from this very finding.
    Itself(PunchItemId),
    /// Its title says the same at the same location for the same trade.
    Alike(&'a Entry),
}

/// An open item as it is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Procore's id.
    pub id: PunchItemId,
    position: Option<i64>,
    title: String,
    stems: Vec<u64>,
}

impl Entry {
    /// Why a finding is held to be on the list, as a sentence.
    pub fn words(&self) -> String {
        let number = self.position.map_or_else(|| self.id.to_string(), |number| format!("#{number}"));
        format!("The list has it: {number} “{}” is open at this location for this trade.", self.title)
    }
}

impl OpenItems {
    /// All of `items`, in any order.
    pub fn new(items: impl IntoIterator<Item = OpenItem>) -> Self {
        let mut all = Self::default();
        for item in items {
            if let Some((location, trade)) = item.location.zip(item.trade) {
                let stems = stems(&item.title);
                let entry = Entry { id: item.id, position: item.position, title: item.title, stems };
                all.by_place.entry((location, trade)).or_default().push(entry);
            }
            if let Some(reference) = item.reference.filter(|reference| !reference.trim().is_empty()) {
                let slot = all.by_reference.entry(reference).or_insert(item.id);
                *slot = (*slot).min(item.id);
            }
        }
        all
    }
}

/// The open item that `tagged` would repeat: the one made from this very finding, else the oldest
/// at the same location and of the same trade whose title names the same thing. Without a location
/// or a trade nothing is held to be the same.
pub fn match_open_item<'a>(tagged: &Tagged, open: &'a OpenItems) -> Option<Listed<'a>> {
    if let Some(id) = open.by_reference.get(&tagged.draft.reference) {
        return Some(Listed::Itself(*id));
    }
    let entries = open.by_place.get(&(tagged.draft.location?, tagged.draft.trade?))?;
    let names: Vec<Vec<u64>> = tagged.names.iter().map(|name| stems(name)).collect();
    let like = |entry: &&Entry| names.iter().any(|name| holds(&entry.stems, name));
    entries.iter().filter(like).min_by_key(|entry| entry.id).map(Listed::Alike)
}

/// Whether every stem of `name` is in `title`; both are sorted.
fn holds(title: &[u64], name: &[u64]) -> bool {
    !name.is_empty() && name.iter().all(|stem| title.binary_search(stem).is_ok())
}

/// The words of a title without their endings, hashed and sorted: `Cracked walls` and `crack in the
/// wall` share `crack` and `wall`.
fn stems(title: &str) -> Vec<u64> {
    let lower = title.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut stems: Vec<u64> = words.map(|word| hash(stem(word))).collect();
    stems.sort_unstable();
    stems.dedup();
    stems
}

/// Cuts the commonest English endings; short words stay whole.
fn stem(word: &str) -> &str {
    const ENDINGS: [&str; 6] = ["ings", "ing", "ed", "es", "s", "y"];
    const LEAST: usize = 4;
    let cut = |ending: &&'static str| word.strip_suffix(*ending).filter(|stem| stem.len() >= LEAST);
    ENDINGS.iter().find_map(cut).unwrap_or(word)
}

fn hash(stem: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    stem.hash(&mut hasher);
    hasher.finish()
}

/// An item of Procore's list as a reviewer sees it beside a card of the same place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedItem {
    /// Its id.
    pub id: PunchItemId,
    /// The number that people see.
    pub position: Option<i64>,
    /// The title.
    pub title: String,
    /// Procore's `workflow_status`.
    pub status: String,
}

/// Under which name the items at `location` are kept among what is known of a project.
pub fn listed_kind(location: LocationId) -> String {
    format!("open_items_at_{location}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::punch_item::{Priority, PunchItemDraft};

    fn tagged(location: Option<i64>, trade: Option<i64>) -> Tagged {
        let draft = PunchItemDraft {
            title: "Peeling paint – Unit 204".into(),
            description: String::new(),
            reference: "PL-ABC".into(),
            location: location.map(LocationId::new),
            trade: trade.map(TradeId::new),
            item_type: None,
            priority: Priority::Medium,
            due: None,
            manager: None,
            approver: None,
            images: vec![],
            fields: crate::domain::fields::FieldValues::new(),
        };
        let names = vec!["Peeling paint".into(), "flaking paint".into()];
        Tagged { draft, names, trade_name: None, rules: vec![] }
    }

    fn item(id: i64, title: &str, location: i64, trade: i64) -> OpenItem {
        OpenItem {
            id: PunchItemId::new(id),
            position: Some(id),
            title: title.into(),
            location: Some(LocationId::new(location)),
            trade: Some(TradeId::new(trade)),
            reference: None,
        }
    }

    #[test]
    fn the_same_thing_at_the_same_place_and_trade_is_known() {
        let cases = [
            ("Peeling paint – Unit 204", 1, 2, true),
            ("Paint is peeling off by the window", 1, 2, true),
            ("paint flaking", 1, 2, true),
            ("Repaint wall", 1, 2, false),
            ("Paint wall", 1, 2, false),
            ("Peeling paint", 9, 2, false),
            ("Peeling paint", 1, 9, false),
        ];
        for (title, location, trade, known) in cases {
            let open = OpenItems::new([item(7, title, location, trade)]);
            let found = match_open_item(&tagged(Some(1), Some(2)), &open);
            assert_eq!(found.is_some(), known, "{title}");
        }
    }

    #[test]
    fn the_oldest_counts_whatever_the_order() {
        let items =
            [item(9, "peeling paint", 1, 2), item(7, "paint peels", 1, 2), item(8, "peeling paint", 1, 2)];
        let forward = OpenItems::new(items.clone());
        let backward = OpenItems::new(items.into_iter().rev());
        for open in [forward, backward] {
            let Some(Listed::Alike(entry)) = match_open_item(&tagged(Some(1), Some(2)), &open) else {
                panic!("one is alike")
            };
            assert_eq!(
                entry.words(),
                "The list has it: #7 “paint peels” is open at this location for this trade."
            );
        }
    }

    #[test]
    fn without_place_or_trade_only_its_own_item_is_known() {
        let own =
            OpenItem { reference: Some("PL-ABC".into()), location: None, trade: None, ..item(5, "x", 1, 2) };
        let open = OpenItems::new([item(7, "peeling paint", 1, 2), own]);
        let itself = Some(Listed::Itself(PunchItemId::new(5)));
        assert_eq!(match_open_item(&tagged(None, None), &open), itself);
        let open = OpenItems::new([item(7, "peeling paint", 1, 2)]);
        assert_eq!(match_open_item(&tagged(None, Some(2)), &open), None);
        assert_eq!(match_open_item(&tagged(Some(1), None), &open), None);
    }
}
