use std::time::Duration;

use serde_json::json;

use super::*;
use crate::simulator::{ErrorBody, Fault, FaultKind, Faults, LateAnswer};

const ITEMS: &str = "/rest/v1.1/punch_items";

#[tokio::test]
async fn limits_are_told_and_kept() {
    let limits = Limits { spike: 3, ..Limits::default() };
    let site = Site::start(Options { limits, ..options() }).await;
    let ask = || site.request(Method::GET, "rest/v1.0/me").send();
    let first = ask().await.expect("answers");
    assert_eq!(first.headers()["x-rate-limit-limit"], "3");
    assert_eq!(first.headers()["x-rate-limit-remaining"], "2");
    let reset = first.headers()["x-rate-limit-reset"].to_str().expect("text").parse::<i64>();
    assert_eq!(reset, Ok(start_of_time().as_second() + 10));
    for _ in 0..2 {
        assert_eq!(ask().await.expect("answers").status(), 200);
    }
    let refused = ask().await.expect("answers");
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["retry-after"].to_str().ok()),
        (429, Some("10"))
    );
    assert!(refused.text().await.expect("text").starts_with("You have surpassed"));
    site.simulator.advance(Duration::from_secs(10));
    assert_eq!(ask().await.expect("answers").status(), 200);
}

#[tokio::test]
async fn a_429_may_not_say_how_long() {
    let limits = Limits { hourly: 0, retry_after: false, ..Limits::default() };
    let site = Site::start(Options { limits, ..options() }).await;
    let refused = site.request(Method::GET, "rest/v1.0/me").send().await.expect("answers");
    assert_eq!((refused.status().as_u16(), refused.headers().get("retry-after")), (429, None));
}

#[tokio::test]
async fn a_create_can_be_done_and_never_answered() {
    let site = Site::start(options()).await;
    let body = json!({ "project_id": PROJECT, "punch_item": { "name": "x", "workflow_status": "draft" } });
    let create = || site.request(Method::POST, &ITEMS[1..]).json(&body).send();
    site.simulator.script(Fault::once("POST", ITEMS, FaultKind::ResetAfter));
    assert!(create().await.is_err());
    assert_eq!(site.simulator.punch_items().len(), 1);
    site.simulator.script(Fault::once("POST", ITEMS, FaultKind::ResetBefore));
    assert!(create().await.is_err());
    assert_eq!(site.simulator.punch_items().len(), 1);
    site.simulator.script(Fault::once("POST", ITEMS, FaultKind::StatusAfter { status: 502 }));
    assert_eq!(create().await.expect("answers").status(), 502);
    assert_eq!(site.simulator.punch_items().len(), 2);
    let fates: Vec<u16> = site.simulator.requests().iter().map(|request| request.status).collect();
    assert_eq!(fates, [200, 0, 0, 502]);
}

#[tokio::test]
async fn answers_come_cut_slow_or_as_pages() {
    let site = Site::start(options()).await;
    let ask = || site.request(Method::GET, "rest/v1.0/me").send();
    let me = "/rest/v1.0/me";
    site.simulator.script(Fault::once("GET", me, FaultKind::TruncatedBody));
    assert!(ask().await.expect("a head").bytes().await.is_err());
    site.simulator.script(Fault::once("GET", me, FaultKind::SlowDrip { piece_bytes: 20, pause_ms: 1 }));
    let whole: Value = ask().await.expect("answers").json().await.expect("all of it");
    assert!(whole["login"].is_string());
    let down = FaultKind::Status { status: 503, retry_after_s: Some(7), body: ErrorBody::Html };
    site.simulator.script(Fault::once("GET", me, down));
    let response = ask().await.expect("answers");
    assert_eq!(
        (response.status().as_u16(), response.headers()["retry-after"].to_str().ok()),
        (503, Some("7"))
    );
    assert!(response.text().await.expect("text").starts_with("<html>"));
    assert_eq!(ask().await.expect("answers").status(), 200);
}

