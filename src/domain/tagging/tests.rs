use insta::assert_snapshot;
use jiff::civil::{Date, date};

use crate::domain::capture::{GpsFix, TakenAt};
use crate::domain::detection::{DefectClass, Detection, Predictions};
use crate::domain::finding::{Finding, findings};
use crate::domain::geometry::Size;
use crate::domain::ids::{
    CompanyId, ImageId, LocationId, ProjectId, ProjectKey, PunchItemTypeId, Sha256Digest, TradeId, UserId,
};
use crate::domain::place::{Location, Place};
use crate::domain::punch_item::Priority;
use crate::domain::score::Score;
use crate::domain::tagging::{Catalogue, Person, PhotoFacts, Tagged, Tagging, Trade, explain};

const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };
const TODAY: Date = date(2026, 6, 4);
const CLASSES: [&str; 7] =
    ["crack", "spalling", "peeling_paint", "biological_growth", "surface_mark", "corrosion", "drywall_joint"];

/// A finding in a photo of 4000 × 3000 from regions of (score, corners, area share).
fn finding(class: &str, regions: &[(f32, [f32; 4], f32)]) -> Finding {
    let detections = regions.iter().map(|(score, corners, area_share)| Detection {
        class: DefectClass::new(class),
        score: Score::new(*score).expect("a score"),
        area: (*corners).try_into().expect("a box"),
        area_share: *area_share,
    });
    let seen = Predictions { detections: detections.collect(), class_scores: vec![] };
    findings(PROJECT, &Sha256Digest::of(b"photo"), &seen).remove(0)
}

fn peel() -> Finding {
    finding("peeling_paint", &[(0.87, [200.0, 100.0, 1800.0, 1400.0], 0.19)])
}

fn photo() -> PhotoFacts {
    PhotoFacts {
        size: Size::new(4000, 3000),
        filename: "IMG_1128.jpg".into(),
        taken_at: Some(TakenAt { local: date(2026, 6, 2).at(16, 5, 9, 0), instant: None }),
        project: PROJECT,
        image: ImageId::new(562_950_208_716_653),
    }
}

fn unit() -> Place {
    Place::of_photo(Location::from_name(LocationId::new(15504), "Building A>Floor 2>Unit 204"))
}

fn catalogue() -> Catalogue {
    let trade = |id, name: &str| Trade { id: TradeId::new(id), name: name.into(), active: true };
    Catalogue {
        trades: vec![trade(999, "09 - Drywall"), trade(1000, "Painting")],
        item_types: vec![(PunchItemTypeId::new(31), "Finish".into())],
        managers: vec![Person { id: UserId::new(160_586), name: "Pat Manager".into(), login: None }],
        approvers: vec![],
    }
}

fn tag(finding: &Finding, place: &Place) -> Tagged {
    Tagging::default_rules().tag(finding, &photo(), place, &catalogue(), "finish-defects 0.1.0", TODAY)
}

#[test]
fn the_defaults_cover_every_class_and_the_docs_of_it() {
    let tagging = Tagging::default_rules();
    assert_eq!(tagging.missing_classes(&CLASSES), Vec::<String>::new());
    assert_eq!(tagging.missing_classes(&["crack", "tree"]), ["tree"]);
}

