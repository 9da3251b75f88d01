//! Uploads v1.1: a ticket from the API, the bytes to host B, then the ticket as an id.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::MethodFilter;
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::call::{Call, Refusal, Reply, on};
use super::clock::later;
use super::files::{no_bearer, storage_refusal};
use super::state::{Shared, Sim};
use crate::domain::ids::ProjectId;

/// Sending must start within this.
const START_WITHIN: Duration = Duration::from_hours(1);
/// An upload that nothing refers to is deleted after this.
const USE_WITHIN: Duration = Duration::from_hours(168);

/// An upload on its way.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    filename: String,
    created_at: Timestamp,
    /// What the client announced; empty for an upload in one piece.
    segments: Vec<Segment>,
    received: BTreeMap<usize, Bytes>,
    complete: bool,
}

#[derive(Debug, Clone)]
struct Segment {
    size: usize,
    sha256: String,
    md5: Option<String>,
}

pub(super) fn routes() -> Router<Sim> {
    const ONE: &str = "/rest/v1.1/projects/{project_id}/uploads/{uuid}";
    Router::new()
        .route("/rest/v1.1/projects/{project_id}/uploads", on(MethodFilter::POST, create))
        .route(ONE, on(MethodFilter::GET, show))
        .route(ONE, on(MethodFilter::PATCH, complete))
}

pub(super) fn storage_routes() -> Router<Sim> {
    Router::new()
        .route("/sim-uploads/{uuid}", on(MethodFilter::POST, receive_form))
        .route("/sim-uploads/{uuid}/{part}", on(MethodFilter::PUT, receive_part))
}

impl Shared {
    /// The name and bytes of a completed upload.
    pub(super) fn claim_upload(&self, uuid: &str) -> Result<(String, Bytes), Refusal> {
        let now = self.now();
        let world = self.world();
        let upload = world.uploads.get(uuid).filter(|upload| upload.complete);
        let upload = upload.filter(|upload| now < later(upload.created_at, USE_WITHIN));
        let upload = upload.ok_or_else(|| Refusal::invalid("upload_uuid", "is not a completed upload"))?;
        let mut bytes = BytesMut::new();
        upload.received.values().for_each(|part| bytes.extend_from_slice(part));
        Ok((upload.filename.clone(), bytes.freeze()))
    }

    fn upload_json(&self, uuid: &str, upload: &Upload) -> Value {
        let status = if upload.complete { "complete" } else { "ready" };
        if upload.segments.is_empty() {
            let url = self.storage_url("post", &format!("/sim-uploads/{uuid}"), uuid, START_WITHIN);
            let fields = json!({
                "key": uuid,
                "Content-Type": "application/octet-stream",
                "Content-Disposition": format!("inline; filename=\"{}\"", upload.filename),
                "policy": "c2ltdWxhdG9y",
                "x-amz-signature": uuid,
            });
            return json!({ "uuid": uuid, "url": url, "fields": fields, "status": status });
        }
        let segments = upload.segments.iter().enumerate().map(|(part, segment)| {
            let key = format!("{uuid}/{part}");
            let url = self.storage_url("put", &format!("/sim-uploads/{key}"), &key, START_WITHIN);
            let mut headers = json!({
                "x-amz-content-sha256": segment.sha256,
                "content-length": segment.size.to_string(),
            });
            if let Some(md5) = &segment.md5 {
                headers["content-md5"] = json!(md5);
            }
            json!({ "size": segment.size, "sha256": segment.sha256, "md5": segment.md5, "url": url, "headers": headers })
        });
        json!({ "uuid": uuid, "segments": segments.collect::<Vec<_>>(), "status": status })
    }
}

