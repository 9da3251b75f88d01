use serde_json::json;

use super::reader::choices;
use super::*;

fn request(method: &str, path: &str, query: &[(&str, &str)], body: Value) -> RecordedRequest {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    RecordedRequest {
        number: 1,
        host: Host::Procore,
        method: method.into(),
        path: path.into(),
        query: query.iter().map(|(name, value)| header(name, value)).collect(),
        headers: vec![
            header("authorization", "Bearer [redacted]"),
            header("procore-company-id", "8"),
            header("content-type", "application/json"),
        ],
        body_bytes: usize::from(!body.is_null()),
        body,
        status: 200,
        answer: None,
        fault: None,
    }
}

fn places(violations: &[Violation]) -> Vec<&str> {
    violations.iter().map(|violation| violation.at.as_str()).collect()
}

#[test]
fn every_reference_of_the_contract_leads_somewhere() {
    fn walk(shape: &Value) {
        match shape {
            Value::String(name) => {
                let known = match name.strip_prefix('@') {
                    Some(reference) => CONTRACT.shapes.contains_key(reference),
                    None => {
                        choices(name).is_some()
                            || ["integer", "string", "boolean", "timestamp", "date", "any"]
                                .contains(&name.as_str())
                    }
                };
                assert!(known, "{name}");
            }
            Value::Array(items) => items.iter().for_each(walk),
            Value::Object(fields) => fields.values().for_each(walk),
            _ => {}
        }
    }
    CONTRACT.shapes.values().for_each(walk);
    for operation in &CONTRACT.operations {
        operation.body.iter().chain(operation.answers.values()).for_each(walk);
    }
    for operation in &CONTRACT.translated {
        operation.body.iter().for_each(walk);
    }
    assert!(CONTRACT.operations.len() > 50 && CONTRACT.translated.len() > 70);
}

#[test]
fn requests_are_held_to_names_types_and_headers() {
    let check = |request: RecordedRequest, expected: &[&str]| {
        let found = check_request(&request);
        assert_eq!(places(&found), expected, "{found:?}");
    };
    let items = "/rest/v1.1/punch_items";
    let item = |item: Value| json!({ "project_id": 6778, "punch_item": item });
    check(request("POST", items, &[], item(json!({ "name": "x", "workflow_status": "draft" }))), &[]);
    check(
        request("POST", items, &[], item(json!({ "due_date": "2026-01-01" }))),
        &["body.punch_item.name", "body.punch_item.due_date"],
    );
    check(
        request("POST", items, &[], item(json!({ "name": "x", "image_ids": ["1"] }))),
        &["body.punch_item.image_ids[0]"],
    );
    check(
        request("GET", items, &[("filters[reference]", "x")], Value::Null),
        &["query.project_id", "query.filters[reference]"],
    );
    let range = ("filters[updated_at]", "2026-01-01T00:00:00Z..2026-01-02T00:00:00Z");
    check(request("GET", items, &[("project_id", "1"), range], Value::Null), &["query.filters[updated_at]"]);
    check(request("GET", items, &[("project_id", "1"), ("filters[id][]", "7")], Value::Null), &[]);
    check(request("POST", "/rest/v1.1/punch_items/send_unsent", &[], Value::Null), &["path"]);
    let bare = RecordedRequest { headers: Vec::new(), ..request("GET", "/rest/v1.0/me", &[], Value::Null) };
    check(bare, &["authorization"]);
    let company = [("company_id", "8")];
    let bare =
        RecordedRequest { headers: Vec::new(), ..request("GET", "/rest/v1.0/me", &company, Value::Null) };
    check(bare, &["authorization", "procore-company-id"]);
    let leak = RecordedRequest { host: Host::Storage, ..request("GET", "/sim-files/x", &[], Value::Null) };
    check(leak, &["authorization"]);
}

#[test]
fn answers_have_every_field_and_no_other() {
    let me = |answer: Value| {
        let request = request("GET", "/rest/v1.0/me", &[], Value::Null);
        check_answer(&RecordedRequest { answer: Some(answer), ..request })
    };
    assert!(me(json!({ "id": 1, "login": null, "name": "x" })).is_empty());
    let found = me(json!({ "id": null, "login": 5, "extra": 1 }));
    assert_eq!(places(&found), ["answer.id", "answer.name", "answer.extra", "answer.login"]);
}

#[test]
fn what_procores_own_document_says_of_a_request_holds() {
    let check = |request: RecordedRequest, expected: &[&str]| {
        let found = check_request(&request);
        assert_eq!(places(&found), expected, "{found:?}");
    };
    let item = |fields: Value| {
        let body = json!({ "project_id": 6778, "punch_item": fields });
        request("PATCH", "/rest/v1.1/punch_items/5", &[], body)
    };
    check(item(json!({ "name": "x", "status": "open", "upload_ids": ["a"], "custom_field_7": 1 })), &[]);
    check(item(json!({ "name": "x", "status": "Open" })), &["body.punch_item.status"]);
    check(item(json!({ "name": "x", "cost_code_id": 5 })), &["body.punch_item.cost_code_id"]);
    check(
        request(
            "GET",
            "/rest/v1.1/punch_items/recycle_bin",
            &[("project_id", "1"), ("page", "2")],
            Value::Null,
        ),
        &["query.page"],
    );
    let upload = "/rest/v1.1/projects/6778/uploads";
    let file = |body: Value| request("POST", upload, &[], body);
    check(file(json!({ "response_filename": "crop.jpg", "size": 5 })), &[]);
    check(file(json!({ "size": "5" })), &["body.response_filename", "body.size"]);
    let image = json!({ "upload_uuid": "a", "image_name": "crop.jpg", "image": { "location_id": 1 } });
    check(request("POST", "/rest/v1.0/images", &[("project_id", "1")], image), &[]);
    check(
        request("POST", "/rest/v1.0/images", &[], json!({ "image": { "album": 1 } })),
        &["query.project_id", "body.image_name", "body.image.album"],
    );
    check(request("GET", "/rest/v1.0/users", &[], Value::Null), &["path"]);
}
