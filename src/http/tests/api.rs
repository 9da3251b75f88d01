//! The same by JSON.

use serde_json::json;

use super::*;

fn bearer(site: &Site) -> String {
    format!("Bearer {}", site.key.reveal())
}

#[tokio::test]
async fn findings_are_listed_page_by_page() {
    let site = Site::new().await;
    for image in 1..=3 {
        site.found(image, |_| ()).await;
    }
    let list = async |query: &str| {
        site.get(format!("/api/v1/findings?{query}")).with("authorization", bearer(&site)).send().await.json()
    };
    let first = list("limit=2").await;
    assert_eq!((first["findings"].as_array().map(Vec::len), &first["next_offset"]), (Some(2), &json!(2)));
    let rest = list("limit=2&offset=2&state=proposed&company=8&project=6778").await;
    assert_eq!((rest["findings"].as_array().map(Vec::len), &rest["next_offset"]), (Some(1), &json!(null)));
    assert_eq!(list("state=rejected").await["findings"], json!([]));
    assert_eq!(list("state=odd").await["code"], "invalid");
    let counts = site.get("/api/v1/counts").with("authorization", bearer(&site)).send().await.json();
    assert_eq!(counts["to_review"], 3);
}

#[tokio::test]
async fn a_script_decides_and_takes_back() {
    let site = Site::new().await;
    let id = site.found(1, |_| ()).await;
    let path = format!("/api/v1/findings/{id}/decision");
    let decide = async |body: serde_json::Value| {
        site.post(&path).with("authorization", bearer(&site)).json(&body).send().await
    };
    for bad in [
        json!({ "verdict": "maybe" }),
        json!({ "verdict": "reject" }),
        json!({ "verdict": "reject", "reason": "duplicate", "edits": { "title": "x" } }),
        json!({ "verdict": "accept", "edits": { "title": " " } }),
        json!({ "verdict": "accept", "surprise": 1 }),
        json!([]),
    ] {
        let answer = decide(bad.clone()).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some("invalid")),
            "{bad}"
        );
    }
    let taken =
        decide(json!({ "verdict": "accept", "edits": { "priority": "high" }, "reviewer": "Ana" })).await;
    assert_eq!(taken.status, StatusCode::OK, "{}", taken.body);
    assert_eq!(taken.json()["decision"]["reviewer"], "Ana");
    let late = decide(json!({ "verdict": "reject", "reason": "duplicate" })).await;
    assert_eq!((late.status, late.json()["code"].as_str()), (StatusCode::CONFLICT, Some("conflict")));
    let undone = site.ask(Method::DELETE, &path).with("authorization", bearer(&site)).send().await;
    assert_eq!(undone.json()["state"], "proposed");
    let card = site.get(format!("/api/v1/findings/{id}")).with("authorization", bearer(&site)).send().await;
    assert_eq!(card.json()["draft"]["title"], "Crack in plaster – Unit 204");
}

#[tokio::test]
async fn errors_are_problem_documents() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let answer = site.get("/api/v1/findings").with("cookie", &cookie).send().await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a session is no token");
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
    assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer");
    for path in ["/api/v1/findings/nonsense", "/api/v1/photos/1/picture"] {
        let answer = site.get(path).with("authorization", bearer(&site)).send().await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (StatusCode::NOT_FOUND, Some("not_found"))
        );
    }
    site.store.close().await;
    let answer = site.get("/api/v1/counts").with("authorization", bearer(&site)).send().await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, Some("internal"))
    );
}
