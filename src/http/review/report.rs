//! The walk report: what was found, kept and thrown out on a day, for paper, PDF and the e-mail to the office.

use std::collections::HashMap;

use axum::extract::{self, Query};
use axum::http::{HeaderValue, StatusCode, header};
use data_encoding::BASE64;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::filter::Filter;
use super::icons::{Icon, icon, mark};
use super::page::{self, View, Viewer};
use super::{Address, ListContext, Page, html, labels, photo};
use crate::domain::card::Card;
use crate::domain::ids::{PhotoId, ProjectKey};
use crate::domain::review::{FindingState, Verdict};
use crate::http::State;
use crate::http::assets;
use crate::http::error::HttpError;
use crate::http::guard::Reviewer;

/// What a report is made of.
struct Report<'a> {
    day: Date,
    today: Date,
    /// Found on the day, by place.
    found: &'a [Card],
    /// Decided on the day and found before it.
    decided: &'a [Card],
    /// More were found or decided than a report holds.
    cut: bool,
    projects: &'a [(ProjectKey, String)],
    filter: &'a Filter,
    viewer: &'a Viewer,
    pictures: Pictures,
    state: &'a State,
    now: Timestamp,
}

/// Where the report's pictures come from.
enum Pictures {
    /// From the box, for a page.
    Linked,
    /// From the report itself, for a file.
    Embedded(HashMap<PhotoId, String>),
}

impl Pictures {
    fn source(&self, photo: PhotoId) -> Option<String> {
        match self {
            Self::Linked => Some(photo::picture_url(photo)),
            Self::Embedded(pictures) => pictures.get(&photo).cloned(),
        }
    }
}

/// The report of a day, as a page or, with `file=1`, as one file that needs nothing else.
pub(in crate::http) async fn report(
    extract::State(state): extract::State<State>,
    Reviewer(session): Reviewer,
    Query(address): Query<Address>,
) -> Page {
    let as_file = !address.file.is_empty();
    let desk = ListContext::new(&state, &session, address.filter.into());
    let today = state.now().to_zoned_datetime(state.zone().clone()).date();
    let day = desk.filter.day.unwrap_or(today);
    let most = state.store().config().list_rows;
    let (found, decided) = (desk.found_on(day).await?, desk.decided_on(day).await?);
    let cut = found.len() >= most as usize || decided.len() >= most as usize;
    let decided: Vec<Card> = decided
        .into_iter()
        .filter(|card| !found.iter().any(|own| own.finding.id == card.finding.id))
        .collect();
    let pictures =
        if as_file { embedded(&state, found.iter().chain(&decided)).await? } else { Pictures::Linked };
    let report = Report {
        day,
        today,
        found: &found,
        decided: &decided,
        cut,
        projects: &desk.projects().await?,
        filter: &desk.filter,
        viewer: &desk.viewer,
        pictures,
        state: &state,
        now: state.now(),
    };
    if !as_file {
        return Ok(html(StatusCode::OK, &report.page()));
    }
    let mut response = html(StatusCode::OK, &report.file());
    let name = format!("attachment; filename=\"walk-report-{day}.html\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

async fn embedded(state: &State, cards: impl Iterator<Item = &Card>) -> Result<Pictures, HttpError> {
    let most = state.review().report_pictures_max as usize;
    let mut pictures = HashMap::new();
    for photo in cards.map(|card| card.photo.id) {
        if pictures.len() >= most || pictures.contains_key(&photo) {
            continue;
        }
        if let Some(picture) = state.store().picture(photo).await? {
            let data = format!("data:{};base64,{}", picture.media_type, BASE64.encode(&picture.bytes));
            pictures.insert(photo, data);
        }
    }
    Ok(Pictures::Embedded(pictures))
}

/// What a person decided about a card, told apart for the report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Kept,
    Open,
    Out,
}

impl Part {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Kept, "Kept"), (Self::Open, "Not decided yet"), (Self::Out, "Thrown out")];

    const fn of(card: &Card) -> Self {
        match card.state {
            FindingState::Accepted | FindingState::TakenOver => Self::Kept,
            FindingState::Proposed => Self::Open,
            FindingState::Rejected => Self::Out,
        }
    }
}

