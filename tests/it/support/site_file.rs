//! A site file for the simulator's location tree: buildings in a row, rooms in a grid.

use std::path::{Path, PathBuf};

use punchlens::simulator::Simulator;
use serde_json::{Value, json};

use crate::support::Setup;

/// The south-west corner of the first building: in open water, like the fixtures' site.
const CORNER: (f64, f64) = (-20.0, 47.0);
const DEGREE_M: f64 = 111_195.08;
const BUILDING: (f64, f64) = (60.0, 30.0);
/// From one building's corner to the next.
const PITCH_M: f64 = 100.0;
/// Rooms side by side on a floor.
const ACROSS: usize = 4;

/// Writes a site file of the simulator's tree into `folder`.
pub(crate) async fn written(folder: &Path) -> PathBuf {
    // The tree of a simulator is always the same: one is asked before the service is configured.
    let simulator = Simulator::start(Setup::default().options).await.expect("free ports");
    let paths: Vec<Vec<String>> = simulator.locations().into_iter().map(|(_, path)| path).collect();
    simulator.stop().await;
    let file = folder.join("site.geojson");
    std::fs::write(&file, geojson(&paths)).expect("writes");
    file
}

/// GeoJSON with an area for each of `paths`.
fn geojson(paths: &[Vec<String>]) -> String {
    let buildings: Vec<&Vec<String>> = paths.iter().filter(|path| path.len() == 1).collect();
    let number = |name: &str| buildings.iter().position(|path| path[0] == name);
    let mut features = Vec::new();
    for path in paths {
        let Some(east) = number(&path[0]).map(|number| number as f64 * PITCH_M) else { continue };
        let (kind, ring) = match path.len() {
            1 => ("building", rectangle(east, 0.0, BUILDING.0, BUILDING.1)),
            2 => ("floor", rectangle(east, 0.0, BUILDING.0, BUILDING.1)),
            _ => ("room", room(paths, path, east)),
        };
        features.push(json!({
            "type": "Feature",
            "properties": { "location": path.join(">"), "kind": kind },
            "geometry": { "type": "Polygon", "coordinates": [ring] },
        }));
    }
    json!({ "type": "FeatureCollection", "features": features }).to_string()
}

fn room(paths: &[Vec<String>], path: &[String], east: f64) -> Value {
    let on_floor: Vec<&Vec<String>> =
        paths.iter().filter(|other| other.len() == path.len() && other[..2] == path[..2]).collect();
    let at = on_floor.iter().position(|other| other.as_slice() == path).unwrap_or_default();
    let rows = on_floor.len().div_ceil(ACROSS).max(1);
    let (width, height) = (BUILDING.0 / ACROSS as f64, BUILDING.1 / rows as f64);
    rectangle(east + (at % ACROSS) as f64 * width, (at / ACROSS) as f64 * height, width, height)
}

fn rectangle(east: f64, north: f64, width: f64, height: f64) -> Value {
    let shrink = CORNER.1.to_radians().cos();
    let corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height), (0.0, 0.0)];
    corners
        .iter()
        .map(|(x, y)| json!([CORNER.0 + (east + x) / (DEGREE_M * shrink), CORNER.1 + (north + y) / DEGREE_M]))
        .collect()
}
