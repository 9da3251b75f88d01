//! Who asks: sessions for people, tokens for scripts, and where a request and its form came from.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};

use crate::domain::ids::ProjectKey;
use crate::domain::people::{Role, Viewer};
use crate::http::State;
use crate::http::error::{HttpError, Problem};
use crate::http::review::{self, PageError};
use crate::http::session::{COOKIE, Secret, Session, find_cookie};
use crate::http::sign_in;

/// Marks a request that came over this box's own TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverTls;

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The client's address: the other end of the connection, or what a trusted proxy says of it.
    pub(crate) address: IpAddr,
    /// Whether the browser speaks https, with us or with a trusted proxy.
    pub(crate) secure: bool,
    /// Whether it was sent on this machine, and not passed on by a proxy.
    pub(crate) this_machine: bool,
}

impl Peer {
    fn of(parts: &Parts, state: &State) -> Self {
        let address = parts.extensions.get::<SocketAddr>().map(SocketAddr::ip);
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
        let direct = Self {
            address,
            secure: parts.extensions.get::<OverTls>().is_some(),
            this_machine: address.is_loopback() && !was_forwarded(&parts.headers),
        };
        if !state.http().trusted_proxies.contains(&address) {
            return direct;
        }
        // The last entry is the one that our proxy added; those before it are what the client made up.
        let client = last(&parts.headers, "x-forwarded-for").and_then(|text| text.parse().ok());
        let https = last(&parts.headers, "x-forwarded-proto")
            .is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        Self { address: client.unwrap_or(address), secure: direct.secure || https, ..direct }
    }
}

fn was_forwarded(headers: &HeaderMap) -> bool {
    ["x-forwarded-for", "x-real-ip", "forwarded", "via"].iter().any(|name| headers.contains_key(*name))
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

impl FromRequestParts<State> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Infallible> {
        Ok(Self::of(parts, state))
    }
}

/// A person who is signed in. Everybody else gets the sign-in form, and afterwards what they asked for.
#[derive(Debug)]
pub(crate) struct Reviewer(pub(crate) Session);

impl FromRequestParts<State> for Reviewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        match session(&parts.headers, state).await {
            Ok(Some(session)) => Ok(Self(session)),
            Ok(None) => Err(review::sign_in_first(state, parts)),
            Err(error) => Err(PageError::from(error).into_response()),
        }
    }
}

/// A script with a token, or on this machine with its key.
#[derive(Debug)]
pub(crate) struct Script(pub(crate) Viewer);

impl FromRequestParts<State> for Script {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let offered = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let offered = offered.and_then(|value| value.split_once(' '));
        let Some((_, token)) = offered.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Err(Problem(HttpError::Unauthorized));
        };
        let peer = Peer::of(parts, state);
        Ok(Self(sign_in::by_token(state, peer, token.trim()).await?))
    }
}

/// Whether the caller may read how the service is in detail: it asks on this machine, or has an API token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DetailAccess(pub(crate) bool);

impl FromRequestParts<State> for DetailAccess {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Infallible> {
        let here = Peer::of(parts, state).this_machine;
        Ok(Self(here || Script::from_request_parts(parts, state).await.is_ok()))
    }
}

/// The session that a request carries.
pub(crate) async fn session(headers: &HeaderMap, state: &State) -> Result<Option<Session>, HttpError> {
    let Some(secret) = cookie(headers, COOKIE).and_then(Secret::parse) else { return Ok(None) };
    let viewer = state.store().session(&secret.digest(), state.now()).await?;
    Ok(viewer.map(|viewer| Session::new(viewer, secret)))
}

/// The value of a request's cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(|header| find_cookie(header, name))
}

/// Refuses to show anything of a project that `viewer` may not see; `what` was asked for.
pub(crate) fn check_sight(viewer: &Viewer, project: ProjectKey, what: &'static str) -> Result<(), HttpError> {
    if viewer.may_see(project) { Ok(()) } else { Err(HttpError::NotFound(what)) }
}

/// Refuses a decision in a project in which `viewer` may only look.
pub(crate) fn check_decision(viewer: &Viewer, project: ProjectKey) -> Result<(), HttpError> {
    check_sight(viewer, project, "finding")?;
    check_role(viewer, Role::Reviewer, project)
}

/// Refuses what takes more than the role that `viewer` has in a project.
pub(crate) fn check_role(viewer: &Viewer, role: Role, project: ProjectKey) -> Result<(), HttpError> {
    check_sight(viewer, project, "project")?;
    if viewer.has(role, project) { Ok(()) } else { Err(HttpError::Forbidden(role)) }
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
pub(crate) fn check_form(headers: &HeaderMap, session: &Session, token: &str) -> Result<(), HttpError> {
    check_origin(headers)?;
    if session.owns_token(token) { Ok(()) } else { Err(HttpError::Forged) }
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

    #[test]
    fn of_forwarded_addresses_the_last_counts() {
        let headers = headers(&[("x-forwarded-for", "6.6.6.6, 192.0.2.7"), ("x-forwarded-proto", "https")]);
        assert_eq!(last(&headers, "x-forwarded-for"), Some("192.0.2.7"));
        assert!(was_forwarded(&headers));
    }
}
