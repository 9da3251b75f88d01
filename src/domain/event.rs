//! A webhook event after parsing, and what it calls for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{CompanyId, ImageId, ProjectId, ProjectKey, PunchItemId, UserId};

/// What happened to the resource. Procore may add kinds; unknown ones are kept as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was made.
    Create,
    /// It was changed.
    Update,
    /// It was deleted.
    Delete,
    /// Something this version does not know.
    Other(String),
}

/// The parts of a delivery that decide what to do, the same for payload families v2, v3 and v4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The resource as Procore names it, e.g. `Images`.
    pub resource: String,
    /// Its id.
    pub resource_id: i64,
    /// What happened.
    pub change: Change,
    /// Whose it is.
    pub company: CompanyId,
    /// Absent on company-level events.
    pub project: Option<ProjectId>,
    /// Who did it, where known.
    pub user: Option<UserId>,
    /// The application that did it (v2 and v3 only, and sometimes null even there).
    pub application: Option<String>,
}

/// What the router must know of the configuration.
#[derive(Debug, Clone)]
pub struct RoutingPolicy<'a> {
    /// The projects that may be read at all.
    pub permitted: &'a [ProjectKey],
    /// Our own service account, once known.
    pub own_user: Option<UserId>,
    /// Our OAuth client id.
    pub own_application: &'a str,
}

/// A list of Procore's that is kept with an age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// The location tree.
    Locations,
    /// The company's trades.
    Trades,
    /// The types of punch items.
    ItemTypes,
    /// The people who may manage punch items.
    Managers,
    /// The people who may approve punch items.
    Approvers,
    /// The fieldset of punch items.
    Fields,
    /// The cost codes.
    CostCodes,
    /// Who this service is.
    OwnUser,
}

impl List {
    /// The stable name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Locations => "locations",
            Self::Trades => "trades",
            Self::ItemTypes => "item_types",
            Self::Managers => "managers",
            Self::Approvers => "approvers",
            Self::Fields => "fields",
            Self::CostCodes => "cost_codes",
            Self::OwnUser => "own_user",
        }
    }

    /// Whether all projects of a company have the list in common.
    pub const fn is_of_company(self) -> bool {
        matches!(self, Self::Trades | Self::OwnUser)
    }

    /// The one that `project` uses.
    pub fn of_project(self, project: ProjectKey) -> ListKey {
        let own = (!self.is_of_company()).then_some(project.project);
        ListKey { list: self, company: project.company, project: own }
    }

    /// The list whose rows Procore calls `resource`.
    fn of(resource: &str) -> Option<Self> {
        match resource {
            "Locations" => Some(Self::Locations),
            "Trades" => Some(Self::Trades),
            "Punch Item Types" => Some(Self::ItemTypes),
            _ => None,
        }
    }
}

/// One list of one project, or of one company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ListKey {
    /// Which.
    pub list: List,
    /// Whose.
    pub company: CompanyId,
    /// The project; none where the list is the company's.
    pub project: Option<ProjectId>,
}

impl fmt::Display for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.list.name(), self.company)?;
        self.project.map_or(Ok(()), |project| write!(f, "/{project}"))
    }
}

/// What an event calls for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Look at this photo.
    Analyze(ProjectKey, ImageId),
    /// The photo is gone: forget what is kept of it.
    ForgetPhoto(ProjectKey, ImageId),
    /// Somebody changed a punch item; it may be one of ours.
    PunchItemChanged(ProjectKey, PunchItemId),
    /// One entry of a list changed, or is gone.
    ListChanged {
        /// The list.
        key: ListKey,
        /// The entry's id.
        entry: i64,
        /// Whether it was deleted.
        gone: bool,
    },
    /// Nothing, and why.
    Ignore(String),
}

