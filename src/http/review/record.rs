//! The record: how suggestions were kept, class by class, and how far scores can be believed.

use axum::extract::{self, Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use jiff::SignedDuration;
use maud::{Markup, html as markup};

use super::filter::{Filter, Tab, parse_project, project_name};
use super::icons::{Icon, icon, mark};
use super::page::{self, View, Viewer};
use super::submitted::Submitted;
use super::{Address, ListContext, Page, chart, html, labels};
use crate::domain::ids::ProjectKey;
use crate::domain::keep_rate::{
    ClassRecord, KeepRate, ReliabilityBin, ReviewTime, class_records, reliability, review_time,
};
use crate::domain::people::Role;
use crate::domain::review::{MuteId, RejectReason};
use crate::http::State;
use crate::http::guard::Reviewer;
use crate::http::{guard, mutes};
use crate::store::MuteRow;

/// What the page shows.
struct RecordPage<'a> {
    records: Vec<ClassRecord>,
    total: KeepRate,
    bins: Vec<ReliabilityBin>,
    error: Option<f64>,
    time: ReviewTime,
    projects: &'a [(ProjectKey, String)],
    /// Classes that are muted everywhere in a project.
    muted: &'a [MuteRow],
    filter: &'a Filter,
    viewer: &'a Viewer,
    rules: Rules,
}

/// When a class is offered for muting, and over what.
#[derive(Debug, Clone, Copy)]
struct Rules {
    window: usize,
    below: f64,
    least: u32,
    days: u32,
}

/// The page, of one project or all.
pub(in crate::http) async fn record(
    extract::State(state): extract::State<State>,
    Reviewer(session): Reviewer,
    Query(address): Query<Address>,
) -> Page {
    let desk = ListContext::new(&state, &session, address.filter.into());
    let review = state.review();
    let rules = Rules {
        window: review.keep_window as usize,
        below: review.mute_offer_below,
        least: review.mute_offer_least,
        days: review.record_days,
    };
    let since = state.now() - SignedDuration::from_hours(24 * i64::from(rules.days));
    let rulings = desk.rulings(since).await?;
    let (bins, error) = reliability(&rulings);
    let muted = desk.mutes().await?;
    let page = RecordPage {
        records: class_records(&rulings, rules.window, state.zone()),
        total: KeepRate::count(&rulings),
        bins,
        error,
        time: review_time(&rulings),
        projects: &desk.projects().await?,
        muted: &muted,
        filter: &desk.filter,
        viewer: &desk.viewer,
        rules,
    };
    Ok(html(StatusCode::OK, &page.render()))
}

