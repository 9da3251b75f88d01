//! Twenty cards by keyboard and by touch; edits, undo, groups, and what reasons lead to.

use punchlens::domain::punch_item::Priority;
use punchlens::domain::review::{FindingState, RejectReason, Verdict};
use punchlens::store::{CardQuery, Shelf};

use super::*;
use crate::support::browser::Screen;

/// How many tiles are not ticked.
const UNTICKED: &str = "document.querySelectorAll('[name=id]:not(:checked)').length";

#[tokio::test(flavor = "multi_thread")]
async fn twenty_cards_by_keyboard() {
    let Some(browser) = Browser::open(Screen::Desktop).await else { return };
    let app = with_findings(22, 3600).await;
    account(&app, "ana", "Ana Ruiz").await;
    browser.go(&format!("{}/review", app.url)).await;
    fill_sign_in(&browser, "ana").await;
    browser.until("the list", "document.querySelectorAll('.row').length === 22").await;
    browser.eval("window.same = true").await;
    browser.press(RIGHT).await;
    for card in 0..20 {
        browser.until("an open card", CARD).await;
        let before = browser.url().await;
        match card % 4 {
            0 => browser.press(&format!("r{}", 1 + card / 4 % 5)).await,
            _ => browser.press("a").await,
        }
        moved_on(&browser, &before).await;
    }
    assert_eq!(browser.eval("return window.same").await, true, "no page was loaded between cards");
    assert_eq!(
        (count(&app, FindingState::Accepted).await, count(&app, FindingState::Rejected).await),
        (15, 5)
    );
    let reasons: std::collections::HashSet<&str> = app
        .cards()
        .await
        .iter()
        .filter_map(|card| match &card.decision.as_ref()?.verdict {
            Verdict::Reject { reason } => Some(reason.name()),
            Verdict::Accept { .. } => None,
        })
        .collect();
    assert_eq!(reasons.len(), RejectReason::ALL.len(), "{reasons:?}");

    browser.press("u").await;
    until_count(&app, FindingState::Proposed, 3).await;
    browser.until("the card again", CARD).await;
    edit_and_accept(&browser, &app).await;
    back_and_reload(&browser).await;
    app.finish().await;
}

/// Changes title, location and priority of the open card, and accepts it.
async fn edit_and_accept(browser: &Browser, app: &TestApp) {
    browser.press("e").await;
    browser.press(" by the door").await;
    browser.press(ESCAPE).await;
    browser.click("#location").await;
    browser.press("unit 401").await;
    browser
        .until("rooms to choose from", "document.querySelectorAll('.box [role=option]').length >= 1")
        .await;
    browser.press(DOWN).await;
    browser.press(ENTER).await;
    let chosen = browser.eval("return document.querySelector('#location').value").await;
    assert!(chosen.as_str().is_some_and(|room| room.ends_with("Unit 401")), "{chosen}");
    browser.click(".segments label:last-child").await;
    browser.eval("document.activeElement.blur()").await;
    let before = browser.url().await;
    browser.press("a").await;
    moved_on(browser, &before).await;
    let cards = app.cards().await;
    let edited = cards.iter().find(|card| card.decided_draft().title.ends_with(" by the door"));
    let draft = edited.expect("the edited card").decided_draft();
    assert_eq!(draft.priority, Priority::High);
    let room = app.simulator.locations().into_iter().find(|(id, _)| Some(*id) == draft.location);
    assert_eq!(room.expect("a room").1[2], "Unit 401");
    browser.until("the next card", CARD).await;
    let offered = browser.text(".field.location .others button").await;
    assert!(offered.ends_with("Unit 401"), "what was chosen is offered on the next card: {offered}");
}

