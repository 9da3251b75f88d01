//! Deliveries of webhooks: whether they are genuine, and what they say. Pure; the body is only a
//! hint, and what it names is fetched again.

mod keeper;

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use std::path::{Path, PathBuf};
use subtle::{Choice, ConstantTimeEq};

use crate::domain::event::{Change, Event};
use crate::domain::ids::{CompanyId, ProjectId, Sha256Digest, UserId};
use crate::procore::config::WebhookConfig;
use crate::procore::error::Error;
use crate::procore::lenient::{integer, text_of};
use crate::secrets::Homes;

pub use keeper::SecretKeeper;

/// Longest event id that is kept as it is; Procore's have at most 26 characters.
const LONGEST_ID: usize = 64;

/// What deliveries are checked against.
#[derive(Debug, Clone, Default)]
pub struct WebhookSecrets {
    authorizations: Vec<SecretString>,
    hmac: Option<SecretString>,
}

impl WebhookSecrets {
    /// Reads the secrets from where `config` says. `credentials` is what `$CREDENTIALS_DIRECTORY` names.
    ///
    /// # Errors
    /// When a file that was named cannot be read.
    pub fn read(config: &WebhookConfig, credentials: Option<&Path>) -> Result<Self, Error> {
        let read = |value, file, credential| Homes { value, file, credential }.read(credentials);
        let current = read(&config.authorization, &config.authorization_file, "webhook_authorization")?;
        let beside = previous_file(config).filter(|file| {
            // During a rotation it is there, and else it is not.
            !config.previous_authorization_file.is_empty() || file.exists()
        });
        let beside = beside.unwrap_or_default().display().to_string();
        let previous = Homes {
            value: &config.previous_authorization,
            file: &beside,
            credential: "webhook_previous_authorization",
        }
        .read(credentials)?;
        let hmac = read(&config.hmac_secret, &config.hmac_secret_file, "webhook_hmac_secret")?;
        Ok(Self { authorizations: current.into_iter().chain(previous).collect(), hmac })
    }

    /// The value that new hooks get.
    pub fn current(&self) -> Option<&SecretString> {
        self.authorizations.first()
    }

    /// The value before the last rotation, while it is accepted.
    pub fn previous(&self) -> Option<&SecretString> {
        self.authorizations.get(1)
    }

    /// Whether the header of a delivery may be genuine, before its body is read. A delivery must pass every
    /// check that is configured, and at least one must be.
    pub fn authorized(&self, authorization: Option<&[u8]>) -> bool {
        if self.authorizations.is_empty() {
            return self.hmac.is_some();
        }
        authenticate(authorization, &self.authorizations)
    }

    /// Whether the body of a delivery is what a gateway signed, where one is asked to.
    pub fn signed(&self, signature: Option<&[u8]>, body: &[u8]) -> bool {
        self.hmac.as_ref().is_none_or(|secret| verify_signature(signature, secret, body))
    }
}

/// Where the value before the last rotation lies: named, or beside the present one.
pub fn previous_file(config: &WebhookConfig) -> Option<PathBuf> {
    let beside = || format!("{}.previous", config.authorization_file);
    match (config.previous_authorization_file.as_str(), config.authorization_file.as_str()) {
        ("", "") => None,
        ("", _) => Some(PathBuf::from(beside())),
        (named, _) => Some(PathBuf::from(named)),
    }
}

/// Whether the value of the `Authorization` header is one of `secrets`, in a time that does not
/// depend on where they differ.
pub fn authenticate(header: Option<&[u8]>, secrets: &[SecretString]) -> bool {
    let Some(header) = header else { return false };
    let equal = |secret: &SecretString| header.ct_eq(secret.expose_secret().as_bytes());
    secrets.iter().map(equal).fold(Choice::from(0), |any, one| any | one).into()
}

/// Whether `header` is the HMAC-SHA256 of `body`: hex, with or without `sha256=`, or base64.
pub fn verify_signature(header: Option<&[u8]>, secret: &SecretString, body: &[u8]) -> bool {
    let Some(given) = header.and_then(decode_signature) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

fn decode_signature(header: &[u8]) -> Option<Vec<u8>> {
    let text = header.trim_ascii();
    let text = text.strip_prefix(b"sha256=").unwrap_or(text);
    let hex = data_encoding::HEXLOWER_PERMISSIVE.decode(text).ok();
    hex.or_else(|| data_encoding::BASE64.decode(text).ok())
}

/// A delivery after reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Two deliveries with the same key are the same event.
    pub dedupe_key: String,
    /// What happened; `None` when the body does not tell.
    pub event: Option<Event>,
    /// Why there is no event, in one line.
    pub note: Option<String>,
}

