//! Sessions: a signed cookie with the reviewer's name, and the form token that belongs to it.

use data_encoding::BASE64URL_NOPAD;
use hmac::Mac;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::http::key::ReviewKey;

/// The cookie's name.
pub(crate) const COOKIE: &str = "punchlens_session";

/// The longest name of a reviewer.
const NAME_MAX: usize = 80;

/// One person signed in at one browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Stands beside every decision.
    pub(crate) reviewer: String,
    id: String,
    expires: Timestamp,
}

impl Session {
    /// A new session; `id` is random.
    pub(crate) fn new(reviewer: &str, id: [u8; 16], hours: u32, now: Timestamp) -> Self {
        let expires = now.saturating_add(SignedDuration::from_hours(hours.into()));
        Self {
            reviewer: tidy_name(reviewer),
            id: BASE64URL_NOPAD.encode(&id),
            expires: expires.unwrap_or(Timestamp::MAX),
        }
    }

    /// The cookie's value: the session and its code.
    pub(crate) fn seal(&self, key: &ReviewKey) -> String {
        let payload = serde_json::to_vec(self).unwrap_or_default();
        let code = key.code("session", &payload).finalize().into_bytes();
        format!("{}.{}", BASE64URL_NOPAD.encode(&payload), BASE64URL_NOPAD.encode(&code))
    }

    /// The session in a cookie's value, if this box made it and it has not run out.
    pub(crate) fn open(value: &str, key: &ReviewKey, now: Timestamp) -> Option<Self> {
        let (payload, code) = value.split_once('.')?;
        let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?;
        let code = BASE64URL_NOPAD.decode(code.as_bytes()).ok()?;
        key.code("session", &payload).verify_slice(&code).ok()?;
        let session: Self = serde_json::from_slice(&payload).ok()?;
        (session.expires > now).then_some(session)
    }

    /// The token that this session's forms carry.
    pub(crate) fn form_token(&self, key: &ReviewKey) -> String {
        BASE64URL_NOPAD.encode(&key.code("form", self.id.as_bytes()).finalize().into_bytes())
    }

    /// Whether `offered` is this session's form token.
    pub(crate) fn owns_token(&self, key: &ReviewKey, offered: &str) -> bool {
        self.form_token(key).as_bytes().ct_eq(offered.as_bytes()).into()
    }

    /// `Set-Cookie` for this session. A missing `Secure` is for boxes without TLS on a site network.
    pub(crate) fn cookie(&self, key: &ReviewKey, hours: u32, secure: bool) -> String {
        set_cookie(&self.seal(key), u64::from(hours) * 3600, secure)
    }
}

/// `Set-Cookie` that ends a session.
pub(crate) fn end_cookie(secure: bool) -> String {
    set_cookie("", 0, secure)
}

fn set_cookie(value: &str, seconds: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// The session's value in a `Cookie` header.
pub(crate) fn find_cookie(header: &str) -> Option<&str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

/// A name without control characters and surplus spaces, not longer than [`NAME_MAX`].
pub(crate) fn tidy_name(name: &str) -> String {
    let words: Vec<&str> =
        name.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(NAME_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-05T09:00:00Z".parse().expect("a time")
    }

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    #[test]
    fn a_session_opens_until_it_runs_out() {
        let key = ReviewKey::generate();
        let session = Session::new(" Ana\n Ruiz ", [7; 16], 12, now());
        let sealed = session.seal(&key);
        assert_eq!(session.reviewer, "Ana Ruiz");
        assert_eq!(Session::open(&sealed, &key, now() + hours(11)), Some(session));
        assert_eq!(Session::open(&sealed, &key, now() + hours(12)), None);
    }

    #[test]
    fn forged_and_foreign_sessions_do_not_open() {
        let key = ReviewKey::generate();
        let sealed = Session::new("Ana", [7; 16], 12, now()).seal(&key);
        let (payload, code) = sealed.split_once('.').expect("two parts");
        let forged = serde_json::to_vec(&Session::new("Eve", [7; 16], 9999, now())).expect("JSON");
        let forged = format!("{}.{code}", BASE64URL_NOPAD.encode(&forged));
        for bad in [forged.as_str(), payload, "", ".", "a.b", &format!("{payload}.")] {
            assert_eq!(Session::open(bad, &key, now()), None, "{bad}");
        }
        assert_eq!(Session::open(&sealed, &ReviewKey::generate(), now()), None);
    }

    #[test]
    fn form_tokens_belong_to_one_session() {
        let key = ReviewKey::generate();
        let (one, other) = (Session::new("Ana", [1; 16], 1, now()), Session::new("Ana", [2; 16], 1, now()));
        assert!(one.owns_token(&key, &one.form_token(&key)));
        assert!(!one.owns_token(&key, &other.form_token(&key)) && !one.owns_token(&key, ""));
    }

    #[test]
    fn cookies_are_strict() {
        let cookie = Session::new("Ana", [1; 16], 2, now()).cookie(&ReviewKey::generate(), 2, true);
        assert!(cookie.ends_with("; Path=/; Max-Age=7200; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
        assert_eq!(find_cookie("a=b; punchlens_session=x.y; c"), Some("x.y"));
        assert_eq!(find_cookie("other_punchlens_session=x"), None);
    }
}
