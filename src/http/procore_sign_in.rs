//! Signing in with a Procore account: to Procore and back, with a state that only this browser can bring.

use axum::extract::{self, Query};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::domain::people::{AccessRights, Person, PersonId, SignedInBy, Viewer};
use crate::http::State;
use crate::http::error::HttpError;
use crate::http::guard::{self, Peer};
use crate::http::review::{arrive, refuse_sign_in, welcome, with_header};
use crate::http::session::{Secret, set_cookie, tidy_name};
use crate::procore::sign_in::{Later, Member};
use crate::procore::{self, SignIn};

/// The cookie that ties the way back to the browser that left. Not strict: Procore's redirect must carry it.
const COOKIE: &str = "punchlens_procore";

/// Seconds within which somebody has to come back; Procore's code lives as long.
const BACK_WITHIN_S: u64 = 600;

/// Where to go after signing in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInStart {
    next: String,
}

/// What Procore sends along on the way back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInReturn {
    code: String,
    state: String,
    error: String,
}

/// Off to Procore.
pub(super) async fn leave(
    extract::State(state): extract::State<State>,
    peer: Peer,
    Query(leaving): Query<SignInStart>,
) -> Response {
    let Some(procore) = state.procore() else { return not_here() };
    let secret = Secret::generate();
    let next = BASE64URL_NOPAD.encode(guard::safe_next(&leaving.next).as_bytes());
    let value = format!("{}.{next}", secret.reveal());
    let cookie = set_cookie(COOKIE, &value, BACK_WITHIN_S, "Lax", state.cookies_are_secure(peer));
    let url = procore.authorize_url(&secret.derive("procore"));
    with_header(Redirect::to(url.as_str()).into_response(), header::SET_COOKIE, &cookie)
}

/// Back from Procore: who was it, and what may they do?
pub(super) async fn come_back(
    extract::State(state): extract::State<State>,
    peer: Peer,
    Query(returning): Query<SignInReturn>,
    headers: HeaderMap,
) -> Response {
    let Some(procore) = state.procore() else { return not_here() };
    let (outcome, next) = match left_with(&headers) {
        Some((secret, next)) => (check(&state, procore, peer, &returning, &secret).await, next),
        None => (Err(HttpError::Invalid(EXPIRED.into())), "/review".to_owned()),
    };
    let response = match outcome {
        Ok((viewer, later)) => {
            let response = welcome(&state, peer, &viewer, arrive(&headers, &next)).await;
            if let Some(later) = later {
                tokio::spawn(add_rights(state.clone(), viewer.person.who, later));
            }
            response
        }
        Err(error) => refuse_sign_in(&state, &error, &next),
    };
    // The state is spent, whatever came of it.
    let spent = set_cookie(COOKIE, "", 0, "Lax", state.cookies_are_secure(peer));
    with_header(response, header::SET_COOKIE, &spent)
}

const EXPIRED: &str = "This sign-in was begun elsewhere or too long ago. Start again.";

fn not_here() -> Response {
    crate::http::review::PageError::from(HttpError::NotFound("page")).into_response()
}

/// The secret and the aim that this browser left with.
fn left_with(headers: &HeaderMap) -> Option<(Secret, String)> {
    let (secret, next) = guard::cookie(headers, COOKIE)?.split_once('.')?;
    let next = String::from_utf8(BASE64URL_NOPAD.decode(next.as_bytes()).ok()?).ok()?;
    Some((Secret::parse(secret)?, guard::safe_next(&next).to_owned()))
}

async fn check(
    state: &State,
    procore: &SignIn,
    peer: Peer,
    returning: &SignInReturn,
    secret: &Secret,
) -> Result<(Viewer, Option<Later>), HttpError> {
    let expected = secret.derive("procore");
    if !bool::from(expected.as_bytes().ct_eq(returning.state.as_bytes())) {
        return Err(HttpError::Invalid(EXPIRED.into()));
    }
    if !returning.error.is_empty() || returning.code.is_empty() {
        return Err(HttpError::Invalid("You were not signed in at Procore.".into()));
    }
    // Made-up codes must not make this box knock at Procore's door without end.
    let attempt = state.throttle().admit_address(peer.address, state.now()).map_err(HttpError::TooMany)?;
    let mut member = procore.who(&returning.code).await.map_err(|error| told(&error))?;
    attempt.was_right();
    let later = member.later.take();
    Ok((viewer(member, later.is_some())?, later))
}

/// Adds to a person's sessions what they may do in the projects about which was asked afterwards.
async fn add_rights(state: State, who: PersonId, later: Later) {
    let grants = later.grants().await;
    if let Err(error) = state.store().add_grants(who, &grants).await {
        tracing::warn!(%error, %who, "the rights that were asked afterwards could not be kept: sign in again for them");
    }
}

fn viewer(member: Member, more: bool) -> Result<Viewer, HttpError> {
    if member.grants.is_empty() && !more {
        tracing::warn!(user.id = %member.id, "sign-in refused: no permitted project");
        let words = "In Procore you have no access to the Punch List of a project that this box looks at.";
        return Err(HttpError::Invalid(words.into()));
    }
    let name = tidy_name(&member.name);
    let person = Person {
        name: if name.is_empty() { member.login.clone() } else { name },
        who: PersonId::Procore(member.id),
        login: Some(member.login),
        by: SignedInBy::Procore,
    };
    Ok(Viewer { person, rights: AccessRights::In(member.grants) })
}

fn told(error: &procore::Error) -> HttpError {
    tracing::warn!(%error, "sign-in with Procore failed");
    match error {
        procore::Error::Credentials { .. } => HttpError::Invalid(
            "Procore did not accept the sign-in. Start again; if it stays so, the person who runs this box finds the \
             reason in its log."
                .into(),
        ),
        _ => HttpError::Unreachable,
    }
}
