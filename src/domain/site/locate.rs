//! Which areas a position with its accuracy can mean, and how likely each is.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use geo::{
    Area as _, BooleanOps, Contains, Coord, Distance, Euclidean, Intersects, LineString, MultiPolygon, Point,
    Polygon, Rect,
};

use crate::domain::capture::GpsFix;
use crate::domain::place::tree;
use crate::domain::site::{Kind, Site};

/// Corners of the polygon that stands for the circle; its area is 0.3 % short of the circle's.
const CIRCLE_CORNERS: u32 = 48;

/// No position is better than this, in metres, whatever it claims.
const RADIUS_MIN_M: f64 = 0.5;

/// How much of the circle one location covers.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The location's path.
    pub path: Vec<String>,
    /// Share of that part of the circle that lies on the site, 0..=1.
    pub share: f64,
}

/// What the site file says to a position.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The locations that the circle touches, ordered by path.
    pub shares: Vec<Share>,
    /// Share of the circle that lies on the site at all, 0..=1.
    pub covered: f64,
    /// Whether the circle's middle lies on the site.
    pub inside: bool,
    /// Metres from the middle to the nearest outline; 0 inside.
    pub away_m: f64,
}

/// The circle and the span of heights in which the camera is believed to have been.
struct MiddleDistance {
    circle: Polygon,
    bounds: Rect,
    heights: Option<(f64, f64)>,
}

impl Site {
    /// What lies within `radius_m` of `fix`. With an altitude and floors in bands, floors count by
    /// how much of altitude ± `vertical_m` each holds; without, all floors of a building alike.
    pub fn locate(&self, fix: &GpsFix, radius_m: f64, vertical_m: f64) -> Located {
        let (x, y) = self.metres(fix);
        let middle = Point::new(x, y);
        let heights = fix.altitude_m.map(|altitude| (altitude - vertical_m, altitude + vertical_m));
        let belief = belief(middle.0, radius_m.max(RADIUS_MIN_M), heights);
        let weights = self.floor_weights(belief.heights);
        let mut own: BTreeMap<String, (Vec<String>, f64)> = BTreeMap::new();
        let mut on_site = 0.0;
        let (mut inside, mut away_m) = (false, f64::INFINITY);
        for area in &self.areas {
            let Some(outline) = self.outline(area) else { continue };
            if area.kin.parent.is_none() {
                inside |= outline.contains(&middle);
                away_m = away_m.min(Euclidean.distance(&middle, outline));
                on_site += overlap(outline, area.bounds, &belief);
            }
            let weight = area.kin.floor.map_or(1.0, |floor| weights[floor]);
            let square_metres = overlap(outline, area.bounds, &belief) * weight;
            if square_metres > 0.0 {
                own.entry(tree::key(&area.path)).or_insert_with(|| (area.path.clone(), 0.0)).1 +=
                    square_metres;
            }
        }
        let whole = belief.circle.unsigned_area();
        let shares = own.into_values().map(|(path, square_metres)| Share {
            path,
            share: if on_site > 0.0 { (square_metres / on_site).min(1.0) } else { 0.0 },
        });
        Located {
            shares: shares.collect(),
            covered: (on_site / whole).clamp(0.0, 1.0),
            inside,
            away_m: if inside { 0.0 } else { away_m },
        }
    }

    /// For each area that is a floor, how likely it is among the floors of its building.
    fn floor_weights(&self, heights: Option<(f64, f64)>) -> Vec<f64> {
        let mut buildings: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, area) in self.areas.iter().enumerate() {
            if area.kind == Kind::Floor {
                buildings.entry(area.building()).or_default().push(index);
            }
        }
        let mut weights = vec![1.0; self.areas.len()];
        for floors in buildings.into_values() {
            let held: Vec<f64> = floors.iter().map(|&floor| self.held(floor, heights)).collect();
            // A floor without a band could be at any height: then heights decide nothing.
            let banded = floors.iter().all(|&floor| self.areas[floor].altitude.is_some());
            let sum: f64 = if banded { held.iter().sum() } else { 0.0 };
            for (&floor, held) in floors.iter().zip(&held) {
                weights[floor] = if sum > 0.0 { held / sum } else { 1.0 / floors.len() as f64 };
            }
        }
        weights
    }

    /// Metres of `heights` that the floor's band holds.
    fn held(&self, floor: usize, heights: Option<(f64, f64)>) -> f64 {
        match (self.areas[floor].altitude, heights) {
            (Some((low, high)), Some((from, to))) => (high.min(to) - low.max(from)).max(0.0),
            _ => 0.0,
        }
    }
}

