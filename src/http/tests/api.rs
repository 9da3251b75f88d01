//! The same by JSON, as its `OpenAPI` document tells.

use std::collections::BTreeSet;

use serde_json::json;

use super::schema::{OPENAPI, faults};
use super::*;
use crate::domain::photo_retries::{DownloadProblem, DownloadTries};
use crate::domain::review::RejectReason;
use crate::http::api::OPERATIONS;

/// A script with this machine's key.
struct Robot<'a>(&'a Site);

impl Robot<'_> {
    /// Asks `method` `path`, where `fill` takes the place of the path's parameters in turn, and holds the answer
    /// against the document.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        fill: &[&str],
        query: &str,
        body: Option<&serde_json::Value>,
    ) -> Answer {
        let mut filled = path.to_owned();
        for value in fill {
            let (before, rest) = filled.split_once('{').expect("a parameter");
            let (_, after) = rest.split_once('}').expect("its end");
            filled = format!("{before}{value}{after}");
        }
        let ask = self.0.ask(method.clone(), format!("{filled}{query}"));
        let ask = ask.with("authorization", format!("Bearer {}", self.0.key.reveal()));
        let answer = match body {
            Some(body) => ask.json(body).send().await,
            None => ask.send().await,
        };
        let name = method.as_str().to_lowercase();
        let kind = answer.header(header::CONTENT_TYPE);
        let found = faults(&name, path, answer.status.as_u16(), kind, &answer.body);
        assert!(found.is_empty(), "{found:#?}\n{}", answer.body);
        answer
    }

    async fn get(&self, path: &str, fill: &[&str], query: &str) -> Answer {
        self.ask(Method::GET, path, fill, query, None).await
    }

    async fn post(&self, path: &str, fill: &[&str], body: &serde_json::Value) -> Answer {
        self.ask(Method::POST, path, fill, "", Some(body)).await
    }

    async fn delete(&self, path: &str, fill: &[&str]) -> Answer {
        self.ask(Method::DELETE, path, fill, "", None).await
    }
}

const FINDINGS: &str = "/api/v1/findings";
const DECISION: &str = "/api/v1/findings/{finding}/decision";

#[test]
fn the_document_tells_of_every_route_and_of_no_other() {
    let routed: BTreeSet<(String, String)> =
        OPERATIONS.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    let mut told = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (path, item) in OPENAPI["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            told.insert((method.clone(), path.clone()));
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name.to_owned()), "{name} twice");
            let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
            let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
            let listed: BTreeSet<&str> = in_path.filter_map(|parameter| parameter["name"].as_str()).collect();
            let written: BTreeSet<&str> =
                path.split('{').skip(1).filter_map(|part| part.split('}').next()).collect();
            assert_eq!(listed, written, "{method} {path}");
        }
    }
    assert_eq!(told, routed);
}