/// Decides what `event` calls for.
pub fn route(event: &Event, policy: &RoutingPolicy<'_>) -> Route {
    let Some(project) = event.project else {
        let ours = policy.permitted.iter().any(|project| project.company == event.company);
        return match List::of(&event.resource).filter(|list| ours && list.is_of_company()) {
            Some(list) => list_changed(ListKey { list, company: event.company, project: None }, event),
            None => Route::Ignore("company-level event".into()),
        };
    };
    let project = ProjectKey { company: event.company, project };
    if !policy.permitted.contains(&project) {
        return Route::Ignore(format!("project {project} is not permitted"));
    }
    let ours = (event.user.is_some() && event.user == policy.own_user)
        || event.application.as_deref().is_some_and(|id| id == policy.own_application);
    match (event.resource.as_str(), &event.change) {
        ("Images", Change::Create | Change::Update) if ours => Route::Ignore("made by this service".into()),
        ("Images", Change::Create | Change::Update) => {
            Route::Analyze(project, ImageId::new(event.resource_id))
        }
        ("Images", Change::Delete) => Route::ForgetPhoto(project, ImageId::new(event.resource_id)),
        ("Punch Items", Change::Update | Change::Delete) if !ours => {
            Route::PunchItemChanged(project, PunchItemId::new(event.resource_id))
        }
        (resource, change) => match List::of(resource) {
            Some(list) => list_changed(list.of_project(project), event),
            None => Route::Ignore(format!("{resource} {change:?} needs nothing")),
        },
    }
}

fn list_changed(key: ListKey, event: &Event) -> Route {
    Route::ListChanged { key, entry: event.resource_id, gone: event.change == Change::Delete }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };

    fn event(resource: &str, change: Change) -> Event {
        Event {
            resource: resource.into(),
            resource_id: 41,
            change,
            company: PROJECT.company,
            project: Some(PROJECT.project),
            user: Some(UserId::new(5447)),
            application: None,
        }
    }

    fn routed(event: &Event) -> Route {
        let policy = RoutingPolicy {
            permitted: &[PROJECT],
            own_user: Some(UserId::new(777)),
            own_application: "client",
        };
        route(event, &policy)
    }

    fn ignored(event: &Event) -> bool {
        matches!(routed(event), Route::Ignore(_))
    }

    #[test]
    fn photos_are_looked_at() {
        let photo = Route::Analyze(PROJECT, ImageId::new(41));
        assert_eq!(routed(&event("Images", Change::Create)), photo);
        assert_eq!(routed(&event("Images", Change::Update)), photo);
        assert_eq!(routed(&event("Images", Change::Delete)), Route::ForgetPhoto(PROJECT, ImageId::new(41)));
    }

    #[test]
    fn a_change_of_a_list_is_one_of_its_entries() {
        let changed =
            |list: List, gone| Route::ListChanged { key: list.of_project(PROJECT), entry: 41, gone };
        let trades = event("Trades", Change::Create);
        assert_eq!(routed(&trades), changed(List::Trades, false));
        let of_company = Event { project: None, ..trades };
        assert_eq!(routed(&of_company), changed(List::Trades, false), "trades are the company's");
        let of_strangers = Event { company: CompanyId::new(9), ..of_company };
        assert!(ignored(&of_strangers));
        let places = event("Locations", Change::Other("moved".into()));
        assert_eq!(routed(&places), changed(List::Locations, false));
        assert_eq!(routed(&event("Locations", Change::Delete)), changed(List::Locations, true));
        assert!(ignored(&Event { project: None, ..places }), "a company has no locations");
        assert_eq!(List::Locations.of_project(PROJECT).to_string(), "locations of 8/6778");
        assert_eq!(List::Trades.of_project(PROJECT).to_string(), "trades of 8");
    }

    #[test]
    fn our_own_deeds_start_nothing() {
        let by_user = Event { user: Some(UserId::new(777)), ..event("Images", Change::Create) };
        let by_application = Event { application: Some("client".into()), ..event("Images", Change::Create) };
        let own_item = Event { user: Some(UserId::new(777)), ..event("Punch Items", Change::Update) };
        assert!(ignored(&by_user) && ignored(&by_application) && ignored(&own_item));
    }

    #[test]
    fn strangers_and_unknown_kinds_are_ignored() {
        let stranger = Event { project: Some(ProjectId::new(1)), ..event("Images", Change::Create) };
        let company_level = Event { project: None, ..event("Images", Change::Create) };
        let odd = event("Images", Change::Other("restore".into()));
        assert!(ignored(&stranger) && ignored(&company_level) && ignored(&odd));
        assert!(ignored(&event("Daily Logs", Change::Create)));
    }
}
