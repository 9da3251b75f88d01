//! Every view held against WCAG 2.2 AA by axe-core, on both screens, light and dark.

use jiff::{SignedDuration, Timestamp};
use punchlens::domain::review::{FindingState, RejectReason};
use tempfile::TempDir;

use super::*;
use crate::support::browser::{Colours, Screen, axe};
use crate::support::past::{Past, record};
use crate::support::site_file::written;

#[tokio::test(flavor = "multi_thread")]
async fn no_view_keeps_anybody_out() {
    let Some(axe) = axe() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut app = None;
    for screen in [Screen::Desktop, Screen::Phone] {
        let Some(browser) = Browser::open(screen).await else { return };
        let app = match &app {
            Some(app) => app,
            None => app.insert(box_with_a_past(&folder).await),
        };
        let mut judge = Judge { browser: &browser, axe: &axe, app, found: Vec::new() };
        judge.at("/review").await;
        by_link(&browser, app).await;
        judge.card_and_what_opens_on_it().await;
        for path in [
            "/review",
            "/review?group=location",
            "/review?group=class&class=crack",
            "/review?tab=today",
            "/review?tab=waiting",
            "/review?tab=problems",
            "/review?tab=muted",
            "/review?q=nothing+like+this",
            "/review/plan",
            "/review/record",
            "/review/report",
            "/review/findings/none",
        ] {
            judge.at(path).await;
        }
        assert!(judge.found.is_empty(), "{screen:?}: {:#?}", judge.found);
    }
    app.expect("looked at").stop().await;
}

struct Judge<'a> {
    browser: &'a Browser,
    axe: &'a str,
    app: &'a TestApp,
    found: Vec<String>,
}

impl Judge<'_> {
    async fn at(&mut self, path: &str) {
        self.browser.go(&format!("{}{path}", self.app.url)).await;
        self.judge(path).await;
    }

    /// What is shown, in both colour schemes, by every rule.
    async fn judge(&mut self, view: &str) {
        for colours in [Colours::Light, Colours::Dark] {
            self.browser.colours(colours).await;
            let found = self.browser.violations(self.axe).await;
            self.found.extend(found.into_iter().map(|what| format!("{view}, {colours:?}: {what}")));
        }
    }

    async fn card_and_what_opens_on_it(&mut self) {
        let browser = self.browser;
        let rejected = count(self.app, FindingState::Rejected).await;
        browser.click(".row").await;
        browser.until("an open card", CARD).await;
        self.judge("card").await;
        browser.press("m").await;
        browser.until("the score map", "document.querySelector('#map').getAttribute('href')").await;
        self.judge("card under its score map").await;
        browser.press("m").await;
        browser.click("#location").await;
        browser
            .until("rooms to choose from", "document.querySelectorAll('.box [role=option]').length > 1")
            .await;
        self.judge("choosing").await;
        browser.press(ESCAPE).await;
        browser.eval("document.querySelector('.menu').open = true").await;
        self.judge("menu").await;
        browser
            .eval(
                "document.querySelector('.menu').open = false; document.querySelector('#reject').open = true",
            )
            .await;
        self.judge("reasons").await;
        let card = browser.url().await;
        browser.click(".reason[value=not_ours]").await;
        until_count(self.app, FindingState::Rejected, rejected + 1).await;
        browser.until("the next card", CARD).await;
        self.judge("next card, with the way back").await;
        browser.eval("document.querySelector('#title').value = ''; document.querySelector('#title').required = false").await;
        browser.click("#accept").await;
        browser.until("a complaint", "document.querySelector('.complaint')").await;
        self.judge("complaint").await;
        browser.go(&card).await;
        self.judge("decided card").await;
    }
}

/// A box with a drawn site, findings to review, and a past: enough of one class thrown out for an offer to mute it,
/// and something that Procore refused.
async fn box_with_a_past(folder: &TempDir) -> TestApp {
    let settings = vec![
        ("PUNCHLENS_TAGGING__SITE_FILE", written(folder.path()).await.display().to_string()),
        ("PUNCHLENS_STORE__DECISION_HOLD_S", (3600 * 24 * 365).to_string()),
    ];
    let app = TestApp::start(sees(&["crack"]), Setup { settings, ..Setup::default() }).await;
    for (index, room) in rooms(&app).into_iter().take(6).enumerate() {
        find(&app, index, &room).await;
    }
    app.until_settled(6).await;
    let sample = app.cards().await.remove(0);
    for seed in 0..24 {
        let found = Timestamp::now() - SignedDuration::from_hours(24 * (20 - seed / 2));
        let decided =
            Some((found + SignedDuration::from_mins(7), (seed % 4 > 0).then_some(RejectReason::NotADefect)));
        let refused =
            (seed == 0).then_some("Procore says: this trade is not in the project. Choose another one.");
        let past = Past { seed, place: None, class: "crack", score: 0.6, found, decided, refused };
        record(&app.store, &sample, &[past]).await;
    }
    app
}
