//! What stands beside a card: what Procore's list has at its place, and what else waits there.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::card::card_path;
use super::filter::Filter;
use super::icons::{Icon, icon};
use super::labels;
use crate::domain::card::Card;
use crate::domain::dedupe::ListedItem;
use crate::domain::review::HoldReason;

/// Items of Procore's list shown beside a card.
const LISTED: usize = 5;

/// What else is known at a card's place.
#[derive(Debug, Default)]
pub(super) struct NearbyItems {
    /// What Procore's list has there, and as of when.
    pub(super) listed: Option<(Vec<ListedItem>, Timestamp)>,
    /// What else waits there for a person.
    pub(super) around: Vec<Card>,
}

impl NearbyItems {
    pub(super) fn render(&self, card: &Card, filter: &Filter, zone: &TimeZone, now: Timestamp) -> Markup {
        html! {
            @if let Some(held) = &card.held {
                p.notice { (icon(if matches!(held.by, HoldReason::Mute(_)) { Icon::Muted } else { Icon::Clock })) (held.because) }
            }
            @if let Some(similar) = card.similar {
                p.notice { (icon(Icon::Alert)) span { "It may be the same defect as " a href=(filter.url(&format!("/review/findings/{similar}"), &[])) data-swap { "another finding" } "." } }
            }
            (self.on_the_list(card, zone, now))
            @if !self.around.is_empty() {
                section.nearby aria-label="Also waiting here" {
                    h2 { "Also waiting here" }
                    ul {
                        @for other in &self.around {
                            li { a href=(filter.url(&card_path(other), &[])) data-swap { (other.draft.title) } span.hint { (other.finding.score.words()) } }
                        }
                    }
                }
            }
        }
    }

    fn on_the_list(&self, card: &Card, zone: &TimeZone, now: Timestamp) -> Markup {
        let Some((items, at)) = &self.listed else { return html! {} };
        let others: Vec<&ListedItem> = items.iter().filter(|item| card.punch_item != Some(item.id)).collect();
        html! {
            @if !others.is_empty() {
                section.nearby aria-label="On Procore’s list here" {
                    h2 { "On Procore’s list here" }
                    ul {
                        @for item in others.iter().take(LISTED) {
                            li {
                                strong { @if let Some(position) = item.position { "#" (position) } @else { "–" } }
                                span { (item.title) }
                                span.hint { (item.status.replace('_', " ")) }
                            }
                        }
                    }
                    p.hint { @if others.len() > LISTED { "and " (others.len() - LISTED) " more, " } "as of " (labels::moment(*at, zone, now)) }
                }
            }
        }
    }
}
