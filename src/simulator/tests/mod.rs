//! The simulator over its own HTTP, asked by a client of these tests' own.

mod faults;
mod oauth;
mod photos;
mod punch_items;
mod webhooks;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::seed::{COMPANY, PROJECT};
use super::{Limits, Options, PhotoUpload, Simulator, Time, contract};
use crate::domain::ids::ImageId;

/// A simulator and a client that has logged in.
struct Site {
    simulator: Simulator,
    client: reqwest::Client,
    token: String,
}

fn start_of_time() -> Timestamp {
    "2026-06-02T16:00:00Z".parse().expect("a time")
}

fn options() -> Options {
    let limits = Limits { enabled: false, ..Limits::default() };
    // These tests ask wrongly on purpose, and hold the rest against the contract themselves.
    Options { time: Time::Manual(start_of_time()), limits, strict: false, ..Options::default() }
}

impl Site {
    async fn start(options: Options) -> Self {
        let simulator = Simulator::start(options).await.expect("starts");
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        // Loading the system's certificates for plain HTTP would be most of a test's time.
        let client = client.tls_certs_only([]).build().expect("a client");
        let mut site = Self { simulator, client, token: String::new() };
        site.login().await;
        site
    }

    async fn login(&mut self) {
        let (id, secret) = self.simulator.credentials();
        let form = [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", &secret)];
        let response = self.client.post(self.url("oauth/token")).form(&form).send().await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK);
        let body: Value = response.json().await.expect("JSON");
        self.token = body["access_token"].as_str().expect("a token").to_owned();
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.url())
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, self.url(path));
        request.bearer_auth(&self.token).header("procore-company-id", COMPANY.value())
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.expect("answers");
        let status = response.status().as_u16();
        let bytes = response.bytes().await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.request(Method::GET, path)).await
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(self.request(Method::DELETE, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    /// Uploads a photo from site.
    async fn photo(&self, name: &str) -> ImageId {
        self.upload(PhotoUpload { filename: name.into(), bytes: JPEG.to_vec(), ..PhotoUpload::default() })
            .await
    }

    async fn upload(&self, photo: PhotoUpload) -> ImageId {
        self.simulator.upload_photo(PROJECT, photo).await.expect("taken")
    }

    /// Makes a draft with `fields` on top of a name.
    async fn draft(&self, fields: Value) -> (u16, Value) {
        let mut item = json!({ "name": "Crack in drywall", "workflow_status": "draft" });
        item.as_object_mut().expect("an object").extend(fields.as_object().cloned().unwrap_or_default());
        self.post("rest/v1.1/punch_items", json!({ "project_id": PROJECT, "punch_item": item })).await
    }

    /// Holds everything that was asked and answered against the contract.
    fn keeps_the_contract(&self) {
        let requests = self.simulator.requests();
        assert!(!requests.is_empty());
        // What was refused was asked wrongly on purpose.
        for request in requests.into_iter().filter(|request| request.status < 400) {
            let violations = [contract::check_request(&request), contract::check_answer(&request)].concat();
            assert!(violations.is_empty(), "{} {}: {violations:#?}", request.method, request.path);
        }
    }
}

/// The start of a JPEG of 4032 by 3024 pixels.
const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0x0b, 0xd0, 0x0f, 0xc0, 3, 0xff, 0xd9];
