//! How this box reaches Procore: directly or through a forward proxy, and which certificates it trusts on the way.

use std::fs;
use std::path::Path;

use reqwest::{Certificate, ClientBuilder, NoProxy, Proxy};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::procore::config::{Config, Endpoints};
use crate::procore::error::Error;
use crate::secrets::Homes;

/// The value of `procore.proxy_url` that ignores the environment.
const DIRECT: &str = "none";

/// Environment variables that name a proxy, the first that is set counts (as in curl).
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The most bytes of `procore.ca_file`; the bundle of a whole operating system has about 250 kB.
const CA_BYTES_MAX: u64 = 1 << 20;

/// The way out of this box.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    proxy: Option<Via>,
    /// A variable that names a proxy and is not followed.
    ignored: Option<&'static str>,
    certificates: Vec<Certificate>,
    ca_file: String,
}

#[derive(Debug, Clone)]
struct Via {
    url: Url,
    login: Option<(String, SecretString)>,
    /// The key or the variable that names it.
    source: &'static str,
}

impl Route {
    /// The way that `config` and the environment say. `credentials` is what `$CREDENTIALS_DIRECTORY` names.
    ///
    /// # Errors
    /// When the proxy's URL, its credentials or the CA file cannot be used.
    pub(crate) fn new(
        config: &Config,
        endpoints: &Endpoints,
        credentials: Option<&Path>,
    ) -> Result<Self, Error> {
        Self::with(config, endpoints, credentials, |name| std::env::var(name).ok())
    }

    fn with(
        config: &Config,
        endpoints: &Endpoints,
        credentials: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let named = VARIABLES.into_iter().find_map(|name| {
            variable(name).filter(|value| !value.trim().is_empty()).map(|value| (name, value))
        });
        // The simulator is on this machine: a company's proxy does not lead there.
        let follow = config.proxy_url.is_empty() && !endpoints.are_plain();
        let (proxy, ignored) = match (config.proxy_url.as_str(), named) {
            (DIRECT, named) => (None, named.map(|(name, _)| name)),
            ("", Some((name, url))) if follow => (Some((name, url)), None),
            ("", named) => (None, named.map(|(name, _)| name)),
            (url, _) => (Some(("procore.proxy_url", url.to_owned())), None),
        };
        let proxy = match proxy {
            Some((source, url)) => Some(Via::new(source, &url, config, credentials)?),
            None => None,
        };
        let certificates = if config.ca_file.is_empty() { vec![] } else { read_ca(&config.ca_file)? };
        Ok(Self { proxy, ignored, certificates, ca_file: config.ca_file.clone() })
    }

    /// Whether calls go through a proxy, which then resolves the names.
    pub(crate) const fn is_proxied(&self) -> bool {
        self.proxy.is_some()
    }

    /// The proxy's host: the one name that may lead to an address of the site's own network.
    pub(crate) fn proxy_host(&self) -> Option<String> {
        self.proxy.as_ref().and_then(|via| via.url.host_str()).map(str::to_owned)
    }

    /// The builder with this way.
    pub(crate) fn apply(&self, builder: ClientBuilder) -> Result<ClientBuilder, Error> {
        let builder = if self.certificates.is_empty() {
            builder
        } else {
            builder.tls_certs_merge(self.certificates.iter().cloned())
        };
        let Some(via) = &self.proxy else { return Ok(builder.no_proxy()) };
        let proxy = Proxy::all(via.url.clone())
            .map_err(|error| config_error(format!("{}: {}", via.source, error.without_url())))?;
        let proxy = match &via.login {
            Some((user, password)) => proxy.basic_auth(user, password.expose_secret()),
            None => proxy,
        };
        Ok(builder.proxy(proxy.no_proxy(NoProxy::from_env())))
    }

    /// The way in words, without any secret.
    pub(crate) fn describe(&self) -> String {
        let way = match (&self.proxy, self.ignored) {
            (Some(via), _) => {
                let login = if via.login.is_some() { ", with credentials" } else { "" };
                format!("through the proxy {} ({}{login})", shown(&via.url), via.source)
            }
            (None, Some(variable)) => {
                format!("directly; {variable} is set and not used (procore.proxy_url uses a proxy here)")
            }
            (None, None) => "directly".to_owned(),
        };
        if self.ca_file.is_empty() { way } else { format!("{way}; {} is trusted too", self.ca_file) }
    }
}

