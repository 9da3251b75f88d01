//! What is wrong with a site file that can be read: what `punchlens site check` prints.

use std::collections::HashMap;

use geo::{Area as _, BooleanOps, Intersects, MultiPolygon, Validation};

use crate::domain::place::LocationTree;
use crate::domain::site::{Area, Kind, Site};

/// Two areas may overlap by this share of the smaller: people don't draw to the millimetre.
const SLACK: f64 = 0.02;

/// Problems are listed up to this many; a site file with more needs another look first.
const PROBLEMS_MAX: usize = 200;

/// Parent, floor and kind: areas that agree in these must not overlap.
type Group = (Option<usize>, Option<usize>, Kind);
type Siblings = HashMap<Group, Vec<usize>>;

/// One thing to mend in the site file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The number of the feature, the first being 1.
    pub feature: usize,
    /// The location that it names.
    pub location: String,
    /// What is wrong and what to do.
    pub words: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "feature {} ({}): {}", self.feature, self.location, self.words)
    }
}

impl Site {
    /// Everything that should be mended before the file decides places, in the file's order; at
    /// most 200. Empty means that the file is sound and each area is a location of `tree`.
    pub fn check(&self, tree: &LocationTree) -> Vec<Problem> {
        let mut problems = Vec::new();
        let sound: Vec<bool> = self.areas.iter().map(|area| invalid(area).is_none()).collect();
        let siblings = self.siblings();
        for (index, area) in self.areas.iter().enumerate() {
            let mut words: Vec<String> = Vec::new();
            words.extend(unknown_location(area, tree));
            words.extend(invalid(area));
            words.extend(self.without_floor(area));
            words.extend(self.without_outline(area));
            if sound[index] {
                words.extend(self.outside_parent(area, &sound));
                words.extend(self.overlaps(index, &siblings, &sound));
            }
            words.extend(self.bands_overlap(index));
            let location = area.path.join(">");
            problems.extend(words.into_iter().map(|words| Problem {
                feature: index + 1,
                location: location.clone(),
                words,
            }));
            if problems.len() >= PROBLEMS_MAX {
                problems.truncate(PROBLEMS_MAX);
                break;
            }
        }
        problems
    }

    fn siblings(&self) -> Siblings {
        let mut siblings = Siblings::new();
        for (index, area) in self.areas.iter().enumerate() {
            siblings.entry(group(area)).or_default().push(index);
        }
        siblings
    }

    fn without_floor(&self, area: &Area) -> Option<String> {
        let id = area.floor.as_ref()?;
        let named = area.kin.floor.is_some_and(|floor| self.areas[floor].floor_id.as_ref() == Some(id));
        (!named).then(|| format!("no floor of its building has the floor_id '{id}'"))
    }

    fn without_outline(&self, area: &Area) -> Option<String> {
        self.outline(area)
            .is_none()
            .then(|| "it has no outline, and neither has anything around it: draw its building".to_owned())
    }

    fn outside_parent(&self, area: &Area, sound: &[bool]) -> Option<String> {
        let parent = &self.areas[area.kin.parent?];
        if !parent.kin.drawn.is_some_and(|drawn| sound[drawn]) {
            return None;
        }
        let (own, outer) = (area.outline.as_ref()?, self.outline(parent)?);
        let outside = 1.0 - own.intersection(outer).unsigned_area() / own.unsigned_area();
        (outside > SLACK)
            .then(|| format!("{:.0} % of it is outside {}", outside * 100.0, parent.path.join(">")))
    }

    fn overlaps(&self, index: usize, siblings: &Siblings, sound: &[bool]) -> Option<String> {
        let area = &self.areas[index];
        let (own, bounds) = (area.outline.as_ref()?, area.bounds?);
        if matches!(area.kind, Kind::Floor | Kind::Zone) {
            return None;
        }
        let earlier = siblings.get(&group(area))?.iter().take_while(|&&other| other < index);
        earlier.filter(|&&other| sound[other]).find_map(|&other| {
            let other = &self.areas[other];
            let outline = other.outline.as_ref()?;
            if !other.bounds?.intersects(&bounds) {
                return None;
            }
            let shared = share(own, outline);
            (shared > SLACK).then(|| {
                format!("it overlaps {} by {:.0} % of the smaller", other.path.join(">"), shared * 100.0)
            })
        })
    }

