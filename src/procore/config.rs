//! The `[procore]` and `[webhook]` sections of the config.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::domain::delivery::ProjectMode;
use crate::domain::ids::{CompanyId, ProjectId, ProjectKey};
use crate::procore::error::Error;
use crate::procore::limiter::LimiterConfig;
use crate::procore::sign_in::SignInConfig;
use crate::secrets::{self, Homes};

/// The commented defaults of this module.
pub const DEFAULT: &str = include_str!("default.toml");

/// Which of Procore's installations is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    Production,
    Sandbox,
    /// A customer's monthly sandbox.
    Monthly,
    /// `FedRAMP`.
    Federal,
    /// A gateway or the simulator: `api_url` and `login_url` say where.
    Custom,
}

impl Environment {
    /// API base and login base; the config names them for [`Environment::Custom`].
    const fn hosts(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Production => Some(("https://api.procore.com", "https://login.procore.com")),
            Self::Sandbox => Some(("https://sandbox.procore.com", "https://login-sandbox.procore.com")),
            Self::Monthly => {
                Some(("https://api-monthly.procore.com", "https://login-sandbox-monthly.procore.com"))
            }
            Self::Federal => Some(("https://api.procoregov.com", "https://login.procoregov.com")),
            Self::Custom => None,
        }
    }
}

/// A project that may be read, and how far the service may go in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermittedProject {
    /// The company that owns it.
    pub company: CompanyId,
    pub project: ProjectId,
    /// What the service may write there.
    pub mode: ProjectMode,
}

impl PermittedProject {
    /// The project with its company.
    pub const fn key(&self) -> ProjectKey {
        ProjectKey { company: self.company, project: self.project }
    }
}

/// The `[procore]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which installation is called.
    pub environment: Environment,
    /// Base URL of the API for the custom environment, else empty.
    pub api_url: String,
    /// Base URL of the login for the custom environment, else empty.
    pub login_url: String,
    /// The app's client id.
    pub client_id: String,
    /// The app's client secret, meant for the environment variable.
    #[serde(deserialize_with = "secrets::deserialize")]
    pub client_secret: SecretString,
    /// A file that holds the client secret; empty when unset.
    pub client_secret_file: String,
    /// The projects that may be read at all.
    pub projects: Vec<PermittedProject>,
    /// The forward proxy of the site's network; empty: as the environment says; `none`: no proxy.
    pub proxy_url: String,
    /// A file with the proxy's `user:password`; empty when it asks for none.
    pub proxy_credentials_file: String,
    /// A file with CA certificates that are trusted beside the system's; empty when there is none.
    pub ca_file: String,
    /// Names of the album into which Procore copies the photos of punch items.
    pub aggregation_albums: Vec<String>,
    /// Milliseconds to reach the server, TLS included.
    pub connect_ms: u64,
    /// Milliseconds from sending to the first byte of the answer.
    pub first_byte_ms: u64,
    /// Milliseconds for a whole call.
    pub total_ms: u64,
    /// The most bytes of one answer.
    pub max_answer_bytes: usize,
    /// Rows asked for with each page of a list.
    pub per_page: usize,
    /// The most pages followed in one list.
    pub max_pages: usize,
    /// The most ids in one filtered list.
    pub ids_per_call: usize,
    /// Seconds before its expiry at which a token is renewed.
    pub token_margin_s: u64,
    /// Seconds that a token lives whose answer does not tell.
    pub token_life_s: u64,
    /// Seconds by which Procore's clock and ours may differ.
    pub clock_skew_s: u32,
    /// Development only: http and loopback addresses for the custom API host and for downloads.
    pub allow_loopback: bool,
    /// How photos are fetched.
    pub download: DownloadConfig,
    /// How many calls may be made.
    pub limiter: LimiterConfig,
    /// How people sign in with their Procore account.
    pub sign_in: SignInConfig,
}

/// The `[procore.download]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DownloadConfig {
    /// Milliseconds to the first byte, for each hop.
    pub first_byte_ms: u64,
    /// Milliseconds for a whole photo.
    pub total_ms: u64,
    /// The most bytes of one photo.
    pub max_bytes: usize,
    /// The most redirects of one link.
    pub max_redirects: usize,
    /// Hosts from which photos may come; a leading dot stands for everything below.
    pub allowed_host_suffixes: Vec<String>,
}

