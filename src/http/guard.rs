//! Who asks: sessions for people, the bearer key for scripts, and where a form came from.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;

use crate::http::State;
use crate::http::error::{HttpError, Problem};
use crate::http::review;
use crate::http::session::{Session, find_cookie};

/// The address at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let address = parts.extensions.get::<SocketAddr>().map(SocketAddr::ip);
        Ok(Self(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// A person who is signed in. Everybody else gets the sign-in form, and afterwards what they asked for.
#[derive(Debug)]
pub(crate) struct Reviewer(pub(crate) Session);

impl FromRequestParts<State> for Reviewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        match session(&parts.headers, state) {
            Some(session) => Ok(Self(session)),
            None => Err(review::sign_in_first(parts)),
        }
    }
}

/// A script with the review key.
#[derive(Debug)]
pub(crate) struct Bearer;

impl FromRequestParts<State> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let Ok(Peer(address)) = Peer::from_request_parts(parts, state).await;
        let offered = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let offered = offered.and_then(|value| value.split_once(' '));
        let Some((_, key)) = offered.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Err(Problem(HttpError::Unauthorized));
        };
        check_key(state, key, address).map(|()| Self).map_err(Problem)
    }
}

/// Whether `offered` is the key; wrong ones are counted, and after too many even the right one waits.
pub(crate) fn check_key(state: &State, offered: &str, address: IpAddr) -> Result<(), HttpError> {
    let now = state.now();
    if let Some(seconds) = state.limiter().wait(address, now) {
        return Err(HttpError::TooMany(seconds));
    }
    if state.key().matches(offered) {
        return Ok(());
    }
    state.limiter().failed(address, now);
    Err(HttpError::Unauthorized)
}

/// The session that a request carries.
pub(crate) fn session(headers: &HeaderMap, state: &State) -> Option<Session> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(find_cookie)
        .and_then(|value| Session::open(value, state.key(), state.now()))
}

/// Refuses a form that another site's page sent, by what browsers say of its origin.
pub(crate) fn check_origin(headers: &HeaderMap) -> Result<(), HttpError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(HttpError::Forged);
    }
    match (text("origin"), text("host")) {
        (None, _) => Ok(()),
        (Some(origin), Some(host)) if origin.split_once("://").is_some_and(|(_, from)| from == host) => {
            Ok(())
        }
        _ => Err(HttpError::Forged),
    }
}

/// Refuses a form of `session` that does not carry its token, or came from elsewhere.
pub(crate) fn check_form(
    headers: &HeaderMap,
    session: &Session,
    token: &str,
    state: &State,
) -> Result<(), HttpError> {
    check_origin(headers)?;
    if session.owns_token(state.key(), token) { Ok(()) } else { Err(HttpError::Forged) }
}

/// Where to go after signing in: a path below `/review`, never another site.
pub(crate) fn safe_next(next: &str) -> &str {
    let inside =
        next.strip_prefix("/review").is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let plain = !next.contains(|c: char| c.is_control() || c == '\\');
    if inside && plain { next } else { "/review" }
}

/// What was asked for, if it was a page that can be asked for again.
pub(crate) fn asked_page(parts: &Parts) -> &str {
    let asked = parts.uri.path_and_query().map_or("/review", |asked| asked.as_str());
    if parts.method == Method::GET { safe_next(asked) } else { "/review" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect()
    }

    #[test]
    fn only_our_own_pages_may_post() {
        let cases: [(&[(&str, &str)], bool); 7] = [
            (&[("host", "box:8787")], true),
            (&[("host", "box:8787"), ("origin", "http://box:8787"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "box:8787"), ("origin", "https://box:8787")], true),
            (&[("host", "box:8787"), ("origin", "http://evil.example")], false),
            (&[("host", "box:8787"), ("origin", "null")], false),
            (&[("host", "box:8787"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "box:8787"), ("sec-fetch-site", "same-site")], false),
        ];
        for (pairs, allowed) in cases {
            assert_eq!(check_origin(&headers(pairs)).is_ok(), allowed, "{pairs:?}");
        }
    }

    #[test]
    fn signing_in_leads_nowhere_else() {
        for good in ["/review", "/review?tab=today", "/review/findings/ab"] {
            assert_eq!(safe_next(good), good);
        }
        for bad in ["", "//evil.example", "https://evil.example", "/reviewer", "/review\\@evil", "/review\n"]
        {
            assert_eq!(safe_next(bad), "/review", "{bad}");
        }
    }
}
