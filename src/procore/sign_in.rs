//! People who sign in with their own Procore account: who they are, and what they may do in permitted projects.
//!
//! Their token is used for these few calls, then revoked and forgotten: nothing that could speak for a person is kept.

mod asking;

use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::domain::ids::UserId;
use crate::domain::people::{Grant, Role};
use crate::procore::auth::{SecretText, address, granted, of_person, refused};
use crate::procore::client::Client;
use crate::procore::config::is_loopback;
use crate::procore::error::Error;
use crate::procore::lenient;
use crate::procore::project_data::ToolPermission;
use crate::secrets::{self, Homes};

pub use asking::Later;

/// The tool whose permission says who may decide.
const PUNCH_LIST: &str = "punch_list";

/// A person's token is used within seconds; this bounds it where the answer doesn't.
const TOKEN_LIFE: Duration = Duration::from_mins(5);

/// The `[procore.sign_in]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInConfig {
    /// Where Procore sends people back; empty when nobody signs in that way.
    pub redirect_url: String,
    /// The app's client id, where it is not the service account's.
    pub client_id: String,
    #[serde(deserialize_with = "secrets::deserialize")]
    pub client_secret: SecretString,
    /// A file that holds it; empty when unset.
    pub client_secret_file: String,
}

impl SignInConfig {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// Names the first key that cannot work.
    pub fn check(&self) -> Result<(), Error> {
        self.redirect().map(drop)
    }

    /// Where Procore sends people back, if they may sign in that way.
    fn redirect(&self) -> Result<Option<Url>, Error> {
        if self.redirect_url.is_empty() {
            return Ok(None);
        }
        let bad = |why: &str| Error::Config {
            reason: format!("procore.sign_in.redirect_url '{}' {why}", self.redirect_url),
        };
        let url =
            Url::parse(&self.redirect_url).map_err(|_| bad("is no URL, e.g. https://…/review/procore"))?;
        let allowed = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
        if allowed && url.path() == "/review/procore" {
            Ok(Some(url))
        } else {
            Err(bad("must be https (or http://localhost) and end in /review/procore"))
        }
    }
}

/// Somebody who has signed in at Procore.
#[derive(Debug)]
pub struct Member {
    /// Their id in the Directory.
    pub id: UserId,
    pub login: String,
    pub name: String,
    /// The permitted projects that they are in, with what they may do there; as far as it is known.
    pub grants: Vec<Grant>,
    /// The rest, where that takes longer than a person waits.
    pub later: Option<Later>,
}

/// Signs people in with Procore.
#[derive(Debug, Clone)]
pub struct SignIn {
    client: Client,
    login: Url,
    client_id: String,
    client_secret: SecretString,
    redirect: Url,
}

#[derive(Debug, Deserialize)]
struct Granted {
    access_token: SecretText,
    #[serde(default)]
    refresh_token: Option<SecretText>,
}

#[derive(Debug, Deserialize)]
struct Me {
    #[serde(deserialize_with = "lenient::id")]
    id: UserId,
    #[serde(default, deserialize_with = "lenient::text")]
    login: String,
    #[serde(default, deserialize_with = "lenient::text")]
    name: String,
}

impl SignIn {
    /// With the app and address that the config names; `None` when people don't sign in that way.
    ///
    /// # Errors
    /// When the config cannot work.
    pub fn new(client: &Client, credentials: Option<&Path>) -> Result<Option<Self>, Error> {
        let config = client.config();
        let own = &config.sign_in;
        let Some(redirect) = own.redirect()? else { return Ok(None) };
        let homes = Homes {
            value: &own.client_secret,
            file: &own.client_secret_file,
            credential: "procore_sign_in_client_secret",
        };
        let client_secret = match homes.read(credentials)? {
            Some(secret) => secret,
            None => config.read_client_secret(credentials)?,
        };
        let client_id = if own.client_id.is_empty() { &config.client_id } else { &own.client_id };
        Ok(Some(Self {
            client: client.clone(),
            login: config.endpoints()?.login,
            client_id: client_id.clone(),
            client_secret,
            redirect,
        }))
    }

    /// Where a browser goes to sign in; Procore sends it back with `state`.
    pub fn authorize_url(&self, state: &str) -> Url {
        let mut url = address(&self.login, "authorize");
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", self.redirect.as_str())
            .append_pair("state", state);
        url
    }

    /// Who came back with `code`, and what they may do. The code works once.
    ///
    /// # Errors
    /// When Procore does not take the code, or cannot be asked.
    pub async fn who(&self, code: &str) -> Result<Member, Error> {
        let granted = self.exchange(code).await?;
        let token = of_person(granted.access_token.0.clone(), TOKEN_LIFE);
        asking::member(self, granted, token).await
    }

    /// Takes a person's tokens back. That is no concern of the person who waits: one that could not be revoked ends by
    /// itself.
    async fn end(&self, granted: &Granted) {
        for secret in [Some(&granted.access_token), granted.refresh_token.as_ref()].into_iter().flatten() {
            if let Err(error) = self.revoke(&secret.0).await {
                tracing::warn!(%error, "a person's token could not be revoked");
            }
        }
    }

    async fn exchange(&self, code: &str) -> Result<Granted, Error> {
        let body = json!({
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "client_secret": self.client_secret.expose_secret(),
            "code": code,
            "redirect_uri": self.redirect.as_str(),
        });
        granted(&self.post("token", &body, code).await?, "a person's access token")
    }

    async fn revoke(&self, token: &SecretString) -> Result<(), Error> {
        let body = json!({
            "client_id": self.client_id,
            "client_secret": self.client_secret.expose_secret(),
            "token": token.expose_secret(),
        });
        self.post("revoke", &body, token.expose_secret()).await.map(drop)
    }

    async fn post(
        &self,
        last: &str,
        body: &Value,
        secret: &str,
    ) -> Result<crate::procore::wire::Answer, Error> {
        let http = self.client.http();
        let request = http.request(reqwest::Method::POST, address(&self.login, last)).json(body);
        let reply = http.send(request, &[self.client_secret.expose_secret(), secret]).await?;
        reply.success().map_err(refused)
    }
}

/// Who reads the punch list looks, who may edit its items decides, who administers it does so here too.
fn role_of(tools: &[ToolPermission]) -> Option<Role> {
    let tool = tools.iter().find(|tool| tool.name == PUNCH_LIST).filter(|tool| tool.available_for_user)?;
    let level = tool.user_access_level.as_ref()?.name.to_lowercase().replace([' ', '-'], "_");
    match level.as_str() {
        "read_only" => Some(Role::Viewer),
        "standard" => Some(Role::Reviewer),
        "admin" => Some(Role::Admin),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