/// The `[webhook]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Marks our hooks among those of other integrations.
    pub namespace: String,
    /// Where Procore reaches this box; empty when it cannot.
    pub public_url: String,
    /// The value of the `Authorization` header of every delivery.
    #[serde(deserialize_with = "secrets::deserialize")]
    pub authorization: SecretString,
    /// A file that holds it; empty when unset.
    pub authorization_file: String,
    /// The value before the last rotation.
    #[serde(deserialize_with = "secrets::deserialize")]
    pub previous_authorization: SecretString,
    /// A file that holds it; empty when unset.
    pub previous_authorization_file: String,
    /// Seconds after which the files with the values are read again.
    pub reload_s: u64,
    /// The key of a gateway's HMAC-SHA256 over the body.
    #[serde(deserialize_with = "secrets::deserialize")]
    pub hmac_secret: SecretString,
    /// A file that holds it; empty when unset.
    pub hmac_secret_file: String,
    /// The header with the signature.
    pub hmac_header: String,
}

impl WebhookConfig {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// Names the first key that cannot work.
    pub fn check(&self) -> Result<(), Error> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.namespace.is_empty() || !self.namespace.chars().all(plain) {
            let reason = format!("webhook.namespace '{}' may only hold a-z, 0-9 and '-'", self.namespace);
            return Err(Error::Config { reason });
        }
        if !self.public_url.is_empty() && Url::parse(&self.public_url).is_err() {
            let reason = format!("webhook.public_url '{}' is no URL, e.g. https://…", self.public_url);
            return Err(Error::Config { reason });
        }
        Ok(())
    }
}

/// Base URLs of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Base of every API call.
    pub api: Url,
    /// Base of the login.
    pub login: Url,
}

impl Endpoints {
    /// Whether both are plain http on this machine: the simulator, which needs no certificates.
    pub(crate) fn are_plain(&self) -> bool {
        self.api.scheme() == "http" && self.login.scheme() == "http"
    }
}

impl Config {
    /// The permitted projects with their companies.
    pub fn permitted(&self) -> Vec<ProjectKey> {
        self.projects.iter().map(PermittedProject::key).collect()
    }

    /// How far the service may go in `project`; `None` when it is not permitted at all.
    pub fn mode(&self, project: ProjectKey) -> Option<ProjectMode> {
        self.projects.iter().find(|permitted| permitted.key() == project).map(|permitted| permitted.mode)
    }

    /// The base URLs.
    ///
    /// # Errors
    /// When those of a custom environment are missing, malformed or not https.
    pub fn endpoints(&self) -> Result<Endpoints, Error> {
        let (api, login) =
            self.environment.hosts().unwrap_or((self.api_url.as_str(), self.login_url.as_str()));
        Ok(Endpoints {
            api: self.base("procore.api_url", api)?,
            login: self.base("procore.login_url", login)?,
        })
    }

    fn base(&self, key: &str, text: &str) -> Result<Url, Error> {
        let bad = |why: &str| Error::Config { reason: format!("{key} '{text}' {why}") };
        let url = Url::parse(text)
            .map_err(|_| bad("is no URL: set it for procore.environment = \"custom\", e.g. https://…"))?;
        let development = self.allow_loopback && is_loopback(&url);
        match url.scheme() {
            "https" => Ok(url),
            "http" if development => Ok(url),
            _ => Err(bad("is not https; only the simulator on loopback may do without, with \
                          procore.allow_loopback = true")),
        }
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// Names the first key that cannot work.
    pub fn check(&self) -> Result<(), Error> {
        self.endpoints()?;
        self.sign_in.check()?;
        let mut seen = HashSet::new();
        if let Some(twice) = self.projects.iter().map(PermittedProject::key).find(|key| !seen.insert(*key)) {
            return Err(Error::Config { reason: format!("procore.projects lists {twice} twice") });
        }
        for (key, value) in [
            ("per_page", self.per_page),
            ("max_pages", self.max_pages),
            ("ids_per_call", self.ids_per_call),
            ("download.max_bytes", self.download.max_bytes),
        ] {
            if value == 0 {
                return Err(Error::Config { reason: format!("procore.{key} must be at least 1") });
            }
        }
        Ok(())
    }

    /// The client secret. `credentials` is what `$CREDENTIALS_DIRECTORY` names.
    ///
    /// # Errors
    /// When there is none.
    pub fn read_client_secret(&self, credentials: Option<&Path>) -> Result<SecretString, Error> {
        let homes = Homes {
            value: &self.client_secret,
            file: &self.client_secret_file,
            credential: "procore_client_secret",
        };
        homes.read(credentials)?.ok_or_else(|| Error::Config {
            reason: "there is no client secret; name its file in procore.client_secret_file, or set \
                     PUNCHLENS_PROCORE__CLIENT_SECRET"
                .to_owned(),
        })
    }

    /// Time to reach the server.
    pub(crate) const fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }
}

