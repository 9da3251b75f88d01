//! The web surface over a real store, asked as a client would.

mod api;
mod delivery;
mod live;
mod people;
mod reviewing;
mod schema;
mod security;
mod views;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::domain::card::Card;
use crate::domain::ids::{FindingId, ImageId, ProjectKey};
use crate::domain::job::Job;
use crate::domain::people::{AccessRights, Login, Role, Viewer};
use crate::domain::tagging::MuteRules;
use crate::http::config::tests::{Sections, defaults};
use crate::http::password::tests::CHEAP;
use crate::http::sample::{self, PROJECT};
use crate::http::{Check, Health, Parts, ReviewKey, Secret, State, Webhook, router};
use crate::store::{
    Account, Config, Layer, NewAccount, Overlay, PhotoRecord, PhotoState, Store, StoredPicture,
};

const SECRET: &[u8] = b"Bearer hook-secret";
/// The password of every account.
const PASSWORD: &str = "correct horse battery";

const LEASE: Duration = Duration::from_mins(1);

fn now() -> Timestamp {
    "2026-03-05T15:00:00Z".parse().expect("a time")
}

/// A box with its store in a folder of its own.
struct Site {
    _folder: TempDir,
    store: Store,
    key: ReviewKey,
    router: Router,
    stopping: CancellationToken,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn location(&self) -> &str {
        self.header(header::LOCATION)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A request in the making.
struct Ask<'a> {
    site: &'a Site,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    from: [u8; 4],
}

impl Ask<'_> {
    fn with(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.headers.push((name.as_ref().to_owned(), value.into()));
        self
    }

    /// From another machine.
    fn from(self, from: [u8; 4]) -> Self {
        Self { from, ..self }
    }

    fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn form(self, pairs: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.with("content-type", "application/x-www-form-urlencoded").body(body)
    }

    fn json(self, value: &serde_json::Value) -> Self {
        self.with("content-type", "application/json").body(value.to_string())
    }

    async fn send(self) -> Answer {
        let mut request = Request::builder().method(self.method).uri(&self.path).header("host", "box");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.extension(std::net::SocketAddr::from((self.from, 50_000)));
        let request = request.body(Body::from(self.body)).expect("a request");
        let response = self.site.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 10_000_000).await.expect("a body");
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

impl Site {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(adjust: impl FnOnce(&mut Sections)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open_store(&folder).await;
        let mut sections = defaults();
        sections.sign_in.password = CHEAP;
        adjust(&mut sections);
        let Sections { http, sign_in, review } = sections;
        let key = ReviewKey::generate();
        let stopping = CancellationToken::new();
        let parts = Parts {
            store: store.clone(),
            webhook: hook(),
            health: Arc::new(|| Health { checks: vec![Check::ok("model", "loaded")] }),
            metrics: Arc::new(|| "# EOF\n".to_owned()),
            clock: Arc::new(now),
            projects: vec![PROJECT],
            mute_rules: Arc::new(|_| MuteRules { too_early_days: 14 }),
            classes: vec![sample::card(1).finding.class],
            procore: None,
            sites: [(PROJECT, crate::domain::site::sample::site())].into(),
            http,
            sign_in,
            review,
            zone: TimeZone::UTC,
            key: key.clone(),
            stopping: stopping.clone(),
        };
        Self { _folder: folder, store, key, router: router(State::new(parts)), stopping }
    }

    fn ask(&self, method: Method, path: impl Into<String>) -> Ask<'_> {
        Ask {
            site: self,
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
            from: [127, 0, 0, 1],
        }
    }

