//! Others at the same card, cut connections, ended sessions, no scripts.

use punchlens::domain::review::{FindingState, RejectReason, Verdict};
use punchlens::simulator::{ErrorBody, Fault, FaultKind};
use serde_json::json;

use super::*;
use crate::support::browser::Screen;

const DUPLICATE: Verdict = Verdict::Reject { reason: RejectReason::Duplicate };

#[tokio::test(flavor = "multi_thread")]
async fn of_two_reviewers_on_one_card_the_second_is_told() {
    let Some(browser) = Browser::open(Screen::Desktop).await else { return };
    let app = with_findings(2, 3600).await;
    by_link(&browser, &app).await;
    browser.press(RIGHT).await;
    browser.until("an open card", CARD).await;
    let id = browser.eval("return location.pathname.split('/').pop()").await;
    let id = id.as_str().expect("an id").parse().expect("an id");

    // What happens meanwhile shows by itself.
    app.decide_as(id, "Ben", DUPLICATE).await;
    browser.until("Ben’s decision", "document.querySelector('.decided')?.textContent.includes('Ben')").await;

    // Where nothing can show by itself, the decision is refused.
    browser.cdp("Network.enable", json!({})).await;
    browser.cdp("Network.setBlockedURLs", json!({ "urls": ["*/review/events*"] })).await;
    browser.go(&format!("{}/review", app.url)).await;
    browser.press(RIGHT).await;
    browser.until("an open card", CARD).await;
    let cards = app.cards().await;
    let open = cards.iter().find(|card| card.state == FindingState::Proposed).expect("an open card");
    app.decide_as(open.finding.id, "Ben", DUPLICATE).await;
    browser.press("a").await;
    browser
        .until(
            "the refusal",
            "document.querySelector('.notice.problem')?.textContent.includes('already decided')",
        )
        .await;
    assert!(browser.text(".decided").await.contains("Ben"));
    assert_eq!(count(&app, FindingState::Rejected).await, 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_uplink_only_delays() {
    let Some(browser) = Browser::open(Screen::Phone).await else { return };
    let app = with_findings(1, 0).await;
    by_link(&browser, &app).await;
    let cut = Fault {
        method: None,
        path: "/rest/v1.1/punch_items/*".into(),
        after: 0,
        times: 3,
        kind: FaultKind::ResetBefore,
    };
    app.simulator.script(cut);
    browser.tap("#start a").await;
    browser.until("an open card", CARD).await;
    let card = browser.url().await;
    browser.tap("#accept").await;
    moved_on(&browser, &card).await;
    browser.go(&card).await;
    browser
        .until("that it waits", "document.querySelector('#chip').textContent.includes('waiting for Procore')")
        .await;
    browser.until("its number", "document.querySelector('#chip').textContent.includes('In Procore #')").await;
    assert_eq!(app.item().workflow_status, "initiated");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_procore_refuses_tells_why_and_is_sent_again() {
    let Some(browser) = Browser::open(Screen::Desktop).await else { return };
    let app = with_findings(1, 0).await;
    by_link(&browser, &app).await;
    app.simulator.script(Fault::once(
        "PATCH",
        "/rest/v1.1/punch_items/*",
        FaultKind::Status { status: 403, retry_after_s: None, body: ErrorBody::Json },
    ));
    browser.press(RIGHT).await;
    browser.until("an open card", CARD).await;
    browser.press("a").await;
    until_count(&app, FindingState::Accepted, 1).await;
    app.until_idle().await;
    browser.go(&format!("{}/review?tab=problems", app.url)).await;
    assert!(!browser.text(".trouble").await.is_empty());
    browser.click(".row").await;
    browser.click("form[action*='send-again'] button").await;
    browser
        .until("its number", "document.querySelector('#chip')?.textContent.includes('In Procore #')")
        .await;

    // What was sent on is not Procore's to take back: the card tells what is left to do.
    browser.press("u").await;
    browser
        .until(
            "what to do",
            "document.querySelector('#state')?.textContent.includes('change or delete it there')",
        )
        .await;
    assert_eq!(app.item().workflow_status, "initiated");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_out_of_reach_keeps_decisions_and_sends_them_later() {
    let Some(browser) = Browser::open(Screen::Phone).await else { return };
    let app = with_findings(3, 3600).await;
    by_link(&browser, &app).await;
    browser.tap("#start a").await;
    browser.until("an open card", CARD).await;
    let ahead = "(() => { const next = document.querySelector('#skip').getAttribute('href'); return window.punchlensKeep.kept(next); })()";
    browser.until("the next card to be fetched ahead", ahead).await;
    browser.offline(true).await;
    let before = browser.url().await;
    browser.tap("#accept").await;
    moved_on(&browser, &before).await;
    browser.until("an open card", CARD).await;
    assert!(browser.text("#kept").await.contains("1 decision is kept"));
    assert_eq!(count(&app, FindingState::Proposed).await, 3, "nothing is taken for sent that was not");
    browser.offline(false).await;
    until_count(&app, FindingState::Accepted, 1).await;
    browser.until("to hear of it", "document.querySelector('#kept')?.textContent.includes('was sent')").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_in_mid_decision_decides_nothing_and_leads_back() {
    let Some(browser) = Browser::open(Screen::Phone).await else { return };
    let app = with_findings(2, 3600).await;
    account(&app, "ana", "Ana Ruiz").await;
    browser.go(&format!("{}/review", app.url)).await;
    fill_sign_in(&browser, "ana").await;
    browser.tap("#start a").await;
    browser.until("an open card", CARD).await;
    let card = browser.url().await;
    browser.forget_cookies().await;
    browser.tap("#accept").await;
    browser.until("the sign-in form", "document.querySelector('#login')").await;
    assert!(browser.text(".notice").await.contains("Nothing was decided"));
    assert_eq!(count(&app, FindingState::Proposed).await, 2);
    fill_sign_in(&browser, "ana").await;
    browser.until("the card", CARD).await;
    assert_eq!(browser.url().await, card);
    browser.tap("#accept").await;
    until_count(&app, FindingState::Accepted, 1).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_lists_and_decisions_work_by_plain_forms() {
    let Some(browser) = Browser::open_with(Screen::Phone, false).await else { return };
    let app = with_findings(4, 3600).await;
    browser.go(&format!("{}/review?key={}&name=Ana", app.url, app.key)).await;
    browser.tap(".row").await;
    browser.tap("#map-switch").await;
    browser.until("the score map", "document.querySelector('#map').checkVisibility()").await;
    browser.tap("#map-switch").await;
    browser.until("no score map", "!document.querySelector('#map').checkVisibility()").await;
    browser.tap("#accept").await;
    until_count(&app, FindingState::Accepted, 1).await;
    browser.tap("#undo").await;
    until_count(&app, FindingState::Accepted, 0).await;
    browser.tap("#reject > summary").await;
    browser.until("the reasons", "document.querySelector('.reason').offsetParent").await;
    browser.tap(".reason[value=too_early]").await;
    until_count(&app, FindingState::Rejected, 1).await;
    browser.go(&format!("{}/review", app.url)).await;
    browser.tap("[type=search]").await;
    browser.press("nothing like this").await;
    browser.press(ENTER).await;
    assert!(browser.text(".nothing").await.contains("No matches"));
    browser.go(&format!("{}/review?group=class", app.url)).await;
    browser.tap(".batch .accept").await;
    until_count(&app, FindingState::Accepted, 3).await;
    app.finish().await;
}