impl Via {
    fn new(
        source: &'static str,
        text: &str,
        config: &Config,
        credentials: Option<&Path>,
    ) -> Result<Self, Error> {
        let bad = |why: &str| config_error(format!("{source} {why}, e.g. \"http://proxy.example.com:3128\""));
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let mut url = Url::parse(text.trim()).map_err(|_| bad("is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(bad("must be an http or https URL with a host"));
        }
        let from_url = url.password().map(|password| (url.username().to_owned(), password.to_owned()));
        if from_url.is_some() && source == "procore.proxy_url" {
            return Err(config_error(
                "procore.proxy_url holds a password: put \"user:password\" alone into the file that \
                 procore.proxy_credentials_file names"
                    .to_owned(),
            ));
        }
        // Taken out, so that no message shows them.
        let _had_user = url.set_username("");
        let _had_password = url.set_password(None);
        let login = match login(config, credentials)? {
            Some(login) => Some(login),
            None => from_url.map(|(user, password)| (decoded(&user), decoded(&password).into())),
        };
        Ok(Self { url, login, source })
    }
}

/// User and password from the file or the systemd credential `procore_proxy`.
fn login(config: &Config, credentials: Option<&Path>) -> Result<Option<(String, SecretString)>, Error> {
    let none = SecretString::default();
    let homes = Homes { value: &none, file: &config.proxy_credentials_file, credential: "procore_proxy" };
    let Some(secret) = homes.read(credentials)? else { return Ok(None) };
    let (user, password) = secret.expose_secret().split_once(':').ok_or_else(|| {
        config_error("the proxy's credentials must be one line \"user:password\"".to_owned())
    })?;
    Ok(Some((user.to_owned(), password.into())))
}

fn decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

fn read_ca(file: &str) -> Result<Vec<Certificate>, Error> {
    let bad = |why: String| {
        config_error(format!("procore.ca_file {file}: {why}; it must hold CA certificates in PEM form"))
    };
    let size = fs::metadata(file).map_err(|error| bad(error.to_string()))?.len();
    if size > CA_BYTES_MAX {
        return Err(bad(format!("has {size} bytes, more than {CA_BYTES_MAX}")));
    }
    let pem = fs::read(file).map_err(|error| bad(error.to_string()))?;
    let certificates =
        Certificate::from_pem_bundle(&pem).map_err(|error| bad(error.without_url().to_string()))?;
    if certificates.is_empty() { Err(bad("holds no certificate".to_owned())) } else { Ok(certificates) }
}

const fn config_error(reason: String) -> Error {
    Error::Config { reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procore::config::Environment;
    use crate::procore::config::tests::defaults;

    fn route(change: impl Fn(&mut Config), variables: &[(&str, &str)]) -> Result<Route, String> {
        let (mut config, _) = defaults();
        change(&mut config);
        let endpoints = config.endpoints().expect("complete");
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Route::with(&config, &endpoints, None, variable).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_beats_the_environment_and_none_switches_it_off() {
        let env = [("HTTPS_PROXY", "http://env.example.com:3128")];
        let describe = |key: &str, env: &[(&str, &str)]| {
            route(|config| config.proxy_url = key.to_owned(), env).expect("usable").describe()
        };
        assert_eq!(describe("", &[]), "directly");
        assert_eq!(describe("", &env), "through the proxy http://env.example.com:3128 (HTTPS_PROXY)");
        assert_eq!(
            describe("proxy.example.com:8080", &env),
            "through the proxy http://proxy.example.com:8080 (procore.proxy_url)"
        );
        assert!(describe("none", &env).starts_with("directly; HTTPS_PROXY is set and not used"));
    }

    #[test]
    fn the_simulator_on_this_machine_is_reached_directly_unless_the_key_says_otherwise() {
        let simulator = |config: &mut Config| {
            config.environment = Environment::Custom;
            config.api_url = "http://127.0.0.1:4000".into();
            config.login_url = "http://127.0.0.1:4000".into();
            config.allow_loopback = true;
        };
        let env = [("ALL_PROXY", "http://env.example.com:3128")];
        let followed = route(simulator, &env).expect("usable");
        assert!(!followed.is_proxied() && followed.describe().contains("ALL_PROXY"));
        let explicit = |config: &mut Config| {
            simulator(config);
            config.proxy_url = "http://10.0.0.7:3128".into();
        };
        assert_eq!(route(explicit, &[]).expect("usable").proxy_host().as_deref(), Some("10.0.0.7"));
    }

    #[test]
    fn credentials_come_from_a_file_and_never_show() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("proxy");
        fs::write(&file, "box:hush-1\n").expect("written");
        let with_file = |config: &mut Config| {
            config.proxy_url = "http://proxy.example.com:3128".into();
            config.proxy_credentials_file = file.display().to_string();
        };
        let via = route(with_file, &[]).expect("usable");
        assert!(via.describe().contains("with credentials"));
        let from_env = [("HTTPS_PROXY", "http://box:hush%401@proxy.example.com:3128")];
        let env = route(|_| (), &from_env).expect("usable");
        let login = env.proxy.as_ref().and_then(|via| via.login.as_ref()).expect("a login");
        assert_eq!(login.1.expose_secret(), "hush@1");
        let shown = format!("{via:?} {env:?} {} {}", via.describe(), env.describe());
        assert!(!shown.contains("hush"), "{shown}");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let fails = |change: fn(&mut Config)| route(change, &[]).expect_err("unusable");
        assert!(fails(|config| config.proxy_url = "socks5://x".into()).contains("procore.proxy_url"));
        assert!(
            fails(|config| config.proxy_url = "http://u:p@x".into())
                .contains("procore.proxy_credentials_file")
        );
        assert!(fails(|config| config.ca_file = "/nowhere/ca.pem".into()).contains("procore.ca_file"));
    }
}
