//! People who sign in with their own Procore account: who they are, and what they may do in permitted projects.
//!
//! Their token is used for these few calls, then revoked and forgotten: nothing that could speak for a person is kept.

use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::domain::ids::{ProjectKey, UserId};
use crate::domain::people::{Grant, Role};
use crate::procore::auth::{SecretText, Token, address, granted, of_person, refused};
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::config::is_loopback;
use crate::procore::error::Error;
use crate::procore::lenient;
use crate::procore::project_data::{Permissions, ToolPermission};
use crate::secrets::{self, Homes};

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
    /// That app's secret.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Their id in the Directory.
    pub id: UserId,
    /// Their e-mail address.
    pub login: String,
    /// Their name.
    pub name: String,
    /// The permitted projects that they are in, with what they may do there.
    pub grants: Vec<Grant>,
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

#[derive(Deserialize)]
struct Granted {
    access_token: SecretText,
    #[serde(default)]
    refresh_token: Option<SecretText>,
}

#[derive(Deserialize)]
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
        let member = self.member(&token).await;
        // What follows is no concern of the person who waits; a token that could not be revoked ends by itself.
        for secret in [Some(&granted.access_token), granted.refresh_token.as_ref()].into_iter().flatten() {
            if let Err(error) = self.revoke(&secret.0).await {
                tracing::warn!(%error, "a person's token could not be revoked");
            }
        }
        member
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

    async fn member(&self, token: &Token) -> Result<Member, Error> {
        let projects = self.client.config().permitted();
        let Some(first) = projects.first() else {
            return Err(Error::Config {
                reason: "procore.projects is empty: there is nothing to sign in to".into(),
            });
        };
        let call = Call::get(first.company, "/rest/v1.0/me");
        let me: Me = self.client.attempt(&call, token).await?.read("the person who signs in")?;
        let mut grants = Vec::new();
        for project in projects {
            let role = self.role(token, project).await?;
            grants.extend(role.map(|role| Grant { project, role }));
        }
        Ok(Member { id: me.id, login: me.login, name: me.name, grants })
    }

    /// What the person may do in `project`; nothing where they are not in it.
    async fn role(&self, token: &Token, project: ProjectKey) -> Result<Option<Role>, Error> {
        let call = Call::get(project.company, "/rest/v1.0/settings/permissions");
        let call = call.query("project_id", project.project);
        match self.client.attempt(&call, token).await {
            Ok(answer) => Ok(role_of(&answer.read::<Permissions>("permissions")?.tools)),
            Err(Error::Forbidden { .. } | Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
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
mod tests {
    use super::*;
    use crate::procore::stub::{PROJECT, Reply, SECRET, Seen, Stub};

    const BACK: &str = "https://box.example.com/review/procore";

    fn sign_in(stub: &Stub) -> SignIn {
        let mut config = stub.config();
        config.sign_in.redirect_url = BACK.into();
        let client = Client::new(&config, None).expect("complete");
        SignIn::new(&client, None).expect("complete").expect("wanted")
    }

    fn procore(seen: &Seen, level: &str) -> Reply {
        match seen.path.as_str() {
            "/oauth/token" => {
                Reply::ok(r#"{"access_token": "hers", "refresh_token": "again", "expires_in": 5400}"#)
            }
            "/oauth/revoke" => Reply::ok("{}"),
            "/rest/v1.0/me" => Reply::ok(r#"{"id": "160586", "login": "sam@example.com", "name": "Sam"}"#),
            _ => Reply::ok(&format!(
                r#"{{"tools": [{{"name": "punch_list", "available_for_user": true, "user_access_level": {{"id": 3, "name": "{level}"}}}}]}}"#
            )),
        }
    }

    #[tokio::test]
    async fn a_code_becomes_a_person_with_rights_and_no_token_is_left() {
        let stub = Stub::bare(|seen| procore(seen, "Standard")).await;
        let member = sign_in(&stub).who("the-code").await.expect("signs in");
        assert_eq!((member.id, member.name.as_str()), (UserId::new(160_586), "Sam"));
        assert_eq!(member.grants, [Grant { project: PROJECT, role: Role::Reviewer }]);
        let asked: Vec<_> =
            stub.calls().iter().filter_map(|call| call.header("authorization").map(str::to_owned)).collect();
        assert_eq!(asked, ["Bearer hers", "Bearer hers"]);
    }

    #[tokio::test]
    async fn levels_become_roles() {
        for (level, role) in [
            ("none", None),
            ("read_only", Some(Role::Viewer)),
            ("Read Only", Some(Role::Viewer)),
            ("standard", Some(Role::Reviewer)),
            ("admin", Some(Role::Admin)),
            ("something new", None),
        ] {
            let stub = Stub::bare(move |seen| procore(seen, level)).await;
            let grants = sign_in(&stub).who("code").await.expect("signs in").grants;
            assert_eq!(grants.first().map(|grant| grant.role), role, "{level}");
        }
    }

    #[tokio::test]
    async fn who_is_not_in_a_project_gets_none() {
        let stub = Stub::bare(|seen| match seen.path.as_str() {
            "/rest/v1.0/settings/permissions" => Reply::json(403, "{}"),
            _ => procore(seen, "admin"),
        })
        .await;
        assert_eq!(sign_in(&stub).who("code").await.expect("is known").grants, []);
    }

    #[tokio::test]
    async fn a_refused_code_shows_nothing_secret() {
        let stub =
            Stub::bare(|_| Reply::json(400, &format!(r#"{{"error": "invalid_grant {SECRET} my-code"}}"#)))
                .await;
        let error = sign_in(&stub).who("my-code").await.expect_err("refused");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET) && !shown.contains("my-code"), "{shown}");
    }

    #[tokio::test]
    async fn the_way_there_names_app_state_and_way_back() {
        let stub = Stub::bare(|_| Reply::ok("{}")).await;
        let url = sign_in(&stub).authorize_url("st/ate");
        assert_eq!(url.path(), "/oauth/authorize");
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        assert!(
            pairs.contains(&("redirect_uri".into(), BACK.into()))
                && pairs.contains(&("state".into(), "st/ate".into()))
        );
        assert!(!url.as_str().contains(SECRET));
    }

    #[test]
    fn the_way_back_is_ours_and_safe() {
        let check = |url: &str| {
            let secret = SecretString::default();
            let config = SignInConfig {
                redirect_url: url.into(),
                client_id: String::new(),
                client_secret: secret,
                client_secret_file: String::new(),
            };
            config.redirect().map(|url| url.is_some()).ok()
        };
        assert_eq!(check(""), Some(false));
        assert_eq!(check(BACK), Some(true));
        assert_eq!(check("http://localhost:8787/review/procore"), Some(true));
        for bad in ["box", "http://box.example.com/review/procore", "https://box.example.com/elsewhere"] {
            assert_eq!(check(bad), None, "{bad}");
        }
    }
}
