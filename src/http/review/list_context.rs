//! What a handler needs to show lists and cards: one reviewer's view on the store.

mod done;

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};

pub(super) use self::done::Done;
use super::card::Neighbours;
use super::filter::{Filter, Grouping, Tab};
use super::page::{TabCounts, Viewer};
use crate::domain::card::Card;
use crate::domain::dedupe::{ListedItem, listed_kind};
use crate::domain::detection::DefectClass;
use crate::domain::ids::{FindingId, PhotoId, ProjectKey};
use crate::domain::keep_rate::JudgedFinding;
use crate::domain::people;
use crate::domain::review::{Delivery, FindingState};
use crate::http::State;
use crate::http::choices::{self, Choices};
use crate::http::error::HttpError;
use crate::http::guard;
use crate::http::session::Session;
use crate::store::{CardOrder, CardQuery, Facets, MuteRow, Places, Shelf, SkippedPhoto};

/// How far back a reviewer's choices are offered again: a shift.
const REMEMBERED_HOURS: i64 = 12;

/// How many of the last decisions are looked at for them.
const REMEMBERED_CARDS: u32 = 30;

/// Other findings at the same place shown beside a card.
const AROUND: u32 = 4;

/// What a list can be narrowed by, with names to read.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) projects: Vec<(ProjectKey, String)>,
    pub(super) classes: Vec<DefectClass>,
    pub(super) places: Vec<String>,
    pub(super) trades: Vec<(i64, String)>,
    pub(super) uploaders: Vec<String>,
}

/// One reviewer in front of one list.
#[derive(Debug)]
pub(super) struct ListContext<'a> {
    pub(super) state: &'a State,
    pub(super) filter: Filter,
    pub(super) viewer: Viewer,
    person: people::Viewer,
}

/// A finding's id from an address.
pub(super) fn parse_id(id: &str) -> Result<FindingId, HttpError> {
    id.parse().map_err(|_| HttpError::NotFound("finding"))
}

impl<'a> ListContext<'a> {
    pub(super) fn new(state: &'a State, session: &Session, filter: Filter) -> Self {
        let viewer = Viewer {
            name: session.name().to_owned(),
            csrf: session.form_token(),
            rights: session.viewer.rights.clone(),
        };
        Self { state, filter, viewer, person: session.viewer.clone() }
    }

    /// The viewer's own name among the managers of `choices`.
    pub(super) async fn own_name(&self, choices: &Choices) -> Result<Option<String>, HttpError> {
        Ok(choices::manager_of(self.state.store(), choices, &self.person.person).await?)
    }

    pub(super) async fn card(&self, id: &str) -> Result<Card, HttpError> {
        let card = self.state.store().card(parse_id(id)?).await?.ok_or(HttpError::NotFound("finding"))?;
        guard::check_sight(&self.person, card.project, "finding")?;
        Ok(card)
    }

    /// A card about which this person may decide.
    pub(super) async fn card_to_decide(&self, id: &str) -> Result<Card, HttpError> {
        let card = self.card(id).await?;
        guard::check_decision(&self.person, card.project)?;
        Ok(card)
    }

    /// Refuses a decision about findings of which any is not there, or not this person's to decide.
    pub(super) async fn check_decisions(&self, ids: &[FindingId]) -> Result<(), HttpError> {
        let projects = self.state.store().projects_of(ids).await?;
        for id in ids {
            let project = projects.get(id).ok_or(HttpError::NotFound("finding"))?;
            guard::check_decision(&self.person, *project)?;
        }
        Ok(())
    }

    /// The cards of the filter's page, and whether there are more.
    pub(super) async fn cards(&self) -> Result<(Vec<Card>, bool), HttpError> {
        let size = self.state.review().page_size;
        let offset = self.filter.page.saturating_mul(size);
        let mut cards = self.window(offset, size.saturating_add(1)).await?;
        let more = cards.len() > size as usize;
        cards.truncate(size as usize);
        Ok((cards, more))
    }

    pub(super) async fn counts(&self) -> Result<TabCounts, HttpError> {
        let counts = self.state.store().counts(self.narrowed().as_deref(), self.midnight()).await?;
        Ok(TabCounts {
            to_review: counts.to_review,
            waiting: counts.waiting,
            decided_today: counts.decided_today,
            problems: counts.problems,
            muted: counts.muted,
        })
    }

    /// The cards before and after `id` in the list, and where the next one goes when the page ends.
    pub(super) async fn neighbours(&self, id: FindingId) -> Result<Neighbours, HttpError> {
        let size = self.state.review().page_size.max(1);
        // One card more on either side, as deciding moves the rest of the list up.
        let start = self.filter.page.saturating_mul(size).saturating_sub(1);
        let query = CardQuery { offset: start, limit: Some(size.saturating_add(2)), ..self.query() };
        let ids = self.state.store().ids(&query).await?;
        let at = ids.iter().position(|other| *other == id);
        let (before, after) = match at {
            Some(at) => (at.checked_sub(1), (at + 1 < ids.len()).then_some(at + 1)),
            None => (None, (!ids.is_empty()).then_some(0)),
        };
        let url = |at: usize| {
            let page = start.saturating_add(at as u32) / size;
            ids.get(at).map(|id| self.filter.with_page(page).url(&super::card::path_of(*id), &[]))
        };
        Ok(Neighbours { before: before.and_then(url), after: after.and_then(url) })
    }

