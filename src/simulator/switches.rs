//! What people and tests may do to the simulator that is no part of Procore: `/simulator/…`.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, Multipart, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::PhotoUpload;
use super::events::Cause;
use super::faults::Faults;
use super::images::NewImage;
use super::seed::{MANAGER, PROJECT, SUPERINTENDENT};
use super::state::Sim;
use crate::domain::ids::{ImageId, LocationId, ProjectId, PunchItemId, UserId};

pub(super) fn routes() -> Router<Sim> {
    Router::new()
        .route("/simulator/photos", post(photos))
        .route("/simulator/files/{key}", get(file))
        .route("/simulator/faults", post(faults))
        .route("/simulator/advance", post(advance))
        .route("/simulator/requests", get(requests))
        .route("/simulator/images", get(images))
        .route("/simulator/punch_items", get(punch_items))
        .route("/simulator/punch_items/{id}", post(edit_punch_item).delete(delete_punch_item))
        .route("/simulator/hooks", get(hooks))
        .route("/simulator/deliveries", get(deliveries))
        .route("/simulator/mailings", get(mailings))
}

/// Sends `photo` to `/simulator/photos` as a multipart form.
pub(super) async fn upload(sim: &Sim, project: ProjectId, photo: PhotoUpload) -> io::Result<ImageId> {
    const BOUNDARY: &str = "----punchlens-simulator-5c1f0b3a9d";
    let mut body = Vec::with_capacity(photo.bytes.len() + 1024);
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(value.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
    };
    field("project_id", Some(project.to_string()));
    field("location_id", photo.location.map(|id| id.to_string()));
    field("description", photo.description);
    field("taken_at", photo.taken_at.map(|at| at.to_string()));
    field("gps_lat", photo.gps.map(|(latitude, _)| latitude.to_string()));
    field("gps_long", photo.gps.map(|(_, longitude)| longitude.to_string()));
    field("uploader_id", photo.uploader.map(|id| id.to_string()));
    field("private", photo.private.then(|| "true".to_owned()));
    field("projection", Some(photo.projection).filter(|name| !name.is_empty()));
    let name = photo.filename.replace(['"', '\r', '\n', '\\'], "_");
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"photo\"; filename=\"{name}\"\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(&photo.bytes);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let url = sim.api.join("simulator/photos").map_err(io::Error::other)?;
    let request =
        sim.client.post(url).header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
    let response = request.body(body).send().await.map_err(io::Error::other)?;
    let answer: Value = response.json().await.map_err(io::Error::other)?;
    let id = answer["ids"][0].as_i64().map(ImageId::new);
    id.ok_or_else(|| io::Error::other(format!("the simulator refused the photo: {answer}")))
}

/// `curl -F photo=@crack.jpg -F location_id=15510 http://…/simulator/photos`, as many photos as you like.
async fn photos(State(sim): State<Sim>, headers: HeaderMap, form: Multipart) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let browser = accept.is_some_and(|kinds| kinds.contains("text/html"));
    match read_photos(form).await {
        Ok((project, photos)) => {
            for (_, photo) in &photos {
                if let Err(refusal) = sim.known_location(project, photo.location) {
                    return refusal.into_response();
                }
            }
            let ids: Vec<ImageId> = photos.into_iter().map(|(_, photo)| sim.add_image(photo)).collect();
            if browser {
                return Redirect::to("/").into_response();
            }
            (StatusCode::CREATED, Json(json!({ "ids": ids }))).into_response()
        }
        Err(problem) => (StatusCode::BAD_REQUEST, Json(json!({ "errors": problem }))).into_response(),
    }
}

async fn read_photos(mut form: Multipart) -> Result<(ProjectId, Vec<(String, NewImage)>), String> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut files = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| error.body_text())? {
        let name = field.name().unwrap_or_default().to_owned();
        match field.file_name().map(str::to_owned) {
            Some(file) => files.push((file, field.bytes().await.map_err(|error| error.body_text())?)),
            None => fields.push((name, field.text().await.map_err(|error| error.body_text())?)),
        }
    }
    if files.is_empty() {
        return Err("send at least one file under the name 'photo'".to_owned());
    }
    let text = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
    let number = |name: &str| match text(name).filter(|text| !text.is_empty()) {
        Some(text) => text.parse::<i64>().map(Some).map_err(|_| format!("{name} is no number")),
        None => Ok(None),
    };
    let degrees = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
    let project = number("project_id")?.map_or(PROJECT, ProjectId::new);
    let taken_at: Option<Timestamp> = match text("taken_at") {
        Some(text) => Some(text.parse().map_err(|_| "taken_at is no ISO 8601 time".to_owned())?),
        None => None,
    };
    let cause = Cause::person(number("uploader_id")?.map_or(SUPERINTENDENT, UserId::new));
    let location = number("location_id")?.map(LocationId::new);
    let photos = files.into_iter().map(|(name, bytes)| {
        let photo = NewImage {
            location,
            description: text("description").map(str::to_owned),
            taken_at,
            gps: degrees("gps_lat").zip(degrees("gps_long")),
            private: text("private") == Some("true"),
            projection: text("projection").unwrap_or("regular").to_owned(),
            ..NewImage::of(project, &name, bytes, cause.clone())
        };
        (name, photo)
    });
    Ok((project, photos.collect()))
}

async fn file(State(sim): State<Sim>, Path(key): Path<String>) -> Response {
    let bytes = sim.world().files.get(&key).cloned();
    bytes.map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}

async fn faults(State(sim): State<Sim>, Json(faults): Json<Faults>) -> StatusCode {
    sim.change(|world| world.faults = faults);
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
struct Advance {
    seconds: u64,
}

async fn advance(State(sim): State<Sim>, Json(by): Json<Advance>) -> StatusCode {
    sim.clock.advance(Duration::from_secs(by.seconds));
    StatusCode::NO_CONTENT
}

async fn requests(State(sim): State<Sim>) -> Json<Value> {
    Json(json!(sim.world().requests))
}

async fn images(State(sim): State<Sim>) -> Json<Value> {
    Json(sim.world().images.values().map(|image| json!(image)).collect())
}

async fn punch_items(State(sim): State<Sim>) -> Json<Value> {
    Json(sim.world().punch_items.values().map(|item| json!(item)).collect())
}

async fn hooks(State(sim): State<Sim>) -> Json<Value> {
    Json(sim.world().hooks.values().map(|hook| json!(hook)).collect())
}

async fn deliveries(State(sim): State<Sim>) -> Json<Value> {
    Json(sim.world().deliveries.values().map(|delivery| json!(delivery)).collect())
}

async fn mailings(State(sim): State<Sim>) -> Json<Value> {
    Json(json!(sim.world().mailings))
}

async fn edit_punch_item(
    State(sim): State<Sim>,
    Path(id): Path<i64>,
    Json(fields): Json<Value>,
) -> StatusCode {
    let done = sim.person_edits(PunchItemId::new(id), &fields, MANAGER);
    if done { StatusCode::NO_CONTENT } else { StatusCode::UNPROCESSABLE_ENTITY }
}

async fn delete_punch_item(State(sim): State<Sim>, Path(id): Path<i64>) -> StatusCode {
    let done = sim.bin_punch_item(PunchItemId::new(id), &Cause::person(MANAGER));
    if done { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}