#[test]
fn every_code_of_a_problem_is_told() {
    let told = OPENAPI["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array();
    let told: BTreeSet<&str> = told.expect("codes").iter().filter_map(serde_json::Value::as_str).collect();
    let real: BTreeSet<&str> =
        crate::http::error::every().iter().map(crate::http::error::HttpError::code).collect();
    assert_eq!(told, real);
}

#[tokio::test]
async fn every_operation_needs_a_token_and_exists() {
    let site = Site::new().await;
    for (method, path) in OPERATIONS {
        let filled = path.replace(['{', '}'], "");
        let method: Method = method.to_uppercase().parse().expect("a method");
        let answer = site.ask(method.clone(), &filled).send().await;
        let open = *path == "/api/v1/openapi.json";
        let expected = if open { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answer.status, expected, "{method} {path}");
        if !open {
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
            assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer");
        }
        let wrong = site.ask(Method::PATCH, &filled).send().await;
        assert_eq!(
            (wrong.status, wrong.json()["code"].as_str()),
            (StatusCode::METHOD_NOT_ALLOWED, Some("wrong_method"))
        );
        assert!(wrong.header(header::ALLOW).contains(method.as_str()), "{}", wrong.header(header::ALLOW));
    }
    for path in ["/api", "/api/", "/api/v1", "/api/v2/findings", "/api/v1/findings/%ff/decision/x"] {
        let answer = site.get(path).send().await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (StatusCode::NOT_FOUND, Some("not_found")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_script_learns_who_it_is_and_what_there_is() {
    let site = Site::new().await;
    let robot = Robot(&site);
    let me = robot.get("/api/v1/me", &[], "").await.json();
    assert_eq!((&me["person"]["who"], &me["rights"]["everywhere"]), (&json!("key"), &json!("admin")));
    let rooms =
        json!([{ "id": 204, "path": ["Tower", "Unit 204"] }, { "id": 205, "path": ["Tower", "Unit 205"] }]);
    site.store.cache(PROJECT, "locations", &rooms, now()).await.expect("keeps");
    site.store.cache(PROJECT, "project", &json!({ "name": "Harbour House" }), now()).await.expect("keeps");
    let projects = robot.get("/api/v1/projects", &[], "").await.json();
    assert_eq!(
        projects,
        json!([{ "company": 8, "project": 6778, "name": "Harbour House", "role": "admin" }])
    );
    let list = "/api/v1/projects/{project}/choices/{list}";
    let choices = robot.get(list, &["8-6778", "location"], "?q=205").await.json();
    assert_eq!(choices, json!({ "choices": [{ "id": 205, "label": "Tower › Unit 205" }] }));
    assert_eq!(robot.get(list, &["8-6778", "colour"], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(robot.get(list, &["nowhere", "trade"], "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn findings_are_listed_page_by_page() {
    let site = Site::new().await;
    for image in 1..=3 {
        site.found(image, |_| ()).await;
    }
    let robot = Robot(&site);
    let list = async |query: &str| robot.get(FINDINGS, &[], query).await.json();
    let first = list("?limit=2").await;
    assert_eq!((first["findings"].as_array().map(Vec::len), &first["next_offset"]), (Some(2), &json!(2)));
    let rest = list("?limit=2&offset=2&state=proposed&project=8-6778&shelf=open&order=by_score").await;
    assert_eq!((rest["findings"].as_array().map(Vec::len), &rest["next_offset"]), (Some(1), &json!(null)));
    assert_eq!(list("?state=rejected").await["findings"], json!([]));
    for bad in ["?state=odd", "?limit=0", "?limit=-1", "?project=8", "?surprise=1", "?found_since=yesterday"]
    {
        assert_eq!(list(bad).await["code"], "invalid", "{bad}");
    }
    assert_eq!(robot.get("/api/v1/counts", &[], "?project=8-6778").await.json()["to_review"], 3);
}

#[tokio::test]
async fn a_script_decides_and_takes_back() {
    let site = Site::new().await;
    let robot = Robot(&site);
    let id = site.found(1, |_| ()).await.to_string();
    let trades = json!([{ "id": 9, "name": "Plastering" }]);
    site.store.cache(PROJECT, "trades", &trades, now()).await.expect("keeps");
    for bad in [
        json!({ "verdict": "maybe" }),
        json!({ "verdict": "reject" }),
        json!({ "verdict": "reject", "reason": "duplicate", "edits": { "title": "x" } }),
        json!({ "verdict": "accept", "edits": { "title": " " } }),
        json!({ "verdict": "accept", "edits": { "titel": "x" } }),
        json!({ "verdict": "accept", "edits": { "trade": 77 } }),
        json!({ "verdict": "accept", "surprise": 1 }),
        json!([]),
    ] {
        let answer = robot.post(DECISION, &[&id], &bad).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some("invalid")),
            "{bad}"
        );
    }
    let wish = json!({ "verdict": "accept", "edits": { "priority": "high", "trade": 9 }, "reviewer": "Ana" });
    let taken = robot.post(DECISION, &[&id], &wish).await;
    assert_eq!(taken.status, StatusCode::OK, "{}", taken.body);
    let decision = &taken.json()["decision"];
    assert_eq!((&decision["reviewer"], &decision["person"]["by"]), (&json!("Ana"), &json!("key")));
    let late = robot.post(DECISION, &[&id], &json!({ "verdict": "reject", "reason": "duplicate" })).await;
    assert_eq!((late.status, late.json()["code"].as_str()), (StatusCode::CONFLICT, Some("conflict")));
    assert_eq!(robot.delete(DECISION, &[&id]).await.json()["state"], "proposed");
    assert_eq!(robot.delete(DECISION, &[&id]).await.status, StatusCode::CONFLICT);
    let card = robot.get("/api/v1/findings/{finding}", &[&id], "").await;
    assert_eq!(card.json()["draft"]["title"], "Crack in plaster – Unit 204");
    let again = robot.ask(Method::POST, "/api/v1/findings/{finding}/send-again", &[&id], "", None).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "nothing was refused");
}

#[tokio::test]
async fn many_are_decided_at_once() {
    let site = Site::new().await;
    let robot = Robot(&site);
    let (one, two) = (site.found(1, |_| ()).await, site.found(2, |_| ()).await);
    let stranger = FindingId::of(PROJECT, &crate::domain::ids::Sha256Digest::of(b"nothing"), "crack");
    let wish =
        json!({ "findings": [one, two, stranger], "verdict": "reject", "reason": RejectReason::TooEarly });
    let outcome = robot.post("/api/v1/decisions", &[], &wish).await.json();
    assert_eq!(outcome["done"].as_array().map(Vec::len), Some(2));
    assert_eq!(outcome["left"], json!([{ "finding": stranger, "reason": "There is no such finding." }]));
    let mutes = robot.get("/api/v1/mutes", &[], "").await.json();
    assert_ne!(mutes["mutes"], json!([]), "too early mutes the class there");
    let outcome = robot.post("/api/v1/decisions/undo", &[], &json!({ "findings": [one] })).await.json();
    assert_eq!(outcome["done"][0]["state"], "proposed");
    let mutes = robot.get("/api/v1/mutes", &[], "?project=8-6778").await.json();
    let mute = mutes["mutes"][0]["id"].to_string();
    let lift = "/api/v1/mutes/{mute}";
    assert_eq!(robot.delete(lift, &[&mute]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(robot.delete(lift, &[&mute]).await.status, StatusCode::NOT_FOUND);
    let add = async |project: &str, class: &str| {
        let wish = json!({ "project": project, "class": class, "reason": "not_ours" });
        robot.post("/api/v1/mutes", &[], &wish).await
    };
    assert_eq!(add("8-6778", "crack").await.status, StatusCode::CREATED);
    assert_eq!(add("8-6778", "ghost").await.status, StatusCode::NOT_FOUND);
    let before = robot.get("/api/v1/mutes", &[], "").await.json();
    assert_eq!(add("8-9", "crack").await.status, StatusCode::NOT_FOUND, "a project that is not permitted");
    assert_eq!(add("0-0", "crack").await.status, StatusCode::NOT_FOUND);
    assert_eq!(robot.get("/api/v1/mutes", &[], "").await.json(), before);
    let record = robot.get("/api/v1/record", &[], "?project=8-6778").await.json();
    assert_eq!(record["classes"][0]["latest"], json!({ "kept": 0, "of": 1 }));
    let empty = robot.post("/api/v1/decisions", &[], &json!({ "findings": [], "verdict": "accept" })).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn errors_are_problem_documents() {
    let site = Site::with(|sections| sections.http.form_max_bytes = 2000).await;
    let robot = Robot(&site);
    let cookie = site.sign_in("Ana").await;
    let answer = site.get(FINDINGS).with("cookie", &cookie).send().await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a session is no token: no other site can use it");
    for (path, fill) in [("/api/v1/findings/{finding}", "nonsense"), ("/api/v1/photos/{photo}/picture", "1")]
    {
        assert_eq!(robot.get(path, &[fill], "").await.status, StatusCode::NOT_FOUND);
    }
    let id = site.found(1, |_| ()).await.to_string();
    let photo = site.card(id.parse().expect("an id")).await.photo.id.to_string();
    assert_eq!(robot.get("/api/v1/photos/{photo}/picture", &[&photo], "").await.body, "a picture");
    let long = json!({ "verdict": "accept", "reviewer": "x".repeat(3000) });
    assert_eq!(robot.post(DECISION, &[&id], &long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    site.store.close().await;
    let bearer = format!("Bearer {}", site.key.reveal());
    let answer = site.get("/api/v1/counts").with("authorization", bearer).send().await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, Some("internal"))
    );
}

#[tokio::test]
async fn a_script_has_photos_looked_at_again() {
    const LEFT_OUT: &str = "/api/v1/photos/left-out";
    let site = Site::new().await;
    let robot = Robot(&site);
    assert_eq!(robot.get(LEFT_OUT, &[], "").await.json(), json!({ "photos": [] }));
    let tries = DownloadTries { trouble: DownloadProblem::NotShown, tries: 1, same: 1, content: None };
    site.store
        .note_photo_tries((PROJECT, ImageId::new(9)), "", &tries, "hidden", now())
        .await
        .expect("notes");
    let listed = robot.get(LEFT_OUT, &[], "?project=8-6778").await.json();
    let photo = &listed["photos"][0];
    assert_eq!(
        (&photo["state"], &photo["reason"], &photo["image"]),
        (&json!("trying"), &json!("hidden"), &json!(9))
    );
    assert_eq!(robot.get(LEFT_OUT, &[], "?project=8-9").await.json(), json!({ "photos": [] }));
    let again = "/api/v1/photos/{photo}/look-again";
    let id = photo["id"].as_str().expect("an id");
    let ask = async || robot.ask(Method::POST, again, &[id], "", None).await.status;
    assert_eq!((ask().await, ask().await), (StatusCode::ACCEPTED, StatusCode::NOT_FOUND));
}
