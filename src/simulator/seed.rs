//! The company that the simulator starts with: the same for every run.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::Timestamp;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Options;
use super::access::{Access, Level};
use super::conditions::Conditions;
use super::limits::Meters;
use super::people::Member;
use super::policies::Policies;
use super::state::{
    Album, Company, Location, NextIds, PUNCH_ALBUM, People, Project, PunchItemType, Trade, User, World, take,
};
use crate::domain::ids::{CompanyId, LocationId, ProjectId, PunchItemTypeId, TradeId, UserId};

/// The one company.
pub const COMPANY: CompanyId = CompanyId::new(8);
/// The project that the service account may work in.
pub const PROJECT: ProjectId = ProjectId::new(6778);
/// A project of the same company that it may not touch.
pub const FORBIDDEN_PROJECT: ProjectId = ProjectId::new(6779);
/// The service account.
pub const SERVICE_USER: UserId = UserId::new(777_001);
/// The superintendent who uploads photos.
pub const SUPERINTENDENT: UserId = UserId::new(160_586);
/// The first of the punch item managers, who is also in the project that the service account may not touch.
pub const MANAGER: UserId = UserId::new(160_590);
/// Somebody who may read the punch list and no more.
pub const OBSERVER: UserId = UserId::new(160_591);
/// Somebody of the company who is in no project.
pub const STRANGER: UserId = UserId::new(160_599);

const TRADES: [&str; 14] = [
    "01 - General Conditions",
    "02 - Demolition",
    "03 - Concrete",
    "04 - Masonry",
    "05 - Structural Steel",
    "06 - Carpentry",
    "07 - Roofing",
    "07 - Waterproofing",
    "08 - Doors and Windows",
    "09 - Drywall",
    "09 - Flooring and Tile",
    "09 - Painting",
    "22 - Plumbing",
    "26 - Electrical",
];
const TYPES: [&str; 5] = ["Finishes", "Structural", "Water Damage", "Safety", "Warranty"];
const ROOMS: [&str; 3] = ["Corridor", "Stairwell", "Electrical Room"];
const BUILDINGS: [&str; 3] = ["Building A", "Building B", "Building C"];
const FLOORS: u32 = 4;
const UNITS: u32 = 8;

/// The world at its beginning.
pub(super) fn world(options: &Options, now: Timestamp) -> World {
    let founded = Timestamp::from_second(1_767_225_600).unwrap_or(now).min(now);
    let mut next = NextIds {
        image: 562_950_208_716_652,
        punch_item: 67_895_267,
        location: 15_503,
        hook: 4_710,
        trigger: 90_210,
        comment: 3_300,
        attachment: 6_181_940_360,
        event: 5_982_324_300_946_918_153,
        request: 0,
    };
    World {
        company: Company { id: COMPANY, name: "Northgate Builders".into() },
        projects: projects(),
        people: people(&options.client_id),
        trades: trades(founded),
        types: types(founded),
        albums: albums(founded),
        locations: locations(&mut next.location, founded),
        images: BTreeMap::new(),
        punch_items: BTreeMap::new(),
        uploads: HashMap::new(),
        files: HashMap::new(),
        hooks: BTreeMap::new(),
        deliveries: BTreeMap::new(),
        queues: HashMap::new(),
        tokens: HashMap::new(),
        members: members(),
        codes: HashMap::new(),
        refreshes: HashMap::new(),
        meters: Meters::default(),
        conditions: Conditions::default(),
        faults: options.faults.clone(),
        policies: Policies::default(),
        requests: VecDeque::new(),
        violations: Vec::new(),
        mailings: Vec::new(),
        rng: ChaCha8Rng::seed_from_u64(options.seed),
        next,
    }
}

fn projects() -> Vec<Project> {
    let project = |id, name: &str, number: &str, permitted| Project {
        id,
        company: COMPANY,
        name: name.into(),
        number: number.into(),
        permitted,
    };
    vec![
        project(PROJECT, "Harbour Street Residences", "24-017", true),
        project(FORBIDDEN_PROJECT, "Mill Lane Offices", "24-021", false),
    ]
}

