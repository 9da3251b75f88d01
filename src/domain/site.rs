//! The site file: where a project's buildings, floors, zones and rooms lie on the ground.
//!
//! It is GeoJSON (RFC 7946): a `FeatureCollection` whose features are polygons with these properties.
//!
//! | property | meaning |
//! |---|---|
//! | `location` | path in Procore's location tree, `Building A>Floor 2>Unit 204`; required |
//! | `kind` | `building`, `floor`, `zone` or `room`; `room` where absent, `building` for a one-name path |
//! | `altitude_m` | `[lowest, highest]` metres above sea level, of a floor |
//! | `floor_id` | a floor's own short name, unique within its building |
//! | `floor` | the `floor_id` that a room or zone lies on, where its path does not pass through the floor |
//!
//! A floor's geometry may be `null`: it then has the outline of what its path lies in. Other
//! properties are left to the drawing program that wrote them.

mod check;
mod draw;
mod locate;
mod parse;

use std::collections::{HashMap, HashSet};

use geo::{MultiPolygon, Rect};

use crate::domain::capture::GpsFix;
use crate::domain::place::{LocationTree, tree};

pub use check::Problem;
pub use draw::{Dot, Floor};
pub use locate::{Located, Share};
pub use parse::SiteError;

/// Areas that a site file may have at most.
pub const AREAS_MAX: usize = 10_000;

/// Corners that all outlines may have together.
pub const CORNERS_MAX: usize = 200_000;

/// What an area is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A building.
    Building,
    /// A storey.
    Floor,
    /// A part that is not a room: a wing, a façade, a yard.
    Zone,
    /// A room, flat or unit.
    Room,
}

/// One feature of the site file.
#[derive(Debug, Clone)]
pub(crate) struct Area {
    /// Path in Procore's location tree.
    path: Vec<String>,
    kind: Kind,
    /// Metres east and north of the site's origin; `None` for a floor without a geometry of its own.
    outline: Option<MultiPolygon>,
    bounds: Option<Rect>,
    /// Lowest and highest metre above sea level.
    altitude: Option<(f64, f64)>,
    floor_id: Option<String>,
    floor: Option<String>,
    kin: AreaRelations,
}

/// A parsed site file. Outlines are held in metres on a plane that touches the earth at one of its
/// corners; over the few kilometres of a site that is exact to centimetres.
#[derive(Debug, Clone)]
pub struct Site {
    origin: Origin,
    areas: Vec<Area>,
}

/// Where the plane touches the earth.
#[derive(Debug, Clone, Copy)]
struct Origin {
    latitude: f64,
    longitude: f64,
}

impl Origin {
    /// Metres of one degree of latitude on the sphere of the earth's mean radius, 6 371 008.8 m.
    const METRES_PER_DEGREE: f64 = 6_371_008.8 * std::f64::consts::PI / 180.0;

    /// Metres east and north of the origin.
    fn metres(self, longitude: f64, latitude: f64) -> (f64, f64) {
        // The short way round, so that a site on the date line stays in one piece.
        let east = (longitude - self.longitude + 540.0).rem_euclid(360.0) - 180.0;
        let shrink = self.latitude.to_radians().cos();
        (east * shrink * Self::METRES_PER_DEGREE, (latitude - self.latitude) * Self::METRES_PER_DEGREE)
    }
}

impl Site {
    /// Reads a site file.
    ///
    /// # Errors
    /// When it is not GeoJSON, has no areas, too many of them, or one that cannot be understood.
    pub fn parse(geojson: &str) -> Result<Self, SiteError> {
        parse::parse(geojson)
    }

    /// How many areas there are.
    pub const fn len(&self) -> usize {
        self.areas.len()
    }

    /// Never true: a site file without areas is refused.
    pub const fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// The locations that the areas name, in the file's order.
    pub fn paths(&self) -> impl Iterator<Item = &[String]> {
        self.areas.iter().map(|area| area.path.as_slice())
    }

    /// The locations that areas name and `tree` lacks, each with those above it that it lacks too; outer ones first.
    pub fn missing(&self, tree: &LocationTree) -> Vec<Vec<String>> {
        let prefixes = self.paths().flat_map(|path| (1..=path.len()).map(move |length| &path[..length]));
        let mut seen = HashSet::new();
        let mut missing: Vec<Vec<String>> = prefixes
            .filter(|path| tree.by_path(path).is_none() && seen.insert(tree::key(path)))
            .map(<[String]>::to_vec)
            .collect();
        missing.sort_by_key(Vec::len);
        missing
    }

    /// Metres east and north of the site's origin.
    fn metres(&self, fix: &GpsFix) -> (f64, f64) {
        self.origin.metres(fix.longitude, fix.latitude)
    }

    /// The area's outline, or that of the nearest area above that has one.
    fn outline(&self, area: &Area) -> Option<&MultiPolygon> {
        self.areas[area.kin.drawn?].outline.as_ref()
    }
}

/// What an area shares with others, as indices into the list of areas.
#[derive(Debug, Clone, Copy, Default)]
struct AreaRelations {
    /// The area whose path is the longest one above.
    parent: Option<usize>,
    /// The area whose outline holds: itself, or the nearest above that has one.
    drawn: Option<usize>,
    /// The floor: itself, the one named by `floor`, or the nearest above.
    floor: Option<usize>,
}

