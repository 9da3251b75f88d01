use std::time::Duration;

use serde_json::json;

use super::*;
use crate::domain::ids::PunchItemId;
use crate::simulator::{Faults, seed};

const ITEMS: &str = "rest/v1.1/punch_items";

fn id_of(item: &Value) -> PunchItemId {
    PunchItemId::new(item["id"].as_i64().expect("an id"))
}

#[tokio::test]
async fn a_draft_is_made_as_it_was_asked_for() {
    let site = Site::start(options()).await;
    let image = site.photo("1.jpg").await;
    let unit = site.simulator.location(&["Building A", "Floor 2", "Unit 204"]);
    let (status, item) = site
        .draft(json!({ "reference": "PL-X", "location_id": unit, "trade_id": 999, "priority": "medium",
            "due": "2026-06-09", "image_ids": [image], "punch_item_manager_id": seed::MANAGER }))
        .await;
    assert_eq!(status, 201);
    let field = |name: &str| item[name].clone();
    assert_eq!(field("workflow_status"), json!("draft"));
    assert_eq!((field("due_date"), field("reference")), (json!("2026-06-09"), json!("PL-X")));
    assert_eq!(item["created_by"]["id"], json!(seed::SERVICE_USER));
    assert_eq!(item["punch_item_manager"]["id"], json!(seed::MANAGER));
    assert_eq!((&item["trade"]["name"], &item["images"][0]["id"]), (&json!("09 - Drywall"), &json!(image)));
    let (_, shown) = site.get(&format!("{ITEMS}/{}?project_id=6778", item["id"])).await;
    assert_eq!(shown, item);
    let (_, second) = site.draft(json!({ "reference": "PL-X" })).await;
    assert_eq!(second["position"].as_i64(), item["position"].as_i64().map(|position| position + 1));
    assert_ne!(second["id"], item["id"], "nothing makes a reference unique");
    assert_eq!(site.simulator.images().len(), 1, "photos attached by id are not copied");
    site.keeps_the_contract();
}

#[tokio::test]
async fn what_is_wrong_with_a_create_is_said() {
    let site = Site::start(options()).await;
    let check = async |fields: Value, expected: u16, field: &str| {
        let (status, body) = site.draft(fields).await;
        assert_eq!(status, expected, "{body}");
        assert!(body["errors"].get(field).is_some(), "{body}");
    };
    check(json!({ "name": "" }), 422, "name").await;
    check(json!({ "name": null }), 422, "name").await;
    check(json!({ "workflow_status": "drafty" }), 422, "workflow_status").await;
    check(json!({ "location_id": 1 }), 422, "location_id").await;
    check(json!({ "trade_id": 989 }), 422, "trade_id").await;
    check(json!({ "image_ids": [1] }), 422, "image_ids").await;
    check(json!({ "priority": "urgent" }), 422, "priority").await;
    check(json!({ "due": "tomorrow" }), 422, "due").await;
    let project = |id: i64| json!({ "project_id": id, "punch_item": { "name": "x" } });
    assert_eq!(site.post(ITEMS, project(1)).await.0, 404);
    assert_eq!(site.post(ITEMS, project(6779)).await.0, 403);
    assert_eq!(site.post(ITEMS, json!({})).await.0, 400);
    assert!(site.simulator.punch_items().is_empty());
}