    fn bands_overlap(&self, index: usize) -> Option<String> {
        let area = &self.areas[index];
        let (low, high) = area.altitude.filter(|_| area.kind == Kind::Floor)?;
        let clashes = |other: &&Area| {
            let of_building = other.kind == Kind::Floor && other.building() == area.building();
            of_building && other.altitude.is_some_and(|(from, to)| from < high && low < to)
        };
        let other = self.areas[..index].iter().find(clashes)?;
        Some(format!("its altitudes {low} to {high} m overlap those of {}", other.path.join(">")))
    }
}

const fn group(area: &Area) -> Group {
    (area.kin.parent, area.kin.floor, area.kind)
}

/// Square metres shared, as a share of the smaller.
fn share(a: &MultiPolygon, b: &MultiPolygon) -> f64 {
    let smaller = a.unsigned_area().min(b.unsigned_area());
    if smaller > 0.0 { a.intersection(b).unsigned_area() / smaller } else { 0.0 }
}

fn unknown_location(area: &Area, tree: &LocationTree) -> Option<String> {
    if tree.by_path(&area.path).is_some() {
        return None;
    }
    let hint = tree.nearest(&area.path).map(|near| format!("; did you mean {}?", near.path.join(">")));
    Some(format!("the project has no such location{}", hint.unwrap_or_default()))
}

fn invalid(area: &Area) -> Option<String> {
    let outline = area.outline.as_ref()?;
    if let Err(error) = outline.check_validation() {
        return Some(format!("its outline is not a plain polygon: {error}"));
    }
    (outline.unsigned_area() < 0.01).then(|| "its outline holds no ground".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::site::sample::{collection, feature, rectangle, site, tree};

    fn problems(features: &[(Value, Value)]) -> Vec<String> {
        let features: Vec<Value> =
            features.iter().map(|(geometry, properties)| feature(geometry, properties)).collect();
        let site = Site::parse(&collection(&features)).expect("readable");
        site.check(&tree()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_site_has_no_problems() {
        assert_eq!(site().check(&tree()), []);
    }

    #[test]
    fn each_fault_is_named_with_its_feature() {
        let house = || (rectangle(0.0, 0.0, 60.0, 30.0), json!({ "location": "Building A" }));
        let floor = |n: u32, low: f64| {
            let location = format!("Building A>Floor {n}");
            (
                Value::Null,
                json!({ "location": location, "kind": "floor", "altitude_m": [low, low + 3.0], "floor_id": n }),
            )
        };
        let room = |x: f64, width: f64, n: u32| {
            (rectangle(x, 0.0, width, 10.0), json!({ "location": format!("Building A>Floor 1>Unit {n}") }))
        };
        let bow_tie = json!({ "type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]] });
        let cases: &[(&[(Value, Value)], &str)] = &[
            (
                &[(rectangle(0.0, 0.0, 60.0, 30.0), json!({ "location": "Buildng A" }))],
                "feature 1 (Buildng A): the project has no such location; did you mean Building A?",
            ),
            (&[house(), room(-20.0, 40.0, 101)], "50 % of it is outside Building A"),
            (
                &[house(), room(0.0, 10.0, 101), room(5.0, 10.0, 102)],
                "feature 3 (Building A>Floor 1>Unit 102): it overlaps Building A>Floor 1>Unit 101 by 50 %",
            ),
            (
                &[house(), floor(1, 10.0), floor(2, 12.0)],
                "its altitudes 12 to 15 m overlap those of Building A>Floor 1",
            ),
            (&[(bow_tie, json!({ "location": "Building A" }))], "its outline is not a plain polygon"),
            (
                &[
                    house(),
                    (
                        rectangle(0.0, 0.0, 5.0, 5.0),
                        json!({ "location": "Building A>Floor 1>Unit 101", "floor": 7 }),
                    ),
                ],
                "no floor of its building has the floor_id '7'",
            ),
            (
                &[house(), (Value::Null, json!({ "location": "Building B>Floor 1", "kind": "floor" }))],
                "neither has anything around it",
            ),
        ];
        for (features, expected) in cases {
            let found = problems(features);
            assert!(found.iter().any(|words| words.contains(expected)), "{expected}: {found:?}");
        }
    }

    #[test]
    fn rooms_of_different_floors_may_lie_over_one_another() {
        let room = |floor: u32| {
            let location = format!("Building A>Floor {floor}>Unit {floor}01");
            (rectangle(0.0, 0.0, 10.0, 10.0), json!({ "location": location }))
        };
        let floor =
            |n: u32| (Value::Null, json!({ "location": format!("Building A>Floor {n}"), "kind": "floor" }));
        let house = (rectangle(0.0, 0.0, 60.0, 30.0), json!({ "location": "Building A" }));
        assert_eq!(problems(&[house, floor(1), floor(2), room(1), room(2)]), Vec::<String>::new());
    }
}
