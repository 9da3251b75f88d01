//! Access tokens by client credentials: one refresh at a time, shared by all calls.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::procore::error::Error;
use crate::procore::lenient;
use crate::procore::wire::{Answer, Failure, Http};

/// An access token and the number that tells it from its successors.
#[derive(Debug, Clone)]
pub struct Token {
    value: SecretString,
    serial: u64,
    good_until: Instant,
}

impl Token {
    /// The token itself, for the `Authorization` header alone.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }
}

/// A token of a person, whose work with it is done in a few calls.
pub(crate) fn of_person(value: SecretString, life: Duration) -> Token {
    Token { value, serial: 0, good_until: Instant::now() + life }
}

/// How long tokens are trusted.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// A token is renewed this long before it expires.
    pub margin: Duration,
    /// The life of a token whose answer does not tell.
    pub assumed: Duration,
}

impl Lifetimes {
    /// How long a token that lives for `told` is used: to the margin, but never less than half its life.
    pub fn usable(&self, told: Option<Duration>) -> Duration {
        let life = told.unwrap_or(self.assumed);
        life.saturating_sub(self.margin).max(life / 2)
    }
}

/// Fetches tokens and keeps the latest.
#[derive(Debug)]
pub struct Authority {
    url: Url,
    client_id: String,
    client_secret: SecretString,
    lifetimes: Lifetimes,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    token: Option<Token>,
    serial: u64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretText,
    #[serde(default, deserialize_with = "lenient::opt_count")]
    expires_in: Option<u64>,
}

/// Text that goes from the wire straight into a secret.
#[derive(Debug, Clone)]
pub(crate) struct SecretText(pub(crate) SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl Authority {
    /// With no token yet; `login` is the base URL of the login.
    pub fn new(login: &Url, client_id: &str, client_secret: SecretString, lifetimes: Lifetimes) -> Self {
        Self {
            url: address(login, "token"),
            client_id: client_id.to_owned(),
            client_secret,
            lifetimes,
            latest: Mutex::default(),
        }
    }

    /// A valid token: the one at hand, or a new one. Calls that come while one is fetched wait for it.
    ///
    /// # Errors
    /// When the login refuses or does not answer.
    pub(crate) async fn token(&self, http: &Http) -> Result<Token, Error> {
        let mut latest = self.latest.lock().await;
        if let Some(token) = latest.token.as_ref().filter(|token| Instant::now() < token.good_until) {
            return Ok(token.clone());
        }
        latest.token = None;
        let granted = self.fetch(http).await?;
        latest.serial += 1;
        let usable = self.lifetimes.usable(granted.expires_in.map(Duration::from_secs));
        let token = Token {
            value: granted.access_token.0,
            serial: latest.serial,
            good_until: Instant::now() + usable,
        };
        tracing::debug!(serial = token.serial, usable_s = usable.as_secs(), "fetched an access token");
        Ok(latest.token.insert(token).clone())
    }

    /// Forgets `token`, unless somebody has fetched a newer one meanwhile.
    pub async fn invalidate(&self, token: &Token) {
        let mut latest = self.latest.lock().await;
        latest.token.take_if(|kept| kept.serial == token.serial);
    }

    async fn fetch(&self, http: &Http) -> Result<Granted, Error> {
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret.expose_secret(),
        });
        let request = http.request(reqwest::Method::POST, self.url.clone()).json(&body);
        let reply = http.send(request, &[self.client_secret.expose_secret()]).await?;
        granted(&reply.success().map_err(refused)?, "an access token")
    }
}

/// Where the login at `login` is asked for its `last`, e.g. `token`.
pub(crate) fn address(login: &Url, last: &str) -> Url {
    let mut url = login.clone();
    url.set_path(&format!("{}/oauth/{last}", login.path().trim_end_matches('/')));
    url
}

/// Reads what the login grants.
pub(crate) fn granted<T: DeserializeOwned>(answer: &Answer, what: &'static str) -> Result<T, Error> {
    answer.read(what).map_err(|error| match error {
        // The parser's own words could quote the token.
        Error::Unreadable { .. } => Error::Unreadable {
            what,
            path: "access_token".to_owned(),
            message: "the login's answer holds none; check procore.login_url".to_owned(),
        },
        other => other,
    })
}

/// The login says 400 or 401 for credentials that it does not know.
pub(crate) fn refused(error: Failure) -> Error {
    match error.status {
        _ if error.foreign => error.into_error(),
        400 | 401 | 403 | 404 | 422 => Error::Credentials { message: error.message },
        _ => error.into_error(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_before_they_expire() {
        let lifetimes = Lifetimes { margin: Duration::from_mins(1), assumed: Duration::from_mins(15) };
        let check = |told: Option<u64>, expected| {
            let usable = lifetimes.usable(told.map(Duration::from_secs));
            assert_eq!(usable.as_secs(), expected, "{told:?}");
        };
        check(Some(5400), 5340);
        check(Some(100), 50);
        check(Some(0), 0);
        check(None, 840);
    }

    #[test]
    fn grants_are_read_leniently() {
        let life = |body: &str| serde_json::from_str::<Granted>(body).map(|granted| granted.expires_in);
        let full = include_str!("../../fixtures/procore/token.json");
        assert_eq!(life(full).expect("a grant"), Some(5400));
        assert_eq!(life(r#"{"access_token": "t", "expires_in": "90"}"#).expect("a grant"), Some(90));
        assert_eq!(life(r#"{"access_token": "t", "expires_in": null}"#).expect("a grant"), None);
        assert!(life(r#"{"expires_in": 5400}"#).is_err());
    }

    #[test]
    fn debug_output_hides_the_token() {
        let token = Token { value: "hush".into(), serial: 1, good_until: Instant::now() };
        let login = Url::parse("https://login.example.com").expect("valid");
        let lifetimes = Lifetimes { margin: Duration::ZERO, assumed: Duration::ZERO };
        let authority = Authority::new(&login, "client", "hush".into(), lifetimes);
        assert!(!format!("{token:?} {authority:?}").contains("hush"));
    }
}