fn people(client_id: &str) -> People {
    let user = |id, name: &str, login: &str| User {
        id,
        login: login.into(),
        name: name.into(),
        company_name: "Northgate Builders".into(),
        application: None,
    };
    People {
        service: User {
            application: Some(client_id.to_owned()),
            ..user(SERVICE_USER, "Punchlens", "punchlens-dmsa@service.example")
        },
        superintendent: user(SUPERINTENDENT, "Sam Okafor", "sam@northgate.example"),
        managers: vec![
            user(MANAGER, "Pat Lindqvist", "pat@northgate.example"),
            user(OBSERVER, "Ana Reyes", "ana@northgate.example"),
        ],
        others: vec![user(STRANGER, "Lee Marsh", "lee@northgate.example")],
    }
}

fn members() -> Vec<Member> {
    let member = |user, project, punch_list| Member {
        user,
        project,
        access: Access { punch_list, ..Access::default() },
    };
    vec![
        member(SUPERINTENDENT, PROJECT, Level::Standard),
        member(MANAGER, PROJECT, Level::Admin),
        member(MANAGER, FORBIDDEN_PROJECT, Level::Admin),
        member(OBSERVER, PROJECT, Level::ReadOnly),
    ]
}

fn trades(founded: Timestamp) -> Vec<Trade> {
    let ids = (990..).map(TradeId::new);
    let mut trades: Vec<Trade> = ids
        .zip(TRADES)
        .map(|(id, name)| Trade { id, name: name.into(), active: true, updated_at: founded })
        .collect();
    // Companies keep trades that nobody may choose any more.
    trades.push(Trade {
        id: TradeId::new(989),
        name: "09 - Plaster (old)".into(),
        active: false,
        updated_at: founded,
    });
    trades
}

fn types(founded: Timestamp) -> Vec<PunchItemType> {
    let ids = (31..).map(PunchItemTypeId::new);
    ids.zip(TYPES).map(|(id, name)| PunchItemType { id, name: name.into(), created_at: founded }).collect()
}

fn albums(founded: Timestamp) -> Vec<Album> {
    let album = |id, name: &str, private| Album {
        id,
        project: PROJECT,
        name: name.into(),
        private,
        created_at: founded,
    };
    vec![
        album(1, "Unclassified", false),
        album(2, "Progress Photos", false),
        album(3, PUNCH_ALBUM, true),
        Album { project: FORBIDDEN_PROJECT, ..album(4, "Unclassified", false) },
    ]
}

/// Three buildings with a roof and four floors each, every floor with eight units and three rooms:
/// 150 places.
fn locations(counter: &mut i64, founded: Timestamp) -> BTreeMap<LocationId, Location> {
    let mut tree = BTreeMap::new();
    let mut add = |parent: Option<&Location>, name: String| -> Location {
        let mut path = parent.map(|parent| parent.path.clone()).unwrap_or_default();
        path.push(name);
        let id = LocationId::new(take(counter));
        let parent = parent.map(|parent| parent.id);
        let node = Location { id, project: PROJECT, parent, path, created_at: founded };
        tree.insert(id, node.clone());
        node
    };
    for building in BUILDINGS {
        let building = add(None, building.into());
        for level in 1..=FLOORS {
            let floor = add(Some(&building), format!("Floor {level}"));
            for unit in 1..=UNITS {
                add(Some(&floor), format!("Unit {level}{unit:02}"));
            }
            for room in ROOMS {
                add(Some(&floor), room.into());
            }
        }
        add(Some(&building), "Roof".into());
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_a_tree_of_150() {
        let mut counter = 0;
        let tree = locations(&mut counter, Timestamp::UNIX_EPOCH);
        assert_eq!(tree.len(), 150);
        for node in tree.values() {
            let depth = node.parent.map_or(0, |parent| tree[&parent].path.len());
            assert_eq!(node.path.len(), depth + 1);
        }
        let floors =
            tree.values().filter(|node| node.path.last().is_some_and(|name| name.starts_with("Floor")));
        assert_eq!(floors.count(), 12);
    }
}
