use super::*;
use crate::domain::punch_item::Edits;
use crate::procore::stub::{PROJECT, Reply, Stub};

const ITEM: &str = include_str!("../../../fixtures/procore/punch_item.json");
const ITEMS: &str = include_str!("../../../fixtures/procore/punch_items.json");
const REFERENCE: &str = "PL-ABCDEFGHIJKLMNOP";

fn draft() -> PunchItemDraft {
    PunchItemDraft {
        title: "Crack".into(),
        description: "A crack.".into(),
        reference: REFERENCE.into(),
        location: Some(LocationId::new(503)),
        trade: Some(TradeId::new(5401)),
        item_type: None,
        priority: Priority::High,
        due: Some(jiff::civil::date(2026, 10, 1)),
        manager: Some(UserId::new(88_120)),
        approver: Some(UserId::new(88_121)),
        images: vec![ImageId::new(562_950_311_224_001)],
        fields: FieldValues::new(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

#[tokio::test]
async fn drafts_are_made_in_procores_words() {
    for status in [200, 201] {
        let stub = Stub::api(move |_| Reply::json(status, ITEM)).await;
        let item = stub.client().create_punch_item(PROJECT, &draft()).await.expect("made");
        assert_eq!((item.workflow_status.as_str(), item.position), ("draft", Some(118)));
        let [call] = &stub.calls()[..] else { panic!("one call") };
        assert_eq!(call.call(), "POST /rest/v1.1/punch_items");
        assert_eq!(call.header("idempotency-token"), Some(REFERENCE));
        assert_eq!(call.header("content-type"), Some("application/json"));
        let expected = json!({ "project_id": 6778, "punch_item": {
            "name": "Crack", "description": "A crack.", "workflow_status": "draft",
            "reference": REFERENCE, "location_id": 503, "trade_id": 5401,
            "punch_item_manager_id": 88120, "final_approver_id": 88121, "priority": "high", "due": "2026-10-01",
            "private": false, "image_ids": [562_950_311_224_001_i64] } });
        assert_eq!(call.body, expected);
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_doubt_that_a_look_up_settles() {
    let stub = Stub::api(|seen| match seen.method.as_str() {
        "POST" => Reply::HangUp,
        _ => Reply::ok(ITEMS),
    })
    .await;
    let client = stub.client();
    let error = client.create_punch_item(PROJECT, &draft()).await.expect_err("no answer");
    assert!(error.outcome_in_doubt(), "{error:?}");
    let (since, now) = (at("2026-09-14T08:14:00Z"), at("2026-09-14T08:20:00Z"));
    let found = client.punch_items_with(PROJECT, REFERENCE, since, now).await.expect("listed");
    let first = found.first().map(|item| item.id);
    assert_eq!(first, Some(PunchItemId::new(70_110_042)), "the oldest twin");
    assert_eq!(client.punch_items_with(PROJECT, "PL-OTHER", since, now).await.expect("listed"), []);
    let range = stub.calls()[1].asked("filters[updated_at]").concat();
    assert_eq!(range, "2026-09-13T08:14:00Z...2026-09-15T08:20:00Z");
    assert_eq!(stub.calls().len(), 3, "one attempt a call");
}

#[tokio::test]
async fn changes_name_the_title_and_only_what_changes() {
    let stub = Stub::api(|_| Reply::ok(ITEM)).await;
    let change =
        |edits, status: Option<&str>| ItemChange { edits, workflow_status: status.map(str::to_owned) };
    let edits = Edits { priority: Some(Priority::Low), ..Edits::default() };
    let id = PunchItemId::new(7);
    let client = stub.client();
    let sent = async |change: ItemChange| {
        client.update_punch_item(PROJECT, id, "Crack", &change).await.expect("changed");
        stub.calls().last().cloned().expect("a call")
    };
    let call = sent(change(edits, Some("initiated"))).await;
    assert_eq!(call.call(), "PATCH /rest/v1.1/punch_items/7");
    let fields = json!({ "name": "Crack", "priority": "low", "workflow_status": "initiated" });
    assert_eq!(call.body, json!({ "project_id": 6778, "punch_item": fields }));
    let call = sent(change(Edits { title: Some("Long crack".into()), ..Edits::default() }, None)).await;
    assert_eq!(call.body["punch_item"], json!({ "name": "Long crack" }));
}

#[tokio::test]
async fn items_are_shown_listed_and_deleted() {
    let stub = Stub::api(|seen| match seen.path.as_str() {
        "/rest/v1.1/punch_items" => Reply::ok(ITEMS),
        _ if seen.method == "DELETE" => Reply::json(200, ""),
        _ => Reply::ok(ITEM),
    })
    .await;
    let (client, id) = (stub.client(), PunchItemId::new(70_110_042));
    let shown = client.punch_item(PROJECT, id).await.expect("shown");
    let remote = shown.to_remote();
    assert_eq!((remote.id, remote.deleted, remote.priority), (id, false, Some(Priority::Medium)));
    assert_eq!((remote.location, remote.trade), (Some(LocationId::new(503)), Some(TradeId::new(5401))));
    assert_eq!(remote.manager, Some(UserId::new(88_120)));
    let open = client.open_punch_items(PROJECT, &[LocationId::new(503)]).await.expect("listed");
    assert_eq!(open.len(), 2);
    client.delete_punch_item(PROJECT, id).await.expect("deleted");
    let calls = stub.calls();
    assert_eq!(calls[0].asked("include_deleted"), ["true"]);
    assert_eq!(calls[1].asked("filters[location_id][]"), ["503"]);
    assert_eq!(
        (calls[2].call(), calls[2].asked("project_id")),
        ("DELETE /rest/v1.1/punch_items/70110042".to_owned(), vec!["6778"],)
    );
}
