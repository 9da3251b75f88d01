use std::time::Duration;

use serde_json::json;

use super::*;
use crate::simulator::{Access, Fault, FaultKind, Faults, WebhookFaults};

async fn follow(site: &Site, url: &str, bearer: bool) -> reqwest::Response {
    let request = site.client.get(url);
    let request = if bearer { request.bearer_auth(&site.token) } else { request };
    request.send().await.expect("answers")
}

#[tokio::test]
async fn a_photo_is_listed_shown_and_downloaded() {
    let site = Site::start(options()).await;
    let unit = site.simulator.location(&["Building A", "Floor 2", "Unit 204"]);
    let photo = PhotoUpload {
        filename: "IMG_1128.jpg".into(),
        bytes: JPEG.to_vec(),
        location: unit,
        description: Some("stair wall".into()),
        taken_at: Some(start_of_time()),
        gps: Some((34.5, -119.25)),
        ..PhotoUpload::default()
    };
    let id = site.upload(photo).await;
    assert!(id.value() > i64::from(u32::MAX));
    let (status, image) = site.get(&format!("rest/v1.0/images/{id}?project_id=6778")).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&image["width"], &image["height"], &image["size"]),
        (&json!(4032), &json!(3024), &json!(JPEG.len()))
    );
    assert_eq!(image["location"]["name"], "Building A>Floor 2>Unit 204");
    assert_eq!((&image["gps_lat"], &image["gps_long"]), (&json!("34.5"), &json!("-119.25")));
    let (_, rows) = site.get(&format!("rest/v1.0/images?project_id=6778&filters[id][]={id}")).await;
    assert_eq!(rows, json!([image]));

    let url = image["url"].as_str().expect("a link").to_owned();
    assert_eq!(follow(&site, &url, false).await.status(), 401, "the link alone is not enough");
    let redirect = follow(&site, &url, true).await;
    assert_eq!(redirect.status(), 302);
    let target = redirect.headers()["location"].to_str().expect("text").to_owned();
    assert!(target.starts_with(site.simulator.storage_url().as_str()));
    assert_eq!(follow(&site, &target, true).await.status(), 400, "the storage takes no bearer");
    let bytes = follow(&site, &target, false).await.bytes().await.expect("bytes");
    assert_eq!(&bytes[..], JPEG);

    site.simulator.advance(Duration::from_secs(30));
    assert_eq!(follow(&site, &target, false).await.status(), 403, "the redirect has expired");
    site.simulator.advance(Duration::from_hours(1));
    assert_eq!(follow(&site, &url, true).await.status(), 403, "the link has expired");
    site.keeps_the_contract();
}

#[tokio::test]
async fn private_and_deleted_photos_are_404() {
    let site = Site::start(options()).await;
    let private = PhotoUpload { filename: "p.jpg".into(), private: true, ..PhotoUpload::default() };
    let hidden = site.upload(private.clone()).await;
    let deleted = site.photo("d.jpg").await;
    site.simulator.delete_photo(deleted);
    for id in [hidden, deleted] {
        assert_eq!(site.get(&format!("rest/v1.0/images/{id}?project_id=6778")).await.0, 404);
    }
    assert_eq!(site.get("rest/v1.0/images?project_id=6778").await.1, json!([]));
    assert_eq!(site.get("rest/v1.0/images?project_id=6778&filters[private]=true").await.1, json!([]));

    let access = Access { private_photos: true, ..Access::default() };
    let trusted = Site::start(Options { access, ..options() }).await;
    let seen = trusted.upload(private).await;
    assert_eq!(trusted.get(&format!("rest/v1.0/images/{seen}?project_id=6778")).await.0, 200);
}

#[tokio::test]
async fn lists_are_filtered_by_time() {
    let site = Site::start(options()).await;
    let first = site.photo("1.jpg").await;
    site.simulator.advance(Duration::from_hours(1));
    let second = site.photo("2.jpg").await;
    let ids = |rows: Value| -> Vec<Value> {
        rows.as_array().expect("rows").iter().map(|row| row["id"].clone()).collect()
    };
    let path =
        |range: &str| format!("rest/v1.0/images?project_id=6778&sort=created_at&filters[updated_at]={range}");
    let (_, both) = site.get(&path("2026-06-02T16:00:00Z...2026-06-02T17:00:00Z")).await;
    assert_eq!(ids(both), [json!(first), json!(second)]);
    let (_, late) = site.get(&path("2026-06-02T16:00:01Z...2026-06-03")).await;
    assert_eq!(ids(late), [json!(second)]);
    assert_eq!(site.get(&path("2026-06-02T16:00:01Z")).await.0, 400);
    assert_eq!(site.get("rest/v1.0/images?project_id=6779").await.0, 403);
}

