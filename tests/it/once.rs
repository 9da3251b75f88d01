//! Place, trade and priority on a building, and one card for one defect, through the whole service.

use jiff::Timestamp;
use punchlens::domain::delivery::ProjectMode;
use punchlens::domain::place::{Evidence, LocationTree};
use punchlens::domain::punch_item::Edits;
use punchlens::domain::review::{Delivery, FindingState, HoldReason, RejectReason, Verdict};
use punchlens::domain::site::Site;
use punchlens::domain::tagging::Tagging;
use punchlens::simulator::{PhotoUpload, WebhookFaults};
use punchlens::store::{CardQuery, Shelf};
use serde_json::json;

use crate::support::detector::{photo, sees, wall};
use crate::support::{PROJECT, Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];
const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/building/site.geojson");
const TAGGING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/building/tagging.toml");

async fn started(setup: Setup) -> TestApp {
    TestApp::start(sees(&["crack"]), setup).await
}

fn with(settings: &[(&'static str, &str)]) -> Setup {
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Setup { settings, ..Setup::default() }
}

impl TestApp {
    async fn upload_as(&self, upload: PhotoUpload) -> punchlens::domain::ids::ImageId {
        self.simulator.upload_photo(PROJECT.project, upload).await.expect("uploads")
    }

    async fn on(&self, shelf: Shelf) -> Vec<punchlens::domain::card::Card> {
        let states = vec![FindingState::Proposed];
        self.store.cards(&CardQuery { states, shelf, ..CardQuery::default() }).await.expect("lists")
    }
}

#[test]
fn the_fixtures_building_is_the_simulators_project() {
    let site = Site::parse(&std::fs::read_to_string(SITE).expect("committed")).expect("readable");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let locations = runtime.block_on(async {
        let simulator =
            punchlens::simulator::Simulator::start(Setup::default().options).await.expect("starts");
        simulator.locations()
    });
    let lines: Vec<String> = locations.into_iter().map(|(_, path)| path.join(">")).collect();
    let tree = LocationTree::from_lines(&lines.join("\n"));
    assert_eq!((tree.locations().len(), site.len()), (150, 150));
    assert_eq!(site.check(&tree), []);
    assert!(site.missing(&tree).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wall_in_several_photos_is_one_card_and_one_item() {
    let app = started(Setup::default()).await;
    let first = app.upload("IMG_1.jpg", wall(1, 90), &UNIT).await;
    app.until_settled(1).await;
    let copy = app.upload("IMG_1 (edited).jpg", wall(1, 55), &UNIT).await;
    app.until_settled(2).await;
    app.upload("IMG_3.jpg", wall(2, 90), &UNIT).await;
    app.until_settled(3).await;

    let cards = app.cards().await;
    assert_eq!(cards.len(), 2, "two walls: {cards:#?}");
    let card = cards.iter().find(|card| card.photo.image == first).expect("the first photo's");
    assert_eq!(app.store.images_of(card.finding.id).await.expect("lists"), [first, copy]);
    let item = app.items().into_iter().find(|item| Some(item.id) == card.punch_item).expect("its draft");
    assert_eq!(item.images, [first, copy], "the draft has both photos");
    assert!(item.comments.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_list_has_gets_a_comment_and_no_second_item() {
    let app = started(Setup::default()).await;
    let location = app.simulator.location(&UNIT);
    let trade = app.simulator.trade("09 - Drywall").expect("a seeded trade");
    let fields = json!({
        "name": "Wall cracked above the door", "workflow_status": "work_required",
        "location_id": location, "trade_id": trade,
    });
    let known = app.simulator.add_punch_item(PROJECT.project, &fields).expect("made");
    let image = app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;

    let item = app.item();
    assert_eq!(item.id, known, "no draft was made");
    let [comment] = &item.comments[..] else { panic!("one comment: {item:#?}") };
    assert!(comment.body.contains(&format!("photo {image} (IMG_1.jpg)")), "{}", comment.body);
    let [card] = &app.on(Shelf::Known).await[..] else { panic!("one card") };
    assert_eq!(card.held.as_ref().map(|held| held.by), Some(HoldReason::OpenItem(known)));
    assert!(app.on(Shelf::Open).await.is_empty());

    // Another photo of the same wall adds to it; a reviewer who disagrees gets an item all the same.
    app.upload("copy.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(2).await;
    assert_eq!(app.item().comments.len(), 2);
    let accepted = app.decide(card.finding.id, Verdict::Accept { edits: Edits::NONE }).await;
    assert_eq!((accepted.delivery, app.items().len()), (Delivery::Delivered, 2));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_falls_back_to_a_comment_where_the_item_is_somebody_elses() {
    let app = started(with(&[("PUNCHLENS_PIPELINE__ON_KNOWN", "attachment")])).await;
    let trade = app.simulator.trade("09 - Drywall");
    let fields = json!({ "name": "Cracks", "location_id": app.simulator.location(&UNIT), "trade_id": trade });
    app.simulator.add_punch_item(PROJECT.project, &fields).expect("made");
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let item = app.item();
    assert_eq!((item.images.len(), item.comments.len()), (0, 1), "{item:#?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_early_silences_the_unit_until_it_is_lifted() {
    let app = started(Setup::default()).await;
    app.upload("IMG_1.jpg", wall(1, 90), &UNIT).await;
    app.until_settled(1).await;
    let too_early = Verdict::Reject { reason: RejectReason::TooEarly };
    app.decide(app.card().await.finding.id, too_early).await;
    app.upload("IMG_2.jpg", wall(2, 90), &UNIT).await;
    app.upload("IMG_3.jpg", wall(3, 90), &["Building A", "Floor 2", "Unit 205"]).await;
    app.until_settled(3).await;
    let counts = app.store.counts(None, Timestamp::now()).await.expect("counts");
    assert_eq!((counts.to_review, counts.muted), (1, 1));
    assert_eq!(app.items().len(), 1, "only unit 205 has a draft");
    let [mute] = &app.store.mutes(Some(&[PROJECT])).await.expect("lists")[..] else { panic!("one mute") };
    assert_eq!((mute.place.as_str(), mute.silenced), ("Building A, Floor 2, Unit 204", 1));
    app.store.lift_mute(mute.id, "Sam Super", Timestamp::now()).await.expect("lifts");
    let counts = app.store.counts(None, Timestamp::now()).await.expect("counts");
    assert_eq!((counts.to_review, counts.muted), (2, 0));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exceeds_the_caps_waits_on_the_page_and_becomes_an_item_when_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("caps.toml");
    std::fs::write(&rules, "[caps]\nper_project_day = 2\n").expect("written");
    let files = format!("[{:?}, {TAGGING:?}]", rules.display().to_string());
    let setup = with(&[("PUNCHLENS_TAGGING__RULES_FILES", &files)]);
    let app = TestApp::start(sees(&["crack", "spalling", "peeling_paint"]), setup).await;
    app.upload("IMG_1.jpg", wall(1, 90), &UNIT).await;
    app.until_settled(1).await;
    app.upload("IMG_2.jpg", wall(2, 90), &UNIT).await;
    app.until_settled(2).await;
    let capped = app.on(Shelf::Capped).await;
    assert_eq!((app.items().len(), capped.len()), (2, 4), "two a photo and two a day");
    assert!(capped.iter().all(|card| card.delivery == Delivery::Withheld));
    app.decide(capped[0].finding.id, Verdict::Accept { edits: Edits::NONE }).await;
    assert_eq!(app.items().len(), 3);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_that_comes_after_the_photo_was_looked_at_moves_the_draft() {
    let app = started(Setup::default()).await;
    let image = app.upload("IMG_1.jpg", photo(true, 1), &[]).await;
    app.until_settled(1).await;
    assert_eq!((app.item().location, app.item().name.as_str()), (None, "Crack"));
    app.simulator.move_photo(image, app.simulator.location(&UNIT));
    app.until("the draft moved", async |app: &TestApp| {
        app.items().iter().any(|item| item.location.is_some())
    })
    .await;
    app.until_idle().await;
    let (card, item) = (app.card().await, app.item());
    assert_eq!(item.location, app.simulator.location(&UNIT));
    assert_eq!(item.name, "Crack – Building A, Floor 2, Unit 204");
    assert_eq!((item.workflow_status.as_str(), card.place.id()), ("draft", item.location));

    // Changes of the photo that say nothing new of it cost no download.
    let downloads = |app: &TestApp| {
        app.simulator.requests().iter().filter(|request| request.path.contains("/files/")).count()
    };
    let before = downloads(&app);
    app.simulator.move_photo(image, app.simulator.location(&UNIT));
    app.simulator.quiet().await;
    app.until_idle().await;
    assert_eq!(downloads(&app), before);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_by_webhook_and_once_by_sweep_on_two_boxes_is_one_card() {
    let mut setup = Setup { sweep_every_s: 1, ..Setup::default() };
    setup.options.faults.webhooks = WebhookFaults { duplicate: 1.0, twin: 1.0, ..WebhookFaults::default() };
    let mut app = started(setup).await;
    app.another_box(sees(&["crack"])).await;
    app.upload("IMG_1.jpg", wall(1, 90), &UNIT).await;
    app.upload("IMG_1 copy.jpg", wall(1, 60), &UNIT).await;
    app.simulator.quiet().await;
    app.until("both photos through", async |app: &TestApp| app.photos().await.len() == 2).await;
    app.simulator.quiet().await;
    app.until_idle().await;
    let card = app.card().await;
    let item = app.item();
    assert_eq!(card.punch_item, Some(item.id));
    assert_eq!(item.images.len(), 2, "{item:#?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_without_a_location_borrows_its_neighbours() {
    let app = started(Setup::default()).await;
    let taken = |second: i64| Timestamp::from_second(1_780_000_000 + second).ok();
    let located = PhotoUpload {
        filename: "IMG_1.jpg".into(),
        bytes: photo(false, 1),
        location: app.simulator.location(&UNIT),
        taken_at: taken(0),
        ..PhotoUpload::default()
    };
    app.upload_as(located.clone()).await;
    app.until_settled(1).await;
    let lost = PhotoUpload { bytes: photo(true, 2), location: None, taken_at: taken(240), ..located.clone() };
    app.upload_as(lost).await;
    let far = PhotoUpload { bytes: photo(true, 3), location: None, taken_at: taken(90_000), ..located };
    app.upload_as(far).await;
    app.until_settled(3).await;
    let mut places: Vec<String> = app.cards().await.iter().map(|card| card.place.words()).collect();
    places.sort();
    assert_eq!(places[0], "Building A, Floor 2, Unit 204 – from a photo by the same person, 4 min away");
    assert!(places[1].starts_with("unknown, because"), "{places:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_on_the_site_gives_the_building_and_no_finer_place() {
    let app = started(with(&[("PUNCHLENS_TAGGING__SITE_FILE", SITE)])).await;
    // The middle of building B; Procore tells no accuracy, so fifteen metres are assumed.
    let upload = PhotoUpload {
        filename: "IMG_1.jpg".into(),
        bytes: photo(true, 1),
        gps: Some((47.000_135, -19.998_286)),
        ..PhotoUpload::default()
    };
    app.upload_as(upload).await;
    app.until_settled(1).await;
    let card = app.card().await;
    assert_eq!(card.place.name().as_deref(), Some("Building B"), "{:?}", card.place);
    assert!(matches!(card.place.evidence, Evidence::SiteOutline { .. }));
    assert_eq!(app.item().location, app.simulator.location(&["Building B"]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_procore_lacks_is_made_only_where_the_switch_is_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("site.geojson");
    let ring = [[-21.0, 47.0], [-20.999, 47.0], [-20.999, 47.0009], [-21.0, 47.0009], [-21.0, 47.0]];
    let site = json!({ "type": "FeatureCollection", "features": [{
        "type": "Feature", "properties": { "location": "Gatehouse" },
        "geometry": { "type": "Polygon", "coordinates": [ring] },
    }]});
    std::fs::write(&file, site.to_string()).expect("written");
    let file = file.display().to_string();
    for switch in ["false", "true"] {
        let settings = [
            ("PUNCHLENS_TAGGING__SITE_FILE", file.as_str()),
            ("PUNCHLENS_TAGGING__CREATE_LOCATIONS", switch),
        ];
        let app = started(with(&settings)).await;
        let upload = PhotoUpload {
            filename: "IMG_1.jpg".into(),
            bytes: photo(true, 1),
            gps: Some((47.000_45, -20.9995)),
            ..PhotoUpload::default()
        };
        app.upload_as(upload).await;
        app.until_settled(1).await;
        let made = app.simulator.location(&["Gatehouse"]);
        assert_eq!((made.is_some(), app.item().location), (switch == "true", made), "{switch}");
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_no_rule_covers_keeps_the_service_from_starting() {
    let refusal = TestApp::refusal(sees(&["crack", "graffiti"])).await;
    assert!(refusal.contains("no tagging rule covers graffiti"), "{refusal}");
    assert!(refusal.contains("[class.graffiti]"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn review_first_links_nothing_by_itself() {
    let app = started(Setup { mode: ProjectMode::ReviewFirst, ..Setup::default() }).await;
    let trade = app.simulator.trade("09 - Drywall");
    let fields = json!({ "name": "Crack", "location_id": app.simulator.location(&UNIT), "trade_id": trade });
    app.simulator.add_punch_item(PROJECT.project, &fields).expect("made");
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    assert!(app.item().comments.is_empty());
    assert_eq!(app.on(Shelf::Known).await.len(), 1);
    app.finish().await;
}

/// What the real command prints, with the service's own config.
fn told(app: &TestApp, arguments: &[&str], settings: &[(&str, &str)]) -> String {
    tokio::task::block_in_place(|| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_punchlens"))
            .args(arguments)
            .arg("--config")
            .arg(&app.config_file)
            .envs(settings.iter().copied())
            .output()
            .expect("runs");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_site_check_and_doctor_say_why() {
    let app = started(Setup::default()).await;
    app.upload("IMG_1.jpg", wall(1, 90), &UNIT).await;
    app.until_settled(1).await;
    app.upload("copy.jpg", wall(1, 60), &UNIT).await;
    app.until_settled(2).await;
    let reference = app.card().await.draft.reference;
    let text = told(&app, &["explain", &reference], &[]);
    for expected in [
        "Crack – Building A, Floor 2, Unit 204",
        "Found ",
        " in IMG_1.jpg and 1 more",
        "Place: Building A, Floor 2, Unit 204 – from the photo's location in Procore. [place]",
        "The trade is “09 - Drywall”",
        "[class.crack.priority]",
        "finding.seen_again by punchlens: copy",
        "photo.linked by punchlens",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(told(&app, &["explain", "PL-NONE"], &[]).contains("there is no finding 'PL-NONE'"));

    let text = told(&app, &["site", "check", SITE], &[]);
    assert!(text.contains("sound: 150 areas, each one of the project's 150 locations"), "{text}");

    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "[class.crack]\ntrades = [\"Plasterers\"]\n").expect("written");
    let files = format!("[{:?}]", rules.display().to_string());
    let text = told(&app, &["doctor"], &[("PUNCHLENS_TAGGING__RULES_FILES", &files)]);
    let note =
        "note   tagging: project 8/6778: class.crack.trades: the one listed is no trade of the company";
    assert!(text.contains(note), "{text}");
    app.finish().await;
}

#[test]
fn the_readmes_examples_work() {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("committed");
    let block = |begin: &str| {
        let (_, rest) = readme.split_once(begin).expect("is there");
        rest.split_once("```").expect("ends").0.to_owned()
    };
    let site = Site::parse(&block("```json\n")).expect("readable");
    let tree = LocationTree::from_lines("Building A\nBuilding A>Floor 2\nBuilding A>Floor 2>Unit 204");
    assert_eq!(site.check(&tree), []);
    let rules = Tagging::default_rules().with_override("README.md", &block("# harbour-street.toml\n"));
    assert_eq!(rules.expect("valid").rules().caps.per_photo, 2);
    let committed = std::fs::read_to_string(TAGGING).expect("committed");
    Tagging::default_rules().with_override(TAGGING, &committed).expect("valid");
}
