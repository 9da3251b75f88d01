//! The login host: client credentials, codes and refresh tokens in, bearer tokens out.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::MethodFilter;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::call::{Call, Refusal, Reply, on};
use super::clock::later;
use super::state::{Shared, Sim, User};

/// A token that was given out.
#[derive(Debug, Clone)]
pub(super) struct Token {
    user: User,
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked: bool,
}

pub(super) fn routes() -> Router<Sim> {
    Router::new()
        .route("/oauth/token", on(MethodFilter::POST, token))
        .route("/oauth/token/info", on(MethodFilter::GET, info))
        .route("/oauth/revoke", on(MethodFilter::POST, revoke))
}

impl Shared {
    /// Who a bearer token speaks for, while it is good.
    pub(super) fn bearer(&self, authorization: Option<&str>) -> Option<User> {
        let token = authorization?.strip_prefix("Bearer ")?;
        let now = self.now();
        let world = self.world();
        let found = world.tokens.get(token)?;
        (!found.revoked && now < found.expires_at).then(|| found.user.clone())
    }

    /// Makes a bearer token useless.
    pub(super) fn revoke(&self, authorization: Option<&str>) {
        let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
        self.change(|world| {
            if let Some(token) = token.and_then(|token| world.tokens.get_mut(token)) {
                token.revoked = true;
            }
        });
    }
}

fn refused(error: &str, description: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, json!({ "error": error, "error_description": description }))
}

fn known_client(sim: &Shared, call: &Call) -> Result<(), Refusal> {
    let given = (call.body["client_id"].as_str(), call.body["client_secret"].as_str());
    if given == (Some(sim.options.client_id.as_str()), Some(sim.options.client_secret.as_str())) {
        return Ok(());
    }
    Err(refused(
        "invalid_client",
        "Client authentication failed due to unknown client, no client authentication included, or \
         unsupported authentication method.",
    ))
}

fn token(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    known_client(sim, call)?;
    match call.body["grant_type"].as_str() {
        Some("client_credentials") => {
            let user = sim.world().people.service.clone();
            Ok(issue(sim, user, false))
        }
        Some("authorization_code") => Ok(issue(sim, by_code(sim, call)?, true)),
        Some("refresh_token") => Ok(issue(sim, by_refresh(sim, call)?, true)),
        _ => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            json!({ "error": "unsupported_grant_type",
                "error_description": "The authorization grant type is not supported by the authorization server." }),
        )),
    }
}

fn invalid_grant() -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        json!({ "error": "invalid_grant", "error_description": "The provided authorization grant is invalid, \
            expired, revoked, does not match the redirection URI used in the authorization request, or was \
            issued to another client." }),
    )
}

/// Whose code this is. It is gone afterwards, whatever comes of it.
fn by_code(sim: &Sim, call: &Call) -> Result<User, Refusal> {
    let text = call.body["code"].as_str().ok_or_else(invalid_grant)?;
    let now = sim.now();
    sim.change(|world| {
        let code = world.codes.remove(text)?;
        let fits = call.body["redirect_uri"].as_str() == Some(&code.redirect_uri) && now < code.expires_at;
        world.people.find(code.user).filter(|_| fits).cloned()
    })
    .ok_or_else(invalid_grant)
}

/// Whose refresh token this is. It works once.
fn by_refresh(sim: &Sim, call: &Call) -> Result<User, Refusal> {
    let text = call.body["refresh_token"].as_str().ok_or_else(invalid_grant)?;
    sim.change(|world| {
        let user = world.refreshes.remove(text)?;
        world.people.find(user).cloned()
    })
    .ok_or_else(invalid_grant)
}

fn issue(sim: &Sim, user: User, refreshable: bool) -> Reply {
    let now = sim.now();
    let life = sim.options.token_life;
    let (text, refresh) = sim.change(|world| {
        let number = world.tokens.len();
        let mut secret = |kind: &str| {
            let digest = Sha256::digest(format!("{}/{}/{number}/{kind}", sim.options.seed, world.ulid(now)));
            format!("sim.{}", data_encoding::BASE64URL_NOPAD.encode(&digest))
        };
        let (text, refresh) = (secret("access"), refreshable.then(|| secret("refresh")));
        if let Some(refresh) = &refresh {
            world.refreshes.insert(refresh.clone(), user.id);
        }
        let token = Token { user, created_at: now, expires_at: later(now, life), revoked: false };
        world.tokens.insert(text.clone(), token);
        (text, refresh)
    });
    Reply::ok(json!({
        "access_token": text,
        "token_type": "bearer",
        "expires_in": life.as_secs(),
        "refresh_token": refresh,
        "created_at": now.as_second(),
    }))
    .with("cache-control", "no-store")
}

fn info(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let text = call.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    let now = sim.now();
    let world = sim.world();
    let token = text.and_then(|text| world.tokens.get(text)).filter(|token| !token.revoked);
    let token = token.filter(|token| now < token.expires_at).ok_or_else(Refusal::unauthorized)?;
    let left = Duration::try_from(token.expires_at.duration_since(now)).unwrap_or_default();
    Ok(Reply::ok(json!({
        "resource_owner_id": token.user.id,
        "scopes": [],
        "expires_in_seconds": left.as_secs(),
        "application": { "uid": sim.options.client_id },
        "created_at": token.created_at.as_second(),
    })))
}

fn revoke(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    known_client(sim, call)?;
    let token = call.body["token"].as_str().unwrap_or_default();
    sim.revoke(Some(&format!("Bearer {token}")));
    sim.change(|world| world.refreshes.remove(token));
    Ok(Reply::ok(json!({})))
}