async fn back_and_reload(browser: &Browser) {
    let here = browser.url().await;
    browser.back().await;
    moved_on(browser, &here).await;
    let before = browser.url().await;
    browser.reload().await;
    browser.until("the same page", "document.querySelector('#view')").await;
    assert_eq!(browser.url().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_cards_by_touch() {
    let Some(browser) = Browser::open(Screen::Phone).await else { return };
    let app = with_findings(21, 3600).await;
    by_link(&browser, &app).await;
    assert_eq!(too_small(&browser).await, [""; 0], "targets of the list");
    browser.tap("#start a").await;
    for card in 0..20 {
        browser.until("an open card", CARD).await;
        let before = browser.url().await;
        match card % 5 {
            0 => browser.tap("#accept").await,
            1 => {
                browser.swipe(".photo", -170, 0).await;
                browser.tap(".reason[value=not_ours]").await;
            }
            2 => {
                browser.tap("#reject > summary").await;
                browser.tap(".reason[value=not_a_defect]").await;
            }
            _ => browser.swipe(".photo", 170, 0).await,
        }
        moved_on(&browser, &before).await;
    }
    assert_eq!(
        (count(&app, FindingState::Accepted).await, count(&app, FindingState::Rejected).await),
        (12, 8)
    );
    browser.until("the last card", CARD).await;
    assert_eq!(too_small(&browser).await, [""; 0], "targets of a card");

    // A short swipe decides nothing, and a tap zooms.
    browser.swipe(".photo", 80, 0).await;
    browser.tap(".photo").await;
    browser.until("the zoom", "document.body.classList.contains('zoomed')").await;
    browser.tap(".photo").await;
    assert_eq!(count(&app, FindingState::Proposed).await, 1);
    app.finish().await;
}

/// Buttons and links that are smaller than a gloved finger, by their texts.
async fn too_small(browser: &Browser) -> Vec<String> {
    let script = "return [...document.querySelectorAll('button, summary, a.button, a.row, .tabs a, .choice a, select, input:not([type=hidden], .segments input, .tick input)')]
        .filter((target) => target.offsetParent && !target.closest('.announcer, .unseen'))
        .filter((target) => { const box = target.getBoundingClientRect(); return box.height < 47.5 || box.width < 47.5; })
        .map((target) => `${target.tagName} ${target.className} ${target.innerText || target.name}`)";
    serde_json::from_value(browser.eval(script).await).expect("texts")
}

/// How far the score map's edges lie from where the photo's are on the screen, in pixels; the photo's corner in the map.
const APART: &str = "return (() => {
    const [map, photo] = ['#map', '#photo img'].map((css) => document.querySelector(css).getBoundingClientRect());
    return Math.max(...['left', 'top', 'right', 'bottom'].map((side) => Math.abs(map[side] - photo[side])));
})()";

/// The map shows, and its pixels are there.
const MAPPED: &str = "document.querySelector('#map-switch')?.getAttribute('aria-pressed') === 'true'
    && document.querySelector('#map').checkVisibility()
    && performance.getEntriesByName(new URL(document.querySelector('#map').getAttribute('href'), location.href).href).length";