#[tokio::test]
async fn photos_may_come_before_their_location() {
    let webhooks = WebhookFaults { unlocated: 1.0, ..WebhookFaults::default() };
    let site = Site::start(Options { faults: Faults { webhooks, ..Faults::default() }, ..options() }).await;
    let location = site.simulator.location(&["Building B"]);
    let photo = PhotoUpload { filename: "1.jpg".into(), location, ..PhotoUpload::default() };
    let path = format!("rest/v1.0/images/{}?project_id=6778", site.upload(photo).await);
    assert_eq!(site.get(&path).await.1["location"], Value::Null);
    assert_eq!(site.get(&path).await.1["location"]["name"], "Building B");
}

#[tokio::test]
async fn uploads_come_in_one_piece_or_in_segments() {
    let site = Site::start(options()).await;
    let uploads = "rest/v1.1/projects/6778/uploads";
    let (status, ticket) = site.post(uploads, json!({ "response_filename": "crop.jpg" })).await;
    assert_eq!(status, 201);
    let (uuid, target) = (ticket["uuid"].as_str().expect("a uuid"), ticket["url"].as_str().expect("a link"));
    let form = |key: &str| {
        format!(
            "--b\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\n{key}\r\n--b\r\ncontent-disposition: \
                 form-data; name=\"file\"; filename=\"crop.jpg\"\r\n\r\nbytes\r\n--b--\r\n"
        )
    };
    let post = |body: String| {
        let request = site.client.post(target).header("content-type", "multipart/form-data; boundary=b");
        site.send(request.body(body))
    };
    assert_eq!(post(form("wrong")).await.0, 400);
    assert_eq!(post(form(uuid)).await.0, 204);
    let (status, image) = site
        .post(
            "rest/v1.0/images?project_id=6778",
            json!({ "upload_uuid": uuid, "image_name": "crop.jpg", "image": { "description": "x" } }),
        )
        .await;
    assert_eq!((status, &image["size"]), (201, &json!(5)));

    let digest = crate::domain::ids::Sha256Digest::of(b"bytes").to_string();
    let segments = json!([{ "size": 5, "sha256": digest }]);
    let (_, ticket) =
        site.post(uploads, json!({ "response_filename": "crop.jpg", "segments": segments })).await;
    let uuid = ticket["uuid"].as_str().expect("a uuid");
    let target = ticket["segments"][0]["url"].as_str().expect("a link");
    let part = site.client.put(target).body("bytes").send().await.expect("answers");
    let etag = part.headers()["etag"].to_str().expect("text").to_owned();
    let done = json!({ "segments": [{ "size": 5, "sha256": digest, "etag": etag }] });
    let (status, state) = site.patch(&format!("{uploads}/{uuid}"), done).await;
    assert_eq!((status, &state["status"]), (200, &json!("complete")));
    assert_eq!(site.get(&format!("{uploads}/{uuid}")).await.1["status"], "complete");
    site.keeps_the_contract();
}

#[tokio::test]
async fn photos_are_changed_and_deleted_over_the_api() {
    let site = Site::start(options()).await;
    let path = format!("rest/v1.0/images/{}?project_id=6778", site.photo("1.jpg").await);
    let (status, made) =
        site.post("rest/v1.0/projects/6778/locations", json!({ "location": { "node_name": "Annex" } })).await;
    assert_eq!(status, 201);
    let change =
        json!({ "image": { "description": "east wall", "location_id": made["id"], "trade_ids": [999] } });
    let (status, image) = site.patch(&path, change).await;
    assert_eq!((status, &image["location"]["name"]), (200, &json!("Annex")));
    assert_eq!(image["trades"][0]["name"], "09 - Drywall");
    assert_eq!(site.patch(&path, json!({ "image": { "location_id": 1 } })).await.0, 422);
    assert_eq!(site.delete(&path).await.0, 200);
    assert_eq!(site.get(&path).await.0, 404);
    site.keeps_the_contract();
}

#[tokio::test]
async fn links_can_be_revoked_under_the_hand() {
    let site = Site::start(options()).await;
    let id = site.photo("1.jpg").await;
    let path = format!("rest/v1.0/images/{id}");
    site.simulator.script(Fault::once("GET", &format!("/{path}"), FaultKind::RevokeToken));
    assert_eq!(site.get(&format!("{path}?project_id=6778")).await.0, 401);
}
