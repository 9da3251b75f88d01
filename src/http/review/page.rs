//! The frame of every page: head, bar, announcements.

use maud::{DOCTYPE, Markup, html};

use super::filter::{Filter, Tab, project_name};
use super::icons::{Icon, icon, mark};
use crate::domain::ids::ProjectKey;
use crate::domain::people::{AccessRights, Role};
use crate::http::assets;

/// What the frame shows of the person who looks.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    pub(super) name: String,
    /// The session's token for forms.
    pub(super) csrf: String,
    /// What the person may do, and where.
    pub(super) rights: AccessRights,
}

impl Viewer {
    /// Whether buttons that decide are shown for findings of `project`.
    pub(super) fn may_decide(&self, project: ProjectKey) -> bool {
        self.has(Role::Reviewer, project)
    }

    /// Whether the person has `role`, or more, in `project`.
    pub(super) fn has(&self, role: Role, project: ProjectKey) -> bool {
        self.rights.role_in(project) >= Some(role)
    }
}

/// How many findings each tab holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TabCounts {
    pub(super) to_review: u64,
    pub(super) waiting: u64,
    pub(super) decided_today: u64,
    pub(super) problems: u64,
    pub(super) muted: u64,
}

impl TabCounts {
    pub(super) const fn of(self, tab: Tab) -> u64 {
        match tab {
            Tab::ToReview => self.to_review,
            Tab::Waiting => self.waiting,
            Tab::DecidedToday => self.decided_today,
            Tab::Problems => self.problems,
            Tab::Muted => self.muted,
        }
    }
}

/// A whole document around `body`.
pub(super) fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) " · Punchlens" }
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                meta name="color-scheme" content="light dark";
                meta name="theme-color" content="#ffffff" media="(prefers-color-scheme: light)";
                meta name="theme-color" content="#101418" media="(prefers-color-scheme: dark)";
                link rel="stylesheet" href=(assets::STYLE.url());
                link rel="stylesheet" href=(assets::VIEWS.url());
                link rel="icon" type="image/svg+xml" href=(assets::ICON_SVG.url());
                link rel="apple-touch-icon" href=(assets::ICON_192.url());
                link rel="manifest" href=(assets::MANIFEST.url()) crossorigin="use-credentials";
                script src=(assets::SCRIPT.url()) defer {}
                script src=(assets::CHOICES.url()) defer {}
                script src=(assets::KEEP.url()) defer {}
            }
            body {
                a.jump href="#main" { "Skip to content" }
                (body)
                div.announcer #announcer role="status" aria-live="polite" {}
            }
        }
    }
}

/// The bar above a list: brand, tabs with counts, the person.
pub(super) fn list_bar(filter: &Filter, counts: TabCounts, viewer: &Viewer) -> Markup {
    html! {
        header.bar {
            a.brand href="/review" aria-label="Punchlens, to the list" { (mark()) span { "Punchlens" } }
            nav.tabs aria-label="Lists" #counts data-live {
                @for tab in Tab::ALL {
                    a href=(filter.with_tab(tab).list_url()) data-swap aria-current=[(tab == filter.tab).then_some("page")] {
                        span { (tab.label()) } " " span.count.alarm[tab == Tab::Problems && counts.problems > 0] { (counts.of(tab)) }
                    }
                }
            }
            (views(None, filter))
            (person(filter, viewer))
        }
    }
}

/// What else there is beside lists and cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Plan,
    Record,
    Report,
    Photos,
}

impl View {
    const ALL: [Self; 4] = [Self::Plan, Self::Record, Self::Report, Self::Photos];

    const fn parts(self) -> (&'static str, &'static str, Icon) {
        match self {
            Self::Plan => ("Plan", "/review/plan", Icon::Plan),
            Self::Record => ("Record", "/review/record", Icon::Chart),
            Self::Report => ("Walk report", "/review/report", Icon::Report),
            Self::Photos => ("Photos", "/review/photos", Icon::Alert),
        }
    }