fn create(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    sim.open(ProjectId::new(call.id("project_id")?))?;
    let name = call.body["response_filename"].as_str();
    let filename = name.ok_or_else(|| Refusal::bad_request("response_filename is missing"))?.to_owned();
    let segments = call.body["segments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let segments = segments.iter().map(segment).collect::<Option<Vec<Segment>>>();
    let segments = segments.ok_or_else(|| Refusal::bad_request("segments need size and sha256"))?;
    let now = sim.now();
    let upload = Upload { filename, created_at: now, segments, received: BTreeMap::new(), complete: false };
    let uuid = sim.change(|world| {
        let uuid = world.ulid(now);
        world.uploads.insert(uuid.clone(), upload.clone());
        uuid
    });
    Ok(Reply::created(sim.upload_json(&uuid, &upload)))
}

fn segment(value: &Value) -> Option<Segment> {
    Some(Segment {
        size: value["size"].as_u64()?.try_into().ok()?,
        sha256: value["sha256"].as_str()?.to_lowercase(),
        md5: value["md5"].as_str().map(str::to_owned),
    })
}

fn show(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    sim.open(ProjectId::new(call.id("project_id")?))?;
    let uuid = call.text_id("uuid")?;
    let upload = sim.world().uploads.get(uuid).cloned().ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(sim.upload_json(uuid, &upload)))
}

fn complete(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    sim.open(ProjectId::new(call.id("project_id")?))?;
    let uuid = call.text_id("uuid")?;
    let etags: Option<Vec<&str>> = call.body["segments"]
        .as_array()
        .and_then(|parts| parts.iter().map(|part| part["etag"].as_str()).collect());
    let etags = etags.ok_or_else(|| Refusal::bad_request("segments need etag"))?;
    let upload = sim.change(|world| {
        let upload = world.uploads.get_mut(uuid).ok_or_else(Refusal::not_found)?;
        let received: Vec<String> = upload.received.values().map(|bytes| etag(bytes)).collect();
        let given: Vec<&str> = etags.iter().map(|tag| tag.trim_matches('"')).collect();
        if upload.segments.is_empty() || received != given || received.len() != upload.segments.len() {
            return Err(Refusal::invalid("segments", "do not match what was sent"));
        }
        upload.complete = true;
        Ok(upload.clone())
    })?;
    Ok(Reply::ok(sim.upload_json(uuid, &upload)))
}

fn etag(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)[..16])
}

fn signature_holds(sim: &Shared, call: &Call, purpose: &str, key: &str) -> Result<(), Refusal> {
    if sim.signed(purpose, key, call.query("X-Amz-Signature")) {
        return Ok(());
    }
    Err(storage_refusal(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired"))
}

fn receive_form(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    no_bearer(call)?;
    let uuid = call.text_id("uuid")?;
    signature_holds(sim, call, "post", uuid)?;
    let file = call.files.last().filter(|file| file.field == "file");
    let file = file.filter(|_| call.body["key"].as_str() == Some(uuid)).ok_or_else(|| {
        let words = "POST requires every given field, and exactly one file, last";
        storage_refusal(StatusCode::BAD_REQUEST, "InvalidArgument", words)
    })?;
    sim.change(|world| {
        if let Some(upload) = world.uploads.get_mut(uuid) {
            upload.received.insert(0, file.bytes.clone());
            upload.complete = true;
        }
    });
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn receive_part(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    no_bearer(call)?;
    let (uuid, part) = (call.text_id("uuid")?, call.text_id("part")?);
    signature_holds(sim, call, "put", &format!("{uuid}/{part}"))?;
    let part: usize = part.parse().map_err(|_| Refusal::not_found())?;
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&call.raw));
    let taken = sim.change(|world| {
        let upload = world.uploads.get_mut(uuid)?;
        let announced = upload.segments.get(part)?;
        let same = announced.size == call.raw.len() && announced.sha256 == digest;
        same.then(|| upload.received.insert(part, call.raw.clone())).map(|_| ())
    });
    taken.ok_or_else(|| {
        let words = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        storage_refusal(StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch", words)
    })?;
    Ok(Reply::empty(StatusCode::OK).with("etag", &format!("\"{}\"", etag(&call.raw))))
}
