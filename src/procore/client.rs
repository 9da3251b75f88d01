//! The client: who may be called, with which headers, and how an answer becomes a value or an error.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::domain::ids::{CompanyId, ProjectKey};
use crate::procore::auth::{Authority, Lifetimes, Token};
use crate::procore::config::Config;
use crate::procore::download::Downloader;
use crate::procore::error::Error;
use crate::procore::limiter::{Class, Limiter};
use crate::procore::wire::{Answer, Http};

/// The header that routes a call to its company's region; Procore wants it on every call.
const COMPANY_HEADER: &str = "Procore-Company-Id";

/// Declared on a few operations only and harmless elsewhere; nothing relies on it.
const IDEMPOTENCY_HEADER: &str = "Idempotency-Token";

/// The API client. Clones share connections, token and limits.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    class: Class,
}

#[derive(Debug)]
struct Shared {
    http: Http,
    downloader: Downloader,
    api: Url,
    authority: Authority,
    limiter: Limiter,
    config: Config,
}

impl Client {
    /// A client for `config`, with the secret from where it says. `credentials` is what
    /// `$CREDENTIALS_DIRECTORY` names. Nothing is sent yet.
    ///
    /// # Errors
    /// When the config cannot work.
    pub fn new(config: &Config, credentials: Option<&Path>) -> Result<Self, Error> {
        if config.client_id.is_empty() {
            let reason = "procore.client_id is empty; copy it from the app's page in the developer portal";
            return Err(Error::Config { reason: reason.to_owned() });
        }
        Self::with_secret(config, config.read_client_secret(credentials)?)
    }

    fn with_secret(config: &Config, secret: SecretString) -> Result<Self, Error> {
        let endpoints = config.endpoints()?;
        let lifetimes = Lifetimes {
            margin: Duration::from_secs(config.token_margin_s),
            assumed: Duration::from_secs(config.token_life_s),
        };
        let shared = Shared {
            http: Http::new(config, &endpoints)?,
            downloader: Downloader::new(config, &endpoints)?,
            authority: Authority::new(&endpoints.login, &config.client_id, secret, lifetimes),
            limiter: Limiter::new(config.limiter.clone()),
            api: endpoints.api,
            config: config.clone(),
        };
        Ok(Self { shared: Arc::new(shared), class: Class::Foreground })
    }

    /// The same client for work that nobody waits for: it leaves a reserve of the limits to the rest.
    #[must_use]
    pub fn background(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), class: Class::Background }
    }

    /// The config that this client was made with.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn downloader(&self) -> &Downloader {
        &self.shared.downloader
    }

    /// Refuses a project that is not on the allow-list, before anything is sent.
    pub(crate) fn permit(&self, project: ProjectKey) -> Result<(), Error> {
        if self.shared.config.projects.iter().any(|permitted| permitted.key() == project) {
            return Ok(());
        }
        Err(Error::Refused { reason: format!("project {project} is not in procore.projects") })
    }

    /// Refuses a company of which no project is on the allow-list.
    pub(crate) fn permit_company(&self, company: CompanyId) -> Result<(), Error> {
        if self.shared.config.projects.iter().any(|permitted| permitted.company == company) {
            return Ok(());
        }
        Err(Error::Refused { reason: format!("company {company} has no project in procore.projects") })
    }

    /// The token for a request that this client does not send itself.
    pub(crate) async fn token(&self) -> Result<Token, Error> {
        self.shared.authority.token(&self.shared.http).await
    }

    /// One value.
    pub(crate) async fn one<T: DeserializeOwned>(&self, what: &'static str, call: &Call) -> Result<T, Error> {
        self.send(call).await?.read(what)
    }

    /// Sends `call`, and after a 401 once more with a fresh token.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Error> {
        let token = self.token().await?;
        match self.attempt(call, &token).await {
            Err(Error::Unauthorized { .. }) => {}
            outcome => return outcome,
        }
        self.shared.authority.invalidate(&token).await;
        let token = self.token().await?;
        self.attempt(call, &token).await.map_err(|error| match error {
            Error::Unauthorized { message } => Error::Credentials { message },
            other => other,
        })
    }

    async fn attempt(&self, call: &Call, token: &Token) -> Result<Answer, Error> {
        let shared = &self.shared;
        let url = call.url(&shared.api)?;
        let admission = shared.limiter.admit(call.company, self.class).await?;
        let mut request = shared
            .http
            .request(call.method.clone(), url)
            .bearer_auth(token.expose())
            .header(COMPANY_HEADER, call.company.value())
            .header("Accept", "application/json");
        if let Some(key) = &call.idempotency {
            request = request.header(IDEMPOTENCY_HEADER, key);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let reply = shared.http.send(request, &[token.expose()]).await?;
        let wait = admission.heard(reply.status, reply.told);
        reply.success().map_err(|mut failure| {
            failure.wait = wait.or(failure.wait);
            tracing::debug!(status = failure.status, message = failure.message, "Procore refused a call");
            failure.into_error()
        })
    }
}

/// A request to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    /// A path of the API, or a whole URL on the API's host (the next page of a list).
    target: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    company: CompanyId,
    idempotency: Option<String>,
}

impl Call {
    pub(crate) fn new(method: Method, company: CompanyId, path: impl Into<String>) -> Self {
        Self { method, target: path.into(), query: Vec::new(), body: None, company, idempotency: None }
    }

    pub(crate) fn get(company: CompanyId, path: impl Into<String>) -> Self {
        Self::new(Method::GET, company, path)
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn idempotency(mut self, key: &str) -> Self {
        self.idempotency = Some(key.to_owned());
        self
    }

    /// The same call for the page that a `Link` header names.
    pub(crate) fn follow(&self, link: String) -> Self {
        Self { target: link, query: Vec::new(), ..self.clone() }
    }

    fn url(&self, api: &Url) -> Result<Url, Error> {
        let refused = |why: &str| Error::Refused { reason: format!("'{}' {why}", self.target) };
        let mut url = if self.target.starts_with('/') {
            let (path, query) = self.target.split_once('?').unzip();
            let mut url = api.clone();
            url.set_path(&format!("{}{}", api.path().trim_end_matches('/'), path.unwrap_or(&self.target)));
            url.set_query(query);
            url
        } else {
            Url::parse(&self.target).map_err(|_| refused("is no URL"))?
        };
        if url.origin() != api.origin() {
            return Err(refused("leads away from the API's host"));
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}