    /// Where to go when `id` is decided: on to the next card while reviewing, else back to this one.
    pub(super) fn after_decision(&self, id: FindingId, neighbours: &Neighbours) -> String {
        let done = id.to_string();
        let base = match (self.filter.tab, &neighbours.after) {
            (Tab::ToReview, Some(next)) => next.clone(),
            (Tab::ToReview, None) => self.filter.with_page(0).list_url(),
            _ => self.filter.url(&format!("/review/findings/{id}"), &[]),
        };
        let joint = if base.contains('?') { '&' } else { '?' };
        format!("{base}{joint}done={done}")
    }

    /// Procore's lists for `project`, as far as they are known.
    pub(super) async fn choices(&self, project: ProjectKey) -> Result<Choices, HttpError> {
        Ok(choices::of(self.state.store(), project).await?)
    }

    /// The projects to filter by, with their names.
    pub(super) async fn projects(&self) -> Result<Vec<(ProjectKey, String)>, HttpError> {
        let mut projects = Vec::new();
        for &project in self.state.projects().iter().filter(|project| self.person.may_see(**project)) {
            let name = choices::project_name(self.state.store(), project).await?;
            projects.push((project, name.unwrap_or_else(|| format!("Project {}", project.project))));
        }
        Ok(projects)
    }

    async fn window(&self, offset: u32, limit: u32) -> Result<Vec<Card>, HttpError> {
        let query = CardQuery { offset, limit: Some(limit), ..self.query() };
        Ok(self.state.store().cards(&query).await?)
    }

    fn query(&self) -> CardQuery {
        let (found_since, found_before) = self.filter.day.map(|day| self.bounds(day)).unzip();
        let projects = self.narrowed();
        CardQuery { projects, found_since, found_before, ..query(&self.filter, self.midnight()) }
    }

    /// Where the list's findings are.
    pub(super) async fn places(&self) -> Result<Places, HttpError> {
        Ok(self.state.store().places(&self.query()).await?)
    }

    /// Where, whose and by whom the list's findings are.
    async fn facets(&self) -> Result<Facets, HttpError> {
        // By what the list is narrowed already must not narrow what there is to choose. Nor must words that are
        // searched for, as three searches cost three times one.
        let all = CardQuery { place: None, trade: None, uploader: None, text: None, ..self.query() };
        Ok(self.state.store().facets(&all).await?)
    }

    /// What the list can be narrowed by, with names.
    pub(super) async fn options(&self) -> Result<Options, HttpError> {
        let facets = self.facets().await?;
        let projects = self.projects().await?;
        let mut names: HashMap<i64, String> = HashMap::new();
        for (project, _) in &projects {
            let trades = choices::trades(self.state.store(), *project).await?;
            names.extend(trades.into_iter().map(|trade| (trade.id, trade.label)));
        }
        let named =
            |(id, _): &(i64, u64)| (*id, names.get(id).cloned().unwrap_or_else(|| format!("Trade {id}")));
        let mut places: Vec<String> = facets.places.into_iter().map(|(place, _)| place).collect();
        places.sort();
        Ok(Options {
            projects,
            classes: self.state.classes().to_vec(),
            places,
            trades: facets.trades.iter().map(named).collect(),
            uploaders: facets.uploaders.into_iter().map(|(name, _)| name).collect(),
        })
    }

    /// The mutes that hold in what this person sees.
    pub(super) async fn mutes(&self) -> Result<Vec<MuteRow>, HttpError> {
        let today = self.state.now().to_zoned_datetime(self.state.zone().clone()).date();
        let mut rows = self.state.store().mutes(self.narrowed().as_deref()).await?;
        rows.retain(|row| row.mute.holds(today));
        Ok(rows)
    }

    pub(super) async fn left_out(&self) -> Result<Vec<SkippedPhoto>, HttpError> {
        Ok(self.state.store().photos_left_out(self.narrowed().as_deref()).await?)
    }

    /// What was decided since `since`, latest first.
    pub(super) async fn rulings(&self, since: Timestamp) -> Result<Vec<JudgedFinding>, HttpError> {
        let most = self.state.review().record_decisions_max;
        Ok(self.state.store().rulings(self.narrowed().as_deref(), since, most).await?)
    }

    /// Everything found on a day, by place.
    pub(super) async fn found_on(&self, day: Date) -> Result<Vec<Card>, HttpError> {
        let (since, before) = self.bounds(day);
        let query = CardQuery {
            projects: self.narrowed(),
            shelf: Shelf::Open,
            found_since: Some(since),
            found_before: Some(before),
            order: CardOrder::ByPlace,
            ..CardQuery::default()
        };
        Ok(self.state.store().cards(&query).await?)
    }