impl RecordPage<'_> {
    fn render(&self) -> Markup {
        let body = markup! {
            div #view data-page="record" {
                (page::view_bar(View::Record, self.filter, self.viewer))
                main.sheet-page #main tabindex="-1" {
                    h1 { "How suggestions were kept" }
                    (page::project_choice("/review/record", self.projects, self.filter))
                    @if self.total.of == 0 { (self.nothing()) } @else { (self.summary()) (self.classes()) (self.believed()) }
                }
            }
        };
        page::document("Record", &body)
    }

    fn nothing(&self) -> Markup {
        markup! {
            div.nothing { (mark()) h2 { "Nothing decided yet" } p { "What you accept and reject in the last " (self.rules.days) " days is summed up here, class by class. It stays on this box and trains nothing." } }
        }
    }

    fn summary(&self) -> Markup {
        let numbers = [
            ("Decided", format!("{}", self.total.of), format!("in the last {} days", self.rules.days)),
            (
                "Kept",
                self.total.rate().map_or_else(String::new, chart::percent),
                format!("{} of {}", self.total.kept, self.total.of),
            ),
            (
                "Waited for you",
                self.time.waited.map_or_else(|| "–".to_owned(), labels::span),
                "half of them longer".to_owned(),
            ),
            (
                "A card takes",
                self.time.a_card.map_or_else(|| "–".to_owned(), labels::span),
                "half of them less".to_owned(),
            ),
        ];
        markup! {
            dl.numbers {
                @for (name, value, more) in numbers { div { dt { (name) } dd { strong { (value) } span.hint { (more) } } } }
            }
        }
    }

    fn classes(&self) -> Markup {
        markup! {
            @for (project, name) in self.projects {
                @let own: Vec<&ClassRecord> = self.records.iter().filter(|record| record.project == *project).collect();
                @if !own.is_empty() {
                    section.classes aria-label=(name) {
                        h2 { (name) }
                        div.records { @for record in own { (self.class(record, name)) } }
                    }
                }
            }
        }
    }

    fn class(&self, record: &ClassRecord, project: &str) -> Markup {
        let class = labels::class(&record.class);
        markup! {
            article.record {
                h3 { (class) }
                p.rate { "You kept " strong { (record.latest.kept) " of the last " (record.latest.of) } }
                (chart::over_time(&record.weeks))
                @if !record.reasons.is_empty() {
                    p.hint { "Thrown out as: " (reasons(&record.reasons)) }
                }
                (self.offer(record, &class, project))
            }
        }
    }

    /// Offers to mute a class that is thrown out too often, with the numbers.
    fn offer(&self, record: &ClassRecord, class: &str, project: &str) -> Markup {
        let muted = self.muted.iter().find(|row| {
            row.project == record.project && row.mute.class == record.class && row.mute.location.is_none()
        });
        let low = record.latest.is_below(self.rules.below, self.rules.least);
        let may = self.viewer.has(Role::Admin, record.project);
        markup! {
            @if let Some(row) = muted {
                div.offer { p { (icon(Icon::Muted)) "Muted in " (project) " by " (row.mute.reviewer) "." } @if may { (lift_form(row.id, self.viewer)) } }
            } @else if low {
                form.offer method="post" action="/review/mutes" data-swap {
                    p { (icon(Icon::Alert)) "Fewer than " (chart::percent(self.rules.below)) " of these are kept. Muted ones are recorded and counted, and no longer among those to review." }
                    @if may {
                        input type="hidden" name="csrf" value=(self.viewer.csrf);
                        input type="hidden" name="project" value=(project_name(record.project));
                        input type="hidden" name="class" value=(record.class);
                        input type="hidden" name="reason" value=(record.reasons.first().map_or(RejectReason::NotADefect, |(reason, _)| *reason).name());
                        button.button type="submit" { (icon(Icon::Muted)) "Mute " (class) " in " (project) }
                    } @else {
                        p.hint { "An admin can mute them." }
                    }
                }
            }
        }
    }

    fn believed(&self) -> Markup {
        markup! {
            section.believed aria-label="Reliability" {
                h2 { "How far scores can be believed" }
                div {
                    (chart::reliability(&self.bins))
                    div {
                        p { "Each dot is a group of suggestions with about the same score: the model's score to the right, the share that were defects upwards. \
                             On the line the score is right; below it the model is overconfident." }
                        @if let Some(error) = self.error { p { "On average it is off by " strong { (format!("{:.0} points", error * 100.0)) } " over " (self.total.of) " decisions." } }
                        p.hint { "Too early, double, not ours and cosmetic count as defects rightly seen. Nobody looks for what was not suggested, so defects that the model missed are not in here." }
                        table {
                            caption.unseen { "The same in numbers" }
                            thead { tr { th scope="col" { "Said" } th scope="col" { "Was" } th scope="col" { "Decided" } } }
                            tbody { @for bin in &self.bins { tr { td { (chart::percent(bin.said)) } td { (chart::percent(bin.was)) } td { (bin.of) } } } }
                        }
                    }
                }
            }
        }
    }
}

fn reasons(reasons: &[(RejectReason, u32)]) -> String {
    let told: Vec<String> =
        reasons.iter().map(|(reason, count)| format!("{} ({count})", reason.words())).collect();
    told.join(", ")
}

/// A button that ends a mute.
pub(super) fn lift_form(id: MuteId, viewer: &Viewer) -> Markup {
    markup! {
        form method="post" action=(format!("/review/mutes/{}/lift", id.0)) data-swap {
            input type="hidden" name="csrf" value=(viewer.csrf);
            button.quiet type="submit" { "Unmute" }
        }
    }
}

/// Mutes a class everywhere in a project.
pub(in crate::http) async fn mute(
    extract::State(state): extract::State<State>,
    Submitted { session, form }: Submitted,
) -> Page {
    let reason = RejectReason::named(form.text("reason")).unwrap_or(RejectReason::NotADefect);
    let project = parse_project(form.text("project"));
    mutes::add(&state, &session.viewer, project, form.text("class"), reason).await?;
    let filter = Filter { project, ..Filter::default() };
    Ok(Redirect::to(&filter.url("/review/record", &[])).into_response())
}

/// Ends a mute, so that what it kept back is to be reviewed, and returns to the page named in the form.
pub(in crate::http) async fn lift(
    extract::State(state): extract::State<State>,
    Path(id): Path<i64>,
    Submitted { session, form }: Submitted,
) -> Page {
    let project = mutes::lift(&state, &session.viewer, MuteId(id)).await?;
    let back = Filter { project: Some(project), ..Filter::default() }.with_tab(Tab::Muted);
    let next = match form.text("next") {
        "" => back.list_url(),
        next => guard::safe_next(next).to_owned(),
    };
    Ok(Redirect::to(&next).into_response())
}