fn belief(middle: Coord, radius: f64, heights: Option<(f64, f64)>) -> MiddleDistance {
    let corner = |step: u32| {
        let (sin, cos) = (f64::from(step) / f64::from(CIRCLE_CORNERS) * TAU).sin_cos();
        Coord { x: middle.x + radius * cos, y: middle.y + radius * sin }
    };
    let bounds = Rect::new(
        Coord { x: middle.x - radius, y: middle.y - radius },
        Coord { x: middle.x + radius, y: middle.y + radius },
    );
    MiddleDistance {
        circle: Polygon::new((0..CIRCLE_CORNERS).map(corner).collect::<LineString>(), vec![]),
        bounds,
        heights,
    }
}

/// Square metres of the circle inside the outline.
fn overlap(outline: &MultiPolygon, bounds: Option<Rect>, belief: &MiddleDistance) -> f64 {
    if bounds.is_some_and(|bounds| !bounds.intersects(&belief.bounds)) {
        return 0.0;
    }
    outline.intersection(&belief.circle).unsigned_area()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::site::sample::{self, at, collection, feature, rectangle, site};

    fn fix(east: f64, north: f64, altitude_m: Option<f64>) -> GpsFix {
        let (longitude, latitude) = at(east, north);
        GpsFix { latitude, longitude, altitude_m, accuracy_m: None, direction_deg: None }
    }

    fn share(located: &Located, path: &str) -> f64 {
        let wanted = tree::parse_path(path);
        located.shares.iter().find(|share| share.path == wanted).map_or(0.0, |share| share.share)
    }

    #[test]
    fn shares_follow_ground_and_height() {
        let near =
            |found: f64, expected: f64| assert!((found - expected).abs() < 0.02, "{found}, not {expected}");
        let flat = site().locate(&fix(30.0, 15.0, None), 5.0, 5.0);
        near(flat.covered, 1.0);
        near(share(&flat, "Building A"), 1.0);
        near(share(&flat, "Building A>Floor 2"), 0.25);
        near(share(&flat, "Building A>Floor 2>Unit 203"), 0.0625);
        // 14 to 18 m: two of floor 2 (13 to 16), two of floor 3 (16 to 19).
        let high = site().locate(&fix(30.0, 15.0, Some(16.0)), 5.0, 2.0);
        near(share(&high, "Building A>Floor 2"), 0.5);
        near(share(&high, "Building A>Floor 1"), 0.0);
        let edge = site().locate(&fix(0.0, 15.0, None), 5.0, 5.0);
        near(edge.covered, 0.5);
        near(share(&edge, "Building A"), 1.0);
        let away = site().locate(&fix(-10.0, 15.0, None), 5.0, 5.0);
        near(away.away_m, 10.0);
        assert!(!away.inside && away.shares.is_empty(), "{away:?}");
    }

    #[test]
    fn a_site_on_the_date_line_stays_in_one_piece() {
        let ring = json!([
            [179.999, -17.0],
            [-179.999, -17.0],
            [-179.999, -16.999],
            [179.999, -16.999],
            [179.999, -17.0]
        ]);
        let polygon = json!({ "type": "Polygon", "coordinates": [ring] });
        let text = collection(&[feature(&polygon, &json!({ "location": "Building A" }))]);
        let site = Site::parse(&text).expect("readable");
        let fix = GpsFix { latitude: -16.9995, longitude: -179.9995, ..fix(0.0, 0.0, None) };
        let located = site.locate(&fix, 8.0, 8.0);
        assert!(located.inside && located.covered > 0.99, "{located:?}");
    }

    proptest! {
        #[test]
        fn crooked_outlines_are_no_trouble(
            rings in prop::collection::vec(prop::collection::vec((0..40_i8, 0..40_i8), 0..9), 1..4),
            (x, y) in (0.0..40.0_f64, 0.0..40.0_f64),
            radius in 0.0..200.0_f64,
        ) {
            let ring = |corners: &Vec<(i8, i8)>| -> Value {
                let closed = corners.iter().chain(corners.first());
                closed.map(|(x, y)| at(f64::from(*x), f64::from(*y))).map(|(x, y)| json!([x, y])).collect()
            };
            let crooked = json!({ "type": "Polygon", "coordinates": rings.iter().map(ring).collect::<Vec<_>>() });
            let areas = [
                feature(&rectangle(0.0, 0.0, 40.0, 40.0), &json!({ "location": "Building A" })),
                feature(&crooked, &json!({ "location": "Building A>Floor 1>Unit 101" })),
            ];
            if let Ok(site) = Site::parse(&collection(&areas)) {
                site.check(&sample::tree());
                site.draw();
                let located = site.locate(&fix(x, y, Some(12.0)), radius, radius);
                prop_assert!((0.0..=1.0).contains(&located.covered));
                prop_assert!(located.shares.iter().all(|share| (0.0..=1.0).contains(&share.share)));
            }
        }
    }
}
