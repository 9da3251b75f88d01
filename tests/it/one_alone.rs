//! The first create that goes wrong is the only one: what Procore refuses or makes otherwise is found out once for all.

use punchlens::domain::delivery::ProjectMode;
use punchlens::domain::omitted_field::Field;
use punchlens::domain::punch_item::Edits;
use punchlens::domain::review::{Delivery, Verdict};
use punchlens::simulator::{Fault, FaultKind, Faults, Policies, SetField};
use punchlens::store::JobState;
use serde_json::json;

use crate::support::detector::{sees, wall};
use crate::support::{PROJECT, Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];

const CREATE: &str = "/rest/v1.1/punch_items";

/// Walls that are photographed at once: as many as there are workers in the default configuration, and some more.
const WALLS: u8 = 8;

fn creates(app: &TestApp) -> usize {
    app.simulator.requests().iter().filter(|asked| asked.method == "POST" && asked.path == CREATE).count()
}

/// Creates take a while, so that others could overtake.
fn slow_creates() -> Fault {
    let kind = FaultKind::Stall { pause_ms: 300 };
    Fault { times: 100, ..Fault::once("POST", CREATE, kind) }
}

fn slow() -> Faults {
    Faults { script: vec![slow_creates()], ..Faults::default() }
}

impl TestApp {
    /// A wall in each of several units, so that each is a finding of its own.
    async fn upload_walls(&self) {
        for salt in 1..=WALLS {
            let unit = format!("Unit 20{salt}");
            let place = ["Building A", "Floor 2", &unit];
            self.upload(&format!("IMG_{salt}.jpg"), wall(salt.into(), 90), &place).await;
        }
    }

    async fn stop_reason(&self) -> String {
        self.until("the stop", async |app: &TestApp| !app.store.stops().await.expect("store").is_empty())
            .await;
        self.until_idle().await;
        let stops = self.store.stops().await.expect("store");
        let [stop] = &stops[..] else { panic!("one stop: {stops:?}") };
        assert_eq!(stop.project, PROJECT);
        stop.to_string()
    }

