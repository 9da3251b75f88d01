use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::Offset;
use proptest::prelude::*;

use crate::domain::capture::{Origin, Source};
use crate::domain::place::resolve::*;
use crate::domain::site::sample;
use crate::domain::tagging::Tagging;

/// The position `east` and `north` metres of building A's south-west corner.
fn fix(east: f64, north: f64, accuracy_m: f64, altitude_m: Option<f64>) -> GpsFix {
    let (longitude, latitude) = sample::at(east, north);
    GpsFix { latitude, longitude, altitude_m, accuracy_m: Some(accuracy_m), direction_deg: None }
}

fn taken(second: i64) -> TakenAt {
    let instant = Timestamp::from_second(1_780_000_000 + second).expect("in range");
    TakenAt { local: Offset::UTC.to_datetime(instant), instant: Some(instant) }
}

fn silent() -> CaptureInfo {
    CaptureInfo::silent("the file has no EXIF")
}

fn with_gps(fix: GpsFix) -> CaptureInfo {
    CaptureInfo { gps: Known::Known(fix), ..silent() }
}

fn query(capture: &CaptureInfo) -> PlaceQuery<'_> {
    PlaceQuery {
        photo_location: None,
        capture,
        procore_gps: None,
        filename: "IMG_0204.jpg",
        description: None,
        album: None,
        neighbours: &[],
        uploader: Some(UserId::new(5)),
    }
}

fn place(query: &PlaceQuery<'_>) -> Place {
    static SITE: LazyLock<(LocationTree, Site, PlaceRules)> =
        LazyLock::new(|| (sample::tree(), sample::site(), Tagging::default_rules().place().clone()));
    let (tree, site, rules) = &*SITE;
    resolve(query, tree, Some(site), rules)
}

fn name(place: &Place) -> String {
    place.name().unwrap_or_else(|| "none".into())
}

#[test]
fn the_photos_own_location_wins() {
    let capture = with_gps(fix(5.0, 5.0, 1.0, None));
    let id = sample::tree().by_name("Building C>Floor 4>Unit 411").expect("in the tree").id;
    let found = place(&PlaceQuery { photo_location: Some(id), filename: "unit 101.jpg", ..query(&capture) });
    assert_eq!(
        (name(&found).as_str(), found.confidence),
        ("Building C, Floor 4, Unit 411", Confidence::High)
    );
    let gone = PlaceQuery { photo_location: Some(LocationId::new(9_999)), ..query(&capture) };
    assert_eq!(place(&gone).notes[0], "The photo's location 9999 is not in the project's list.");
}

#[test]
fn a_position_that_is_only_likely_gives_no_certain_place() {
    let certain = with_gps(fix(15.0, 7.5, 1.0, Some(14.5)));
    let mut likely = certain.clone();
    likely.origins.gps = Some(Origin { from: Source::Xmp, likely: Some("it has no reference".into()) });
    let [certain, likely] = [certain, likely].map(|capture| place(&query(&capture)));
    assert_eq!((certain.confidence, likely.confidence), (Confidence::High, Confidence::Medium));
    assert_eq!(name(&certain), name(&likely));
    assert_eq!(likely.notes, ["The position is only likely: it has no reference."]);
}

#[test]
fn a_position_gives_no_finer_place_than_its_accuracy_allows() {
    let cases = [
        // The middle of Unit 102 (10..20 east), on the second floor at 13 to 16 m.
        (fix(15.0, 7.5, 1.0, Some(14.5)), "Building A, Floor 2, Unit 202"),
        // The room is certain, the floor is not: rooms on all four floors tie.
        (fix(15.0, 7.5, 1.0, None), "Building A"),
        // A typical phone: 5 m across is half a room, and three floors up and down.
        (fix(15.0, 7.5, 5.0, Some(14.5)), "Building A"),
        (fix(30.0, 15.0, 25.0, Some(14.5)), "Building A"),
        // On the wall between Units 202 and 203.
        (fix(20.0, 7.5, 1.0, Some(14.5)), "Building A, Floor 2"),
        (fix(-300.0, 0.0, 8.0, None), "none"),
    ];
    for (fix, expected) in cases {
        assert_eq!(name(&place(&query(&with_gps(fix)))), expected, "{fix:?}");
    }
    let wall = place(&query(&with_gps(fix(20.0, 7.5, 1.0, Some(14.5)))));
    let rivals: Vec<String> = wall.runner_ups.iter().map(Location::words).collect();
    assert_eq!(rivals, ["Building A, Floor 2, Unit 202", "Building A, Floor 2, Unit 203"]);
    let away = place(&query(&with_gps(fix(-300.0, 0.0, 8.0, None))));
    assert!(matches!(away.evidence, Evidence::GpsOnly { .. }));
    assert_eq!(away.notes, ["The position ±8 m is 300 m outside the site."]);
}

