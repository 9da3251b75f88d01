//! The decision before a page was shown, and how far back decisions can be undone.

use jiff::Timestamp;

use super::{ListContext, parse_id};
use crate::domain::card::Card;
use crate::domain::review::{Delivery, FindingState};
use crate::http::error::HttpError;
use crate::http::review::Address;
use crate::http::review::batch::{batch_instant, batch_name};
use crate::store::{CardQuery, MuteRow};

/// What was done just before a page was shown.
#[derive(Debug)]
pub(in crate::http::review) enum Done {
    Nothing,
    /// A card was decided, and what that muted.
    Card(Box<Card>, Option<Box<MuteRow>>),
    Batch {
        at: Timestamp,
        state: FindingState,
        number: u64,
        left: u64,
    },
    /// Decisions were undone; the decision before them can still be undone too.
    Undone {
        number: u64,
        left: u64,
        before: Box<Done>,
    },
}

impl ListContext<'_> {
    /// What was done just before, as far as this person may undo it.
    pub(in crate::http::review) async fn done(&self, address: &Address) -> Result<Done, HttpError> {
        let left = address.left.parse().unwrap_or(0);
        let decided = self.decided(&address.done, left).await?;
        Ok(match address.undone.parse() {
            Ok(number) => Done::Undone { number, left, before: Box::new(decided) },
            Err(_) => decided,
        })
    }

    /// The decision that an address names: a finding's, or a group's by its instant.
    async fn decided(&self, name: &str, left: u64) -> Result<Done, HttpError> {
        let store = self.state.store();
        if let Some(at) = batch_instant(name) {
            let ids = store.decided_at(&self.viewer.name, at).await?;
            let Some(first) = ids.first() else { return Ok(Done::Nothing) };
            let card = store.card(*first).await?;
            let state = card.filter(|card| self.person.may_decide(card.project)).map(|card| card.state);
            let number = ids.len() as u64;
            return Ok(state.map_or(Done::Nothing, |state| Done::Batch { at, state, number, left }));
        }
        let Ok(id) = parse_id(name) else { return Ok(Done::Nothing) };
        let card = store.card(id).await?.filter(|card| self.person.may_decide(card.project));
        let Some(card) = card else { return Ok(Done::Nothing) };
        let mutes = match card.state {
            FindingState::Rejected => store.mutes(Some(&[card.project])).await?,
            _ => Vec::new(),
        };
        let mute = mutes.into_iter().find(|row| row.finding == Some(id));
        Ok(Done::Card(Box::new(card), mute.map(Box::new)))
    }

    /// The name of this person's last decision that has not left the box yet.
    pub(in crate::http::review) async fn last_held(&self) -> Result<Option<String>, HttpError> {
        let query = CardQuery {
            projects: self.person.narrowed(None),
            deliveries: vec![Delivery::Waiting],
            ..self.lately_decided()
        };
        let mut cards = self.state.store().cards(&query).await?;
        cards.retain(|card| self.decided_by_me(card));
        let at = |card: &Card| card.decision.as_ref().map(|decision| decision.at);
        Ok(cards.first().map(|last| {
            let alike = cards.iter().filter(|card| at(card) == at(last)).count();
            match at(last) {
                Some(at) if alike > 1 => batch_name(at),
                _ => last.finding.id.to_string(),
            }
        }))
    }
}