#[tokio::test]
async fn lists_know_no_reference() {
    let site = Site::start(options()).await;
    let (_, first) = site.draft(json!({ "reference": "PL-1" })).await;
    site.simulator.advance(Duration::from_mins(1));
    let (_, second) = site.draft(json!({ "reference": "PL-2" })).await;
    let (_, rows) = site.get(&format!("{ITEMS}?project_id=6778&filters[query]=PL-1")).await;
    assert_eq!(rows, json!([]));
    let range = "2026-06-02T16:00:30Z...2026-06-02T17:00:00Z";
    let (_, rows) = site.get(&format!("{ITEMS}?project_id=6778&filters[updated_at]={range}")).await;
    assert_eq!((&rows[0]["reference"], rows.as_array().map(Vec::len)), (&json!("PL-2"), Some(1)));
    let (_, rows) = site.get(&format!("{ITEMS}?project_id=6778&filters[id][]={}", first["id"])).await;
    assert_eq!(rows[0]["id"], first["id"]);
    assert_eq!(site.delete(&format!("{ITEMS}/{}?project_id=6778", second["id"])).await.0, 200);
    assert_eq!(site.get(&format!("{ITEMS}/{}?project_id=6778", second["id"])).await.0, 404);
    let shown = site.get(&format!("{ITEMS}/{}?project_id=6778&include_deleted=true", second["id"])).await;
    assert!(shown.1["deleted_at"].is_string());
    let (_, bin) = site.get(&format!("{ITEMS}/recycle_bin?project_id=6778")).await;
    assert_eq!(bin[0]["id"], second["id"]);
    site.keeps_the_contract();
}

#[tokio::test]
async fn drafts_are_sent_once_and_then_belong_to_people() {
    let site = Site::start(options()).await;
    let (_, item) = site.draft(json!({})).await;
    let path = format!("{ITEMS}/{}", item["id"]);
    let body = |fields: Value| json!({ "project_id": PROJECT, "punch_item": fields });
    let (status, _) =
        site.patch(&path, body(json!({ "name": "x", "workflow_status": "ready_for_review" }))).await;
    assert_eq!(status, 422, "no way leads there from a draft");
    let (status, sent) =
        site.patch(&path, body(json!({ "name": "Crack", "workflow_status": "initiated" }))).await;
    assert_eq!(
        (status, &sent["name"], &sent["workflow_status"]),
        (200, &json!("Crack"), &json!("initiated"))
    );
    assert_eq!(site.patch(&path, body(json!({ "name": "y" }))).await.0, 403);
    assert_eq!(site.delete(&format!("{path}?project_id=6778")).await.0, 403);
    assert!(site.simulator.edit_punch_item(id_of(&item), &json!({ "workflow_status": "closed" })));
    let (_, closed) = site.get(&format!("{path}?project_id=6778")).await;
    assert_eq!((&closed["status"], &closed["closed_by"]["id"]), (&json!("Closed"), &json!(seed::MANAGER)));
    let comment = json!({ "comment": { "body": "Rejected: not a defect" } });
    let comments = format!("rest/v1.0/punch_items/{}/comments?project_id=6778", item["id"]);
    assert_eq!(site.post(&comments, comment).await.0, 201);
    let (_, shown) = site.get(&format!("{path}?project_id=6778")).await;
    assert_eq!(shown["comments"][0]["body"], "Rejected: not a defect");
    site.keeps_the_contract();
}

#[tokio::test]
async fn a_draft_may_not_become_one() {
    let site =
        Site::start(Options { faults: Faults { drafts_ignored: true, ..Faults::default() }, ..options() })
            .await;
    assert_eq!(site.draft(json!({})).await.1["workflow_status"], "initiated");
    let unasked = json!({ "project_id": PROJECT, "punch_item": { "name": "x" } });
    assert_eq!(site.post(ITEMS, unasked).await.1["workflow_status"], "initiated");
}

#[tokio::test]
async fn mailing_is_recorded() {
    let site = Site::start(options()).await;
    assert_eq!(site.post(&format!("{ITEMS}/send_unsent"), json!({ "project_id": PROJECT })).await.0, 200);
    assert_eq!(site.simulator.mailings(), [format!("/{ITEMS}/send_unsent")]);
    let asked = site.simulator.requests();
    let violations = contract::check_request(asked.last().expect("recorded"));
    assert!(!violations.is_empty(), "the contract forbids it");
}

#[tokio::test]
async fn an_idempotency_token_changes_nothing() {
    let site = Site::start(options()).await;
    let body = json!({ "project_id": PROJECT, "punch_item": { "name": "x", "workflow_status": "draft" } });
    for _ in 0..2 {
        let request = site.request(Method::POST, ITEMS).header("idempotency-token", "01J").json(&body);
        assert_eq!(site.send(request).await.0, 201);
    }
    assert_eq!(site.simulator.punch_items().len(), 2);
}
