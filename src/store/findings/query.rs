//! Which findings, in which order: one query's conditions, for lists, counts and choices alike.

use jiff::Timestamp;

use crate::domain::ids::{PhotoId, ProjectKey, TradeId};
use crate::domain::review::{Delivery, FindingState};
use crate::store::rows::{NAME_BYTES, bounded, millis};
use crate::store::sql::QueryBuilder;

/// Which cards to list. The default is all of them, newest first, as many as one list holds.
#[derive(Debug, Clone, Default)]
pub struct CardQuery {
    /// Of these projects; absent means any.
    pub projects: Option<Vec<ProjectKey>>,
    /// In one of these states; empty means any.
    pub states: Vec<FindingState>,
    /// Come so far towards Procore; empty means any.
    pub deliveries: Vec<Delivery>,
    pub shelf: Shelf,
    pub class: Option<String>,
    /// At this place or below it: the names of its path, joined by [`PLACE_JOINT`].
    pub place: Option<String>,
    /// Suggested for one trade.
    pub trade: Option<TradeId>,
    /// In photos of one uploader.
    pub uploader: Option<String>,
    /// First found in one photo.
    pub photo: Option<PhotoId>,
    /// Found at this time or later.
    pub found_since: Option<Timestamp>,
    /// Found before this time.
    pub found_before: Option<Timestamp>,
    /// With these words in title, text, place, trade, class, file name or uploader, in any case.
    pub text: Option<String>,
    /// Decided at this time or later.
    pub decided_since: Option<Timestamp>,
    /// Decided before this time.
    pub decided_before: Option<Timestamp>,
    /// Only those with a problem that a person should look at: what `Counts::problems` counts.
    pub problems: bool,
    pub order: CardOrder,
    /// At most this many; absent means as many as one list holds.
    pub limit: Option<u32>,
    /// Leave out this many first.
    pub offset: u32,
}

/// Cards by what keeps them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shelf {
    #[default]
    Any,
    /// Those that a reviewer should look at: kept back by nothing or by a cap.
    Open,
    /// Those of them that a cap keeps back.
    Capped,
    /// Silenced by a mute.
    Muted,
    /// On Procore's list already; their photos are linked to that item.
    Known,
}

impl Shelf {
    const fn sql(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Open => " AND (held IS NULL OR held = 'cap')",
            Self::Capped => " AND held = 'cap'",
            Self::Muted => " AND held = 'mute'",
            Self::Known => " AND held = 'open_item'",
        }
    }
}

/// The order of a list of cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CardOrder {
    #[default]
    NewestFirst,
    ByScore,
    LastDecided,
    /// Those of one place together, then as found.
    ByPlace,
    /// Those of one class together, then as found.
    ByClass,
    /// Those of one photo together, the newest photo first.
    ByPhoto,
}

/// Between the names of a place's path in the database.
pub const PLACE_JOINT: &str = " › ";

impl CardOrder {
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::NewestFirst => " ORDER BY found_at DESC, id DESC",
            Self::ByScore => " ORDER BY score DESC, id DESC",
            Self::LastDecided => " ORDER BY decided_at DESC, id DESC",
            Self::ByPlace => " ORDER BY COALESCE(place, ''), class, found_at DESC, id DESC",
            Self::ByClass => " ORDER BY class, COALESCE(place, ''), found_at DESC, id DESC",
            Self::ByPhoto => " ORDER BY found_at DESC, photo, id DESC",
        }
    }
}

/// What `Counts::problems` counts and [`CardQuery::problems`] lists.
const PROBLEM: &str = "delivery IN ('refused', 'waiting') AND (delivery = 'refused' OR problem IS NOT NULL)";

pub(crate) fn push_conditions(sql: &mut QueryBuilder, query: &CardQuery) {
    sql.push(" WHERE 1 = 1");
    push_projects(sql, query.projects.as_deref());
    sql.push(query.shelf.sql());
    push_names(sql, " AND state IN (", query.states.iter().map(|state| state.name()));
    push_names(sql, " AND delivery IN (", query.deliveries.iter().map(|delivery| delivery.name()));
    if let Some(class) = &query.class {
        sql.push(" AND class = ").push_bind(name(class));
    }
    if let Some(place) = &query.place {
        // Not LIKE: its case and its wildcards differ between databases.
        let place = name(place);
        let below = format!("{place}{PLACE_JOINT}");
        sql.push(" AND (place = ").push_bind(place);
        sql.push(" OR SUBSTR(place, 1, LENGTH(").push_bind(below.clone());
        sql.push(")) = ").push_bind(below).push(")");
    }
    if let Some(trade) = query.trade {
        sql.push(" AND trade = ").push_bind(trade.value());
    }
    if let Some(uploader) = &query.uploader {
        sql.push(" AND uploader = ").push_bind(name(uploader));
    }
    if let Some(photo) = query.photo {
        sql.push(" AND photo = ").push_bind(photo.to_string());
    }
    push_times(sql, query);
    for word in query.text.iter().flat_map(|text| text.split_whitespace()) {
        sql.push(" AND search LIKE ").push_bind(pattern(&name(word))).push(" ESCAPE '\\'");
    }
    if query.problems {
        sql.push(" AND ").push(PROBLEM);
    }
}

/// A name as its column holds it.
fn name(text: &str) -> String {
    bounded(text, NAME_BYTES).to_owned()
}

/// Narrows to `projects`; absent means any.
pub(crate) fn push_projects(sql: &mut QueryBuilder, projects: Option<&[ProjectKey]>) {
    let Some(projects) = projects else { return };
    sql.push(" AND (");
    if projects.is_empty() {
        sql.push("1 = 0");
    }
    for (number, project) in projects.iter().enumerate() {
        sql.push(if number == 0 { "(" } else { " OR (" });
        sql.push("company = ").push_bind(project.company.value());
        sql.push(" AND project = ").push_bind(project.project.value()).push(")");
    }
    sql.push(")");
}

fn push_times(sql: &mut QueryBuilder, query: &CardQuery) {
    let bounds = [
        (" AND found_at >= ", query.found_since),
        (" AND found_at < ", query.found_before),
        (" AND decided_at >= ", query.decided_since),
        (" AND decided_at < ", query.decided_before),
    ];
    for (condition, at) in bounds {
        if let Some(at) = at {
            sql.push(condition).push_bind(millis(at));
        }
    }
}

fn push_names(sql: &mut QueryBuilder, before: &str, names: impl ExactSizeIterator<Item = &'static str>) {
    if names.len() == 0 {
        return;
    }
    sql.push(before);
    let mut list = sql.separated(", ");
    for name in names {
        list.push_bind(name);
    }
    sql.push(")");
}

/// A LIKE pattern that finds `word` anywhere, with its own wildcards taken literally.
fn pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for letter in word.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_in_a_search_are_letters() {
        assert_eq!(pattern("Crack"), "%crack%");
        assert_eq!(pattern("100%_a\\"), "%100\\%\\_a\\\\%");
    }
}