    /// Everything decided on a day.
    pub(super) async fn decided_on(&self, day: Date) -> Result<Vec<Card>, HttpError> {
        let (since, before) = self.bounds(day);
        let query = CardQuery {
            projects: self.narrowed(),
            decided_since: Some(since),
            decided_before: Some(before),
            order: CardOrder::ByPlace,
            ..CardQuery::default()
        };
        Ok(self.state.store().cards(&query).await?)
    }

    /// This reviewer's last decisions in a project, latest first.
    pub(super) async fn last_decided(&self, project: ProjectKey) -> Result<Vec<Card>, HttpError> {
        let query = CardQuery { projects: Some(vec![project]), ..self.lately_decided() };
        let mut cards = self.state.store().cards(&query).await?;
        cards.retain(|card| self.decided_by_me(card));
        Ok(cards)
    }

    fn lately_decided(&self) -> CardQuery {
        let since = self.state.now() - SignedDuration::from_hours(REMEMBERED_HOURS);
        CardQuery {
            decided_since: Some(since),
            order: CardOrder::LastDecided,
            limit: Some(REMEMBERED_CARDS),
            ..CardQuery::default()
        }
    }

    fn decided_by_me(&self, card: &Card) -> bool {
        card.decision.as_ref().is_some_and(|decision| decision.reviewer == self.viewer.name)
    }

    /// What is on Procore's list at a card's place, as it was when the last photo from there was looked at.
    pub(super) async fn listed(
        &self,
        card: &Card,
    ) -> Result<Option<(Vec<ListedItem>, Timestamp)>, HttpError> {
        let Some(location) = card.place.id() else { return Ok(None) };
        let kept = self.state.store().cached(card.project, &listed_kind(location)).await?;
        Ok(kept.and_then(|(value, at)| Some((serde_json::from_value(value).ok()?, at))))
    }

    /// Other findings at a card's place that wait for a person.
    pub(super) async fn around(&self, card: &Card) -> Result<Vec<Card>, HttpError> {
        let Some(place) = super::groups::place_name(card) else { return Ok(Vec::new()) };
        let query = CardQuery {
            projects: Some(vec![card.project]),
            states: vec![FindingState::Proposed],
            shelf: Shelf::Open,
            place: Some(place),
            limit: Some(AROUND + 1),
            ..CardQuery::default()
        };
        let mut cards = self.state.store().cards(&query).await?;
        cards.retain(|other| other.finding.id != card.finding.id);
        cards.truncate(AROUND as usize);
        Ok(cards)
    }

    /// The other photos that show the same defect.
    pub(super) async fn other_photos(&self, card: &Card) -> Result<Vec<PhotoId>, HttpError> {
        let mut photos = self.state.store().photos_of(card.finding.id).await?;
        photos.retain(|photo| *photo != card.photo.id);
        Ok(photos)
    }

    /// From when to when a day lasts where the site is.
    fn bounds(&self, day: Date) -> (Timestamp, Timestamp) {
        let start = |day: Date| {
            let midnight = day.to_datetime(jiff::civil::Time::midnight());
            self.state.zone().to_timestamp(midnight).unwrap_or_else(|_| self.state.now())
        };
        (start(day), start(day.saturating_add(1.day())))
    }

    /// The projects of which lists show anything.
    fn narrowed(&self) -> Option<Vec<ProjectKey>> {
        self.person.narrowed(self.filter.project)
    }

    fn midnight(&self) -> Timestamp {
        let now = self.state.now();
        let local = now.to_zoned_datetime(self.state.zone().clone());
        local.start_of_day().map_or(now, |midnight| midnight.timestamp())
    }
}

/// What the store is asked for a list, whatever the project.
pub(super) fn query(filter: &Filter, midnight: Timestamp) -> CardQuery {
    let narrowed = CardQuery {
        class: filter.class.clone(),
        place: filter.place.clone(),
        trade: filter.trade,
        uploader: filter.uploader.clone(),
        photo: filter.photo,
        order: match filter.group {
            None => CardOrder::NewestFirst,
            Some(Grouping::Place) => CardOrder::ByPlace,
            Some(Grouping::Class) => CardOrder::ByClass,
            Some(Grouping::Photo) => CardOrder::ByPhoto,
        },
        text: (!filter.search.is_empty()).then(|| filter.search.clone()),
        ..CardQuery::default()
    };
    let last_decided = if filter.group.is_some() { narrowed.order } else { CardOrder::LastDecided };
    let decided = vec![FindingState::Accepted, FindingState::Rejected];
    match filter.tab {
        Tab::ToReview => CardQuery { states: vec![FindingState::Proposed], shelf: Shelf::Open, ..narrowed },
        Tab::Waiting => CardQuery {
            states: decided,
            deliveries: vec![Delivery::Waiting],
            order: last_decided,
            ..narrowed
        },
        Tab::DecidedToday => CardQuery { decided_since: Some(midnight), order: last_decided, ..narrowed },
        Tab::Problems => CardQuery { problems: true, ..narrowed },
        Tab::Muted => CardQuery { states: vec![FindingState::Proposed], shelf: Shelf::Muted, ..narrowed },
    }
}
