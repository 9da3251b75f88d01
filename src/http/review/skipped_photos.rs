//! Photos not analysed, with the reason and a way to have them looked at again.

use axum::extract::{self, Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use maud::{Markup, html as markup};

use super::filter::Filter;
use super::icons::{Icon, icon, mark};
use super::page::{self, View};
use super::submitted::Submitted;
use super::{Address, ListContext, Page, html, labels};
use crate::domain::ids::ProjectKey;
use crate::http::State;
use crate::http::guard::Reviewer;
use crate::http::skipped_photos;
use crate::store::{LeftOutState, SkippedPhoto};

/// Where the page is.
const PATH: &str = "/review/photos";

/// The page, of one project or all.
pub(in crate::http) async fn photos(
    extract::State(state): extract::State<State>,
    Reviewer(session): Reviewer,
    Query(address): Query<Address>,
) -> Page {
    let desk = ListContext::new(&state, &session, address.filter.into());
    let rows = desk.left_out().await?;
    let projects = desk.projects().await?;
    Ok(html(StatusCode::OK, &render(&desk, &rows, &projects)))
}

/// Has a photo looked at again.
pub(in crate::http) async fn look_again(
    extract::State(state): extract::State<State>,
    Path(photo): Path<String>,
    Submitted { session, .. }: Submitted,
) -> Page {
    let project = skipped_photos::look_again(&state, &session.viewer, &photo).await?;
    let filter = Filter { project: Some(project), ..Filter::default() };
    Ok(Redirect::to(&filter.url(PATH, &[])).into_response())
}

fn render(desk: &ListContext<'_>, rows: &[SkippedPhoto], projects: &[(ProjectKey, String)]) -> Markup {
    let body = markup! {
        div #view data-page="photos" {
            (page::view_bar(View::Photos, &desk.filter, &desk.viewer))
            main.sheet-page #main tabindex="-1" {
                h1 { "Photos not analysed" }
                (page::project_choice(PATH, projects, &desk.filter))
                @if rows.is_empty() {
                    div.nothing { (mark()) h2 { "Every photo was analysed" } p { "Photos that cannot be read, or that Procore does not show to this service, are listed here with the reason." } }
                } @else {
                    (list(desk, rows))
                }
            }
        }
    };
    page::document("Photos", &body)
}

fn list(desk: &ListContext<'_>, rows: &[SkippedPhoto]) -> Markup {
    let (zone, now) = (desk.state.zone(), desk.state.now());
    markup! {
        ul.left-out {
            @for row in rows {
                li {
                    h2 { (name(row)) }
                    p { (row.reason) }
                    p.hint { (state(row)) " · since " (labels::moment(row.since, zone, now)) }
                    @if desk.viewer.may_decide(row.project) {
                        form method="post" action=(format!("{PATH}/{}/look-again", row.id)) data-swap {
                            input type="hidden" name="csrf" value=(desk.viewer.csrf);
                            button.button type="submit" aria-label=(format!("Look again at {}", name(row))) { (icon(Icon::Again)) span { "Look again" } }
                        }
                    }
                }
            }
        }
    }
}

fn name(row: &SkippedPhoto) -> String {
    if row.filename.is_empty() { format!("Photo {}", row.image) } else { row.filename.clone() }
}

fn state(row: &SkippedPhoto) -> String {
    match row.state {
        LeftOutState::Trying => {
            format!("Tried {}, and will be again", labels::count(row.tries.into(), "time", "times"))
        }
        LeftOutState::Failed => "Cannot be read".to_owned(),
        LeftOutState::Skipped => "Left out".to_owned(),
    }
}
