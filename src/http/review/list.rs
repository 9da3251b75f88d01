//! The lists: what waits for a decision, and what became of decisions.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::card::card_path;
use super::filter::{Filter, Grouping, Tab, project_name};
use super::groups::groups;
use super::icons::{Icon, icon, mark};
use super::list_context::{Done, Options};
use super::page::{self, TabCounts, Viewer};
use super::record::lift_form;
use super::toast::toast;
use super::{labels, photo};
use crate::domain::card::Card;
use crate::store::MuteRow;

/// What a list's page is made of.
#[derive(Debug)]
pub(super) struct ListPage<'a> {
    pub(super) cards: &'a [Card],
    /// Whether there is another page after this one.
    pub(super) more: bool,
    pub(super) filter: &'a Filter,
    pub(super) counts: TabCounts,
    pub(super) viewer: &'a Viewer,
    /// What the list can be narrowed by.
    pub(super) options: &'a Options,
    /// The mutes in force, on the list of what they silence.
    pub(super) mutes: &'a [MuteRow],
    /// What was decided or undone just before.
    pub(super) done: &'a Done,
    pub(super) zone: &'a TimeZone,
    pub(super) now: Timestamp,
}

impl ListPage<'_> {
    pub(super) fn render(&self) -> Markup {
        let body = html! {
            div #view data-page="list" {
                (page::list_bar(self.filter, self.counts, self.viewer))
                (toast(self.done, self.filter, self.viewer, &self.filter.list_url()))
                main.list #main tabindex="-1" {
                    h1.unseen { (self.filter.tab.label()) }
                    (self.narrowing())
                    div #cards data-live {
                        (self.mutes())
                        @match self.grouping() {
                            _ if self.cards.is_empty() => (self.nothing()),
                            Some(by) => @for (number, group) in groups(self.cards, by).iter().enumerate() { (group.render(by, self.filter, self.viewer, number)) },
                            None => (self.rows()),
                        }
                        (self.pages())
                    }
                    (self.start())
                }
            }
        };
        page::document(self.filter.tab.label(), &body)
    }

    fn grouping(&self) -> Option<Grouping> {
        self.filter.group
    }

    fn narrowing(&self) -> Markup {
        let chosen = self.filter.choices();
        html! {
            form.narrow role="search" method="get" action="/review" data-swap {
                @if self.filter.tab != Tab::default() { input type="hidden" name="tab" value=(self.filter.tab.name()); }
                @if let Some(group) = self.filter.group { input type="hidden" name="group" value=(group.name()); }
                @if let Some(photo) = self.filter.photo { input type="hidden" name="photo" value=(photo); }
                div.search {
                    (icon(Icon::Search))
                    input type="search" name="q" value=(self.filter.search) placeholder="Title, place, photo" aria-label="Search" enterkeyhint="search";
                }
                details.filters {
                    summary.quiet.button { (icon(Icon::Filter)) "Filter " span.narrowed #chosen data-live { @if chosen > 0 { span.count { (chosen) } } } }
                    div { (self.selects()) }
                }
                button.quiet type="submit" { "Show" }
                span.narrowed #widen data-live {
                    @if self.filter.is_narrowed() {
                        a.quiet.button href=(self.filter.widened().list_url()) data-swap { "Show all" }
                    }
                }
            }
            nav.choice aria-label="Group by" {
                span.hint aria-hidden="true" { "Group by" }
                @for group in Grouping::ALL {
                    @let on = self.filter.group == Some(group);
                    a href=(self.filter.with_group((!on).then_some(group)).list_url()) data-swap aria-current=[on.then_some("true")] { (group.label()) }
                }
            }
        }
    }

    fn selects(&self) -> Markup {
        let (options, filter) = (self.options, self.filter);
        let projects = options.projects.iter().map(|(key, name)| (project_name(*key), name.clone()));
        let classes = options.classes.iter().map(|class| (class.name().to_owned(), labels::class(class)));
        let places = options.places.iter().map(|place| (place.clone(), place.clone()));
        let trades = options.trades.iter().map(|(id, name)| (id.to_string(), name.clone()));
        let uploaders = options.uploaders.iter().map(|name| (name.clone(), name.clone()));
        html! {
            (select("project", "Project", "All projects", projects.collect(), filter.project.map(project_name).as_deref()))
            (select("location", "Location", "All locations", places.collect(), filter.place.as_deref()))
            (select("trade", "Trade", "All trades", trades.collect(), filter.trade.map(|trade| trade.to_string()).as_deref()))
            (select("class", "Class", "All classes", classes.collect(), filter.class.as_deref()))
            (select("uploader", "Uploaded by", "Everybody", uploaders.collect(), filter.uploader.as_deref()))
            label { span { "Found on" } input type="date" name="day" value=[filter.day]; }
        }
    }

    /// The mutes above what they silence. Those of one class at one place are lifted together, and stand together.
    fn mutes(&self) -> Markup {
        html! {
            @if !self.mutes.is_empty() {
                ul.mutes aria-label="Mutes" {
                    @for alike in &alike(self.mutes) {
                        @if let Some(first) = alike.first() { li { (self.mute(first, alike)) } }
                    }
                }
            }
        }
    }

    fn mute(&self, first: &MuteRow, alike: &[&MuteRow]) -> Markup {
        let said: BTreeSet<String> = alike.iter().map(|row| row.mute.words()).collect();
        let silenced = alike.iter().map(|row| row.silenced).sum();
        html! {
            (icon(Icon::Muted))
            p {
                strong { (labels::class(&first.mute.class)) " · " @if first.place.is_empty() { "everywhere" } @else { (first.place) } }
                @for words in said { span.hint { (words) } }
                span.hint { (labels::count(silenced, "finding", "findings")) " kept back." }
            }
            @if self.viewer.has(first.mute.takes(), first.project) { (lift_form(first.id, self.viewer)) }
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
        let status = labels::status(card);
        let draft = card.decided_draft();
        html! {
            li {
                a.row href=(self.filter.url(&card_path(card), &[])) data-swap {
                    (photo::thumbnail(card))
                    span.what {
                        strong { (draft.title) }
                        span.where { (icon(Icon::Place)) (labels::place(&card.place)) }
                        span.how {
                            span { (labels::class(&card.finding.class)) ", " (card.finding.score.words()) }
                            span.priority.(draft.priority) { (icon(Icon::Flag)) (labels::priority(draft.priority)) }
                            @if let Some(trade) = &card.trade_name { span { (trade) } }
                        }
                        @if self.filter.tab != Tab::ToReview || status.tone == labels::Tone::Problem {
                            span.status.(status.tone.class()) { (icon(labels::sign(status.tone))) (status.short) }
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
        labels::short_moment(at, self.zone, self.now)
    }

    fn nothing(&self) -> Markup {
        let (title, text) = match (self.filter.is_narrowed(), self.filter.tab) {
            (true, _) => ("No matches", "Nothing in this list matches the search."),
            (_, Tab::ToReview) => {
                ("All reviewed", "New photos are analysed as they arrive. This page updates automatically.")
            }
            (_, Tab::Waiting) => ("Nothing waiting", "Every decision has reached Procore."),
            (_, Tab::DecidedToday) => ("Nothing decided today", "What you accept or reject shows up here."),
            (_, Tab::Muted) if !self.mutes.is_empty() => {
                ("Nothing held", "No finding that these mutes keep back has come yet.")
            }
            (_, Tab::Muted) => (
                "Nothing muted",
                "What is rejected as too early, not ours or cosmetic is muted at its location and listed here.",
            ),
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
                    @if page > 0 { a.button href=(self.filter.with_page(page - 1).list_url()) data-swap { (icon(Icon::Back)) "Previous" } }
                    span { "Page " (page + 1) }
                    @if self.more { a.button href=(self.filter.with_page(page + 1).list_url()) data-swap { "Next" (icon(Icon::Forward)) } }
                }
            }
        }
    }

    fn start(&self) -> Markup {
        html! {
            div.start #start data-live {
                // A group has its own way through it, one by one.
                @if self.filter.tab == Tab::ToReview && self.filter.group.is_none() {
                    @if let Some(first) = self.cards.first() {
                        a.button.primary href=(self.filter.url(&card_path(first), &[])) data-swap {
                            "Review " (labels::count(self.counts.to_review, "suggestion", "suggestions")) (icon(Icon::Forward))
                        }
                    }
                }
            }
        }
    }
}

/// A choice of one kind; what is chosen is there even when nothing of it is left.
fn select(
    name: &str,
    label: &str,
    all: &str,
    mut options: Vec<(String, String)>,
    chosen: Option<&str>,
) -> Markup {
    if let Some(chosen) = chosen.filter(|chosen| options.iter().all(|(value, _)| value != chosen)) {
        options.push((chosen.to_owned(), chosen.to_owned()));
    }
    html! {
        @if options.len() > 1 || chosen.is_some() {
            label {
                span { (label) }
                select name=(name) {
                    option value="" { (all) }
                    @for (value, text) in options { option value=(value) selected[chosen == Some(value.as_str())] { (text) } }
                }
            }
        }
    }
}

/// The mutes that are lifted together, in the order in which the first of them come.
fn alike(mutes: &[MuteRow]) -> Vec<Vec<&MuteRow>> {
    let mut groups: Vec<Vec<&MuteRow>> = Vec::new();
    for row in mutes {
        let same = |other: &MuteRow| {
            let (own, other) = ((row.project, &row.mute), (other.project, &other.mute));
            own.0 == other.0 && own.1.class == other.1.class && own.1.location == other.1.location
        };
        match groups.iter_mut().find(|group| group.iter().any(|other| same(other))) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}
