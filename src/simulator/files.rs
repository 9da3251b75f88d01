//! The bytes: links on host A that need the bearer and redirect, storage on host B that refuses it.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::MethodFilter;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::call::{Body, Call, Refusal, Reply, on};
use super::clock::later;
use super::state::{Shared, Sim};
use crate::domain::ids::ProjectId;

pub(super) fn routes() -> Router<Sim> {
    Router::new()
        .route("/api/v5/files/{region}/{bucket}/companies/{company}/{key}", on(MethodFilter::GET, link))
}

pub(super) fn storage_routes() -> Router<Sim> {
    Router::new().route("/sim-files/{key}", on(MethodFilter::GET, download))
}

impl Shared {
    /// A link on host A, good for `Options::url_life`.
    pub(super) fn file_url(&self, project: ProjectId, key: &str) -> String {
        let until = later(self.now(), self.options.url_life);
        let company = super::seed::COMPANY;
        let mut url = self.reached_at.clone();
        url.set_path(&format!("/api/v5/files/local/sim/companies/{company}/{key}"));
        url.query_pairs_mut()
            .append_pair("companyId", &company.to_string())
            .append_pair("projectId", &project.to_string())
            .append_pair("sig", &self.sign("file", key, until));
        url.into()
    }

    /// A link on host B, good for `life`.
    pub(super) fn storage_url(&self, purpose: &str, path: &str, key: &str, life: Duration) -> String {
        let until = later(self.now(), life);
        let mut url = self.storage.clone();
        url.set_path(path);
        url.query_pairs_mut()
            .append_pair("X-Amz-Expires", &life.as_secs().to_string())
            .append_pair("X-Amz-Signature", &self.sign(purpose, key, until));
        url.into()
    }

    fn sign(&self, purpose: &str, key: &str, until: Timestamp) -> String {
        let until = until.as_microsecond();
        let digest = Sha256::digest(format!("{}/{purpose}/{key}/{until}", self.options.seed));
        format!("{until:016x}{}", data_encoding::HEXLOWER.encode(&digest[..16]))
    }

    /// Whether `signature` is ours, for this, and not past its time.
    pub(super) fn signed(&self, purpose: &str, key: &str, signature: Option<&str>) -> bool {
        let until = signature.and_then(|text| i64::from_str_radix(text.get(..16)?, 16).ok());
        let until = until.and_then(|micros| Timestamp::from_microsecond(micros).ok());
        until.is_some_and(|until| {
            self.now() < until && signature == Some(self.sign(purpose, key, until).as_str())
        })
    }
}

/// What S3 answers when it will not.
pub(super) fn storage_refusal(status: StatusCode, code: &str, message: &str) -> Refusal {
    let page =
        format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Refusal::text(status, &page).with("content-type", "application/xml")
}

/// Host B knows nothing of Procore's tokens and fails when it is given one.
pub(super) fn no_bearer(call: &Call) -> Result<(), Refusal> {
    if call.authorization.is_none() {
        return Ok(());
    }
    Err(storage_refusal(
        StatusCode::BAD_REQUEST,
        "InvalidArgument",
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
         parameter or the Authorization header should be specified",
    ))
}

fn link(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let key = call.text_id("key")?;
    if !sim.signed("file", key, call.query("sig")) {
        return Err(Refusal::forbidden("The link has expired"));
    }
    let gone = {
        let world = sim.world();
        let image = world.images.values().find(|image| image.key == key);
        image.is_some_and(|image| image.deleted) || !world.files.contains_key(key)
    };
    if gone {
        return Err(Refusal::not_found());
    }
    let target = sim.storage_url("get", &format!("/sim-files/{key}"), key, sim.options.link_life);
    Ok(Reply::empty(StatusCode::FOUND).with("location", &target).with("cache-control", "no-store"))
}

fn download(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    no_bearer(call)?;
    let key = call.text_id("key")?;
    if !sim.signed("get", key, call.query("X-Amz-Signature")) {
        return Err(storage_refusal(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired"));
    }
    let bytes = sim.world().files.get(key).cloned();
    let bytes = bytes.ok_or_else(|| {
        storage_refusal(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
    })?;
    let reply = Reply { body: Body::Bytes(sim.as_sent(bytes)), ..Reply::empty(StatusCode::OK) };
    // The type that the uploading device claimed says nothing; bytes must be sniffed.
    Ok(reply.with("content-type", "binary/octet-stream").with("accept-ranges", "bytes"))
}
