//! What a handler needs to show lists and cards: one reviewer's view on the store.

use jiff::Timestamp;

use super::card::Neighbours;
use super::filter::{Filter, Tab};
use super::page::{TabCounts, Viewer};
use crate::domain::card::Card;
use crate::domain::ids::{FindingId, ProjectKey};
use crate::domain::people;
use crate::domain::review::FindingState;
use crate::http::State;
use crate::http::choices::{self, Choices};
use crate::http::error::HttpError;
use crate::http::guard;
use crate::http::session::Session;
use crate::store::{CardOrder, CardQuery, Shelf};

/// One reviewer in front of one list.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    pub(super) state: &'a State,
    pub(super) filter: Filter,
    pub(super) viewer: Viewer,
    person: people::Viewer,
}

/// A finding's id from an address.
pub(super) fn parse_id(id: &str) -> Result<FindingId, HttpError> {
    id.parse().map_err(|_| HttpError::NotFound("finding"))
}

impl<'a> Desk<'a> {
    pub(super) fn new(state: &'a State, session: &Session, filter: Filter) -> Self {
        let viewer = Viewer {
            name: session.name().to_owned(),
            csrf: session.form_token(),
            rights: session.viewer.rights.clone(),
        };
        Self { state, filter, viewer, person: session.viewer.clone() }
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

    /// The card decided just before, while its decision stands.
    pub(super) async fn undoable(&self, id: &str) -> Result<Option<Card>, HttpError> {
        match parse_id(id) {
            Ok(id) => {
                let card = self.state.store().card(id).await?;
                Ok(card.filter(|card| self.person.may_decide(card.project)))
            }
            Err(_) => Ok(None),
        }
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
        })
    }

    /// The cards before and after `id` in the list, and where the next one goes when the page ends.
    pub(super) async fn neighbours(&self, id: FindingId) -> Result<Neighbours, HttpError> {
        let size = self.state.review().page_size.max(1);
        // One card more on either side, as deciding moves the rest of the list up.
        let start = self.filter.page.saturating_mul(size).saturating_sub(1);
        let cards = self.window(start, size.saturating_add(2)).await?;
        let at = cards.iter().position(|card| card.finding.id == id);
        let (before, after) = match at {
            Some(at) => (at.checked_sub(1), (at + 1 < cards.len()).then_some(at + 1)),
            None => (None, (!cards.is_empty()).then_some(0)),
        };
        let url = |at: usize| {
            let page = start.saturating_add(at as u32) / size;
            cards.get(at).map(|card| self.filter.with_page(page).url(&super::card::card_path(card), &[]))
        };
        Ok(Neighbours {
            before: before.and_then(url),
            after: after.and_then(url),
            after_photo: after.and_then(|at| cards.get(at)).map(|card| card.photo.id),
        })
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
        let projects = self.narrowed();
        let query =
            CardQuery { projects, offset, limit: Some(limit), ..query(&self.filter, self.midnight()) };
        Ok(self.state.store().cards(&query).await?)
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
        text: (!filter.search.is_empty()).then(|| filter.search.clone()),
        ..CardQuery::default()
    };
    let decided = vec![FindingState::Accepted, FindingState::Rejected];
    match filter.tab {
        Tab::ToReview => CardQuery { states: vec![FindingState::Proposed], shelf: Shelf::Open, ..narrowed },
        Tab::Waiting => CardQuery {
            states: decided,
            deliveries: vec![crate::domain::review::Delivery::Waiting],
            order: CardOrder::LastDecided,
            ..narrowed
        },
        Tab::DecidedToday => {
            CardQuery { decided_since: Some(midnight), order: CardOrder::LastDecided, ..narrowed }
        }
        Tab::Problems => CardQuery { problems: true, ..narrowed },
    }
}
