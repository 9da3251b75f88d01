//! Procore's lists: few calls for a large company, every way of paging, one reader, progress that is kept.

use futures_util::future::join_all;
use punchlens::domain::event::List;
use punchlens::domain::place::Location;
use punchlens::procore::Client;
use punchlens::simulator::{ErrorBody, Fault, FaultKind, Links, Listing, RecordedRequest};

use crate::support::detector::{photo, sees};
use crate::support::{PROJECT, Setup, TestApp};

const LOCATIONS: &str = "/rest/v1.0/projects/6778/locations";
const LISTS: [&str; 4] = [
    LOCATIONS,
    "/rest/v1.0/companies/8/trades",
    "/rest/v1.0/punch_item_types",
    "/rest/v1.0/projects/6778/available_punch_item_managers",
];

/// Calls that count against the limits, hooks left out: those were made before the service began.
fn calls(app: &TestApp) -> Vec<RecordedRequest> {
    let counts = |request: &RecordedRequest| {
        request.path.starts_with("/rest/") && !request.path.contains("/webhooks/")
    };
    app.simulator.requests().into_iter().filter(counts).collect()
}

fn reads(app: &TestApp, path: &str) -> usize {
    calls(app).iter().filter(|request| request.is("GET", path)).count()
}

/// How many calls it took to the first draft, that one included.
fn to_the_first_draft(app: &TestApp) -> usize {
    let calls = calls(app);
    let draft = calls.iter().position(|request| request.is("POST", "/rest/v1.1/punch_items"));
    draft.expect("a draft") + 1
}

async fn six_photos(app: &TestApp) {
    let units: Vec<String> = (1..=6).map(|unit| format!("Unit 20{unit}")).collect();
    let uploads = units.iter().zip(1..).map(|(unit, number)| async move {
        let name = format!("IMG_{number}.jpg");
        app.upload(&name, photo(true, number), &["Building A", "Floor 2", unit]).await
    });
    join_all(uploads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_company_costs_few_calls() {
    let setup = Setup { sweep_every_s: 600, ..Setup::default() };
    let app = TestApp::start(sees(&["crack"]), setup).await;
    app.simulator.grow(3000, 1200, 1200);
    six_photos(&app).await;
    app.until_settled(6).await;
    let first = to_the_first_draft(&app);
    let told: Vec<String> = calls(&app).iter().take(first).map(|call| call.path.clone()).collect();
    println!("{first} calls to the first draft: {told:#?}");
    assert!(first <= 15, "{first} calls to the first draft: {told:#?}");
    assert_eq!(LISTS.map(|path| reads(&app, path)), [2, 1, 1, 1], "3,150 locations are two pages");

    // Fifty locations are made, one gets another name: all of that is one call, when a photo needs it.
    app.simulator.forget_requests();
    for room in 1..=50 {
        app.simulator.add_location(&["Building A", "Floor 2", &format!("New room {room}")]);
    }
    let moved = app.simulator.location(&["Building A", "Floor 2", "Unit 204"]).expect("there");
    app.simulator.rename_location(moved, "Suite 204");
    app.simulator.quiet().await;
    app.until_idle().await;
    assert_eq!(calls(&app).len(), 0, "an event alone costs nothing");
    app.upload("IMG_7.jpg", photo(true, 7), &["Building A", "Floor 2", "Suite 204"]).await;
    app.until_settled(7).await;
    assert!(to_the_first_draft(&app) <= 4, "{:#?}", calls(&app));
    assert_eq!(LISTS.map(|path| reads(&app, path)), [1, 0, 0, 0]);
    let cards = app.cards().await;
    let card = cards.iter().find(|card| card.photo.filename == "IMG_7.jpg").expect("a card");
    assert_eq!(
        card.place.location.as_ref().map(Location::words).as_deref(),
        Some("Building A, Floor 2, Suite 204")
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_boxes_read_a_list_once() {
    let mut app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    app.another_box(sees(&["crack"])).await;
    six_photos(&app).await;
    app.until_settled(6).await;
    assert_eq!(LISTS.map(|path| reads(&app, path)), [1; 4]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_before_a_failure_are_read_once() {
    let settings = vec![("PUNCHLENS_PROCORE__PER_PAGE", "40".to_owned())];
    let app = TestApp::start(sees(&["crack"]), Setup { settings, ..Setup::default() }).await;
    app.simulator.script(Fault {
        method: Some("GET".into()),
        path: LOCATIONS.into(),
        after: 2,
        times: 2,
        kind: FaultKind::Status { status: 502, retry_after_s: None, body: ErrorBody::Html },
    });
    app.upload("IMG_1.jpg", photo(true, 1), &["Building A", "Floor 2", "Unit 204"]).await;
    app.until_settled(1).await;
    let pages: Vec<String> = calls(&app)
        .iter()
        .filter(|request| request.is("GET", LOCATIONS))
        .map(|request| request.query("page").unwrap_or("1").to_owned())
        .collect();
    assert_eq!(pages, ["1", "2", "3", "3", "3", "4"], "150 locations are four pages");
    let (kept, _) = app.store.list(&List::Locations.of_project(PROJECT)).await.expect("store").expect("read");
    assert_eq!(kept.as_array().map(Vec::len), Some(150));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_paging_gives_the_whole_list() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    app.simulator.grow(300, 0, 0);
    let mut config = app.config.procore.clone();
    config.per_page = 200;
    let client = Client::new(&config, None).expect("complete");
    let links = |links| Listing { links, ..Listing::default() };
    for listing in [
        Listing::default(),
        links(Links::Bare),
        links(Links::OtherHost),
        links(Links::None),
        Listing { no_total: true, ..links(Links::Bare) },
        Listing::BARE,
        Listing { cap: Some(40), ..Listing::default() },
        Listing { cap: Some(40), ..links(Links::None) },
        Listing { cap: Some(50), ..Listing::BARE },
    ] {
        app.simulator.set_listing(listing);
        assert_eq!(client.locations(PROJECT).await.expect("listed").len(), 450, "{listing:?}");
        assert_eq!(client.trades(PROJECT.company).await.expect("listed").len(), 15, "{listing:?}");
        assert_eq!(client.managers(PROJECT).await.expect("listed").len(), 2, "{listing:?}");
        let hooks = client.hooks(PROJECT, &app.config.webhook.namespace).await.expect("listed");
        assert_eq!(hooks.len(), 1, "{listing:?}");
    }
    // A server that gives the same page for ever is an error and no short list.
    app.simulator.set_listing(Listing { deaf: true, ..Listing::default() });
    let error = client.locations(PROJECT).await.expect_err("endless").to_string();
    assert!(error.contains("came again"), "{error}");
    app.finish().await;
}