    async fn resume(&self) {
        let now = jiff::Timestamp::now();
        self.store.resume_project(PROJECT, "tests", now).await.expect("it was stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_out_as_no_draft_is_made_once_by_all_workers() {
    let mut options = Setup::default().options;
    options.faults = Faults { drafts_ignored: true, ..slow() };
    let app = TestApp::start(sees(&["crack"]), Setup { options, ..Setup::default() }).await;
    app.upload_walls().await;
    let reason = app.stop_reason().await;
    assert!(reason.contains("instead of a draft") && reason.contains("projects resume"), "{reason}");
    app.until("all photos", async |app: &TestApp| app.photos().await.len() == usize::from(WALLS)).await;
    app.until_idle().await;
    assert_eq!((creates(&app), app.items().len()), (1, 1));
    let parked = app.store.jobs(Some(JobState::Parked), 100).await.expect("store");
    assert_eq!(parked.len(), usize::from(WALLS) - 1, "all others wait: {parked:#?}");

    // It is not mended yet: again one goes alone.
    app.resume().await;
    app.stop_reason().await;
    assert_eq!((creates(&app), app.items().len()), (2, 2));
    app.simulator.set_faults(slow());
    app.resume().await;
    app.until_idle().await;
    let drafts = app.items().into_iter().filter(|item| item.workflow_status == "draft").count();
    assert_eq!(drafts, usize::from(WALLS) - 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_punch_list_that_is_off_is_asked_once_and_named() {
    for status in [404, 403] {
        let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
        app.simulator.set_faults(slow());
        app.simulator.set_policies(Policies { switched_off: Some(status), ..Policies::default() });
        app.upload_walls().await;
        let reason = app.stop_reason().await;
        assert!(reason.contains("settings") || reason.contains("tool is switched on"), "{status}: {reason}");
        assert!(creates(&app) <= 1, "{status}: what cannot be read need not be asked for more");
        assert!(
            app.cards().await.iter().all(|card| card.delivery == Delivery::Waiting),
            "nothing is refused"
        );
        app.simulator.set_policies(Policies::default());
        app.resume().await;
        app.until_idle().await;
        assert_eq!(app.items().len(), usize::from(WALLS), "{status}");
        app.stop().await;
    }
}

fn required(definition: Option<i64>, label: &str, data_type: &str, entries: &[(i64, &str)]) -> SetField {
    SetField {
        definition,
        label: label.into(),
        data_type: data_type.into(),
        required: true,
        entries: entries.iter().map(|(id, name)| (*id, (*name).to_owned())).collect(),
    }
}

fn strict() -> Policies {
    Policies {
        enforced: true,
        fieldset: vec![
            required(None, "Cost Code", "", &[]),
            required(Some(4711), "Severity", "lov_entry", &[(81, "Minor"), (82, "Major")]),
        ],
        cost_codes: vec![(900, "09-250".into(), "Gypsum Board".into())],
        ..Policies::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_field_stops_the_project_once_with_its_cure() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    app.simulator.set_faults(slow());
    app.simulator.set_policies(strict());
    app.upload_walls().await;
    let reason = app.stop_reason().await;
    assert!(reason.contains("requires 'cost_code'") && reason.contains("[fields]"), "{reason}");
    assert_eq!((creates(&app), app.items().len()), (1, 0));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_fields_are_sent_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.toml");
    std::fs::write(&file, "[fields]\n\"Cost Code\" = \"Gypsum Board\"\nSeverity = \"Minor\"\n")
        .expect("written");
    let files = format!("[{:?}]", file.display().to_string());
    let setup = Setup { settings: vec![("PUNCHLENS_TAGGING__RULES_FILES", files)], ..Setup::default() };
    let app = TestApp::start(sees(&["crack"]), setup).await;
    app.simulator.set_policies(strict());
    for (number, salt) in [(1, 11), (2, 12)] {
        app.upload(&format!("IMG_{number}.jpg"), wall(salt, 90), &UNIT).await;
        app.until_settled(number).await;
    }
    let items = app.items();
    assert_eq!(items.len(), 2);
    for item in items {
        assert_eq!(json!(item.further), json!({ "cost_code_id": 900, "custom_field_4711": 81 }));
    }
    let asked = app.simulator.requests();
    let reads =
        asked.iter().filter(|asked| asked.path.contains("field_sets") || asked.path.contains("cost_codes"));
    assert_eq!(reads.count(), 2, "each list once");
    app.finish().await;
}

/// What is left out of the only card for its location.
async fn left_out_location(app: &TestApp) -> (Option<i64>, String) {
    let card = app.card().await;
    let left = card.left_out.iter().find(|left| left.field == Field::Location);
    left.map(|left| (left.id, left.because.clone())).expect("the location is left out")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_that_is_gone_is_left_out_and_told() {
    for lost_location_is_not_found in [false, true] {
        let app =
            TestApp::start(sees(&["crack"]), Setup { mode: ProjectMode::ReviewFirst, ..Setup::default() })
                .await;
        let unit = app.simulator.location(&UNIT).expect("seeded");
        app.upload("IMG_1.jpg", wall(1, 90), &UNIT).await;
        app.until_settled(1).await;
        app.simulator.set_policies(Policies { lost_location_is_not_found, ..Policies::default() });
        app.simulator.delete_location_silently(unit);
        let card = app.decide(app.card().await.finding.id, Verdict::Accept { edits: Edits::NONE }).await;
        let item = app.item();
        assert_eq!((item.location, item.workflow_status.as_str()), (None, "initiated"));
        assert_eq!(card.delivery, Delivery::Delivered);
        let (id, because) = left_out_location(&app).await;
        assert_eq!(id, Some(unit.value()));
        assert!(because.contains("Building A, Floor 2, Unit 204"), "{because}");
        assert_eq!(creates(&app), 2, "with the location, and without");
        let asked = app.simulator.requests();
        let lists = asked.iter().filter(|asked| asked.path.ends_with("/locations")).count();
        assert_eq!(lists, 2, "they were read again");
        assert!(app.store.stops().await.expect("store").is_empty());
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_that_a_reviewer_chose_and_is_gone_is_left_out_and_told() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    let other = app.simulator.location(&["Building A", "Floor 1", "Unit 101"]).expect("seeded");
    app.upload("IMG_1.jpg", wall(1, 90), &UNIT).await;
    app.until_settled(1).await;
    app.simulator.delete_location_silently(other);
    let edits = Edits { location: Some(other), ..Edits::NONE };
    app.decide(app.card().await.finding.id, Verdict::Accept { edits }).await;
    let item = app.item();
    assert_eq!((item.location, item.workflow_status.as_str()), (app.simulator.location(&UNIT), "initiated"));
    let (id, because) = left_out_location(&app).await;
    assert_eq!(id, Some(other.value()));
    assert!(because.contains(&format!("number {other}")), "{because}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_keeps_the_others_waiting_until_it_is_found() {
    let app = TestApp::start(sees(&["crack"]), Setup { mode: ProjectMode::Draft, ..Setup::default() }).await;
    app.simulator.script(Fault::once("POST", CREATE, FaultKind::ResetAfter));
    app.upload_walls().await;
    app.until_settled(usize::from(WALLS)).await;
    assert_eq!((creates(&app), app.items().len()), (usize::from(WALLS), usize::from(WALLS)));
    app.finish().await;
}
