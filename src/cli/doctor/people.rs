//! Can people sign in, and does nobody listen in?

use crate::config::Config;
use crate::http::Tls;
use crate::store::{Error, Store};

/// How it is; or what is wrong, and what to do about it.
pub(super) type CheckResult = Result<String, String>;

/// Who can sign in, and how.
pub(super) async fn sign_in(config: &Config, store: Result<&Store, &Error>) -> CheckResult {
    let accounts = store.map_err(Error::to_string)?.accounts().await.map_err(|error| error.to_string())?;
    let active = accounts.iter().filter(|account| account.disabled_at.is_none()).count();
    let mut ways = Vec::new();
    if !config.procore.sign_in.redirect_url.is_empty() {
        let back = &config.procore.sign_in.redirect_url;
        ways.push(format!("Procore accounts (the app must list {back} among its redirect URIs)"));
    }
    if active > 0 {
        ways.push(format!("{active} accounts of this box"));
    }
    if config.sign_in.key_on_this_machine {
        ways.push("the key, on this machine alone".to_owned());
    }
    if ways.is_empty() {
        return Err("nobody can sign in: create an account with punchlens users add LOGIN, or set \
             procore.sign_in.redirect_url"
            .to_owned());
    }
    Ok(ways.join("; "))
}

/// Whether passwords and sessions cross the network in the clear.
pub(super) fn privacy(config: &Config) -> CheckResult {
    let tls = Tls::load(&config.http).map_err(|error| error.to_string())?;
    let (http, proxied) = (&config.http, !config.http.trusted_proxies.is_empty());
    if tls.is_some() {
        return Ok(format!("https with {}", http.tls_certificate_file.display()));
    }
    if config.procore.sign_in.redirect_url.starts_with("https") && !proxied && !config.sign_in.secure_cookies
    {
        return Err(
            "people come by https, as procore.sign_in.redirect_url says, but through what is unknown here: \
                    name the proxy in http.trusted_proxies, so that cookies are kept to https"
                .to_owned(),
        );
    }
    if http.listen.ip().is_loopback() || proxied {
        return Ok("http on this machine or to a trusted proxy".to_owned());
    }
    Err(format!(
        "http on {}: passwords can be read on the network. Set http.tls_certificate_file and tls_key_file, or put a TLS \
         proxy in front, name it in http.trusted_proxies and let http.listen be an address that only it reaches",
        http.listen
    ))
}
