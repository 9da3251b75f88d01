//! A place from located photos that the same person took close by in time.

use geo::{Distance, Haversine, Point};

use crate::domain::capture::GpsFix;
use crate::domain::ids::LocationId;
use crate::domain::place::resolve::{PlaceQuery, PlaceRules, seconds_apart, tied};
use crate::domain::place::{Confidence, Evidence, Location, LocationTree, Place};

/// One usable neighbour.
struct Near<'a> {
    location: &'a Location,
    apart_s: i64,
    apart_m: Option<f64>,
}

/// The place of the neighbours, if they agree; what their places share, if they don't.
pub(super) fn by_neighbours(
    query: &PlaceQuery<'_>,
    tree: &LocationTree,
    rules: &PlaceRules,
) -> Option<Place> {
    let near = near(query, tree, rules);
    let nearest = near.iter().min_by_key(|near| (near.apart_s, near.location.id))?;
    let evidence = Evidence::Neighbour { apart_s: nearest.apart_s, apart_m: nearest.apart_m };
    let mut ids: Vec<LocationId> = near.iter().map(|near| near.location.id).collect();
    ids.sort();
    ids.dedup();
    if ids.len() == 1 {
        return Some(Place::bare(Some(nearest.location.clone()), evidence, Confidence::Medium));
    }
    let places: Vec<Location> = ids.iter().filter_map(|id| tree.by_id(*id)).cloned().collect();
    Some(tied(&places, evidence, tree))
}

fn near<'a>(query: &PlaceQuery<'_>, tree: &'a LocationTree, rules: &PlaceRules) -> Vec<Near<'a>> {
    let Some(taken_at) = query.capture.taken_at.as_option() else { return Vec::new() };
    let Some(uploader) = query.uploader else { return Vec::new() };
    let mut near: Vec<Near<'a>> = query
        .neighbours
        .iter()
        .filter(|neighbour| neighbour.uploader == Some(uploader))
        .filter_map(|neighbour| {
            Some(Near {
                location: tree.by_id(neighbour.location)?,
                apart_s: seconds_apart(taken_at, &neighbour.taken_at),
                apart_m: query.fix().zip(neighbour.gps).map(|(a, b)| metres_apart(&a, &b)),
            })
        })
        .filter(|near| near.apart_s <= rules.neighbour_max_s)
        .filter(|near| near.apart_m.is_none_or(|metres| metres <= rules.neighbour_max_m))
        .collect();
    near.sort_by_key(|near| (near.apart_s, near.location.id));
    near
}

fn metres_apart(a: &GpsFix, b: &GpsFix) -> f64 {
    Haversine.distance(Point::new(a.longitude, a.latitude), Point::new(b.longitude, b.latitude))
}
