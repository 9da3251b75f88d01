//! The card: one finding with all that is needed to decide about it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::filter::Filter;
use super::form::{FieldError, Fields};
use super::icons::{Icon, icon};
use super::list_context::Done;
use super::nearby_items::NearbyItems;
use super::page::{self, TabCounts, Viewer};
use super::reasons::reasons;
use super::recent_choices::Remembered;
use super::toast::toast;
use super::{labels, photo};
use crate::domain::card::Card;
use crate::domain::dedupe::Muting;
use crate::domain::ids::{FindingId, PhotoId};
use crate::domain::punch_item::Priority;
use crate::domain::review::FindingState;
use crate::http::choices::{self, Choice, Choices};
use crate::store::Overlaid;

/// Lists longer than this are not put into the page; the script asks for the entries that match.
const CHOICES_INLINE: usize = 150;

/// Other places offered beside the likeliest one.
const OTHER_PLACES: usize = 3;

/// What a card's page is made of.
#[derive(Debug)]
pub(super) struct CardPage<'a> {
    pub(super) card: &'a Card,
    pub(super) fields: &'a Fields,
    pub(super) complaints: &'a [FieldError],
    pub(super) choices: &'a Choices,
    pub(super) filter: &'a Filter,
    pub(super) counts: TabCounts,
    pub(super) viewer: &'a Viewer,
    /// The cards before and after this one in the list.
    pub(super) neighbours: &'a Neighbours,
    /// What the reviewer chose on the cards before.
    pub(super) remembered: &'a Remembered,
    /// What a rejection mutes.
    pub(super) muting: Muting,
    /// Whether the manager was filled in from them.
    pub(super) filled: bool,
    /// The viewer's own name among the managers.
    pub(super) own_name: Option<&'a str>,
    /// What lies over the photo.
    pub(super) overlaid: Overlaid,
    /// Whether the score map is shown.
    pub(super) map: bool,
    /// Other photos of the same defect.
    pub(super) others: &'a [PhotoId],
    /// What else is known at its place.
    pub(super) beside: &'a NearbyItems,
    /// What was decided or undone just before.
    pub(super) done: &'a Done,
    /// Why what was asked for did not happen.
    pub(super) notice: Option<&'a str>,
    pub(super) zone: &'a TimeZone,
    pub(super) now: Timestamp,
}