    fn get(&self, path: impl Into<String>) -> Ask<'_> {
        self.ask(Method::GET, path)
    }

    fn post(&self, path: impl Into<String>) -> Ask<'_> {
        self.ask(Method::POST, path)
    }

    /// Signs a reviewer called `name` in and gives the cookie.
    async fn sign_in(&self, name: &str) -> String {
        let mut viewer = sample::viewer(name);
        viewer.rights = AccessRights::Everywhere(Role::Reviewer);
        self.sign_in_as(&viewer).await
    }

    /// Signs somebody in and gives the cookie.
    async fn sign_in_as(&self, viewer: &Viewer) -> String {
        let secret = Secret::generate();
        let ends = now() + jiff::SignedDuration::from_hours(1);
        self.store.open_session(&secret.digest(), viewer, ends, now()).await.expect("signs in");
        format!("punchlens_session={}", secret.reveal())
    }

    /// Makes an account with the password [`PASSWORD`].
    async fn account(&self, login: &str, role: Role, projects: Option<Vec<ProjectKey>>) -> Account {
        let password = CHEAP.hash(&PASSWORD.to_owned().into(), &[]).expect("a good one");
        let login: Login = login.parse().expect("a login");
        let new = NewAccount { name: format!("{login} of the site"), login, role, projects, password };
        self.store.add_account(&new, "test", now()).await.expect("adds")
    }

    /// Records photo `image` with one finding, as a worker would; `change` alters its card first.
    async fn found(&self, image: i64, change: impl FnOnce(&mut Card)) -> FindingId {
        self.found_under(image, change, &[]).await
    }

    /// The same, with `layers` kept that lie over the photo.
    async fn found_under(&self, image: i64, change: impl FnOnce(&mut Card), layers: &[Layer]) -> FindingId {
        // Lists show the newest first: photo 1 comes before photo 2.
        let found_at = now() - jiff::SignedDuration::from_secs(image);
        let mut card = Card { found_at, ..sample::card(image) };
        change(&mut card);
        let job = Job::AnalyzePhoto { project: PROJECT, image: ImageId::new(image) };
        self.store.enqueue(std::slice::from_ref(&job), now(), now()).await.expect("queues");
        let claimed =
            self.store.claim("test", &[job.kind()], LEASE, now()).await.expect("claims").expect("a job");
        let record = PhotoRecord {
            shown_at: None,
            project: PROJECT,
            image: ImageId::new(image),
            filename: card.photo.filename.clone(),
            state: PhotoState::Analysed,
            size: Some(card.photo.size),
            capture: None,
            content: Some(card.photo.content),
            uploader: card.photo.uploader.clone(),
            uploader_id: None,
            location: None,
            told: None,
            model: Some(card.model.clone()),
            class_scores: Vec::new(),
            timings: Vec::new(),
            picture: Some(StoredPicture { media_type: "image/jpeg".into(), bytes: b"a picture".to_vec() }),
            overlays: layers.iter().map(|layer| overlay(&card, *layer)).collect(),
            evidence: serde_json::json!({}),
        };
        let id = card.finding.id;
        self.store
            .record_photo(&claimed.lease, &record, Some(&sample::intake(card)), now())
            .await
            .expect("records");
        id
    }

    async fn card(&self, id: FindingId) -> Card {
        self.store.card(id).await.expect("reads").expect("is there")
    }
}

/// All of the photo, under bytes that say what they are.
fn overlay(card: &Card, layer: Layer) -> Overlay {
    let (media_type, bytes) = match layer {
        Layer::Crop => ("image/jpeg", b"a crop".to_vec()),
        Layer::ScoreMap => ("image/png", b"a map".to_vec()),
    };
    let picture = StoredPicture { media_type: media_type.into(), bytes };
    Overlay { finding: card.finding.id, layer, area: card.photo.size.bounds(), picture }
}

async fn open_store(folder: &TempDir) -> Store {
    #[derive(serde::Deserialize)]
    struct File {
        store: Config,
    }
    let File { store } = toml::from_str(crate::store::DEFAULTS).expect("the defaults are complete");
    let config = Config { path: folder.path().join("p.db"), ..store };
    Store::open(&config, now()).await.expect("opens")
}

fn hook() -> Webhook {
    Webhook {
        authorized: Arc::new(|authorization| authorization == Some(SECRET)),
        signed: Arc::new(|_, _| true),
        dedupe_key: |body| crate::domain::ids::Sha256Digest::of(body).to_string(),
        signature_header: header::HeaderName::from_static("x-procore-signature"),
    }
}

/// The form token in a page.
fn token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
    rest.split('"').next().expect("a value").to_owned()
}
