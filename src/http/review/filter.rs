//! Which findings a list shows; kept in the address, so that links, reload and the back button work.

use serde::Deserialize;

use crate::domain::ids::{CompanyId, ProjectId, ProjectKey};

/// The longest search text that is used.
const SEARCH_MAX: usize = 100;

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tab {
    /// Waits for a person.
    #[default]
    ToReview,
    /// Decided, and not yet in Procore.
    Waiting,
    /// Decided since midnight.
    DecidedToday,
    /// Refused by Procore.
    Problems,
}

impl Tab {
    pub(super) const ALL: [Self; 4] = [Self::ToReview, Self::Waiting, Self::DecidedToday, Self::Problems];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ToReview => "to-review",
            Self::Waiting => "waiting",
            Self::DecidedToday => "today",
            Self::Problems => "problems",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::ToReview => "To review",
            Self::Waiting => "Waiting",
            Self::DecidedToday => "Decided today",
            Self::Problems => "Problems",
        }
    }

    fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|tab| tab.name() == name).unwrap_or_default()
    }
}

/// The query string as it comes; anything that makes no sense is as good as absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct FilterQuery {
    tab: String,
    project: String,
    class: String,
    q: String,
    page: String,
}

/// A list and how it is narrowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) tab: Tab,
    pub(super) project: Option<ProjectKey>,
    pub(super) class: Option<String>,
    pub(super) search: String,
    /// Counted from 0.
    pub(super) page: u32,
}

impl From<FilterQuery> for Filter {
    fn from(query: FilterQuery) -> Self {
        let class = query.class.trim();
        Self {
            tab: Tab::parse(&query.tab),
            project: parse_project(&query.project),
            class: (!class.is_empty()).then(|| class.chars().take(SEARCH_MAX).collect()),
            search: query.q.trim().chars().take(SEARCH_MAX).collect(),
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

    /// Whether anything but the tab is chosen.
    pub(super) fn is_narrowed(&self) -> bool {
        self.project.is_some() || self.class.is_some() || !self.search.is_empty()
    }

    /// The list's address.
    pub(super) fn list_url(&self) -> String {
        self.url("/review", &[])
    }

    /// `path` with this filter and `extra` pairs as its query.
    pub(super) fn url(&self, path: &str, extra: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if self.tab != Tab::default() {
            query.append_pair("tab", self.tab.name());
        }
        if let Some(project) = self.project {
            query.append_pair("project", &project_name(project));
        }
        if let Some(class) = &self.class {
            query.append_pair("class", class);
        }
        if !self.search.is_empty() {
            query.append_pair("q", &self.search);
        }
        if self.page > 0 {
            query.append_pair("page", &self.page.to_string());
        }
        query.extend_pairs(extra);
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
        let parsed = serde_urlencoded("tab=../../etc&project=8&page=-1&q=%20&class=&other=1");
        assert_eq!(Filter::from(parsed), Filter::default());
    }

    fn serde_urlencoded(query: &str) -> FilterQuery {
        let uri = format!("http://box/?{query}").parse().expect("an address");
        axum::extract::Query::try_from_uri(&uri).expect("a query").0
    }
}
