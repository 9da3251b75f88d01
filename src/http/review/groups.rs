//! Findings put together by location, class or photo: one gesture decides a whole group.

use maud::{Markup, html};

use super::card::card_path;
use super::filter::{Filter, Grouping, Tab};
use super::icons::{Icon, icon};
use super::page::Viewer;
use super::reasons::reasons;
use super::{labels, photo};
use crate::domain::card::Card;
use crate::store::PLACE_JOINT;

/// Neighbours in a list that belong together.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) cards: Vec<&'a Card>,
}

/// Cuts a list that is in the order of `by` into its groups.
pub(super) fn groups(cards: &[Card], by: Grouping) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for card in cards {
        match groups.last_mut() {
            Some(group) if together(group.cards[0], card, by) => group.cards.push(card),
            _ => groups.push(Group { cards: vec![card] }),
        }
    }
    groups
}

fn together(one: &Card, other: &Card, by: Grouping) -> bool {
    match by {
        Grouping::Place => place_name(one) == place_name(other),
        Grouping::Class => one.finding.class == other.finding.class,
        Grouping::Photo => one.photo.id == other.photo.id,
    }
}

/// A place as the store joins it.
pub(super) fn place_name(card: &Card) -> Option<String> {
    card.place.location.as_ref().map(|location| location.path.join(PLACE_JOINT))
}

impl Group<'_> {
    fn title(&self, by: Grouping) -> String {
        let card = self.cards[0];
        match by {
            Grouping::Place => card
                .place
                .location
                .as_ref()
                .map_or_else(|| "Place unknown".to_owned(), |at| labels::path(&at.path)),
            Grouping::Class => labels::class(&card.finding.class),
            Grouping::Photo => card.photo.filename.clone(),
        }
    }

    /// The list with this group alone; findings without a place have no such list.
    fn alone(&self, by: Grouping, filter: &Filter) -> Option<Filter> {
        let card = self.cards[0];
        let narrowed = match by {
            Grouping::Place => Filter { place: Some(place_name(card)?), ..filter.clone() },
            Grouping::Class => Filter { class: Some(card.finding.class.name().to_owned()), ..filter.clone() },
            Grouping::Photo => Filter { photo: Some(card.photo.id), ..filter.clone() },
        };
        Some(narrowed.with_group(None))
    }

    fn may_decide(&self, viewer: &Viewer) -> bool {
        self.cards.iter().all(|card| viewer.may_decide(card.project))
    }

    /// The group with its pictures and its buttons.
    pub(super) fn render(&self, by: Grouping, filter: &Filter, viewer: &Viewer, number: usize) -> Markup {
        let decidable = filter.tab == Tab::ToReview && self.may_decide(viewer);
        let form = format!("group-{number}");
        html! {
            section.group aria-labelledby=(format!("{form}-title")) {
                header {
                    h2 id=(format!("{form}-title")) { (self.title(by)) " " span.count { (self.cards.len()) } }
                    @if let Some(alone) = self.alone(by, filter) {
                        a.quiet.button href=(alone.url(&card_path(self.cards[0]), &[])) data-swap { "One by one" (icon(Icon::Forward)) }
                    }
                }
                ol.tiles {
                    @for card in &self.cards { (tile(card, by, filter, decidable.then_some(&form))) }
                }
                @if decidable { (self.buttons(&form, filter, viewer)) }
            }
        }
    }

    fn buttons(&self, form: &str, filter: &Filter, viewer: &Viewer) -> Markup {
        html! {
            form.batch id=(form) method="post" action=(filter.url("/review/batch", &[])) data-swap data-batch {
                input type="hidden" name="csrf" value=(viewer.csrf);
                // Enter on a tick box must not decide: a form's first button is what Enter presses.
                button type="submit" disabled hidden {}
                details.reject {
                    summary.button { (icon(Icon::Reject)) "Reject " span data-ticked { (self.cards.len()) } "…" }
                    (reasons(None, labels::mutes_group))
                }
                button.button.accept type="submit" name="verdict" value="accept" { (icon(Icon::Accept)) "Accept " span data-ticked { (self.cards.len()) } }
            }
        }
    }
}

fn tile(card: &Card, by: Grouping, filter: &Filter, form: Option<&String>) -> Markup {
    let title = card.decided_draft().title;
    let line = match by {
        Grouping::Class => labels::place_end(&card.place),
        Grouping::Place | Grouping::Photo => labels::class(&card.finding.class),
    };
    html! {
        li.tile {
            a href=(filter.with_group(None).url(&card_path(card), &[])) data-swap aria-label=(title) {
                (photo::thumbnail(card))
                span.line { (line) }
                span.hint { (card.finding.score.words()) }
            }
            @if let Some(form) = form {
                label.tick { input type="checkbox" name="id" value=(card.finding.id) form=(form) checked aria-label=(format!("With the group: {title}")); span {} }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::detection::DefectClass;
    use crate::http::sample;

    #[test]
    fn neighbours_that_belong_together_are_one_group() {
        let mut cards = [1, 2, 3].map(sample::card);
        cards[2].place = crate::domain::place::Place::unknown("no GPS");
        cards[1].finding.class = DefectClass::new("spalling");
        let sizes = |by| groups(&cards, by).iter().map(|group| group.cards.len()).collect::<Vec<_>>();
        assert_eq!(sizes(Grouping::Place), [2, 1]);
        assert_eq!(sizes(Grouping::Class), [1, 1, 1], "only neighbours: the store puts them in order");
        assert_eq!(sizes(Grouping::Photo), [1, 1, 1]);
        let by_place = groups(&cards, Grouping::Place);
        let filter = Filter { group: Some(Grouping::Place), ..Filter::default() };
        let alone = by_place[0].alone(Grouping::Place, &filter).expect("a place");
        assert_eq!((alone.place.as_deref(), alone.group), (Some("Building A › Floor 2 › Unit 204"), None));
        assert!(by_place[1].alone(Grouping::Place, &filter).is_none());
    }
}