/// Where the cards around one are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Neighbours {
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl CardPage<'_> {
    pub(super) fn render(&self) -> Markup {
        let title =
            format!("{} – {}", labels::class(&self.card.finding.class), labels::place(&self.card.place));
        let body = html! {
            div #view data-page="card" {
                (page::card_bar(self.filter, self.counts, self.viewer))
                (toast(self.done, self.filter, self.viewer, &self.filter.url(&card_path(self.card), &[])))
                main.card #main tabindex="-1" {
                    (photo::large(self.card, self.overlaid, self.filter, self.map))
                    section.panel aria-label="Suggestion" {
                        @if self.open() { (self.form()) } @else { (self.settled()) }
                    }
                }
            }
        };
        page::document(&title, &body)
    }

    fn open(&self) -> bool {
        self.card.state == FindingState::Proposed && self.viewer.may_decide(self.card.project)
    }

    pub(super) fn action(&self, verb: &str) -> String {
        self.filter.url(&format!("/review/findings/{}/{verb}", self.card.finding.id), &[])
    }

    fn form(&self) -> Markup {
        html! {
            form.decide #decide method="post" action=(self.action("accept")) data-swap autocomplete="off" {
                input type="hidden" name="csrf" value=(self.viewer.csrf);
                // Enter in a field must not decide anything: a form's first button is what Enter presses.
                button type="submit" disabled hidden {}
                (self.headline())
                @if let Some(cut_off) = self.card.photo.cut_off { p.notice { (icon(Icon::Alert)) "Not the whole photo: " (cut_off) "." } }
                @if !self.complaints.is_empty() {
                    p.notice.problem role="alert" { (icon(Icon::Alert)) "Nothing was decided yet: see the marked fields." }
                }
                (self.title_field())
                div.fields {
                    (self.choice_field(&LOCATION, &self.fields.location, &self.choices.locations))
                    (self.choice_field(&TRADE, &self.fields.trade, &self.choices.trades))
                    (self.due_field())
                    (self.priority_field())
                    @if !self.choices.managers.is_empty() || !self.fields.manager.is_empty() {
                        (self.choice_field(&MANAGER, &self.fields.manager, &self.choices.managers))
                    }
                }
                (self.description_field())
                (photo::others(self.others))
                (self.beside.render(self.card, self.filter, self.zone, self.now))
                (self.background())
                (self.actions())
            }
        }
    }

    pub(super) fn headline(&self) -> Markup {
        let status = labels::status(self.card);
        let score = self.card.finding.score;
        html! {
            div.headline {
                h1 { (labels::class(&self.card.finding.class)) }
                div #chip data-live {
                    p.status.(status.tone.class()) { (icon(labels::sign(status.tone))) (status.short) }
                }
                p.score {
                    meter min="0" max="100" value=(format!("{:.0}", score.value() * 100.0)) aria-hidden="true" {}
                    strong { (score.words()) }
                    span.hint { (score) " · " (labels::share(self.card.finding.area_share)) }
                }
            }
            div.state #state data-live {
                @if let Some(more) = &status.more { p.notice.(status.tone.class()) { (more) } }
                @if let Some(notice) = self.notice { p.notice.problem role="alert" { (icon(Icon::Alert)) (notice) } }
            }
        }
    }

    fn title_field(&self) -> Markup {
        html! {
            div.field.title {
                label for="title" { "Title" }
                textarea #title name="title" rows="1" maxlength="255" required enterkeyhint="done"
                    aria-invalid=[self.invalid("title")] { (self.fields.title) }
                (self.complaint("title"))
            }
        }
    }

    fn choice_field(&self, kind: &ChoiceField, value: &str, list: &[Choice]) -> Markup {
        let inline = list.len() <= CHOICES_INLINE;
        let list_id = format!("{}-list", kind.name);
        let source = (!inline).then(|| {
            format!("/review/choices/{}/{}", super::filter::project_name(self.card.project), kind.name)
        });
        html! {
            div.field.(kind.name) {
                label for=(kind.name) {
                    (icon(kind.icon)) (kind.label)
                    @if kind.name == LOCATION.name { span.hint { (labels::evidence(&self.card.place)) } }
                }
                input #(kind.name) type="text" name=(kind.name) value=(value) list=(list_id) placeholder=(kind.empty)
                    data-choices=[source] autocapitalize="off" spellcheck="false" enterkeyhint="done"
                    aria-invalid=[self.invalid(kind.name)];
                datalist #(list_id) { @if inline { @for choice in list { option value=(choice.label) {} } } }
                @if kind.name == LOCATION.name { (self.other_places()) }
                (self.lately(kind.name, value))
                (self.complaint(kind.name))
            }
        }
    }

    /// Places that could be meant as well; the script makes them fill the field.
    fn other_places(&self) -> Markup {
        let places = &self.card.place.runner_ups;
        html! {
            @if !places.is_empty() {
                p.others {
                    "Could be "
                    @for place in places.iter().take(OTHER_PLACES) {
                        button type="button" data-fill="location" value=(labels::path(&place.path)) { (self.short(LOCATION.name, &labels::path(&place.path))) }
                    }
                }
            }
        }
    }

    /// What was chosen for this field on the cards before; the script makes it fill the field.
    fn lately(&self, field: &str, value: &str) -> Markup {
        let offered = self.remembered.offered(field, value);
        html! {
            @if let Some(own) = self.own_name.filter(|own| field == MANAGER.name && !self.filled && *own != value) {
                p.hint { "Left as it is, you (" (own) ") manage it." }
            }
            @if field == MANAGER.name && self.filled { p.hint.filled { "As on your last card for this trade." } }
            @if !offered.is_empty() {
                p.others {
                    "Recent "
                    @for label in offered {
                        button type="button" data-fill=(field) value=(label) { (self.short(field, label)) }
                    }
                }
            }
        }
    }

    /// A choice on a small button: of a location as much of its path as no other location ends with.
    fn short<'l>(&self, field: &str, label: &'l str) -> &'l str {
        if field == LOCATION.name { choices::unique_end(label, &self.choices.locations) } else { label }
    }

    fn priority_field(&self) -> Markup {
        html! {
            div.field.priority role="radiogroup" aria-labelledby="priority-label" {
                span.label #priority-label { (icon(Icon::Flag)) "Priority" }
                div.segments {
                    @for priority in Priority::ALL {
                        label {
                            input type="radio" name="priority" value=(priority) checked[self.fields.priority == priority.name()];
                            span { (labels::priority(priority)) }
                        }
                    }
                }
                (self.complaint("priority"))
            }
        }
    }

    fn due_field(&self) -> Markup {
        html! {
            div.field.due {
                label for="due" { (icon(Icon::Calendar)) "Due" }
                input #due type="date" name="due" value=(self.fields.due) aria-invalid=[self.invalid("due")];
                (self.lately("due", &self.fields.due))
                (self.complaint("due"))
            }
        }
    }

    fn description_field(&self) -> Markup {
        html! {
            div.field.description {
                label for="description" { (icon(Icon::Text)) "Description" }
                textarea #description name="description" rows="2" maxlength="10000" aria-invalid=[self.invalid("description")] { (self.fields.description) }
                (self.complaint("description"))
            }
        }
    }

    fn invalid(&self, field: &str) -> Option<&'static str> {
        self.complaints.iter().any(|complaint| complaint.field == field).then_some("true")
    }

    fn complaint(&self, field: &str) -> Markup {
        html! {
            @for complaint in self.complaints.iter().filter(|complaint| complaint.field == field) {
                p.complaint role="alert" { (icon(Icon::Alert)) (complaint.text) }
            }
        }
    }

    fn actions(&self) -> Markup {
        html! {
            div.actions #actions {
                details.reject #reject {
                    summary.button { (icon(Icon::Reject)) span { "Reject" } kbd { "R" } }
                    (reasons(Some(&self.action("reject")), |reason| labels::mutes(self.card, reason, self.muting)))
                }
                a.button.skip #skip href=(self.skip_url()) data-swap { (icon(Icon::Skip)) span { "Skip" } kbd { "S" } }
                button.button.accept #accept type="submit" { (icon(Icon::Accept)) span { "Accept" } kbd { "A" } }
            }
            @if let Some(before) = &self.neighbours.before {
                a #before hidden href=(before) data-swap { "Card before" }
            }
        }
    }

    pub(super) fn skip_url(&self) -> String {
        self.neighbours.after.clone().unwrap_or_else(|| self.filter.with_page(0).list_url())
    }

    pub(super) fn background(&self) -> Markup {
        let card = self.card;
        html! {
            details.why {
                summary { "Why, and what is sent" }
                @if !card.rules.is_empty() || !card.place.notes.is_empty() {
                    ul {
                        @for rule in &card.rules { li { (rule) } }
                        @for note in &card.place.notes { li { (note) } }
                    }
                }
                dl.facts {
                    dt { "Photo" } dd { (card.photo.filename) }
                    @if let Some(taken) = card.photo.taken_at { dt { "Taken" } dd { (labels::taken(taken)) } }
                    @if let Some(uploader) = &card.photo.uploader { dt { "Uploaded by" } dd { (uploader) } }
                    dt { "Found" } dd { (labels::moment(card.found_at, self.zone, self.now)) }
                    dt { "Project" } dd { (self.choices.project_name.clone().unwrap_or_else(|| card.project.to_string())) }
                    dt { "Reference" } dd { code { (card.draft.reference) } }
                    dt { "Sent" } dd { "the fields above, this reference, and the photo already in Procore (image " (card.photo.image) ")" }
                    dt { "Model" } dd { (card.model) }
                    dt { "Photo hash" } dd { code { (card.photo.content) } }
                }
            }
        }
    }
}

/// The card's own address.
pub(super) fn card_path(card: &Card) -> String {
    path_of(card.finding.id)
}

/// The address of a finding's card.
pub(super) fn path_of(id: FindingId) -> String {
    format!("/review/findings/{id}")
}

struct ChoiceField {
    name: &'static str,
    label: &'static str,
    empty: &'static str,
    icon: Icon,
}

const LOCATION: ChoiceField =
    ChoiceField { name: "location", label: "Location", empty: "Choose a location", icon: Icon::Place };
const TRADE: ChoiceField =
    ChoiceField { name: "trade", label: "Trade", empty: "Choose a trade", icon: Icon::Trade };
const MANAGER: ChoiceField =
    ChoiceField { name: "manager", label: "Manager", empty: "As configured", icon: Icon::Person };