#[tokio::test]
async fn people_can_switch_faults_and_time() {
    let site = Site::start(options()).await;
    let faults = Faults { script: vec![Fault::once("GET", "", FaultKind::ResetBefore)], ..Faults::default() };
    let switched =
        site.client.post(site.url("simulator/faults")).json(&faults).send().await.expect("answers");
    assert_eq!(switched.status(), 204);
    assert!(site.request(Method::GET, "rest/v1.0/me").send().await.is_err());
    site.client
        .post(site.url("simulator/advance"))
        .json(&json!({ "seconds": 60 }))
        .send()
        .await
        .expect("answers");
    assert_eq!(site.simulator.now().as_second(), start_of_time().as_second() + 60);
    let page = site.client.get(site.url("")).send().await.expect("answers").text().await.expect("text");
    assert!(page.contains("Northgate Builders"));
    let requests: Value = site
        .client
        .get(site.url("simulator/requests"))
        .send()
        .await
        .expect("answers")
        .json()
        .await
        .expect("JSON");
    assert_eq!(requests.as_array().map(Vec::len), Some(2));
    assert!(!requests.to_string().contains(&site.token));
}

#[tokio::test]
async fn a_create_can_be_carried_out_when_its_caller_has_given_up() {
    let site = Site::start(options()).await;
    let body = |name: &str| json!({ "project_id": PROJECT, "punch_item": { "name": name, "workflow_status": "draft" } });
    let create = async |name: &str| {
        let request = site.request(Method::POST, &ITEMS[1..]).json(&body(name));
        request.timeout(Duration::from_millis(200)).send().await
    };
    for (name, heard, backdated) in [
        ("silence", LateAnswer::Silence, false),
        ("reset", LateAnswer::Reset, true),
        ("gateway", LateAnswer::GatewayTimeout, false),
    ] {
        let made = || site.simulator.punch_items().into_iter().find(|item| item.name == name);
        let late = FaultKind::CommitLate { after_ms: 24_000, heard, backdated };
        site.simulator.script(Fault::once("POST", ITEMS, late));
        let answer = create(name).await;
        match heard {
            LateAnswer::GatewayTimeout => assert_eq!(answer.expect("answers").status(), 504),
            LateAnswer::Silence | LateAnswer::Reset => assert!(answer.is_err(), "{heard:?}"),
        }
        let asked = site.simulator.now();
        site.simulator.advance(Duration::from_secs(23));
        assert!(made().is_none(), "{heard:?}");
        site.simulator.advance(Duration::from_secs(1));
        site.simulator.until(|_| made().is_some()).await;
        let item = made().expect("carried out");
        let stamp = if backdated { asked } else { site.simulator.now() };
        assert_eq!((item.created_at, item.updated_at), (stamp, stamp), "{heard:?}");
    }
    site.simulator.script(Fault::once("POST", ITEMS, FaultKind::Silence));
    assert!(create("at once").await.is_err());
    assert_eq!(site.simulator.punch_items().len(), 4, "it was done before nothing was said");
}

#[tokio::test]
async fn texts_and_photos_come_back_as_the_switches_say() {
    let site = Site::start(options()).await;
    let image = site.photo("1.jpg").await;
    let sent = json!({ "description": "Door & frame\nchipped", "image_ids": [image] });
    let (_, item) = site.draft(sent).await;
    let show = async |echo: Value| {
        let url = format!("{}simulator/faults", site.simulator.url());
        let set = site.client.post(url).json(&json!({ "echo": echo })).send().await.expect("answers");
        assert_eq!(set.status(), 204);
        site.get(&format!("{}/{}?project_id=6778", &ITEMS[1..], item["id"])).await.1
    };
    let shown = show(json!({ "crlf": true, "entities": true, "images": "empty" })).await;
    assert_eq!(shown["description"], json!("Door &amp; frame\r\nchipped"));
    assert_eq!((&shown["images"], shown["attachments"].as_array().map(Vec::len)), (&json!([]), Some(1)));
    let shown = show(json!({ "images": "file_ids" })).await;
    assert_eq!(shown["description"], json!("Door & frame\nchipped"));
    let id = shown["images"][0]["id"].as_i64().expect("an id");
    assert_ne!(id, image.value());
    let fields = json!({ "name": "Crack", "image_ids": [id] });
    let body = json!({ "project_id": PROJECT, "punch_item": fields });
    assert_eq!(site.patch(&format!("{}/{}", &ITEMS[1..], item["id"]), body).await.0, 422);
    site.keeps_the_contract();
}
