//! From GeoJSON text to areas in metres.

use geo::{BoundingRect, Coord, CoordsIter, MapCoords, MultiPolygon, Polygon};
use geojson::{Feature, FeatureCollection, Geometry, GeometryValue, JsonValue};

use crate::domain::place::tree;
use crate::domain::site::{AREAS_MAX, Area, AreaRelations, CORNERS_MAX, Kind, Origin, Site, link};

/// A site file that cannot be used. Each message says what to change.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SiteError {
    /// It is no GeoJSON, or not a collection of features.
    #[error("the site file is not a GeoJSON FeatureCollection: {0}")]
    NotGeoJson(String),
    /// It has no features.
    #[error("the site file has no areas: draw at least one building and name its location")]
    Empty,
    /// It has more than anyone draws by hand.
    #[error("the site file has {count} {what}, more than {max}: split it or simplify its outlines")]
    TooMany {
        /// How many.
        count: usize,
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// One feature is wrong.
    #[error("feature {number} of the site file: {reason}")]
    Feature {
        /// Its number, the first being 1.
        number: usize,
        /// What is wrong with it and what to do.
        reason: String,
    },
}

pub(super) fn parse(geojson: &str) -> Result<Site, SiteError> {
    let collection: FeatureCollection =
        serde_json::from_str(geojson).map_err(|error| SiteError::NotGeoJson(error.to_string()))?;
    limit(collection.features.len(), "areas", AREAS_MAX)?;
    let mut drawn = Vec::with_capacity(collection.features.len());
    let mut corners = 0;
    for (number, feature) in (1..).zip(&collection.features) {
        let area = area(feature).map_err(|reason| SiteError::Feature { number, reason })?;
        corners += area.outline.as_ref().map_or(0, CoordsIter::coords_count);
        limit(corners, "corners", CORNERS_MAX)?;
        drawn.push(area);
    }
    let origin = origin(&drawn).ok_or(SiteError::Empty)?;
    let mut areas: Vec<Area> = drawn.into_iter().map(|area| on_the_ground(area, origin)).collect();
    link(&mut areas);
    Ok(Site { origin, areas })
}

const fn limit(count: usize, what: &'static str, max: usize) -> Result<(), SiteError> {
    if count > max { Err(SiteError::TooMany { count, what, max }) } else { Ok(()) }
}

/// One feature, its outline still in degrees.
fn area(feature: &Feature) -> Result<Area, String> {
    let name =
        text(feature, "location")?.ok_or("it has no property 'location', e.g. \"Building A>Floor 2\"")?;
    let path = tree::parse_path(&name);
    let kind = match property(feature, "kind") {
        None if path.len() == 1 => Kind::Building,
        None => Kind::Room,
        Some(kind) => serde_json::from_value(kind.clone())
            .map_err(|_| format!("kind {kind} is not building, floor, zone or room"))?,
    };
    let outline = feature.geometry.as_ref().map(outline).transpose()?;
    if path.is_empty() {
        return Err("its 'location' names nothing".into());
    }
    if outline.is_none() && kind != Kind::Floor {
        return Err(format!("{name} has no outline; only a floor may do without"));
    }
    Ok(Area {
        path,
        kind,
        outline,
        bounds: None,
        altitude: altitude(feature)?,
        floor_id: text(feature, "floor_id")?,
        floor: text(feature, "floor")?,
        kin: AreaRelations::default(),
    })
}

fn property<'a>(feature: &'a Feature, name: &str) -> Option<&'a JsonValue> {
    feature.property(name).filter(|value| !value.is_null())
}

