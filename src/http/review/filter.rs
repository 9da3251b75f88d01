//! Which findings a list shows; kept in the address, so that links, reload and the back button work.

use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::ids::{CompanyId, PhotoId, ProjectId, ProjectKey, TradeId};

/// The longest search text that is used.
const SEARCH_MAX: usize = 100;

/// The longest text of a choice: a path of locations can be long.
const TEXT_MAX: usize = 500;

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tab {
    /// Waits for a person.
    #[default]
    ToReview,
    /// Decided, and not yet in Procore.
    Waiting,
    DecidedToday,
    Problems,
    /// Silenced by a reviewer's reason.
    Muted,
}

impl Tab {
    pub(super) const ALL: [Self; 5] =
        [Self::ToReview, Self::Waiting, Self::DecidedToday, Self::Problems, Self::Muted];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ToReview => "to-review",
            Self::Waiting => "waiting",
            Self::DecidedToday => "today",
            Self::Problems => "problems",
            Self::Muted => "muted",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::ToReview => "To review",
            Self::Waiting => "Waiting",
            Self::DecidedToday => "Decided today",
            Self::Problems => "Problems",
            Self::Muted => "Muted",
        }
    }

    fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|tab| tab.name() == name).unwrap_or_default()
    }
}

/// By what findings are put together, to be decided in one gesture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouping {
    Place,
    /// By class of defect.
    Class,
    Photo,
}

impl Grouping {
    pub(super) const ALL: [Self; 3] = [Self::Place, Self::Class, Self::Photo];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Place => "location",
            Self::Class => "class",
            Self::Photo => "photo",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Place => "Location",
            Self::Class => "Class",
            Self::Photo => "Photo",
        }
    }
}

/// The query string as it comes; anything that makes no sense is as good as absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct FilterQuery {
    tab: String,
    project: String,
    class: String,
    location: String,
    trade: String,
    uploader: String,
    photo: String,
    day: String,
    q: String,
    group: String,
    page: String,
}

/// A list and how it is narrowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) tab: Tab,
    pub(super) project: Option<ProjectKey>,
    pub(super) class: Option<String>,
    /// A place and all below it: its names as the store joins them.
    pub(super) place: Option<String>,
    pub(super) trade: Option<TradeId>,
    pub(super) uploader: Option<String>,
    pub(super) photo: Option<PhotoId>,
    /// The day on which it was found.
    pub(super) day: Option<Date>,
    pub(super) search: String,
    pub(super) group: Option<Grouping>,
    /// Counted from 0.
    pub(super) page: u32,
}

impl From<FilterQuery> for Filter {
    fn from(query: FilterQuery) -> Self {
        let text = |text: &str| {
            let text = text.trim();
            (!text.is_empty()).then(|| text.chars().take(TEXT_MAX).collect())
        };
        Self {
            tab: Tab::parse(&query.tab),
            project: parse_project(&query.project),
            class: text(&query.class),
            place: text(&query.location),
            trade: query.trade.parse().ok(),
            uploader: text(&query.uploader),
            photo: query.photo.parse().ok(),
            day: query.day.parse().ok(),
            search: query.q.trim().chars().take(SEARCH_MAX).collect(),
            group: Grouping::ALL.into_iter().find(|group| group.name() == query.group),
            page: query.page.parse().unwrap_or(0),
        }
    }
}

impl Filter {
    /// The same narrowing on another list, from its start.
    pub(super) fn with_tab(&self, tab: Tab) -> Self {
        Self { tab, page: 0, ..self.clone() }
    }

    /// The same list on another page.
    pub(super) fn with_page(&self, page: u32) -> Self {
        Self { page, ..self.clone() }
    }

    /// The same list put together otherwise, from its start.
    pub(super) fn with_group(&self, group: Option<Grouping>) -> Self {
        Self { group, page: 0, ..self.clone() }
    }

    /// The whole list, put together as before.
    pub(super) fn widened(&self) -> Self {
        Self { tab: self.tab, group: self.group, ..Self::default() }
    }

    /// How many choices narrow the list, the search aside.
    pub(super) fn choices(&self) -> usize {
        let chosen = [
            self.project.is_some(),
            self.class.is_some(),
            self.place.is_some(),
            self.trade.is_some(),
            self.uploader.is_some(),
            self.photo.is_some(),
            self.day.is_some(),
        ];
        chosen.into_iter().filter(|chosen| *chosen).count()
    }

    /// Whether anything but the tab is chosen.
    pub(super) fn is_narrowed(&self) -> bool {
        self.choices() > 0 || !self.search.is_empty()
    }

    /// What narrows the list, as an address says it; the page aside.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let tab = (self.tab != Tab::default()).then(|| self.tab.name().to_owned());
        let search = (!self.search.is_empty()).then(|| self.search.clone());
        let pairs = [
            ("tab", tab),
            ("project", self.project.map(project_name)),
            ("class", self.class.clone()),
            ("location", self.place.clone()),
            ("trade", self.trade.map(|trade| trade.to_string())),
            ("uploader", self.uploader.clone()),
            ("photo", self.photo.map(|photo| photo.to_string())),
            ("day", self.day.map(|day| day.to_string())),
            ("q", search),
            ("group", self.group.map(|group| group.name().to_owned())),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    pub(super) fn list_url(&self) -> String {
        self.url("/review", &[])
    }

    /// `path` with this filter and `extra` pairs as its query.
    pub(super) fn url(&self, path: &str, extra: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs()).extend_pairs(extra);
        if self.page > 0 {
            query.append_pair("page", &self.page.to_string());
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

/// A project in an address: `8-6778`.
pub(super) fn project_name(project: ProjectKey) -> String {
    format!("{}-{}", project.company, project.project)
}

/// A project from an address.
pub(in crate::http) fn parse_project(text: &str) -> Option<ProjectKey> {
    let (company, project) = text.split_once('-')?;
    let company: CompanyId = company.parse().ok()?;
    let project: ProjectId = project.parse().ok()?;
    Some(ProjectKey { company, project })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_round() {
        let project = Some(ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) });
        let filter = Filter {
            tab: Tab::Problems,
            project,
            class: Some("peeling_paint".into()),
            place: Some("Building A › Floor 2".into()),
            trade: Some(TradeId::new(9)),
            uploader: Some("Ana Ruiz".into()),
            photo: None,
            day: Some(jiff::civil::date(2026, 3, 5)),
            group: Some(Grouping::Class),
            search: "unit 204 & \"stairs\"".into(),
            page: 3,
        };
        let url = filter.list_url();
        let query = url.split_once('?').expect("a query").1;
        let parsed: FilterQuery = serde_urlencoded(query);
        assert_eq!(Filter::from(parsed), filter, "{url}");
        assert_eq!(Filter::default().list_url(), "/review");
    }

    #[test]
    fn nonsense_is_as_good_as_absent() {
        let parsed = serde_urlencoded(
            "tab=../../etc&project=8&page=-1&q=%20&class=&other=1&day=today&trade=x&photo=..&group=mood",
        );
        assert_eq!(Filter::from(parsed), Filter::default());
    }

    fn serde_urlencoded(query: &str) -> FilterQuery {
        let uri = format!("http://box/?{query}").parse().expect("an address");
        axum::extract::Query::try_from_uri(&uri).expect("a query").0
    }
}
