//! Sessions: a random value in the browser, its digest in the store, and the form token that belongs to it.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::ids::Sha256Digest;
use crate::domain::people::Viewer;

/// The cookie's name.
pub(crate) const COOKIE: &str = "punchlens_session";

/// The longest name of a person.
const NAME_MAX: usize = 80;

/// What a browser or a script holds: 256 random bits. The store has its digest only.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A new one.
    pub fn generate() -> Self {
        Self(rand::random())
    }

    /// The secret in what somebody sent, if it has the shape of one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// The text to be kept by whom it was made for.
    pub fn reveal(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// What the store knows it by.
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.0)
    }

    /// A value that only the holder of this secret can know, for one `purpose`.
    pub(crate) fn derive(&self, purpose: &str) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut code = <Hmac<Sha256>>::new_from_slice(&self.0).expect("any length");
        code.update(purpose.as_bytes());
        BASE64URL_NOPAD.encode(&code.finalize().into_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One person signed in at one browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// Who it is, and what they may do now.
    pub(crate) viewer: Viewer,
    secret: Secret,
}

impl Session {
    pub(crate) fn new(viewer: Viewer, secret: Secret) -> Self {
        Self { viewer, secret }
    }

    /// The name that stands beside decisions.
    pub(crate) fn name(&self) -> &str {
        &self.viewer.person.name
    }

    /// The token that this session's forms carry.
    pub(crate) fn form_token(&self) -> String {
        self.secret.derive("form")
    }

    /// Whether `offered` is this session's form token.
    pub(crate) fn owns_token(&self, offered: &str) -> bool {
        self.form_token().as_bytes().ct_eq(offered.as_bytes()).into()
    }

    /// What the store knows this session by.
    pub(crate) fn digest(&self) -> Sha256Digest {
        self.secret.digest()
    }
}

/// `Set-Cookie` that starts a session. A missing `Secure` is for boxes without TLS on a site network.
pub(crate) fn start_cookie(secret: &Secret, hours: u32, secure: bool) -> String {
    set_cookie(COOKIE, &secret.reveal(), u64::from(hours) * 3600, "Strict", secure)
}

/// `Set-Cookie` that ends a session.
pub(crate) fn end_cookie(secure: bool) -> String {
    set_cookie(COOKIE, "", 0, "Strict", secure)
}

pub(crate) fn set_cookie(name: &str, value: &str, seconds: u64, same_site: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}")
}

/// The value of the cookie `name` in a `Cookie` header.
pub(crate) fn find_cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// A name without control characters and surplus spaces, not longer than `NAME_MAX`.
pub fn tidy_name(name: &str) -> String {
    let words: Vec<&str> =
        name.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(NAME_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sample;

    #[test]
    fn secrets_survive_the_browser_and_show_nowhere() {
        let secret = Secret::generate();
        assert_eq!(Secret::parse(&secret.reveal()), Some(secret.clone()));
        assert_ne!(secret, Secret::generate());
        assert!(!format!("{secret:?}").contains(&secret.reveal()));
        for bad in ["", "x", "..", &secret.reveal()[1..], &format!("{}A", secret.reveal()), "é"] {
            assert_eq!(Secret::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn form_tokens_belong_to_one_session() {
        let session = || Session::new(sample::viewer("Ana"), Secret::generate());
        let (one, other) = (session(), session());
        assert!(one.owns_token(&one.form_token()));
        assert!(!one.owns_token(&other.form_token()) && !one.owns_token(""));
        assert_ne!(one.form_token(), one.secret.reveal(), "a page never holds the session itself");
    }

    #[test]
    fn cookies_are_strict() {
        let cookie = start_cookie(&Secret::generate(), 2, true);
        assert!(cookie.ends_with("; Path=/; Max-Age=7200; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
        assert_eq!(find_cookie("a=b; punchlens_session=x.y; c", COOKIE), Some("x.y"));
        assert_eq!(find_cookie("other_punchlens_session=x", COOKIE), None);
    }

    #[test]
    fn names_are_tidied() {
        assert_eq!(tidy_name(" Ana\n Ruiz\u{7} "), "Ana Ruiz");
        assert_eq!(tidy_name(&"x".repeat(100)).len(), NAME_MAX);
    }
}