#[test]
fn a_position_that_says_too_little_chooses_nothing() {
    let inside = fix(15.0, 7.5, 1.0, Some(14.5));
    let coarse = place(&query(&with_gps(GpsFix { accuracy_m: Some(900.0), ..inside })));
    assert_eq!(coarse.notes, ["The position ±900 m is too coarse to choose a place by."]);
    for accuracy_m in [None, Some(0.0), Some(f64::NAN), Some(-3.0)] {
        let found = place(&query(&with_gps(GpsFix { accuracy_m, ..inside })));
        assert_eq!(name(&found), "Building A", "15 m are assumed for {accuracy_m:?}");
    }
    let nowhere = GpsFix { latitude: f64::NAN, ..inside };
    assert!(matches!(place(&query(&with_gps(nowhere))).evidence, Evidence::Unknown { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_room_is_chosen_by_a_circle_wider_than_a_room(
        east in -20.0..280.0_f64, north in -20.0..50.0_f64, accuracy in 10.0..60.0_f64, altitude in 0.0..30.0_f64
    ) {
        let found = place(&query(&with_gps(fix(east, north, accuracy, Some(altitude)))));
        let depth = found.location.as_ref().map_or(0, |node| node.path.len());
        prop_assert!(depth < 2, "{found:?}");
    }
}

#[test]
fn between_two_buildings_neither_is_chosen_unless_a_text_decides() {
    // The circle holds as much of building A as of B, 40 m apart.
    let capture = with_gps(fix(80.0, 15.0, 60.0, None));
    let rules =
        PlaceRules { min_on_site: 0.1, max_radius_m: 100.0, ..Tagging::default_rules().place().clone() };
    let found = |filename| {
        let query = PlaceQuery { filename, ..query(&capture) };
        resolve(&query, &sample::tree(), Some(&sample::site()), &rules)
    };
    let tie = found("IMG_1.jpg");
    assert_eq!((tie.location.as_ref(), tie.runner_ups.len()), (None, 2), "{tie:?}");
    assert_eq!(name(&found("unit 204 building b.jpg")), "Building B, Floor 2, Unit 204");
    assert_eq!(name(&found("building c.jpg")), "none");
}

#[test]
fn texts_name_places_or_tie() {
    let silent = silent();
    let said =
        |filename, description, album| place(&PlaceQuery { filename, description, album, ..query(&silent) });
    let cases = [
        ("Building A Floor 2 Unit 204.jpg", None, None, "Building A, Floor 2, Unit 204", Confidence::High),
        (
            "IMG_1.jpg",
            Some("bldg c, apt 0411: flaking"),
            None,
            "Building C, Floor 4, Unit 411",
            Confidence::Medium,
        ),
        ("unit-204.png", None, Some("Building B"), "Building B, Floor 2, Unit 204", Confidence::Medium),
        ("IMG_1.jpg", Some("2nd floor of building A"), None, "Building A, Floor 2", Confidence::High),
        ("IMG_1.jpg", Some("Unit 204"), None, "none", Confidence::None),
        (
            "IMG_1.jpg",
            Some("Building A units: unit 204, unit 205"),
            None,
            "Building A, Floor 2",
            Confidence::Low,
        ),
        ("204.jpg", None, None, "none", Confidence::None),
    ];
    for (filename, description, album, expected, confidence) in cases {
        let found = said(filename, description, album);
        assert_eq!((name(&found).as_str(), found.confidence), (expected, confidence), "{found:?}");
    }
    assert_eq!(said("IMG.jpg", Some("Unit 204"), None).runner_ups.len(), 3, "one in each building");
}

#[test]
fn a_location_written_into_the_file_is_a_text_like_others() {
    let capture = CaptureInfo { location_text: Some("Building B, Unit 204".into()), ..silent() };
    let found = place(&query(&capture));
    assert_eq!(name(&found), "Building B, Floor 2, Unit 204");
    assert!(
        found.words().ends_with("from the location written into the file: “unit 204”"),
        "{}",
        found.words()
    );
}

#[test]
fn texts_refine_a_position_and_never_contradict_it() {
    let capture = with_gps(fix(30.0, 15.0, 25.0, None));
    let finer = place(&PlaceQuery { filename: "Unit 204.jpg", ..query(&capture) });
    assert_eq!(name(&finer), "Building A, Floor 2, Unit 204");
    assert!(finer.notes[0].starts_with("The position agrees: Building A"), "{:?}", finer.notes);
    let other = place(&PlaceQuery { filename: "Building B.jpg", ..query(&capture) });
    assert_eq!(name(&other), "Building A");
    assert_eq!(other.notes, ["The file name names Building B, which the position rules out."]);
}

#[test]
fn neighbours_lend_their_place_if_they_are_near_and_agree() {
    let tree = sample::tree();
    let at = |path: &str, second: i64, uploader: i64| Neighbour {
        location: tree.by_name(path).expect(path).id,
        taken_at: taken(second),
        gps: None,
        uploader: Some(UserId::new(uploader)),
    };
    let (one, two) = ("Building A>Floor 1>Unit 101", "Building A>Floor 1>Unit 102");
    let cases = [
        (vec![at(one, -240, 5)], "Building A, Floor 1, Unit 101"),
        (vec![at(one, -240, 5), at(one, 60, 5)], "Building A, Floor 1, Unit 101"),
        (vec![at(one, -240, 5), at(two, 60, 5)], "Building A, Floor 1"),
        (vec![at(one, -240, 6)], "none"),
        (vec![at(one, -7200, 5)], "none"),
    ];
    let capture = CaptureInfo { taken_at: Known::Known(taken(0)), ..silent() };
    for (mut neighbours, expected) in cases {
        assert_eq!(name(&place(&PlaceQuery { neighbours: &neighbours, ..query(&capture) })), expected);
        neighbours.reverse();
        assert_eq!(name(&place(&PlaceQuery { neighbours: &neighbours, ..query(&capture) })), expected);
    }
}

#[test]
fn nothing_known_says_why() {
    let words = place(&query(&silent())).words();
    assert_eq!(
        words,
        "unknown, because the photo has no location in Procore, the file has no EXIF, and no text names one"
    );
}
