//! Writes whose answer never came, items that nobody knows of, and what Procore makes of what it was sent.

use std::time::Duration;

use jiff::Timestamp;
use punchlens::domain::delivery::ProjectMode;
use punchlens::domain::ids::{FindingId, ImageId, Sha256Digest};
use punchlens::domain::job::Job;
use punchlens::domain::punch_item::Edits;
use punchlens::domain::review::{Delivery, FindingState, RejectReason, Verdict};
use punchlens::simulator::{Echo, EchoedImages, Fault, FaultKind, Faults, LateAnswer, PunchItem};
use punchlens::store::AuditSubject;
use serde_json::json;

use crate::support::detector::{photo, sees, wall};
use crate::support::{PROJECT, Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];
const ITEMS: &str = "/rest/v1.1/punch_items";
const ITEM: &str = "/rest/v1.1/punch_items/*";
const COMMENTS: &str = "/rest/v1.0/punch_items/*/comments";
const REJECT: Verdict = Verdict::Reject { reason: RejectReason::NotADefect };

/// Long before what comes late, so that nobody waits for it.
const LATE_MS: u64 = 1500;

/// A box that waits for no answer longer than a moment, and takes a write as never done after `doubt_s`.
async fn started(doubt_s: u64, settings: &[(&'static str, &str)]) -> TestApp {
    let own = [
        ("PUNCHLENS_PROCORE__FIRST_BYTE_MS", "700".to_owned()),
        ("PUNCHLENS_PROCORE__TOTAL_MS", "1000".to_owned()),
        ("PUNCHLENS_PIPELINE__DOUBT_S", doubt_s.to_string()),
    ];
    let settings = own.into_iter().chain(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    TestApp::start(sees(&["crack"]), Setup { settings: settings.collect(), ..Setup::default() }).await
}

fn late(method: &str, path: &str, after_ms: u64, heard: LateAnswer, backdated: bool) -> Fault {
    Fault::once(method, path, FaultKind::CommitLate { after_ms, heard, backdated })
}

impl TestApp {
    fn writes(&self, method: &str, path: &str) -> usize {
        let asked = self.simulator.requests();
        asked.iter().filter(|request| request.method == method && request.path.contains(path)).count()
    }

    /// Returns once the reviewer is told that a write is in doubt.
    async fn until_in_doubt(&self) {
        self.until("the doubt to be told", async |app: &Self| {
            app.cards().await.iter().any(|card| card.notice.is_some())
        })
        .await;
    }

    /// Returns once Procore has `count` items, those in the recycle bin among them.
    async fn until_made(&self, count: usize) {
        self.simulator.until(|simulator| simulator.punch_items().len() == count).await;
    }

    /// Looks for news, as the box does now and then, and returns once all is done that follows from them.
    async fn swept(&self) {
        let now = Timestamp::now();
        self.store.enqueue(&[Job::Sweep { project: PROJECT }], now, now).await.expect("queued");
        self.until_idle().await;
    }

    async fn audited(&self, finding: FindingId) -> Vec<String> {
        let rows = self.store.audit_of(AuditSubject::Finding(finding)).await.expect("reads");
        rows.into_iter().map(|row| row.kind).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_is_carried_out_late_is_one_item() {
    for (heard, backdated) in
        [(LateAnswer::Silence, false), (LateAnswer::Reset, true), (LateAnswer::GatewayTimeout, false)]
    {
        let app = started(8, &[]).await;
        app.simulator.script(late("POST", ITEMS, 3 * LATE_MS, heard, backdated));
        app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
        app.until_in_doubt().await;
        assert_eq!(app.card().await.delivery, Delivery::Waiting);
        app.until_settled(1).await;
        let card = app.card().await;
        assert_eq!((card.punch_item, card.delivery), (Some(app.item().id), Delivery::Delivered), "{heard:?}");
        assert_eq!(card.notice, None);
        assert_eq!(app.writes("POST", ITEMS), 1, "{heard:?}");
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_was_never_carried_out_is_made_once() {
    let app = started(2, &[]).await;
    app.simulator.script(Fault::once("POST", ITEMS, FaultKind::ResetBefore));
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    assert_eq!(app.card().await.punch_item, Some(app.item().id));
    assert_eq!(app.writes("POST", ITEMS), 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_while_its_create_is_in_doubt_is_deleted_when_it_appears() {
    let app = started(5, &[]).await;
    app.simulator.script(late("POST", ITEMS, 2 * LATE_MS, LateAnswer::Silence, false));
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_in_doubt().await;
    let finding = app.card().await.finding.id;
    app.decide_as(finding, "Ana", REJECT).await;
    app.until("the card to say so", async |app: &TestApp| {
        app.card().await.notice.is_some_and(|notice| notice.contains("keeps looking"))
    })
    .await;
    assert_eq!(app.card().await.delivery, Delivery::Waiting);
    app.until_made(1).await;
    app.until_idle().await;
    let card = app.card().await;
    assert_eq!((card.state, card.delivery), (FindingState::Rejected, Delivery::Delivered));
    assert!(app.items().is_empty(), "no draft of a rejected finding is left: {:#?}", app.items());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_when_nobody_waits_for_it_any_more_is_put_right() {
    let app = started(1, &[]).await;
    // One after the other: until a create is confirmed, one finding's goes alone.
    let late = |backdated| late("POST", ITEMS, 4000, LateAnswer::Reset, backdated);
    app.simulator.script(late(true));
    let kept = app.upload("IMG_1.jpg", wall(1, 90), &UNIT).await;
    app.until_settled(1).await;
    app.simulator.script(late(false));
    app.upload("IMG_2.jpg", wall(2, 90), &UNIT).await;
    app.until_settled(2).await;
    let rejected = app.cards().await.into_iter().find(|card| card.photo.image != kept).expect("two walls");
    app.decide(rejected.finding.id, REJECT).await;
    app.until_made(4).await;
    app.swept().await;

    let card = app.cards().await.into_iter().find(|card| card.photo.image == kept).expect("the first");
    assert_eq!(Some(app.item().id), card.punch_item);
    let item = app.item();
    let twins: Vec<PunchItem> =
        app.simulator.punch_items().into_iter().filter(|twin| twin.reference == item.reference).collect();
    // On a slow machine the short horizon of this test is over more than once.
    assert!(twins.len() >= 2 && item.id == twins[0].id, "the younger went: {twins:#?}");
    assert!(twins[1..].iter().all(|twin| twin.deleted_at.is_some()), "{twins:#?}");
    let trail = app.audited(card.finding.id).await;
    assert!(trail.iter().any(|kind| kind == "item.twin_binned"), "{trail:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_that_a_person_touched_stays() {
    let app = started(1, &[]).await;
    app.simulator.script(late("POST", ITEMS, 4000, LateAnswer::Reset, false));
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let first = app.item().id;
    app.until_made(2).await;
    app.simulator.advance(Duration::from_mins(1));
    assert!(app.simulator.edit_punch_item(first, &json!({ "name": "Crack by the door" })));
    let late = app.items().into_iter().find(|item| item.id != first).expect("two");
    assert!(app.simulator.edit_punch_item(late.id, &json!({ "workflow_status": "initiated" })));
    app.swept().await;
    assert_eq!(app.items().len(), 2, "a person worked with both");
    let finding = app.card().await.finding.id;
    assert!(app.audited(finding).await.iter().any(|kind| kind == "item.left"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_comments_and_deletions_that_come_late_are_sent_once() {
    let app = started(4, &[]).await;
    let trade = app.simulator.trade("09 - Drywall");
    let place = app.simulator.location(&UNIT);
    app.upload("IMG_1.jpg", wall(1, 90), &["Building A", "Floor 2", "Unit 205"]).await;
    app.upload("IMG_2.jpg", wall(2, 90), &["Building A", "Floor 2", "Unit 206"]).await;
    app.until_settled(2).await;
    let cards = app.cards().await;

    app.simulator.script(late("PATCH", ITEM, LATE_MS, LateAnswer::GatewayTimeout, false));
    app.decide(cards[0].finding.id, Verdict::Accept { edits: Edits::NONE }).await;
    app.simulator.script(late("DELETE", ITEM, LATE_MS, LateAnswer::Silence, false));
    app.decide(cards[1].finding.id, REJECT).await;
    assert_eq!((app.item().workflow_status.as_str(), app.writes("PATCH", ITEMS)), ("initiated", 1));
    assert_eq!(app.writes("DELETE", ITEMS), 1);

    let fields = json!({ "name": "Wall cracked", "workflow_status": "work_required", "location_id": place,
        "trade_id": trade });
    let known = app.simulator.add_punch_item(PROJECT.project, &fields).expect("made");
    app.simulator.script(late("POST", COMMENTS, LATE_MS, LateAnswer::Reset, false));
    app.upload("IMG_3.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(3).await;
    let item = app.items().into_iter().find(|item| item.id == known).expect("there");
    assert_eq!((item.comments.len(), app.writes("POST", "/comments")), (1, 1));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_life_made_is_found_before_anything_is_made() {
    let app = started(600, &[]).await;
    let reference = |bytes: &[u8]| FindingId::of(PROJECT, &Sha256Digest::of(bytes), "crack").reference();
    let photos = [photo(true, 1), photo(true, 2)];
    let made: Vec<_> = photos
        .iter()
        .map(|bytes| {
            let fields =
                json!({ "name": "Crack", "reference": reference(bytes), "workflow_status": "draft" });
            app.simulator.add_punch_item(PROJECT.project, &fields).expect("made")
        })
        .collect();
    assert!(app.simulator.delete_punch_item(made[1]));
    app.simulator.advance(Duration::from_hours(24 * 40));
    for (number, bytes) in photos.into_iter().enumerate() {
        app.upload("IMG.jpg", bytes, &["Building A", "Floor 2", ["Unit 205", "Unit 206"][number]]).await;
        app.until_settled(number + 1).await;
    }
    assert_eq!(app.item().id, made[0], "nothing was made a second time");
    assert_eq!(app.writes("POST", ITEMS), 0);
    let lists =
        || app.simulator.requests().iter().filter(|request| request.path.ends_with("/recycle_bin")).count();
    assert_eq!(lists(), 1, "it is read once, and not draft by draft");
    let cards = app.cards().await;
    let states: Vec<_> = made
        .iter()
        .map(|id| cards.iter().find(|card| card.punch_item == Some(*id)).map(|card| card.state))
        .collect();
    assert_eq!(states, [Some(FindingState::Proposed), Some(FindingState::TakenOver)]);

    app.upload("new.jpg", photo(true, 3), &UNIT).await;
    app.until_settled(3).await;
    assert_eq!((app.items().len(), lists()), (2, 1));
    app.finish().await;
}

/// A draft with `echo`, accepted with another description, then brought a second photo.
async fn echoed(echo: Echo) {
    let app = started(600, &[]).await;
    app.simulator.set_faults(Faults { echo, ..Faults::default() });
    let first = app.upload("IMG_1.jpg", wall(1, 90), &UNIT).await;
    app.until_settled(1).await;
    let second = app.upload("IMG_1 (edited).jpg", wall(1, 55), &UNIT).await;
    app.until_settled(2).await;
    let images: Vec<ImageId> = app.item().images;
    assert_eq!(images, [first, second], "no photo is thrown off the draft: {echo:?}");

    let words = "Crack & dust\nat the door \u{e9} \"left\"".to_owned();
    let edits = Edits { description: Some(words.clone()), ..Edits::default() };
    let card = app.decide(app.card().await.finding.id, Verdict::Accept { edits }).await;
    assert_eq!((card.state, card.delivery), (FindingState::Accepted, Delivery::Delivered), "{echo:?}");
    let item = app.item();
    assert_eq!((item.workflow_status.as_str(), item.description), ("initiated", Some(words)), "{echo:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_procore_makes_of_texts_and_photos_is_nobodys_edit() {
    let plain = Echo::default();
    echoed(Echo { crlf: true, entities: true, images: EchoedImages::Empty, ..plain }).await;
    echoed(Echo { trimmed: true, decomposed: true, crlf: true, images: EchoedImages::FileIds, ..plain })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_on_with_other_words_than_were_accepted() {
    let app = started(600, &[]).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let (id, finding) = (app.item().id, app.card().await.finding.id);
    assert!(app.simulator.edit_punch_item(id, &json!({ "description": "It is a shadow." })));
    app.simulator.quiet().await;
    app.until_idle().await;
    let edits = Edits { description: Some("A hairline crack.".into()), ..Edits::default() };
    let card = app.decide(finding, Verdict::Accept { edits }).await;
    assert_eq!(card.delivery, Delivery::Refused);
    let problem = card.problem.expect("the reviewer is told");
    assert!(problem.contains("changed the description"), "{problem}");
    let item = app.item();
    assert_eq!(item.workflow_status, "draft", "it was not sent on");
    assert_eq!(item.description.as_deref(), Some("It is a shadow."), "a person's words are kept");

    app.store.undo(finding, "Sam Super", Timestamp::now()).await.expect("taken back");
    app.until_idle().await;
    let edits = Edits { description: Some("It is a shadow.".into()), ..Edits::default() };
    let card = app.decide(finding, Verdict::Accept { edits }).await;
    assert_eq!((card.delivery, app.item().workflow_status.as_str()), (Delivery::Delivered, "initiated"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shadow_mode_adopts_nothing() {
    let setup = Setup { mode: ProjectMode::Shadow, ..Setup::default() };
    let app = TestApp::start(sees(&["crack"]), setup).await;
    let bytes = photo(true, 1);
    let reference = FindingId::of(PROJECT, &Sha256Digest::of(&bytes), "crack").reference();
    let fields = json!({ "name": "Crack", "reference": reference, "workflow_status": "draft" });
    app.simulator.add_punch_item(PROJECT.project, &fields).expect("made");
    app.upload("IMG_1.jpg", bytes, &UNIT).await;
    app.until_settled(1).await;
    app.swept().await;
    assert_eq!(app.card().await.delivery, Delivery::Withheld);
    app.finish().await;
}