#[test]
fn a_peel_becomes_what_a_superintendent_would_have_typed() {
    let tagged = tag(&peel(), &unit());
    assert_snapshot!(tagged.draft.title, @"Peeling paint – Building A, Floor 2, Unit 204");
    assert_snapshot!(tagged.draft.description, @r"
    One patch of peeling paint in the upper left: about a fifth of the photo, 40 % of its width across.
    Certainty: very likely (score 0.87).
    Place: Building A, Floor 2, Unit 204 – from the photo's location in Procore
    Taken: 2 Jun 2026, 16:05
    Photo: IMG_1128.jpg, number 562950208716653 in Photos
    Suggested by finish-defects 0.1.0 for review.
    ");
    let draft = &tagged.draft;
    assert_eq!((draft.trade, tagged.trade_name.as_deref()), (Some(TradeId::new(1000)), Some("Painting")));
    assert_eq!((draft.item_type, draft.priority), (Some(PunchItemTypeId::new(31)), Priority::Medium));
    assert_eq!((draft.due, draft.location), (Some(date(2026, 6, 15)), Some(LocationId::new(15504))));
    assert_eq!(draft.images, [photo().image]);
    assert_eq!(draft.reference, peel().id.reference());
}

#[test]
fn every_rule_that_fired_is_explained() {
    assert_snapshot!(explain(&tag(&peel(), &unit()).rules).join("\n"), @r"
    Place: Building A, Floor 2, Unit 204 – from the photo's location in Procore. [place]
    The trade is “Painting”: the first choice. [class.peeling_paint.trades]
    The punch item type is “Finish”: the first choice. [class.peeling_paint.item_types]
    Priority medium: as for any patch of peeling paint. [class.peeling_paint.priority]
    Due on 2026-06-15: 7 working days from 2026-06-04, as its priority is medium. [due.medium_days]
    ");
}

#[test]
fn several_cracks_without_a_place_still_read_well() {
    let cracks = finding(
        "crack",
        &[(0.97, [400.0, 1400.0, 3700.0, 1500.0], 0.004), (0.6, [3000.0, 100.0, 3100.0, 300.0], 0.001)],
    );
    let fix = GpsFix {
        latitude: 51.5,
        longitude: -0.13,
        altitude_m: None,
        accuracy_m: Some(8.0),
        direction_deg: None,
    };
    let tagged = tag(&cracks, &Place::gps_only(fix));
    assert_snapshot!(tagged.draft.title, @"Crack");
    assert_snapshot!(tagged.draft.description, @r"
    2 cracks, the largest across the middle: the longest 83 % of the photo's width, together less than a hundredth of its area.
    Certainty: almost certain (score 0.97).
    Place: GPS 51.50000, -0.13000 ±8 m
    Taken: 2 Jun 2026, 16:05
    Photo: IMG_1128.jpg, number 562950208716653 in Photos
    Suggested by finish-defects 0.1.0 for review.
    ");
    assert_eq!(tagged.draft.priority, Priority::High);
    let sentences = explain(&tagged.rules);
    let long = "Priority high: crack, length 83 % of at least 60 %, score 97 % of at least 60 %. [priority.long-crack]";
    assert!(sentences.iter().any(|sentence| sentence == long), "{sentences:?}");
}

#[test]
fn nothing_known_leaves_its_lines_out() {
    let bare = PhotoFacts { taken_at: None, ..photo() };
    let nowhere = Place::unknown("the photo has no location and no GPS");
    let tagged = Tagging::default_rules().tag(&peel(), &bare, &nowhere, &catalogue(), "m 1", TODAY);
    assert_snapshot!(tagged.draft.description, @r"
    One patch of peeling paint in the upper left: about a fifth of the photo, 40 % of its width across.
    Certainty: very likely (score 0.87).
    Place: unknown, because the photo has no location and no GPS
    Photo: IMG_1128.jpg, number 562950208716653 in Photos
    Suggested by m 1 for review.
    ");
}

#[test]
fn millimetres_are_told_only_with_a_scale() {
    let scaled = Tagging::default_rules()
        .with_override("box.toml", "[wording]\nphoto_width_mm = 3000")
        .expect("valid");
    let description = scaled.tag(&peel(), &photo(), &unit(), &catalogue(), "m 1", TODAY).draft.description;
    assert!(description.contains("40 % of its width across (about 1200 mm)."), "{description}");
    assert!(!tag(&peel(), &unit()).draft.description.contains("mm"));
}

#[test]
fn photos_have_an_address_where_one_is_configured() {
    let linked = Tagging::default_rules()
        .with_override(
            "box.toml",
            "[wording]\nphoto_link = \"https://p.example/{company}/{project}?photo={image}\"",
        )
        .expect("valid");
    let description = linked.tag(&peel(), &photo(), &unit(), &catalogue(), "m 1", TODAY).draft.description;
    assert!(
        description.contains("in Photos, https://p.example/8/6778?photo=562950208716653\n"),
        "{description}"
    );
}

#[test]
fn a_class_without_a_matching_trade_gets_none_and_says_so() {
    let spalling = finding("spalling", &[(0.7, [0.0, 0.0, 900.0, 900.0], 0.07)]);
    let tagged = tag(&spalling, &unit());
    assert_eq!((tagged.draft.trade, tagged.trade_name.clone()), (None, None));
    let sentences = explain(&tagged.rules).join("\n");
    assert!(
        sentences.contains("The draft has no trade, because none of the 10 listed is a trade"),
        "{sentences}"
    );
    let gaps = Tagging::default_rules().gaps(&["peeling_paint", "spalling"], &catalogue());
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].starts_with("class.spalling.trades: none of the 10 listed"), "{gaps:?}");
}

#[test]
fn priorities_follow_the_most_urgent_rule() {
    let wall = |share| finding("peeling_paint", &[(0.9, [0.0, 0.0, 100.0, 100.0], share)]);
    let doubtful = finding("peeling_paint", &[(0.5, [0.0, 0.0, 100.0, 100.0], 0.9)]);
    let bath = Place::of_photo(Location::from_name(LocationId::new(1), "Building A>Bathroom"));
    let cases = [
        (wall(0.1), unit(), Priority::Medium),
        (wall(0.4), unit(), Priority::High),
        (doubtful, unit(), Priority::Medium),
        (wall(0.1), bath, Priority::High),
        (finding("surface_mark", &[(0.9, [0.0, 0.0, 9.0, 9.0], 0.01)]), unit(), Priority::Low),
    ];
    for (finding, place, expected) in cases {
        assert_eq!(tag(&finding, &place).draft.priority, expected, "{finding:?}");
    }
}

#[test]
fn people_are_put_on_drafts_where_named() {
    let named =
        Tagging::default_rules().with_override("box.toml", "[people]\nmanager = 160586\napprover = \"Kim\"");
    let tagged = named.expect("valid").tag(&peel(), &photo(), &unit(), &catalogue(), "m 1", TODAY);
    assert_eq!((tagged.draft.manager, tagged.draft.approver), (Some(UserId::new(160_586)), None));
    let sentences = explain(&tagged.rules).join("\n");
    assert!(
        sentences.contains("The draft has no approver, because the one listed is no final approver"),
        "{sentences}"
    );
}

#[test]
fn no_text_shouts_or_boasts() {
    for class in CLASSES {
        let tagged = tag(&finding(class, &[(0.9, [0.0, 0.0, 4000.0, 3000.0], 1.0)]), &unit());
        let text = format!("{}\n{}", tagged.draft.title, tagged.draft.description);
        assert!(!text.contains('!') && !text.contains("AI") && !text.contains("moisture"), "{text}");
    }
}