/// A text, or a number as people write floors: `"floor": 2`.
fn text(feature: &Feature, name: &str) -> Result<Option<String>, String> {
    match property(feature, name) {
        None => Ok(None),
        Some(JsonValue::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(JsonValue::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(format!("'{name}' must be a text, not {other}")),
    }
}

fn altitude(feature: &Feature) -> Result<Option<(f64, f64)>, String> {
    let Some(value) = property(feature, "altitude_m") else { return Ok(None) };
    let band: Option<(f64, f64)> = serde_json::from_value(value.clone()).ok();
    band.filter(|(low, high)| low.is_finite() && high.is_finite() && low < high)
        .map(Some)
        .ok_or_else(|| format!("'altitude_m' must be [lowest, highest] in metres, not {value}"))
}

fn outline(geometry: &Geometry) -> Result<MultiPolygon, String> {
    let polygons = match &geometry.value {
        GeometryValue::Polygon { .. } => {
            MultiPolygon::from(Polygon::try_from(geometry).map_err(|error| error.to_string())?)
        }
        GeometryValue::MultiPolygon { .. } => {
            MultiPolygon::try_from(geometry).map_err(|error| error.to_string())?
        }
        other => return Err(format!("its geometry is a {}; an area is a Polygon", other.type_name())),
    };
    match polygons.coords_iter().find(|corner| !on_earth(*corner)) {
        None if polygons.coords_count() == 0 => Err("its polygon has no corners".into()),
        None => Ok(polygons),
        Some(Coord { x, y }) => Err(format!(
            "[{x}, {y}] is not a longitude and latitude in degrees (GeoJSON has longitude first)"
        )),
    }
}

fn on_earth(corner: Coord) -> bool {
    (-180.0..=180.0).contains(&corner.x) && (-90.0..=90.0).contains(&corner.y)
}

/// The first corner of the first outline: near enough to all others. Not a middle, which on the date
/// line would lie half round the earth.
fn origin(areas: &[Area]) -> Option<Origin> {
    let corner = areas.iter().find_map(|area| area.outline.as_ref()?.coords_iter().next())?;
    Some(Origin { latitude: corner.y, longitude: corner.x })
}

fn on_the_ground(area: Area, origin: Origin) -> Area {
    let outline = area.outline.map(|outline| {
        outline.map_coords(|corner| {
            let (x, y) = origin.metres(corner.x, corner.y);
            Coord { x, y }
        })
    });
    let bounds = outline.as_ref().and_then(BoundingRect::bounding_rect);
    Area { outline, bounds, ..area }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::site::sample::{collection, feature, rectangle};

    #[test]
    fn broken_site_files_say_what_to_change() {
        let square = rectangle(0.0, 0.0, 10.0, 10.0);
        let line = json!({ "type": "LineString", "coordinates": [[0, 0], [1, 1]] });
        let swapped =
            json!({ "type": "Polygon", "coordinates": [[[51, 120], [51, 121], [52, 121], [51, 120]]] });
        let one = |geometry: &JsonValue, properties: JsonValue| collection(&[feature(geometry, &properties)]);
        let cases = [
            ("{".to_owned(), "not a GeoJSON FeatureCollection"),
            (r#"{"type":"Point","coordinates":[1,2]}"#.to_owned(), "not a GeoJSON FeatureCollection"),
            (collection(&[]), "has no areas"),
            (one(&square, json!({})), "feature 1 of the site file: it has no property 'location'"),
            (one(&square, json!({ "location": " > " })), "names nothing"),
            (one(&square, json!({ "location": ["A"] })), "'location' must be a text"),
            (
                one(&square, json!({ "location": "A", "kind": "tower" })),
                "is not building, floor, zone or room",
            ),
            (one(&square, json!({ "location": "A", "altitude_m": [3, 1] })), "must be [lowest, highest]"),
            (one(&JsonValue::Null, json!({ "location": "A" })), "only a floor may do without"),
            (one(&line, json!({ "location": "A" })), "is a LineString; an area is a Polygon"),
            (one(&swapped, json!({ "location": "A" })), "GeoJSON has longitude first"),
        ];
        for (text, expected) in cases {
            let message = Site::parse(&text).expect_err(expected).to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn too_much_is_refused() {
        let many =
            vec![feature(&JsonValue::Null, &json!({ "location": "A", "kind": "floor" })); AREAS_MAX + 1];
        let error = Site::parse(&collection(&many)).expect_err("too many");
        assert_eq!(error, SiteError::TooMany { count: AREAS_MAX + 1, what: "areas", max: AREAS_MAX });
    }
}