#[tokio::test(flavor = "multi_thread")]
async fn the_score_map_lies_on_the_photo_at_every_zoom_and_stays_on() {
    let Some(browser) = Browser::open(Screen::Phone).await else { return };
    let app = with_findings(2, 3600).await;
    by_link(&browser, &app).await;
    browser.tap("#start a").await;
    browser.until("an open card", CARD).await;
    let maps =
        "performance.getEntriesByType('resource').filter((got) => got.name.endsWith('/score-map')).length";
    assert_eq!(browser.eval(&format!("return {maps}")).await, 0, "nothing is fetched that nobody asked for");
    browser.tap("#map-switch").await;
    browser.until("the score map", MAPPED).await;
    assert!(browser.text("#map-legend").await.contains("the surer the model is of “crack”"));
    assert!(browser.eval(APART).await.as_f64().expect("a number") < 0.5);
    browser.tap(".closeups a").await;
    browser.until("the zoom", "document.body.classList.contains('zoomed')").await;
    assert!(browser.eval(APART).await.as_f64().expect("a number") < 0.5);
    browser.tap(".photo").await;

    // It stays on for the next card, and the key takes it off.
    let before = browser.url().await;
    browser.tap("#skip").await;
    moved_on(&browser, &before).await;
    browser.until("the next card’s score map", MAPPED).await;
    browser.press("m").await;
    browser.until("no score map", "!document.querySelector('#map').checkVisibility()").await;
    assert_eq!(browser.eval("return location.search.includes('map')").await, false, "no page was loaded");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_ours_mutes_the_class_there_and_can_be_lifted() {
    let Some(browser) = Browser::open(Screen::Phone).await else { return };
    let app = with_findings(2, 0).await;
    by_link(&browser, &app).await;
    browser.tap("#start a").await;
    browser.until("an open card", CARD).await;
    let before = browser.url().await;
    browser.tap("#reject > summary").await;
    browser.tap(".reason[value=not_ours]").await;
    moved_on(&browser, &before).await;
    let cards = app.cards().await;
    let rejected = cards.iter().find(|card| card.state == FindingState::Rejected).expect("one");
    let room = rejected.place.location.clone().expect("a room").path;
    app.until_idle().await;

    // A wall of another look in the same room: another defect, the same class.
    let bright_edge = crate::support::detector::photo_of(5, [200, 90, 40]);
    let room: Vec<&str> = room.iter().map(String::as_str).collect();
    app.upload("later.jpg", bright_edge, &room).await;
    app.until_settled(3).await;
    let muted = CardQuery { shelf: Shelf::Muted, ..CardQuery::default() };
    assert_eq!(app.store.cards(&muted).await.expect("reads").len(), 1, "{:#?}", app.cards().await);

    browser.go(&format!("{}/review?tab=muted", app.url)).await;
    assert!(browser.text(".mutes").await.contains("not ours"));
    browser.tap(".mutes button").await;
    browser.until("nothing muted", "!document.querySelector('.mutes')").await;
    assert!(app.store.mutes(None).await.expect("reads").is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_in_one_gesture_there_and_back() {
    let Some(browser) = Browser::open(Screen::Phone).await else { return };
    let app = with_findings(6, 3600).await;
    by_link(&browser, &app).await;
    browser.tap(".choice a:nth-of-type(2)").await;
    browser.until("one group", "document.querySelectorAll('.group').length === 1").await;
    browser.tap(".tile:nth-child(2) .tick").await;
    browser
        .until("five ticks", "document.querySelector('.batch .accept [data-ticked]').textContent === '5'")
        .await;
    browser.tap(".batch .accept").await;
    until_count(&app, FindingState::Accepted, 5).await;
    browser.until("the way back", "document.querySelector('#undo')").await;
    assert!(browser.text("#toast").await.contains("5 findings"));
    browser.tap("#undo").await;
    until_count(&app, FindingState::Proposed, 6).await;

    // What is unticked stays so in other groups, when another is decided, and when something comes meanwhile.
    browser.tap(".choice a:nth-of-type(1)").await;
    browser.until("six groups", "document.querySelectorAll('.group').length === 6").await;
    assert_eq!(browser.eval(&format!("return {UNTICKED}")).await, 1);
    browser.tap(".group:nth-of-type(1) .accept").await;
    until_count(&app, FindingState::Accepted, 1).await;
    browser.until("five groups", "document.querySelectorAll('.group').length === 5").await;
    assert_eq!(browser.eval(&format!("return {UNTICKED}")).await, 1);
    find(&app, 6, &rooms(&app)[6]).await;
    browser.until("six groups again", "document.querySelectorAll('.group').length === 6").await;
    assert_eq!(browser.eval(&format!("return {UNTICKED}")).await, 2, "nothing is ticked unseen");
    app.finish().await;
}

/// What is found in the open field of places, by a finger.
const OPTION: &str = "document.querySelectorAll('.box [role=option]:not(.none)').length > 1";

#[tokio::test(flavor = "multi_thread")]
async fn fingers_choose_from_lists_and_bounces_and_slanted_drags_decide_nothing() {
    let Some(browser) = Browser::open(Screen::Phone).await else { return };
    let app = with_findings(4, 3600).await;
    by_link(&browser, &app).await;
    browser.tap("#start a").await;
    browser.until("an open card", CARD).await;

    for field in ["location", "trade"] {
        browser.tap(&format!("#{field}")).await;
        browser.until("a list to choose from", OPTION).await;
        let wanted = browser.text(".box li:nth-child(2)").await;
        browser.tap(".box li:nth-child(2)").await;
        browser.until("the list to close", "!document.querySelector('.box')").await;
        let chosen = browser.eval(&format!("return document.querySelector('#{field}').value")).await;
        assert_eq!(chosen.as_str(), Some(wanted.trim()), "{field}");
    }

    browser.swipe(".photo", 140, 140).await;
    browser.swipe(".photo", -140, 140).await;
    assert_eq!(count(&app, FindingState::Proposed).await, 4, "a slanted drag decides nothing");

    // A glove bounces: the second touch must not decide about a card that nobody has seen.
    for (accepted, gap_ms) in [(1, 80), (2, 250), (3, 450)] {
        browser.until("an open card", CARD).await;
        browser.tap_twice("#accept", gap_ms).await;
        until_count(&app, FindingState::Accepted, accepted).await;
        browser.until("an open card", CARD).await;
        assert_eq!(count(&app, FindingState::Accepted).await, accepted, "{gap_ms} ms");
    }

    // All of them are undone, the last one first.
    for left in [2, 1, 0] {
        browser.tap("#undo").await;
        until_count(&app, FindingState::Accepted, left).await;
        browser.until("an open card", CARD).await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_decides_lies_over_something_else_on_any_phone() {
    let Some(browser) = Browser::open(Screen::Phone).await else { return };
    let app = with_findings(3, 3600).await;
    by_link(&browser, &app).await;
    browser.tap("#start a").await;
    browser.until("an open card", CARD).await;
    browser.tap("#accept").await;
    until_count(&app, FindingState::Accepted, 1).await;
    browser.until("an open card", CARD).await;
    for (width, height) in [(390, 844), (412, 915), (360, 640), (320, 568)] {
        browser.resize(width, height).await;
        let sideways = browser.eval("return document.documentElement.scrollWidth - innerWidth").await;
        assert_eq!(sideways, 0, "{width} x {height} scrolls sideways");
        browser.eval("document.querySelector('#reject').open = true").await;
        let hidden = browser
            .eval(
                "return [...document.querySelectorAll('.reason, #accept, #skip')].filter((target) => {
            target.scrollIntoView({ block: 'nearest' });
            const box = target.getBoundingClientRect();
            const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
            return top && !target.contains(top) || target.scrollWidth > target.clientWidth + 1;
        }).map((target) => target.innerText)",
            )
            .await;
        assert_eq!(hidden, serde_json::json!([]), "{width} x {height}");
        browser.eval("document.querySelector('#reject').open = false").await;
    }
    app.finish().await;
}