/// Reads a body of payload family v2, v3 or v4. It never fails: whatever was authenticated is kept,
/// because an answer other than 2xx would stall everything behind it.
pub fn parse(body: &[u8]) -> Parsed {
    let by_content = || format!("body:{}", Sha256Digest::of(body));
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return junk(by_content(), format!("the body is no JSON: {error}")),
    };
    if !value.is_object() {
        return junk(by_content(), "the body is no JSON object".to_owned());
    }
    let id = first_of(&value, &["ulid", "id"]).and_then(text_of).filter(|id| id.len() <= LONGEST_ID);
    let dedupe_key = id.map_or_else(by_content, |id| format!("event:{id}"));
    match event(&value) {
        Ok(event) => Parsed { dedupe_key, event: Some(event), note: None },
        Err(missing) => junk(dedupe_key, format!("the body has no readable {missing}")),
    }
}

const fn junk(dedupe_key: String, note: String) -> Parsed {
    Parsed { dedupe_key, event: None, note: Some(note) }
}

fn event(value: &Value) -> Result<Event, &'static str> {
    let metadata = &value["metadata"];
    let id = |key: &str, source: &str| {
        let source = metadata.get(source).and_then(integer);
        value.get(key).and_then(integer).or(source)
    };
    let text = |keys: &[&str]| first_of(value, keys).and_then(text_of);
    Ok(Event {
        resource: text(&["resource_name", "resource_type"]).ok_or("resource_name or resource_type")?,
        resource_id: value.get("resource_id").and_then(integer).ok_or("resource_id")?,
        change: text(&["event_type", "reason"]).map(change).ok_or("event_type or reason")?,
        company: id("company_id", "source_company_id").map(CompanyId::new).ok_or("company_id")?,
        project: id("project_id", "source_project_id").map(ProjectId::new),
        user: id("user_id", "source_user_id").map(UserId::new),
        application: metadata.get("source_application_id").and_then(text_of),
    })
}

fn first_of<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().filter_map(|key| value.get(*key)).find(|found| !found.is_null())
}

