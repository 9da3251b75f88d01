//! The webhooks in Procore: made, rotated while they deliver, and what a company's hook is for.

use punchlens::app::hooks;
use punchlens::domain::event::List;
use punchlens::procore::Client;
use punchlens::procore::hooks::HookScope;
use punchlens::simulator::DeliveryState;

use crate::support::detector::{photo, sees};
use crate::support::{AUTHORIZATION, PROJECT, Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];

/// A service whose secret lies in a file, as on a real box.
async fn with_secret_file(folder: &tempfile::TempDir) -> TestApp {
    let file = folder.path().join("authorization");
    std::fs::write(&file, AUTHORIZATION).expect("written");
    let settings = vec![
        ("PUNCHLENS_WEBHOOK__AUTHORIZATION", String::new()),
        ("PUNCHLENS_WEBHOOK__AUTHORIZATION_FILE", file.display().to_string()),
    ];
    TestApp::start(sees(&["crack"]), Setup { settings, ..Setup::default() }).await
}

/// The values that the simulator's hooks carry.
fn carried(app: &TestApp) -> Vec<Option<String>> {
    let mut values: Vec<_> = app.simulator.hooks().into_iter().map(|hook| hook.authorization).collect();
    values.dedup();
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_loses_nothing_and_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = with_secret_file(&folder).await;
    let client = Client::new(&app.config.procore, None).expect("complete");
    let webhook = &app.config.webhook;
    app.upload("before.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;

    let rotated = hooks::rotate(&client, webhook, None).await.expect("rotated");
    assert!(!rotated.resumed && rotated.hooks.len() >= 2, "{rotated:?}");
    let [Some(new)] = &carried(&app)[..] else { panic!("one value: {:?}", carried(&app)) };
    assert_ne!(new, AUTHORIZATION);
    app.upload("during.jpg", photo(true, 2), &UNIT).await;
    app.until_settled(2).await;
    let late = reqwest::Client::builder().no_proxy().build().expect("a client");
    let deliver = |value: &str| {
        let body = format!("{{\"id\":\"{}\"}}", value.len());
        late.post(format!("{}/procore/events", app.url)).header("Authorization", value).body(body).send()
    };
    assert_eq!(deliver(AUTHORIZATION).await.expect("an answer").status(), 204, "the old one still counts");

    // Begun again by mistake: it carries on and makes no third value.
    assert!(hooks::rotate(&client, webhook, None).await.expect("rotated").resumed);
    assert_eq!(carried(&app), [Some(new.clone())]);

    hooks::retire(&client, webhook, None).await.expect("retired");
    assert!(hooks::retire(&client, webhook, None).await.is_err(), "there is nothing left to retire");
    app.until_answer(AUTHORIZATION, 401).await;
    assert_eq!(deliver(new).await.expect("an answer").status(), 204);
    app.simulator.quiet().await;
    assert!(app.simulator.deliveries().iter().all(|delivery| delivery.state == DeliveryState::Delivered));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_lies_in_no_file_is_rotated_by_hand() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    let client = Client::new(&app.config.procore, None).expect("complete");
    let refused = hooks::rotate(&client, &app.config.webhook, None).await.expect_err("by hand");
    assert!(refused.to_string().contains("webhook.previous_authorization"), "{refused}");
    let mut webhook = app.config.webhook.clone();
    webhook.previous_authorization = AUTHORIZATION.into();
    webhook.authorization = "Bearer another-one-0123456789abcdef0123456789".into();
    hooks::rotate(&client, &webhook, None).await.expect("the hooks follow the config");
    assert_eq!(carried(&app).len(), 1);
    assert_ne!(carried(&app), [Some(AUTHORIZATION.to_owned())]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_companys_hook_tells_of_new_trades() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    let client = Client::new(&app.config.procore, None).expect("complete");
    let scopes: Vec<HookScope> = hooks::list(&client, &app.config.webhook.namespace)
        .await
        .expect("listed")
        .into_iter()
        .map(|(scope, _)| scope)
        .collect();
    assert_eq!(scopes, [HookScope::Project(PROJECT), HookScope::Company(PROJECT.company)]);
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let lists =
        |path: &str| app.simulator.requests().iter().filter(|request| request.is("GET", path)).count();
    let of_company = format!("/rest/v1.0/companies/{}/trades", PROJECT.company);
    let of_project = format!("/rest/v1.0/projects/{}/locations", PROJECT.project);
    assert_eq!((lists(&of_company), lists(&of_project)), (1, 1));
    app.simulator.add_trade("07 - Waterproofing");
    app.until("the event to be noted", async |app: &TestApp| {
        !app.store.list_changes(&List::Trades.of_project(PROJECT)).await.expect("store").is_empty()
    })
    .await;
    app.upload("IMG_2.jpg", photo(true, 2), &UNIT).await;
    app.until_settled(2).await;
    assert_eq!((lists(&of_company), lists(&of_project)), (2, 1), "what has not changed is not read again");
    let (trades, _) =
        app.store.cached(PROJECT, List::Trades.name()).await.expect("store").expect("brought up to date");
    assert!(trades.to_string().contains("07 - Waterproofing"));
    let removed = hooks::remove(&client, &app.config.webhook.namespace).await.expect("removed");
    assert_eq!((removed.len(), app.simulator.hooks().len()), (2, 0));
    app.finish().await;
}