impl Report<'_> {
    fn page(&self) -> Markup {
        let body = markup! {
            div #view data-page="report" {
                (page::view_bar(View::Report, self.filter, self.viewer))
                main.sheet-page.report #main tabindex="-1" {
                    (self.controls())
                    (self.content())
                }
            }
        };
        page::document(&self.title(), &body)
    }

    /// The same without anything from outside: style and pictures are in it.
    fn file(&self) -> Markup {
        markup! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    title { (self.title()) }
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    style { (PreEscaped(assets::STYLE.text())) (PreEscaped(assets::VIEWS.text())) }
                }
                body { main.sheet-page.report { (self.content()) } }
            }
        }
    }

    fn title(&self) -> String {
        format!("Walk report, {}", self.day.strftime("%-d %B %Y"))
    }

    fn controls(&self) -> Markup {
        let on = |day: Date| Filter { day: Some(day), ..self.filter.clone() }.url("/review/report", &[]);
        let shift = |days: i64| self.day.saturating_add(days.days());
        let file =
            Filter { day: Some(self.day), ..self.filter.clone() }.url("/review/report", &[("file", "1")]);
        markup! {
            div.controls {
                nav.days aria-label="Day" {
                    a.button href=(on(shift(-1))) data-swap aria-label="The day before" { (icon(Icon::Back)) }
                    form method="get" action="/review/report" data-swap data-auto {
                        @for (name, value) in self.filter.pairs().into_iter().filter(|(name, _)| *name != "day") { input type="hidden" name=(name) value=(value); }
                        input type="date" name="day" value=(self.day) max=(self.today) aria-label="Day";
                        button.quiet type="submit" { "Show" }
                    }
                    @if self.day < self.today { a.button href=(on(shift(1))) data-swap aria-label="The day after" { (icon(Icon::Forward)) } }
                }
                (page::project_choice("/review/report", self.projects, self.filter))
                div.outputs {
                    button.button type="button" data-print hidden { (icon(Icon::Print)) "Print" }
                    a.button href=(file) download { (icon(Icon::Save)) "One file" }
                }
            }
        }
    }

    fn content(&self) -> Markup {
        let count = |part: Part| self.found.iter().filter(|card| Part::of(card) == part).count() as u64;
        markup! {
            header.masthead {
                h1 { (mark()) "Walk report" }
                p { strong { (self.day.strftime("%A, %-d %B %Y")) } " · " (self.project_names()) }
                dl.numbers {
                    div { dt { "Found" } dd { strong { (self.found.len()) } } }
                    div { dt { "Kept" } dd { strong { (count(Part::Kept)) } } }
                    div { dt { "Thrown out" } dd { strong { (count(Part::Out)) } } }
                    div { dt { "Not decided" } dd { strong { (count(Part::Open)) } } }
                }
                @if self.cut { p.notice.problem { (icon(Icon::Alert)) "There is more than one report holds: choose one project." } }
            }
            @if self.found.is_empty() && self.decided.is_empty() {
                div.nothing { h2 { "Nothing on this day" } p { "No finding was made and none was decided." } }
            }
            @for (part, title) in Part::ALL {
                @let cards: Vec<&Card> = self.found.iter().filter(|card| Part::of(card) == part).collect();
                @if !cards.is_empty() { (self.part(title, &cards, part != Part::Out)) }
            }
            @if !self.decided.is_empty() {
                (self.part("Found earlier, decided on this day", &self.decided.iter().collect::<Vec<_>>(), false))
            }
            footer.hint { "Made by Punchlens on " (labels::moment_on_paper(self.now, self.state.zone())) ". Suggestions by a model, decisions by people; sizes are shares of the photo, not measures." }
        }
    }

    fn project_names(&self) -> String {
        let shown: Vec<&str> = self
            .projects
            .iter()
            .filter(|(project, _)| self.filter.project.is_none_or(|own| own == *project))
            .map(|(_, name)| name.as_str())
            .collect();
        shown.join(", ")
    }

    fn part(&self, title: &str, cards: &[&Card], large: bool) -> Markup {
        markup! {
            section.part.large[large] {
                h2 { (title) " " span.count { (cards.len()) } }
                div.entries { @for card in cards { (self.entry(card)) } }
            }
        }
    }

    fn entry(&self, card: &Card) -> Markup {
        let draft = card.decided_draft();
        let status = labels::status(card);
        markup! {
            article.entry {
                @if let Some(source) = self.pictures.source(card.photo.id) { (photo::still(card, &source)) }
                div {
                    h3 { (draft.title) }
                    p { (labels::class(&card.finding.class)) ", " (card.finding.score.words()) " · " (labels::place(&card.place)) }
                    p {
                        "Priority " (labels::priority(draft.priority).to_lowercase())
                        @if let Some(trade) = &card.trade_name { " · " (trade) }
                        @if let Some(due) = draft.due { " · due " (due.strftime("%-d %b %Y")) }
                        " · photo " (card.photo.filename)
                    }
                    p { strong { (status.short) } @if let Some(decided) = self.decided(card) { " · " (decided) } }
                }
            }
        }
    }

    fn decided(&self, card: &Card) -> Option<String> {
        let decision = card.decision.as_ref()?;
        let why = match &decision.verdict {
            Verdict::Reject { reason } => format!(" ({})", reason.words()),
            Verdict::Accept { .. } => String::new(),
        };
        let at = labels::moment_on_paper(decision.at, self.state.zone());
        Some(format!("{}{why}, {at}", decision.reviewer))
    }
}