/// Whether the URL names this machine: `localhost` or a loopback address.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Sections {
        procore: Config,
        webhook: WebhookConfig,
    }

    /// The defaults as the service reads them.
    pub(crate) fn defaults() -> (Config, WebhookConfig) {
        let sections: Sections = toml::from_str(DEFAULT).expect("the fragment has every key");
        (sections.procore, sections.webhook)
    }

    #[test]
    fn environments_have_their_hosts() {
        let check = |environment, api: &str, login: &str| {
            let endpoints = Config { environment, ..defaults().0 }.endpoints().expect("a known environment");
            assert_eq!((endpoints.api.as_str(), endpoints.login.as_str()), (api, login));
        };
        check(Environment::Production, "https://api.procore.com/", "https://login.procore.com/");
        check(Environment::Sandbox, "https://sandbox.procore.com/", "https://login-sandbox.procore.com/");
        check(Environment::Federal, "https://api.procoregov.com/", "https://login.procoregov.com/");
    }

    #[test]
    fn custom_hosts_are_https_or_the_simulator() {
        let custom = |url: &str, allow_loopback| {
            let (config, _) = defaults();
            Config {
                environment: Environment::Custom,
                api_url: url.into(),
                login_url: url.into(),
                allow_loopback,
                ..config
            }
            .endpoints()
            .is_ok()
        };
        assert!(custom("https://gateway.example.com", false));
        assert!(custom("http://127.0.0.1:4000", true) && custom("http://localhost:4000", true));
        assert!(!custom("http://127.0.0.1:4000", false));
        assert!(!custom("http://gateway.example.com", true));
        assert!(!custom("http://10.0.0.7", true));
        assert!(!custom("", true));
    }

    #[test]
    fn projects_are_read_with_their_mode() {
        let text = DEFAULT.replace(
            "projects = []",
            "projects = [{ company = 8, project = 6778, mode = \"review-first\" }]",
        );
        let sections: Sections = toml::from_str(&text).expect("valid");
        let key = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };
        assert_eq!(sections.procore.mode(key), Some(ProjectMode::ReviewFirst));
        assert_eq!(sections.procore.permitted(), [key]);
        let stranger = ProjectKey { project: ProjectId::new(1), ..key };
        assert_eq!(sections.procore.mode(stranger), None);
    }

    #[test]
    fn what_cannot_work_is_named() {
        let (config, webhook) = defaults();
        config.check().and(webhook.check()).expect("the defaults work");
        let project = PermittedProject {
            company: CompanyId::new(8),
            project: ProjectId::new(6778),
            mode: ProjectMode::Draft,
        };
        let twice = Config { projects: vec![project, project], ..config.clone() };
        assert!(twice.check().expect_err("twice").to_string().contains("8/6778"));
        let endless = Config { per_page: 0, ..config };
        assert!(endless.check().expect_err("zero").to_string().contains("procore.per_page"));
        for namespace in ["", "Site 7", "site_7"] {
            let webhook = WebhookConfig { namespace: namespace.into(), ..webhook.clone() };
            assert!(webhook.check().is_err(), "{namespace}");
        }
        assert!(WebhookConfig { public_url: "site-7".into(), ..webhook }.check().is_err());
    }

    #[test]
    fn secrets_do_not_show() {
        let text = DEFAULT
            .replace("client_secret = \"\"", "client_secret = \"hush-1\"")
            .replace("\nauthorization = \"\"", "\nauthorization = \"hush-2\"")
            .replace("hmac_secret = \"\"", "hmac_secret = \"hush-3\"");
        let sections: Sections = toml::from_str(&text).expect("valid");
        let shown = format!("{:?} {:?}", sections.procore, sections.webhook);
        assert!(text.contains("hush-1") && text.contains("hush-2") && text.contains("hush-3"));
        assert!(!shown.contains("hush"), "{shown}");
    }
}
