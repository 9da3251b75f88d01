//! The `[http]`, `[sign_in]` and `[review]` sections.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::http::password::{BadPassword, PasswordConfig};

/// Every key of the sections with its default and reason.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Where the service listens, and what one client may ask of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    pub listen: SocketAddr,
    pub max_connections: usize,
    /// Connections at once from one address.
    pub max_connections_per_address: usize,
    /// Milliseconds that a client may take to send a header, or be silent between requests.
    pub header_timeout_ms: u64,
    /// The most bytes of a request's header; at least 8192.
    pub header_max_bytes: usize,
    /// Milliseconds that a request may take as a whole.
    pub request_timeout_ms: u64,
    /// The most bytes that are kept of a webhook's body.
    pub webhook_max_bytes: usize,
    pub webhook_max_at_once: usize,
    /// The most bytes of a form or an API request.
    pub form_max_bytes: usize,
    /// Milliseconds that open requests may go on while stopping.
    pub drain_timeout_ms: u64,
    /// The certificate chain in PEM; empty for no TLS here.
    pub tls_certificate_file: PathBuf,
    /// Its private key in PEM.
    pub tls_key_file: PathBuf,
    /// Seconds after which changed files are noticed; 0 for never.
    pub tls_reload_s: u64,
    /// Proxies whose word about the client's address and https is taken.
    pub trusted_proxies: Vec<IpAddr>,
}

impl HttpConfig {
    pub(crate) const fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    pub(crate) const fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    pub(crate) const fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

/// Who may sign in, and for how long.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInConfig {
    /// Hours that a session lasts.
    pub session_hours: u32,
    /// Hours after which what Procore says of a person is asked for again, by signing in anew.
    pub procore_recheck_hours: u32,
    /// Whether the session's cookie is for https alone, whatever the connection looks like from here.
    pub secure_cookies: bool,
    /// Wrong passwords from one address before it has to wait.
    pub address_failures_max: u32,
    /// Wrong passwords for one account before it has to wait.
    pub account_failures_max: u32,
    /// Seconds that they have to wait.
    pub failures_window_s: u32,
    /// Whether this machine's key signs in on this machine.
    pub key_on_this_machine: bool,
    /// The file that holds the key; empty means `review.key` beside the database.
    pub key_file: PathBuf,
    /// The name of whoever signs in with the key.
    pub key_name: String,
    /// How passwords are kept.
    pub password: PasswordConfig,
}

impl SignInConfig {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// Names the first key that cannot work.
    pub fn check(&self) -> Result<(), BadSignIn> {
        self.password.hasher()?;
        match self.session_hours.min(self.procore_recheck_hours) {
            0 => Err(BadSignIn::Never),
            _ => Ok(()),
        }
    }
}

/// A `[sign_in]` section that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSignIn {
    /// Passwords could not be hashed.
    #[error(transparent)]
    Password(#[from] BadPassword),
    /// Sessions would end as they begin.
    #[error("sign_in.session_hours and sign_in.procore_recheck_hours must be at least 1")]
    Never,
}

/// How the review page behaves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewConfig {
    /// An IANA time zone; empty means the system's.
    pub time_zone: String,
    /// Findings on one page of a list.
    pub page_size: u32,
    /// Decisions of a class that its keep-rate is told from: "31 of the last 40".
    pub keep_window: u32,
    /// A class of which a smaller share is kept is offered for muting, 0 to 1; 0 offers none.
    pub mute_offer_below: f64,
    /// Fewer decisions than this prove nothing.
    pub mute_offer_least: u32,
    /// Days that the record of decisions looks back.
    pub record_days: u32,
    /// The most decisions that it reads.
    pub record_decisions_max: u32,
    /// The most pictures put into a walk report's file.
    pub report_pictures_max: u32,
    /// Milliseconds between two live updates, at least.
    pub live_gap_ms: u64,
    /// Seconds that one live connection is kept.
    pub live_max_s: u64,
}

impl ReviewConfig {
    /// The zone that `time_zone` names.
    ///
    /// # Errors
    /// When there is no such zone; the message names the key.
    pub fn zone(&self) -> Result<TimeZone, BadZone> {
        if self.time_zone.is_empty() {
            return Ok(TimeZone::system());
        }
        TimeZone::get(&self.time_zone).map_err(|_| BadZone(self.time_zone.clone()))
    }

    pub(crate) const fn live_gap(&self) -> Duration {
        Duration::from_millis(self.live_gap_ms)
    }

    pub(crate) const fn live_max(&self) -> Duration {
        Duration::from_secs(self.live_max_s)
    }
}

/// A zone that does not exist here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "review.time_zone: there is no time zone '{0}'; use an IANA name such as Europe/Berlin, or leave it empty"
)]
pub struct BadZone(String);

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The sections as they are by default.
    #[derive(Debug, Deserialize)]
    pub(crate) struct Sections {
        pub(crate) http: HttpConfig,
        pub(crate) sign_in: SignInConfig,
        pub(crate) review: ReviewConfig,
    }

    pub(crate) fn defaults() -> Sections {
        toml::from_str(DEFAULTS).expect("the defaults are complete")
    }

    #[test]
    fn the_defaults_are_complete_and_local() {
        let Sections { http, sign_in, review } = defaults();
        assert!(http.listen.ip().is_loopback());
        assert!(http.header_max_bytes >= 8192, "hyper refuses less");
        assert!(review.zone().is_ok());
        assert_eq!(sign_in.check(), Ok(()));
        assert_eq!(SignInConfig { session_hours: 0, ..sign_in.clone() }.check(), Err(BadSignIn::Never));
        assert!(http.trusted_proxies.is_empty(), "nobody's word is taken unasked");
    }

    #[test]
    fn a_wrong_zone_is_named() {
        let review = defaults().review;
        let error =
            ReviewConfig { time_zone: "Mars/Base".into(), ..review }.zone().expect_err("no such zone");
        assert!(error.to_string().contains("Mars/Base"), "{error}");
    }
}
