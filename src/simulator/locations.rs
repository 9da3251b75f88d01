//! A project's location tree.

use axum::Router;
use axum::routing::MethodFilter;
use serde_json::{Value, json};

use super::call::{Call, Refusal, Reply, integer, on, stamp};
use super::events::{Cause, Change};
use super::state::{Location, Shared, Sim, World, take};
use crate::domain::ids::{LocationId, ProjectId};

pub(super) fn routes() -> Router<Sim> {
    const OF_PROJECT: &str = "/rest/v1.0/projects/{project_id}/locations";
    Router::new()
        .route(OF_PROJECT, on(MethodFilter::GET, list))
        .route(OF_PROJECT, on(MethodFilter::POST, create))
        .route(&format!("{OF_PROJECT}/find_or_create_by_path"), on(MethodFilter::POST, find_or_create))
}

impl World {
    /// A location as it stands inside other answers, with its code where lists have that.
    pub(super) fn location_json(&self, id: Option<LocationId>, code: bool) -> Value {
        let Some(location) = id.and_then(|id| self.locations.get(&id)) else { return Value::Null };
        let mut row = json!({
            "id": location.id,
            "name": location.path.join(">"),
            "node_name": location.path.last(),
            "parent_id": location.parent,
            "created_at": stamp(location.created_at),
            "updated_at": stamp(location.created_at),
        });
        if code {
            row["code"] = Value::Null;
        }
        row
    }

    /// Whether `id` is `root` or lies below it.
    pub(super) fn is_within(&self, id: LocationId, root: LocationId) -> bool {
        let mut next = Some(id);
        while let Some(id) = next {
            if id == root {
                return true;
            }
            next = self.locations.get(&id).and_then(|location| location.parent);
        }
        false
    }

    fn location_at(&self, project: ProjectId, path: &[String]) -> Option<LocationId> {
        let mut places = self.locations.values();
        places.find(|place| place.project == project && place.path == path).map(|place| place.id)
    }
}

impl Shared {
    /// Refuses a location that the project does not have.
    pub(super) fn known_location(&self, project: ProjectId, id: Option<LocationId>) -> Result<(), Refusal> {
        let Some(id) = id else { return Ok(()) };
        let world = self.world();
        if world.locations.get(&id).is_some_and(|location| location.project == project) {
            return Ok(());
        }
        Err(Refusal::invalid("location_id", "is not a location of this project"))
    }

    /// The node at `path`, made with all above it where it is missing; and whether it was.
    pub(super) fn place(
        &self,
        project: ProjectId,
        path: &[String],
        cause: &Cause,
    ) -> (Option<LocationId>, bool) {
        let now = self.now();
        let mut parent = None;
        let mut made = Vec::new();
        self.change(|world| {
            for depth in 1..=path.len() {
                let names = &path[..depth];
                parent = Some(world.location_at(project, names).unwrap_or_else(|| {
                    let id = LocationId::new(take(&mut world.next.location));
                    let node = Location { id, project, parent, path: names.to_vec(), created_at: now };
                    world.locations.insert(id, node);
                    made.push(id);
                    id
                }));
            }
        });
        for id in &made {
            self.emit("Locations", id.value(), Change::Create, project, cause);
        }
        (parent, !made.is_empty())
    }
}

fn project(sim: &Shared, call: &Call) -> Result<ProjectId, Refusal> {
    let project = ProjectId::new(call.id("project_id")?);
    sim.open(project)?;
    Ok(project)
}

fn list(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let project = project(sim, call)?;
    let number = |name: &str| call.query(name).and_then(|text| text.parse().ok()).map(LocationId::new);
    let ids = call.ids("filters[id]")?;
    let updated = call.range("filters[updated_at]")?;
    let (parent, below) = (number("filters[parent_id]"), number("filters[sublocations_for]"));
    let above = number("filters[superlocations_for]");
    let search = call.query("filters[search]").map(str::to_lowercase);
    let world = sim.world();
    let mut places: Vec<&Location> = world
        .locations
        .values()
        .filter(|place| place.project == project)
        .filter(|place| ids.as_ref().is_none_or(|ids| ids.contains(&place.id.value())))
        .filter(|place| parent.is_none_or(|parent| place.parent == Some(parent)))
        .filter(|place| below.is_none_or(|root| place.id != root && world.is_within(place.id, root)))
        .filter(|place| above.is_none_or(|leaf| place.id != leaf && world.is_within(leaf, place.id)))
        .filter(|place| {
            search.as_ref().is_none_or(|words| place.path.join(">").to_lowercase().contains(words))
        })
        .filter(|place| updated.is_none_or(|(from, to)| from <= place.created_at && place.created_at <= to))
        .collect();
    if call.query("sort") == Some("name") {
        places.sort_by(|a, b| a.path.cmp(&b.path));
    }
    let rows: Vec<Value> = places.iter().map(|place| world.location_json(Some(place.id), true)).collect();
    Ok(Reply::page(sim, call, &rows, 2000))
}

fn create(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let project = project(sim, call)?;
    let fields = &call.body["location"];
    let name = fields["node_name"].as_str().filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| Refusal::invalid("node_name", "can't be blank"))?;
    let parent = integer(&fields["parent_id"]).map(LocationId::new);
    sim.known_location(project, parent)?;
    let above = parent.and_then(|id| sim.world().locations.get(&id).map(|place| place.path.clone()));
    let path: Vec<String> = above.into_iter().flatten().chain([name.to_owned()]).collect();
    let (id, made) = sim.place(project, &path, &Cause::of(call)?);
    if !made {
        return Err(Refusal::invalid("node_name", "has already been taken"));
    }
    let row = sim.world().location_json(id, true);
    Ok(Reply::created(row))
}

fn find_or_create(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let project = project(sim, call)?;
    let names = call.body["location"]["path"].as_array();
    let path: Option<Vec<String>> =
        names.map(|names| names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect());
    let path = path.filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| Refusal::bad_request("location[path] is missing"))?;
    let (id, made) = sim.place(project, &path, &Cause::of(call)?);
    let row = sim.world().location_json(id, true);
    Ok(if made { Reply::created(row) } else { Reply::ok(row) })
}
