//! Webhooks, and what machines ask.

use super::*;
use crate::domain::job::InboxId;

const EVENT: &str = r#"{"id":1,"resource_name":"Images","resource_id":41,"event_type":"create"}"#;

fn deliver<'a>(site: &'a Site, body: &str) -> Ask<'a> {
    site.post("/procore/events").body(body)
}

fn signed<'a>(site: &'a Site, body: &str) -> Ask<'a> {
    deliver(site, body).with("authorization", String::from_utf8_lossy(SECRET))
}

async fn stored(site: &Site) -> u64 {
    let stats = site.store.queue_stats(now()).await.expect("reads");
    stats.ready + stats.delayed
}

#[tokio::test]
async fn a_genuine_delivery_is_on_the_disk_before_it_is_acknowledged() {
    let site = Site::new().await;
    let answer = signed(&site, EVENT).send().await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""));
    let row = site.store.delivery(InboxId(1)).await.expect("is there");
    assert_eq!(row.body, EVENT.as_bytes());
    assert_eq!(stored(&site).await, 1, "its routing is queued");
}

#[tokio::test]
async fn without_the_secret_nothing_is_stored_and_nothing_told() {
    let site = Site::new().await;
    for value in [None, Some(""), Some("Bearer hook-secre"), Some("bearer hook-secret")] {
        let ask = deliver(&site, EVENT);
        let ask = if let Some(value) = value { ask.with("authorization", value) } else { ask };
        let answer = ask.send().await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::UNAUTHORIZED, ""), "{value:?}");
    }
    assert!(site.store.delivery(InboxId(1)).await.is_err());
    assert_eq!(stored(&site).await, 0);
}

#[tokio::test]
async fn authenticated_junk_is_kept_and_acknowledged() {
    let site = Site::new().await;
    for body in ["", "no json", "[]", "{\"a\":", "\u{fffd}"] {
        assert_eq!(signed(&site, body).send().await.status, StatusCode::NO_CONTENT, "{body:?}");
    }
    assert_eq!(stored(&site).await, 5);
}

#[tokio::test]
async fn a_repeated_delivery_is_acknowledged_and_kept_once() {
    let site = Site::new().await;
    for _ in 0..3 {
        assert_eq!(signed(&site, EVENT).send().await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(stored(&site).await, 1);
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_acknowledged() {
    let site = Site::new().await;
    site.store.close().await;
    let answer = signed(&site, EVENT).send().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header(header::RETRY_AFTER), "5");
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn an_oversized_delivery_stalls_nobody_and_is_kept_in_part() {
    let site = Site::with(|sections| sections.http.webhook_max_bytes = 100).await;
    assert_eq!(deliver(&site, &"x".repeat(101)).send().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(signed(&site, &"x".repeat(101)).send().await.status, StatusCode::NO_CONTENT);
    assert_eq!(site.store.delivery(InboxId(1)).await.expect("is there").body, "x".repeat(100).as_bytes());
}

#[tokio::test]
async fn what_is_too_much_at_once_is_put_off() {
    let site = Site::with(|sections| sections.http.webhook_max_at_once = 0).await;
    let answer = signed(&site, EVENT).send().await;
    assert_eq!((answer.status, answer.header(header::RETRY_AFTER)), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    assert_eq!(stored(&site).await, 0);
}

#[tokio::test]
async fn ready_says_which_part_fails() {
    let site = Site::new().await;
    let answer = site.get("/readyz").send().await;
    assert_eq!(answer.status, StatusCode::OK);
    let checks = answer.json();
    assert_eq!(checks["ready"], true);
    assert_eq!(checks["checks"][0]["name"], "store");
    assert_eq!(checks["checks"][1]["name"], "model");
    site.store.close().await;
    let answer = site.get("/readyz").send().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["checks"][0]["status"], "failing");
    assert_eq!(site.get("/livez").send().await.status, StatusCode::OK);
    assert_eq!(site.get("/metrics").send().await.body, "# EOF\n");
}

#[tokio::test]
async fn counts_and_paths_are_for_this_machine_and_for_tokens() {
    let site = Site::new().await;
    let phone = [192, 168, 1, 7];
    let ready = site.get("/readyz").from(phone).send().await;
    assert_eq!((ready.status, ready.json()), (StatusCode::OK, serde_json::json!({ "ready": true })));
    assert_eq!(site.get("/metrics").from(phone).send().await.status, StatusCode::UNAUTHORIZED);
    // A proxy on this machine speaks for others.
    let forwarded = site.get("/metrics").with("x-forwarded-for", "192.168.1.7").send().await;
    assert_eq!(forwarded.status, StatusCode::UNAUTHORIZED);
    site.account("ana", Role::Viewer, None).await;
    let (_, token) = people::token(&site, "ana", 1).await;
    let ready = site.get("/readyz").from(phone).with("authorization", &token).send().await;
    assert_eq!(ready.json()["checks"][0]["name"], "store");
    assert_eq!(
        site.get("/metrics").from(phone).with("authorization", &token).send().await.status,
        StatusCode::OK
    );
}