/// Links each area to those above it.
fn link(areas: &mut [Area]) {
    let mut by_path: HashMap<String, usize> = HashMap::new();
    let mut by_floor_id: HashMap<(String, String), usize> = HashMap::new();
    for (index, area) in areas.iter().enumerate() {
        by_path.entry(tree::key(&area.path)).or_insert(index);
        if let (Kind::Floor, Some(id)) = (area.kind, &area.floor_id) {
            by_floor_id.entry((area.building(), id.clone())).or_insert(index);
        }
    }
    let mut order: Vec<usize> = (0..areas.len()).collect();
    order.sort_by_key(|&index| areas[index].path.len());
    for index in order {
        let area = &areas[index];
        let mut prefixes = (1..area.path.len()).rev();
        let parent = prefixes.find_map(|length| by_path.get(&tree::key(&area.path[..length]))).copied();
        let named =
            area.floor.as_ref().and_then(|id| by_floor_id.get(&(area.building(), id.clone()))).copied();
        let above = parent.map(|parent| areas[parent].kin).unwrap_or_default();
        areas[index].kin = AreaRelations {
            parent,
            drawn: if area.outline.is_some() { Some(index) } else { above.drawn },
            floor: if area.kind == Kind::Floor { Some(index) } else { named.or(above.floor) },
        };
    }
}

impl Area {
    /// The root of the location tree below which it stands.
    fn building(&self) -> String {
        self.path.first().map(|name| tree::fold(name)).unwrap_or_default()
    }
}

#[cfg(test)]
pub(crate) mod sample {
    //! A made-up site: three buildings in a row, four floors each, rooms in a grid.

    use serde_json::{Value, json};

    use super::Site;
    use crate::domain::ids::LocationId;
    use crate::domain::place::{Location, LocationTree};

    /// The south-west corner of building A.
    pub(crate) const CORNER: (f64, f64) = (-0.1300, 51.5000);
    const DEGREE_M: f64 = 111_195.08;

    /// Longitude and latitude of a point `east` and `north` metres of [`CORNER`].
    pub(crate) fn at(east: f64, north: f64) -> (f64, f64) {
        let shrink = CORNER.1.to_radians().cos();
        (CORNER.0 + east / (DEGREE_M * shrink), CORNER.1 + north / DEGREE_M)
    }

    pub(crate) fn rectangle(east: f64, north: f64, width: f64, height: f64) -> Value {
        let corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height), (0.0, 0.0)];
        let ring: Vec<Value> = corners
            .iter()
            .map(|(x, y)| at(east + x, north + y))
            .map(|(longitude, latitude)| json!([longitude, latitude]))
            .collect();
        json!({ "type": "Polygon", "coordinates": [ring] })
    }

    pub(crate) fn feature(geometry: &Value, properties: &Value) -> Value {
        json!({ "type": "Feature", "geometry": geometry, "properties": properties })
    }

    pub(crate) fn collection(features: &[Value]) -> String {
        json!({ "type": "FeatureCollection", "features": features }).to_string()
    }

    /// 3 buildings of 60 × 30 m, 100 m apart; 4 floors of 3 m from 10 m above the sea; 11 or 12
    /// rooms of 10 × 15 m a floor: 3 + 12 + 135 = 150 locations.
    pub(crate) fn paths() -> Vec<String> {
        let mut paths = Vec::new();
        for building in ["A", "B", "C"] {
            paths.push(format!("Building {building}"));
            for floor in 1..=4 {
                paths.push(format!("Building {building}>Floor {floor}"));
                let rooms = if floor == 1 { 12 } else { 11 };
                for room in 1..=rooms {
                    paths.push(format!("Building {building}>Floor {floor}>Unit {floor}{room:02}"));
                }
            }
        }
        paths
    }

    pub(crate) fn tree() -> LocationTree {
        let nodes = (1..).zip(paths()).map(|(id, name)| Location::from_name(LocationId::new(id), &name));
        LocationTree::new(nodes.collect())
    }

    pub(crate) fn site() -> Site {
        let features: Vec<Value> = paths().iter().map(|path| area(path)).collect();
        Site::parse(&collection(&features)).expect("a valid site")
    }

    fn area(path: &str) -> Value {
        let names: Vec<&str> = path.split('>').collect();
        let east = f64::from(names[0].as_bytes()[9] - b'A') * 100.0;
        let properties = json!({ "location": path });
        match names.as_slice() {
            [_] => feature(&rectangle(east, 0.0, 60.0, 30.0), &properties),
            [_, floor] => {
                let number: f64 = floor.trim_start_matches("Floor ").parse().expect("a number");
                let low = 10.0 + 3.0 * (number - 1.0);
                let properties = json!({ "location": path, "kind": "floor", "altitude_m": [low, low + 3.0] });
                feature(&Value::Null, &properties)
            }
            [.., unit] => {
                let number: u32 = unit.trim_start_matches("Unit ").parse().expect("a number");
                let (column, row) = ((number % 100 - 1) % 6, (number % 100 - 1) / 6);
                let (x, y) = (east + f64::from(column) * 10.0, f64::from(row) * 15.0);
                feature(&rectangle(x, y, 10.0, 15.0), &properties)
            }
            [] => unreachable!("split gives at least one part"),
        }
    }

    #[test]
    fn missing_locations_are_told_with_those_above() {
        let known = |name: &str| !name.starts_with("Building C") && name != "Building A>Floor 2>Unit 204";
        let names = paths().into_iter().filter(|name| known(name));
        let nodes = (1..).zip(names).map(|(id, name)| Location::from_name(LocationId::new(id), &name));
        let missing = site().missing(&LocationTree::new(nodes.collect()));
        assert_eq!(missing.len(), 51);
        assert_eq!(missing[0], ["Building C"]);
        assert!(missing.contains(&vec!["Building A".into(), "Floor 2".into(), "Unit 204".into()]));
        assert!(site().missing(&tree()).is_empty());
    }

    #[test]
    fn the_sample_has_150_locations() {
        assert_eq!((paths().len(), tree().locations().len(), site().len()), (150, 150, 150));
    }
}
