//! What tests set up: how lists are told, more companies, projects and people, trees that grow and change. And what every
//! test checks: whether the contract was kept.

use std::sync::PoisonError;

use super::access::{Access, Level};
use super::events::{Cause, Change};
use super::listing::Listing;
use super::people::Member;
use super::state::{Location, Project, Trade, User, take};
use super::{Simulator, seed};
use crate::domain::ids::{CompanyId, LocationId, ProjectId, TradeId, UserId};

/// The first id of what [`Simulator::grow`] adds.
const GROWN: i64 = 5_000_000;

impl Simulator {
    /// Tells lists in another way from here on.
    pub fn set_listing(&self, listing: Listing) {
        *self.sim.listing.lock().unwrap_or_else(PoisonError::into_inner) = listing;
    }

    /// What was asked or answered otherwise than the contract has it, each in a sentence.
    pub fn violations(&self) -> Vec<String> {
        self.sim.world().violations.clone()
    }

    /// Forgets the violations so far: for tests that ask wrongly on purpose.
    pub fn forgive(&self) {
        self.sim.change(|world| world.violations.clear());
    }

    /// Adds a project in which the service account may work, of this or another company.
    pub fn add_project(&self, company: CompanyId, id: ProjectId, name: &str) {
        let (name, number) = (name.to_owned(), id.to_string());
        self.sim.change(|world| {
            world.projects.push(Project { id, company, name, number, permitted: true });
        });
    }

    /// Puts somebody into a project. Who is only in projects of other companies is not in the first company.
    pub fn add_member(&self, user: UserId, project: ProjectId, punch_list: Level) {
        let access = Access { punch_list, ..Access::default() };
        self.sim.change(|world| world.members.push(Member { user, project, access }));
    }

    /// Adds so many locations to the seeded project, trades to the company and people who may manage.
    pub fn grow(&self, locations: usize, trades: usize, people: usize) {
        let now = self.sim.now();
        self.sim.change(|world| {
            let floor = world.locations.values().find(|place| place.path.len() == 2).cloned();
            for number in 0..locations {
                let id = LocationId::new(take(&mut world.next.location));
                let mut path = floor.iter().flat_map(|floor| floor.path.clone()).collect::<Vec<_>>();
                path.push(format!("Store {number}"));
                let parent = floor.as_ref().map(|floor| floor.id);
                world
                    .locations
                    .insert(id, Location { id, project: seed::PROJECT, parent, path, created_at: now });
            }
            world.trades.extend((GROWN..).zip(0..trades).map(|(id, number)| Trade {
                id: TradeId::new(id),
                name: format!("Special trade {number}"),
                active: true,
                updated_at: now,
            }));
            world.people.managers.extend((GROWN..).zip(0..people).map(|(id, number)| User {
                id: UserId::new(id),
                login: format!("person{number}@northgate.example"),
                name: format!("Person {number}"),
                company_name: "Northgate Builders".into(),
                application: None,
            }));
        });
    }

    /// Somebody adds a location to the seeded project, with all above it that is missing.
    pub fn add_location(&self, path: &[&str]) -> Option<LocationId> {
        let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
        self.sim.place(seed::PROJECT, &path, &Cause::person(seed::MANAGER)).0
    }

    /// Somebody gives a location of the seeded project another name.
    pub fn rename_location(&self, id: LocationId, name: &str) {
        self.sim.change(|world| {
            let Some(old) = world.locations.get(&id).map(|place| place.path.clone()) else { return };
            let depth = old.len();
            for place in world.locations.values_mut().filter(|place| place.path.starts_with(&old)) {
                name.clone_into(&mut place.path[depth - 1]);
            }
        });
        self.sim.emit("Locations", id.value(), Change::Update, seed::PROJECT, &Cause::person(seed::MANAGER));
    }

    /// Somebody deletes a location of the seeded project, and all below it.
    pub fn delete_location(&self, id: LocationId) {
        self.sim.change(|world| {
            let below: Vec<LocationId> =
                world.locations.keys().copied().filter(|place| world.is_within(*place, id)).collect();
            world.locations.retain(|place, _| !below.contains(place));
        });
        self.sim.emit("Locations", id.value(), Change::Delete, seed::PROJECT, &Cause::person(seed::MANAGER));
    }
}

impl Drop for Simulator {
    /// # Panics
    /// Where the contract was broken, unless the options let it pass: so every test that talks to a simulator is a test
    /// of the contract too.
    fn drop(&mut self) {
        self.sim.stopping.cancel();
        let violations = self.violations();
        if self.sim.options.strict && !std::thread::panicking() {
            assert!(violations.is_empty(), "against Procore's contract: {violations:#?}");
        }
    }
}