fn change(name: String) -> Change {
    match name.to_ascii_lowercase().as_str() {
        "create" => Change::Create,
        "update" => Change::Update,
        "delete" => Change::Delete,
        _ => Change::Other(name),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V2: &str = include_str!("../../fixtures/procore/webhooks/v2.json");
    const V3: &str = include_str!("../../fixtures/procore/webhooks/v3.json");
    const V4: &str = include_str!("../../fixtures/procore/webhooks/v4.json");

    fn photo(user: i64, application: Option<&str>) -> Event {
        Event {
            resource: "Images".into(),
            resource_id: 562_950_311_224_001,
            change: Change::Create,
            company: CompanyId::new(4402),
            project: Some(ProjectId::new(310_077)),
            user: Some(UserId::new(user)),
            application: application.map(str::to_owned),
        }
    }

    #[test]
    fn all_families_say_the_same() {
        let check = |body: &str, key: &str, event: Event| {
            let expected = Parsed { dedupe_key: key.into(), event: Some(event), note: None };
            assert_eq!(parse(body.as_bytes()), expected);
        };
        check(V2, "event:01JZ0C7M4Q8W2D5T9V1B3N6XKR", photo(88_120, None));
        check(V3, "event:9007199254740995", photo(88_120, Some("edge-client")));
        check(V4, "event:01JZ0C9HF3A7S5K2M8P4R6T1VW", photo(88_120, None));
    }

    #[test]
    fn odd_bodies_still_have_an_event() {
        let with = |field: &str, value: Value| {
            let mut body: Value = serde_json::from_str(V4).expect("JSON");
            body[field] = value;
            parse(body.to_string().as_bytes()).event.expect("an event")
        };
        assert_eq!(with("reason", "restored".into()).change, Change::Other("restored".into()));
        assert_eq!(with("reason", "UPDATE".into()).change, Change::Update);
        assert_eq!(with("project_id", Value::Null).project, None);
        assert_eq!(with("user_id", Value::Null).user, None);
        assert_eq!(with("resource_type", "Moon Bases".into()).resource, "Moon Bases");
        assert_eq!(with("data", serde_json::json!({"any": ["thing"]})), photo(88_120, None));
        assert_eq!(with("metadata", Value::Null), photo(88_120, None));
    }

    #[test]
    fn junk_is_kept_by_its_content() {
        let check = |body: &[u8], note: &str| {
            let parsed = parse(body);
            assert_eq!(parsed.dedupe_key, format!("body:{}", Sha256Digest::of(body)));
            assert!(parsed.event.is_none() && parsed.note.is_some_and(|told| told.contains(note)), "{note}");
        };
        check(b"", "no JSON");
        check(b"hello", "no JSON");
        check(&[0xff, 0x00], "no JSON");
        check(b"[]", "no JSON object");
        check(b"{}", "resource_name");
        check(br#"{"resource_name": "Images", "resource_id": 1e300}"#, "resource_id");
        check(br#"{"resource_name": "Images", "resource_id": 18446744073709551615}"#, "resource_id");
        let long = format!(r#"{{"id": "{}", "resource_name": "Images"}}"#, "x".repeat(500));
        check(long.as_bytes(), "resource_id");
    }

    #[test]
    fn two_values_are_accepted_and_nothing_else() {
        let secrets: [SecretString; 2] = ["Bearer new".into(), "Bearer old".into()];
        let check = |header: Option<&str>, expected| {
            assert_eq!(authenticate(header.map(str::as_bytes), &secrets), expected, "{header:?}");
        };
        check(Some("Bearer new"), true);
        check(Some("Bearer old"), true);
        for wrong in ["Bearer", "bearer new", "Bearer new ", "Bearer newer", "", "new"] {
            check(Some(wrong), false);
        }
        check(None, false);
        assert!(!authenticate(Some(b""), &[]));
    }

    #[test]
    fn signatures_are_verified_over_the_raw_body() {
        // RFC 4231, test case 2.
        let (secret, body) = (SecretString::from("Jefe"), b"what do ya want for nothing?");
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let base64 = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
        let check = |header: Option<&str>, body: &[u8], expected| {
            assert_eq!(verify_signature(header.map(str::as_bytes), &secret, body), expected, "{header:?}");
        };
        check(Some(hex), body, true);
        check(Some(&hex.to_uppercase()), body, true);
        check(Some(&format!("sha256={hex}")), body, true);
        check(Some(base64), body, true);
        check(Some(hex), b"what do ya want for nothing", false);
        check(Some(&hex[..62]), body, false);
        check(Some("sha256="), body, false);
        check(None, body, false);
    }

    #[test]
    fn every_configured_check_must_pass() {
        let secrets = |authorization: &str, hmac: &str| {
            let config = WebhookConfig {
                authorization: authorization.into(),
                hmac_secret: hmac.into(),
                ..crate::procore::config::tests::defaults().1
            };
            WebhookSecrets::read(&config, None).expect("nothing to read")
        };
        let signature: Option<&[u8]> =
            Some(b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let body = b"what do ya want for nothing?";
        let accepted = |secrets: WebhookSecrets, authorization: Option<&[u8]>, signature: Option<&[u8]>| {
            secrets.authorized(authorization) && secrets.signed(signature, body)
        };
        assert!(!accepted(secrets("", ""), Some(b""), None), "without a secret nothing is genuine");
        assert!(accepted(secrets("Bearer a", ""), Some(b"Bearer a"), None));
        assert!(accepted(secrets("", "Jefe"), None, signature));
        assert!(accepted(secrets("Bearer a", "Jefe"), Some(b"Bearer a"), signature));
        assert!(!accepted(secrets("Bearer a", "Jefe"), Some(b"Bearer a"), None));
        assert!(!accepted(secrets("Bearer a", "Jefe"), None, signature));
        assert!(!format!("{:?}", secrets("Bearer a", "Jefe")).contains("Jefe"));
    }

    proptest! {
        #[test]
        fn nothing_that_arrives_makes_parsing_fail(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let parsed = parse(&body);
            prop_assert!(parsed.event.is_some() != parsed.note.is_some());
        }
    }
}