    /// The view's address, of the same project.
    fn url(self, filter: &Filter) -> String {
        Filter { project: filter.project, ..Filter::default() }.url(self.parts().1, &[])
    }
}

/// The bar above a view: back to the lists, the other views, the person.
pub(super) fn view_bar(view: View, filter: &Filter, viewer: &Viewer) -> Markup {
    let lists = Filter { project: filter.project, ..Filter::default() }.list_url();
    html! {
        header.bar {
            a.brand href=(lists) data-swap aria-label="Punchlens, to the lists" { (icon(Icon::Back)) (mark()) span { "Lists" } }
            (views(Some(view), filter))
            (person(filter, viewer))
        }
    }
}

fn views(current: Option<View>, filter: &Filter) -> Markup {
    html! {
        nav.views aria-label="Views" {
            @for view in View::ALL {
                @let (label, _, sign) = view.parts();
                a href=(view.url(filter)) data-swap aria-current=[(current == Some(view)).then_some("page")] { (icon(sign)) span { (label) } }
            }
        }
    }
}

/// Chooses the project of a view, where there is more than one.
pub(super) fn project_choice(path: &str, projects: &[(ProjectKey, String)], filter: &Filter) -> Markup {
    html! {
        @if projects.len() > 1 {
            form.project-choice method="get" action=(path) data-swap data-auto {
                @for (name, value) in filter.pairs().into_iter().filter(|(name, _)| *name != "project") { input type="hidden" name=(name) value=(value); }
                select name="project" aria-label="Project" {
                    option value="" { "All projects" }
                    @for (project, name) in projects {
                        option value=(project_name(*project)) selected[filter.project == Some(*project)] { (name) }
                    }
                }
                button.quiet type="submit" { "Show" }
            }
        }
    }
}

/// The bar above a card: back to the list, how much is left, the person.
pub(super) fn card_bar(filter: &Filter, counts: TabCounts, viewer: &Viewer) -> Markup {
    html! {
        header.bar.slim {
            a.back href=(filter.list_url()) data-swap aria-label="Back to the list" { (icon(Icon::Back)) (mark()) }
            p.left #counts data-live {
                strong { (counts.of(filter.tab)) } " "
                (match filter.tab {
                    Tab::ToReview => "left to review",
                    Tab::Waiting => "waiting for Procore",
                    Tab::DecidedToday => "decided today",
                    Tab::Problems => "with problems",
                    Tab::Muted => "muted",
                })
            }
            (person(filter, viewer))
        }
    }
}

fn person(filter: &Filter, viewer: &Viewer) -> Markup {
    html! {
        details.menu {
            summary aria-label=(format!("Signed in as {}: menu", viewer.name)) {
                (icon(Icon::Person)) span.name { (viewer.name) }
            }
            div.sheet {
                p { "Signed in as " strong { (viewer.name) } }
                (views(None, filter))
                form method="post" action="/review/sign-out" {
                    input type="hidden" name="csrf" value=(viewer.csrf);
                    button.quiet type="submit" { "Sign out" }
                }
                button.quiet #keys-switch type="button" hidden {}
                dl.keys {
                    @for (key, meaning) in KEYS {
                        dt { kbd { (key) } } dd { (meaning) }
                    }
                }
            }
        }
    }
}

const KEYS: [(&str, &str); 10] = [
    ("A", "accept"),
    ("R", "reject, then 1 to 5 for the reason"),
    ("S", "skip"),
    ("U", "undo the last decision"),
    ("E", "edit"),
    ("← →", "the card before, the card after"),
    ("Z", "zoom to the defect and back"),
    ("O", "outlines off and on"),
    ("M", "score map on and off"),
    ("Esc", "close, or leave a field"),
];

/// A page that says one thing: an error, or that there is nothing.
pub(super) fn message(title: &str, text: &str, action: Option<(&str, &str)>) -> Markup {
    let body = html! {
        main.message #main tabindex="-1" {
            (mark())
            h1 { (title) }
            p { (text) }
            @if let Some((label, url)) = action { p { a.button.primary href=(url) { (label) } } }
        }
    };
    document(title, &html! { div #view { (body) } })
}
