//! The plan: where on the site findings wait, floor by floor, as the site file draws it.

use std::collections::HashSet;

use axum::extract::{self, Query};
use axum::http::StatusCode;
use maud::{Markup, PreEscaped, html as markup};

use super::filter::{Filter, Tab};
use super::icons::{Icon, icon, mark};
use super::page::{self, View, Viewer};
use super::{Address, ListContext, Page, html, labels};
use crate::domain::ids::ProjectKey;
use crate::domain::site::{Dot, Floor, Site};
use crate::http::State;
use crate::http::guard::Reviewer;
use crate::store::PLACE_JOINT;

/// What the page shows.
struct PlanPage<'a> {
    floors: Vec<Floor>,
    /// Places with findings that the site file does not draw, with how many.
    elsewhere: Vec<(String, u64)>,
    /// Findings without any place.
    placeless: u64,
    has_site: bool,
    projects: &'a [(ProjectKey, String)],
    filter: &'a Filter,
    viewer: &'a Viewer,
}

/// The plan of what a list holds.
pub(in crate::http) async fn plan(
    extract::State(state): extract::State<State>,
    Reviewer(session): Reviewer,
    Query(address): Query<Address>,
) -> Page {
    let mut desk = ListContext::new(&state, &session, address.filter.into());
    let projects = desk.projects().await?;
    // Buildings of two projects have no common plan: one at a time.
    desk.filter.project = desk.filter.project.or_else(|| projects.first().map(|(project, _)| *project));
    let site = desk.filter.project.and_then(|project| state.site(project));
    let places = desk.places().await?;
    let (floors, elsewhere) = match site {
        Some(site) => on_floors(site, &places.named, &desk.filter),
        None => (Vec::new(), places.named),
    };
    let page = PlanPage {
        floors,
        elsewhere,
        placeless: places.without,
        has_site: site.is_some(),
        projects: &projects,
        filter: &desk.filter,
        viewer: &desk.viewer,
    };
    Ok(html(StatusCode::OK, &page.render()))
}

/// The floors that hold any of `places`, each place as one dot, and the places that are on none.
fn on_floors(site: &Site, places: &[(String, u64)], filter: &Filter) -> (Vec<Floor>, Vec<(String, u64)>) {
    let dots: Vec<Dot> = places.iter().map(|(place, count)| dot(place, *count, filter)).collect();
    let floors = site.floors(&dots);
    let drawn: HashSet<&str> =
        floors.iter().flat_map(|floor| &floor.dots).map(|index| places[*index].0.as_str()).collect();
    let elsewhere = places.iter().filter(|(place, _)| !drawn.contains(place.as_str())).cloned().collect();
    (floors, elsewhere)
}

fn dot(place: &str, count: u64, filter: &Filter) -> Dot {
    let path: Vec<String> = place.split(PLACE_JOINT).map(str::to_owned).collect();
    Dot {
        title: format!("{}: {count}", path.join(", ")),
        path,
        fix: None,
        label: count.to_string(),
        link: Some(list_of(place, filter).list_url()),
    }
}

fn list_of(place: &str, filter: &Filter) -> Filter {
    Filter { place: Some(place.to_owned()), group: None, page: 0, ..filter.clone() }
}

impl PlanPage<'_> {
    fn render(&self) -> Markup {
        let body = markup! {
            div #view data-page="plan" {
                (page::view_bar(View::Plan, self.filter, self.viewer))
                main.sheet-page #main tabindex="-1" {
                    h1 { "Where it is" }
                    nav.choice aria-label="Which findings" {
                        @for tab in [Tab::ToReview, Tab::Waiting, Tab::DecidedToday, Tab::Problems] {
                            a href=(self.filter.with_tab(tab).url("/review/plan", &[])) data-swap aria-current=[(tab == self.filter.tab).then_some("page")] { (tab.label()) }
                        }
                    }
                    (page::project_choice("/review/plan", self.projects, self.filter))
                    div #plan data-live { (self.plan()) (self.rest()) }
                }
            }
        };
        page::document("Plan", &body)
    }

    fn plan(&self) -> Markup {
        let with_dots = self.floors.iter().filter(|floor| !floor.dots.is_empty());
        let empty = self.floors.iter().filter(|floor| floor.dots.is_empty()).count();
        markup! {
            @if !self.has_site {
                div.nothing { (mark()) h2 { "No site file" } p { "With tagging.site_file set to a GeoJSON of buildings, floors and rooms, they are drawn here. Until then: the list of places." } }
            } @else if self.floors.iter().all(|floor| floor.dots.is_empty()) {
                div.nothing { (mark()) h2 { "Nothing on the plan" } p { "No finding of this list is at a place that the site file draws." } }
            } @else {
                div.floors {
                    @for floor in with_dots {
                        section.floor {
                            h2 { (floor.heading) }
                            (PreEscaped(&floor.svg))
                        }
                    }
                }
                @if empty > 0 { p.hint { (labels::count(empty as u64, "floor has", "floors have")) " none." } }
            }
        }
    }

    fn rest(&self) -> Markup {
        markup! {
            @if !self.elsewhere.is_empty() || self.placeless > 0 {
                section.elsewhere {
                    h2 { @if self.has_site { "Not on the plan" } @else { "By place" } }
                    ul {
                        @for (place, count) in &self.elsewhere {
                            li { a href=(list_of(place, self.filter).list_url()) data-swap { (icon(Icon::Place)) (place) " " span.count { (count) } } }
                        }
                        @if self.placeless > 0 { li { "Without a place: " span.count { (self.placeless) } } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::site::sample;

    #[test]
    fn each_place_is_a_dot_on_its_floor_or_in_the_rest() {
        let places = [("Building A › Floor 2 › Unit 204".to_owned(), 3), ("Yard".to_owned(), 1)];
        let (floors, elsewhere) = on_floors(&sample::site(), &places, &Filter::default());
        let floor = floors.iter().find(|floor| !floor.dots.is_empty()).expect("a floor with a dot");
        assert_eq!((floor.heading.as_str(), floor.dots.as_slice()), ("Building A, Floor 2", [0].as_slice()));
        assert!(
            floor.svg.contains("href=\"/review?location=Building+A") && floor.svg.contains(">3</text>"),
            "{}",
            floor.svg
        );
        assert!(!floor.svg.contains("style"), "the content security policy refuses it");
        assert_eq!(elsewhere, [("Yard".to_owned(), 1)]);
    }
}
