//! The lists: what waits for a decision, and what became of decisions.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::card::{card_path, priority_label, status_icon, toast};
use super::filter::{Filter, Tab, project_name};
use super::icons::{Icon, icon, mark};
use super::page::{self, TabCounts, Viewer};
use super::{photo, words};
use crate::domain::card::Card;
use crate::domain::detection::DefectClass;
use crate::domain::ids::ProjectKey;

/// What a list's page is made of.
#[derive(Debug)]
pub(super) struct ListPage<'a> {
    pub(super) cards: &'a [Card],
    /// Whether there is another page after this one.
    pub(super) more: bool,
    pub(super) filter: &'a Filter,
    pub(super) counts: TabCounts,
    pub(super) viewer: &'a Viewer,
    /// Projects to choose from, with their names.
    pub(super) projects: &'a [(ProjectKey, String)],
    /// Classes to choose from.
    pub(super) classes: &'a [DefectClass],
    /// The card decided just before, for the way back.
    pub(super) undo: Option<&'a Card>,
    pub(super) zone: &'a TimeZone,
    pub(super) now: Timestamp,
}

impl ListPage<'_> {
    /// The whole document.
    pub(super) fn render(&self) -> Markup {
        let body = html! {
            div #view data-page="list" {
                (page::list_bar(self.filter, self.counts, self.viewer))
                main.list #main tabindex="-1" {
                    h1.unseen { (self.filter.tab.label()) }
                    (self.narrowing())
                    div #cards data-live {
                        @if self.cards.is_empty() { (self.nothing()) } @else { (self.rows()) }
                        (self.pages())
                    }
                    (self.start())
                }
                @if let Some(card) = self.undo { (toast(card, self.filter, self.viewer)) }
            }
        };
        page::document(self.filter.tab.label(), &body)
    }

    fn narrowing(&self) -> Markup {
        html! {
            form.narrow role="search" method="get" action="/review" data-swap {
                @if self.filter.tab != Tab::default() { input type="hidden" name="tab" value=(self.filter.tab.name()); }
                div.search {
                    (icon(Icon::Search))
                    input type="search" name="q" value=(self.filter.search) placeholder="Search title, place, photo" aria-label="Search" enterkeyhint="search";
                }
                @if self.projects.len() > 1 {
                    select name="project" aria-label="Project" {
                        option value="" { "All projects" }
                        @for (project, name) in self.projects {
                            option value=(project_name(*project)) selected[self.filter.project == Some(*project)] { (name) }
                        }
                    }
                }
                @if self.classes.len() > 1 || self.filter.class.is_some() {
                    select name="class" aria-label="Class" {
                        option value="" { "All classes" }
                        @for class in self.classes {
                            option value=(class) selected[self.filter.class.as_deref() == Some(class.name())] { (words::class(class)) }
                        }
                    }
                }
                button.quiet type="submit" { "Show" }
                @if self.filter.is_narrowed() {
                    a.quiet.button href=(Filter { tab: self.filter.tab, ..Filter::default() }.list_url()) data-swap { "Show all" }
                }
            }
        }
    }

    fn rows(&self) -> Markup {
        html! {
            ol.rows {
                @for card in self.cards { (self.row(card)) }
            }
        }
    }

    fn row(&self, card: &Card) -> Markup {
        let status = words::status(card);
        let draft = card.decided_draft();
        html! {
            li {
                a.row href=(self.filter.url(&card_path(card), &[])) data-swap {
                    (photo::thumbnail(card))
                    span.what {
                        strong { (draft.title) }
                        span.where { (icon(Icon::Place)) (words::place(&card.place)) }
                        span.how {
                            span { (words::class(&card.finding.class)) ", " (card.finding.score.words()) }
                            span.priority.(draft.priority) { (icon(Icon::Flag)) (priority_label(draft.priority)) }
                            @if let Some(trade) = &card.trade_name { span { (trade) } }
                        }
                        @if self.filter.tab != Tab::ToReview || status.tone == words::Tone::Problem {
                            span.status.(status.tone.class()) { (icon(status_icon(status.tone))) (status.short) }
                        }
                        @if let (Tab::Problems, Some(more)) = (self.filter.tab, &status.more) { span.trouble { (more) } }
                    }
                    span.when { (self.when(card)) }
                }
            }
        }
    }

    fn when(&self, card: &Card) -> String {
        let at = card.decision.as_ref().map_or(card.found_at, |decision| decision.at);
        words::short_moment(at, self.zone, self.now)
    }

    fn nothing(&self) -> Markup {
        let (title, text) = match (self.filter.is_narrowed(), self.filter.tab) {
            (true, _) => ("Nothing fits", "Nothing in this list fits the search."),
            (_, Tab::ToReview) => {
                ("All reviewed", "New photos are looked at as they arrive. This page updates by itself.")
            }
            (_, Tab::Waiting) => ("Nothing waiting", "Every decision has reached Procore."),
            (_, Tab::DecidedToday) => ("Nothing decided today", "What you accept or reject shows up here."),
            (_, Tab::Problems) => ("No problems", "Procore has taken everything that was sent."),
        };
        html! {
            div.nothing { (mark()) h2 { (title) } p { (text) } }
        }
    }

    fn pages(&self) -> Markup {
        let page = self.filter.page;
        html! {
            @if page > 0 || self.more {
                nav.pages aria-label="Pages" {
                    @if page > 0 { a.button href=(self.filter.with_page(page - 1).list_url()) data-swap { (icon(Icon::Back)) "Before" } }
                    span { "Page " (page + 1) }
                    @if self.more { a.button href=(self.filter.with_page(page + 1).list_url()) data-swap { "More" (icon(Icon::Forward)) } }
                }
            }
        }
    }

    fn start(&self) -> Markup {
        html! {
            div.start #start data-live {
                @if self.filter.tab == Tab::ToReview {
                    @if let Some(first) = self.cards.first() {
                        a.button.primary href=(self.filter.url(&card_path(first), &[])) data-swap {
                            "Review " (words::count(self.counts.to_review, "suggestion", "suggestions")) (icon(Icon::Forward))
                        }
                    }
                }
            }
        }
    }
}
