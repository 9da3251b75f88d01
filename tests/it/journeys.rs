//! The product, told as journeys: photo, webhook, draft, review, Procore.

use jiff::Timestamp;
use punchlens::domain::delivery::ProjectMode;
use punchlens::domain::punch_item::{Edits, Priority};
use punchlens::domain::review::{Delivery, FindingState, RejectReason, Verdict};
use punchlens::simulator::{Access, ErrorBody, Fault, FaultKind, Level, Options, WebhookFaults};
use punchlens::store::PhotoState;
use serde_json::json;

use crate::support::detector::{photo, sees};
use crate::support::{PROJECT, Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];

const ACCEPT: Verdict = Verdict::Accept { edits: Edits::NONE };

const REJECT: Verdict = Verdict::Reject { reason: RejectReason::NotADefect };

async fn started(setup: Setup) -> TestApp {
    TestApp::start(sees(&["crack"]), setup).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_becomes_a_tagged_draft() {
    let app = started(Setup::default()).await;
    let image = app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.upload("IMG_2.jpg", photo(false, 2), &UNIT).await;
    app.until_settled(2).await;

    let (card, item) = (app.card().await, app.item());
    assert_eq!(item.workflow_status, "draft");
    assert_eq!(item.reference.as_deref(), Some(card.finding.id.reference().as_str()));
    assert_eq!(item.images, [image]);
    assert_eq!(item.location, app.simulator.location(&UNIT));
    assert_eq!(item.name, "Crack – Building A, Floor 2, Unit 204");
    assert!(item.trade.is_some() && item.priority.is_some());
    assert_eq!(card.punch_item, Some(item.id));
    assert_eq!((card.state, card.delivery), (FindingState::Proposed, Delivery::Delivered));
    assert!(app.store.picture(card.photo.id).await.expect("store").is_some(), "review has its picture");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accepting_sends_the_edits_and_moves_the_item_on() {
    let app = started(Setup::default()).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let card = app.card().await;
    let edits =
        Edits { title: Some("Crack by the door".into()), priority: Some(Priority::High), ..Edits::NONE };
    let card = app.decide(card.finding.id, Verdict::Accept { edits }).await;
    let item = app.item();
    assert_eq!((card.state, card.delivery), (FindingState::Accepted, Delivery::Delivered));
    assert_eq!(item.workflow_status, "initiated");
    assert_eq!(item.name, "Crack by the door");
    assert_eq!(item.priority.as_deref(), Some("high"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejecting_moves_the_draft_to_the_recycle_bin() {
    let app = started(Setup::default()).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let card = app.decide(app.card().await.finding.id, REJECT).await;
    assert_eq!((card.state, card.delivery), (FindingState::Rejected, Delivery::Delivered));
    assert!(app.items().is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_that_procore_does_not_take_back_tells_what_to_do() {
    for punch_list in [Level::Standard, Level::Admin] {
        let access = Access { punch_list, ..Access::default() };
        let options = Options { access, ..Setup::default().options };
        let app = started(Setup { options, ..Setup::default() }).await;
        app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
        app.until_settled(1).await;
        let finding = app.decide(app.card().await.finding.id, ACCEPT).await.finding.id;
        app.store.undo(finding, "Sam Super", Timestamp::now()).await.expect("takes back");
        app.until_idle().await;
        let card = app.card().await;
        assert_eq!((card.state, card.delivery), (FindingState::Proposed, Delivery::Refused));
        let problem = card.problem.unwrap_or_default();
        assert!(problem.contains("change or delete it there"), "{punch_list:?}: {problem}");
        // It is as it was sent on, and accepting once more says so.
        let card = app.decide(finding, ACCEPT).await;
        assert_eq!((card.delivery, app.item().workflow_status.as_str()), (Delivery::Delivered, "initiated"));
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn review_first_writes_nothing_before_a_person_accepts() {
    let app = started(Setup { mode: ProjectMode::ReviewFirst, ..Setup::default() }).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.upload("IMG_2.jpg", photo(true, 2), &UNIT).await;
    app.until_settled(2).await;
    assert!(app.items().is_empty());
    let cards = app.cards().await;
    app.decide(cards[0].finding.id, REJECT).await;
    assert!(app.items().is_empty());
    app.decide(cards[1].finding.id, ACCEPT).await;
    assert_eq!(app.item().workflow_status, "initiated");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shadow_mode_only_records() {
    let app = started(Setup { mode: ProjectMode::Shadow, ..Setup::default() }).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    assert_eq!(app.card().await.delivery, Delivery::Withheld);
    let writes = app.simulator.requests().into_iter().filter(|request| request.path.contains("punch_items"));
    assert_eq!(writes.filter(|request| request.method != "GET").count(), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_answer_is_lost_makes_one_item() {
    let app = started(Setup::default()).await;
    for kind in [FaultKind::ResetAfter, FaultKind::StatusAfter { status: 502 }, FaultKind::ResetBefore] {
        app.simulator.script(Fault {
            method: Some("POST".into()),
            path: "/rest/v1.1/punch_items".into(),
            after: 0,
            times: 1,
            kind,
        });
    }
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    assert_eq!(app.card().await.punch_item, Some(app.item().id));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_twins_and_late_locations_give_one_item() {
    let mut options = Setup::default().options;
    options.faults.webhooks = WebhookFaults { duplicate: 1.0, twin: 1.0, ..WebhookFaults::default() };
    let app = started(Setup { options, ..Setup::default() }).await;
    let bytes = photo(true, 1);
    app.upload("IMG_1.jpg", bytes.clone(), &UNIT).await;
    app.upload("copy of IMG_1.jpg", bytes, &UNIT).await;
    app.simulator.quiet().await;
    app.until_settled(2).await;
    app.item();
    let card = app.card().await;
    assert_eq!(app.store.photos_of(card.finding.id).await.expect("store").len(), 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_photo_is_recorded_with_its_reason_and_the_next_is_unaffected() {
    let app = started(Setup::default()).await;
    let whole = photo(true, 1);
    app.upload("zero.jpg", Vec::new(), &UNIT).await;
    app.upload("cut.jpg", whole[..40].to_vec(), &UNIT).await;
    app.upload("text.jpg", b"not a photo at all".to_vec(), &UNIT).await;
    app.upload("good.jpg", whole, &UNIT).await;
    app.until_settled(4).await;
    let failed = app.photos().await.into_iter().filter_map(|summary| match summary.photo.state {
        PhotoState::Failed { reason } => Some((summary.photo.filename, reason)),
        _ => None,
    });
    let failed: Vec<_> = failed.collect();
    assert_eq!(failed.len(), 3, "{failed:#?}");
    assert!(failed.iter().all(|(_, reason)| !reason.is_empty()));
    app.item();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_finds_what_no_webhook_told_of() {
    let app = started(Setup { hooked: false, sweep_every_s: 1, ..Setup::default() }).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until("the sweep to find the photo", async |app: &TestApp| !app.photos().await.is_empty()).await;
    app.until("its draft", async |app: &TestApp| {
        app.cards().await.iter().any(|card| card.punch_item.is_some())
    })
    .await;
    assert_eq!(app.card().await.punch_item, Some(app.item().id));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_do_in_procore_wins() {
    let app = started(Setup::default()).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let (finding, item) = (app.card().await.finding.id, app.item().id);
    assert!(app.simulator.edit_punch_item(item, &json!({ "workflow_status": "initiated" })));
    app.until("the change to be noticed", async |app: &TestApp| {
        app.cards().await.iter().any(|card| card.state == FindingState::TakenOver)
    })
    .await;
    let card = app.store.card(finding).await.expect("store").expect("there");
    assert!(card.problem.is_some_and(|problem| problem.contains("initiated")));
    assert_eq!(app.item().workflow_status, "initiated");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_and_a_busy_procore_only_delay() {
    let app = started(Setup::default()).await;
    for kind in [
        FaultKind::RevokeToken,
        FaultKind::Status { status: 503, retry_after_s: Some(1), body: ErrorBody::Json },
    ] {
        app.simulator.script(Fault {
            method: None,
            path: "/rest/v1.0/images/*".into(),
            after: 0,
            times: 1,
            kind,
        });
    }
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    app.item();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_strangers_are_refused_or_ignored() {
    let app = started(Setup::default()).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let events = format!("{}/procore/events", app.url);
    let body =
        json!({ "id": "01", "timestamp": "2026-06-02T16:04:43Z", "reason": "create", "company_id": "8",
        "project_id": "999", "user_id": "1", "resource_type": "Images", "resource_id": "5" })
        .to_string();
    let unsigned = client.post(&events).body(body.clone()).send().await.expect("an answer");
    assert_eq!(unsigned.status(), 401);
    let forged = client.post(&events).header("Authorization", "Bearer guess").body(body.clone());
    assert_eq!(forged.send().await.expect("an answer").status(), 401);
    let genuine = client.post(&events).header("Authorization", crate::support::AUTHORIZATION).body(body);
    assert!(genuine.send().await.expect("an answer").status().is_success());
    app.until_idle().await;
    assert!(app.photos().await.is_empty(), "project 999 is not permitted");
    let asked = app.simulator.requests().into_iter().filter(|request| request.path.contains("images/5"));
    assert_eq!(asked.count(), 0, "nothing was asked of {PROJECT}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_need_the_key_and_reach_procore() {
    let app = started(Setup::default()).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let finding = app.card().await.finding.id;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");

    let page = client.get(format!("{}/review", app.url)).send().await.expect("an answer");
    assert!(!page.text().await.expect("text").contains("Unit 204"), "nothing is shown without the key");
    let form = client.post(format!("{}/review/findings/{finding}/accept", app.url));
    let forged = form.form(&[("csrf", "guess"), ("title", "x")]).send().await.expect("an answer");
    assert!(!forged.status().is_success());
    let wish = json!({ "verdict": "accept", "edits": { "priority": "low" }, "reviewer": "Sam" });
    let decide = |key: &str| {
        let call = client.post(format!("{}/api/v1/findings/{finding}/decision", app.url));
        call.bearer_auth(key).json(&wish).send()
    };
    assert_eq!(decide("guess").await.expect("an answer").status(), 401);
    assert_eq!(app.card().await.state, FindingState::Proposed);

    assert!(decide(&app.key).await.expect("an answer").status().is_success());
    app.until_idle().await;
    let (item, card) = (app.item(), app.card().await);
    assert_eq!((item.workflow_status.as_str(), item.priority.as_deref()), ("initiated", Some("low")));
    assert_eq!(card.decision.expect("decided").reviewer, "Sam");
    assert_eq!(decide(&app.key).await.expect("an answer").status(), 409, "once is enough");
    app.finish().await;
}
