//! The client: who may be called, with which headers, and how an answer becomes a value or an error.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use url::Url;

use crate::domain::ids::{CompanyId, ProjectKey};
use crate::procore::auth::{Authority, Lifetimes, Token};
use crate::procore::call::Call;
use crate::procore::config::{Config, Endpoints};
use crate::procore::download::Downloader;
use crate::procore::error::Error;
use crate::procore::hooks::HookScope;
use crate::procore::limiter::{Class, Limiter};
use crate::procore::route::Route;
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
    /// What Procore's clock showed in its last answer, and when that came.
    told_time: Mutex<Option<(Timestamp, Instant)>>,
    route: Route,
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
        let secret = config.read_client_secret(credentials)?;
        let endpoints = config.endpoints()?;
        let route = Route::new(config, &endpoints, credentials)?;
        Self::with_secret(config, secret, endpoints, route)
    }

    fn with_secret(
        config: &Config,
        secret: SecretString,
        endpoints: Endpoints,
        route: Route,
    ) -> Result<Self, Error> {
        let lifetimes = Lifetimes {
            margin: Duration::from_secs(config.token_margin_s),
            assumed: Duration::from_secs(config.token_life_s),
        };
        let shared = Shared {
            http: Http::new(config, &endpoints, &route)?,
            downloader: Downloader::new(config, &endpoints, &route)?,
            authority: Authority::new(&endpoints.login, &config.client_id, secret, lifetimes),
            limiter: Limiter::new(config.limiter.clone()),
            told_time: Mutex::default(),
            api: endpoints.api,
            route,
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

    /// What Procore's clock shows, as far as its answers have told. After the machine was suspended it is behind until
    /// the next answer.
    pub fn now(&self) -> Option<Timestamp> {
        let told = *self.shared.told_time.lock().unwrap_or_else(PoisonError::into_inner);
        told.and_then(|(at, came)| at.checked_add(came.elapsed()).ok())
    }

    /// How Procore is reached from here, in words without any secret.
    pub fn route(&self) -> String {
        self.shared.route.describe()
    }

    pub(crate) fn http(&self) -> &Http {
        &self.shared.http
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

    /// Refuses what [`Client::permit`] and [`Client::permit_company`] refuse.
    pub(crate) fn permit_scope(&self, scope: HookScope) -> Result<(), Error> {
        match scope {
            HookScope::Project(project) => self.permit(project),
            HookScope::Company(company) => self.permit_company(company),
        }
    }

    /// The token for a request that this client does not send itself.
    pub(crate) async fn token(&self) -> Result<Token, Error> {
        self.shared.authority.token(&self.shared.http).await
    }

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

    /// Sends `call` once, for whom `token` speaks.
    pub(crate) async fn attempt(&self, call: &Call, token: &Token) -> Result<Answer, Error> {
        let shared = &self.shared;
        let url = call.url(&shared.api)?;
        let admission = shared.limiter.admit(call.company, self.class).await?;
        let mut request = shared
            .http
            .request(call.method.clone(), url)
            .bearer_auth(token.expose())
            .header("Accept", "application/json");
        if call.names_company {
            request = request.header(COMPANY_HEADER, call.company.value());
        }
        if let Some(key) = &call.idempotency {
            request = request.header(IDEMPOTENCY_HEADER, key);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let reply = shared.http.send(request, &[token.expose()]).await?;
        let wait = admission.heard(reply.status, reply.told);
        let answer = reply.success().map_err(|mut failure| {
            failure.wait = wait.or(failure.wait);
            tracing::debug!(status = failure.status, message = failure.message, "Procore refused a call");
            failure.into_error()
        })?;
        if let Some(at) = answer.date {
            let told = &mut *shared.told_time.lock().unwrap_or_else(PoisonError::into_inner);
            *told = Some((at, Instant::now()));
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::domain::ids::{ImageId, ProjectId};
    use crate::procore::stub::{PROJECT, Reply, SECRET, Stub};

    const IMAGE: &str = r#"{"id": 5}"#;

    async fn ask(client: &Client) -> Result<ImageId, Error> {
        client.image(PROJECT, ImageId::new(5)).await.map(|image| image.id)
    }

    #[tokio::test]
    async fn every_call_carries_token_and_company() {
        let stub = Stub::api(|_| Reply::ok(IMAGE)).await;
        ask(&stub.client()).await.expect("answered");
        let [call] = &stub.calls()[..] else { panic!("one call") };
        assert_eq!(call.call(), "GET /rest/v1.0/images/5");
        assert_eq!(call.asked("project_id"), ["6778"]);
        assert_eq!(call.header("authorization"), Some("Bearer token-1"));
        assert_eq!(call.header("procore-company-id"), Some("8"));
        assert!(call.header("user-agent").is_some_and(|agent| agent.starts_with("punchlens/")));
    }

    #[tokio::test]
    async fn concurrent_calls_share_one_token() {
        let stub = Stub::api(|_| Reply::ok(IMAGE)).await;
        let client = stub.client();
        let outcomes = join_all((0..8).map(|_| ask(&client))).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!((stub.tokens(), stub.calls().len()), (1, 8));
    }

    #[tokio::test]
    async fn a_dead_token_is_replaced_once() {
        let stub = Stub::api(|seen| match seen.header("authorization") {
            Some("Bearer token-1") => Reply::json(401, r#"{"errors": "The access token is invalid"}"#),
            _ => Reply::ok(IMAGE),
        })
        .await;
        let client = stub.client();
        ask(&client).await.expect("answered with the second token");
        ask(&client).await.expect("answered");
        assert_eq!((stub.tokens(), stub.calls().len()), (2, 3));
    }

    #[tokio::test]
    async fn a_second_refusal_is_for_a_person() {
        let stub = Stub::api(|_| Reply::json(401, "{}")).await;
        assert!(matches!(ask(&stub.client()).await, Err(Error::Credentials { .. })));
        assert_eq!((stub.tokens(), stub.calls().len()), (2, 2));
    }

    #[tokio::test]
    async fn expired_tokens_are_not_used() {
        let stub = Stub::bare(|seen| match seen.path.as_str() {
            "/oauth/token" => Reply::ok(r#"{"access_token": "t", "expires_in": 0}"#),
            _ => Reply::ok(IMAGE),
        })
        .await;
        let client = stub.client();
        ask(&client).await.expect("answered");
        ask(&client).await.expect("answered");
        assert_eq!(stub.tokens(), 2);
    }

    #[tokio::test]
    async fn refused_credentials_never_show_the_secret() {
        let body = format!(r#"{{"error": "invalid_client", "error_description": "bad secret {SECRET}"}}"#);
        let stub = Stub::bare(move |_| Reply::json(401, &body)).await;
        let client = stub.client();
        let error = ask(&client).await.expect_err("refused");
        assert!(matches!(error, Error::Credentials { .. }), "{error:?}");
        let shown = format!("{error} {error:?} {client:?}");
        assert!(!shown.contains(SECRET) && shown.contains("[redacted]"), "{shown}");
    }

    #[tokio::test]
    async fn every_refusal_has_its_error() {
        let check = async |reply: Reply, expected: fn(&Error) -> bool| {
            let stub = Stub::api(move |_| reply.clone()).await;
            let error = ask(&stub.client()).await.expect_err("refused");
            assert!(expected(&error), "{error:?}");
            assert!(!error.to_string().contains("token-1"), "{error}");
        };
        let long = Some(Duration::from_secs(30));
        let wait = |error: &Error| match error {
            Error::RateLimited { retry_after, .. } | Error::Unavailable { retry_after, .. } => *retry_after,
            _ => panic!("{error:?}"),
        };
        check(Reply::json(403, "{}"), |error| matches!(error, Error::Forbidden { .. })).await;
        check(Reply::json(404, "{}"), |error| matches!(error, Error::NotFound { .. })).await;
        check(Reply::json(422, "{}"), |error| matches!(error, Error::Rejected { status: 422, .. })).await;
        check(Reply::redirect("https://elsewhere.example"), |error| {
            matches!(error, Error::Intercepted { status: 302, message } if message.contains("elsewhere.example"))
        })
        .await;
        let limited = async |reply: Reply, expected: Option<Duration>| {
            let stub = Stub::api(move |_| reply.clone()).await;
            assert_eq!(wait(&ask(&stub.client()).await.expect_err("refused")), expected);
        };
        limited(Reply::json(429, "slow down"), Some(Duration::from_secs(10))).await;
        limited(Reply::json(429, "slow down").with("Retry-After", 30), long).await;
        limited(Reply::json(503, "").with("Retry-After", 30), long).await;
        limited(Reply::json(503, "").with("X-Rate-Limit-Reset", 9_999_999_999_i64), None).await;
        limited(Reply::json(500, ""), None).await;
    }

    #[tokio::test]
    async fn messages_say_what_failed_and_where() {
        let page = include_str!("../../fixtures/procore/errors/edge.html");
        let stub = Stub::api(|_| Reply::json(502, page).with("X-Request-Id", "req-77")).await;
        let message = ask(&stub.client()).await.expect_err("refused").to_string();
        for part in ["502", "503 Service Unavailable", "GET /rest/v1.0/images/5", "req-77"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[tokio::test]
    async fn unreadable_answers_say_where() {
        for (body, place) in [(r#"{"id": null}"#, "id"), ("[]", "."), ("7", ".")] {
            let stub = Stub::api(|_| Reply::ok(body)).await;
            let error = ask(&stub.client()).await.expect_err("unreadable");
            assert!(matches!(&error, Error::Unreadable { path, .. } if path == place), "{body} {error:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_json_is_not_procores_word() {
        let page = include_str!("../../fixtures/procore/errors/edge.html");
        for body in [page, "", "blocked", r#"{"id": 1} x"#, r#"{"id": 1"#] {
            let stub = Stub::api(move |_| Reply::ok(body)).await;
            let error = ask(&stub.client()).await.expect_err("no answer");
            assert!(matches!(error, Error::Intercepted { status: 200, .. }), "{body} {error:?}");
        }
        for status in [400, 401, 403, 404, 407, 410, 422, 451, 511] {
            let stub = Stub::api(move |_| Reply::json(status, page).with("Retry-After", 3000)).await;
            let client = stub.client();
            let error = ask(&client).await.expect_err("no answer");
            assert!(matches!(error, Error::Intercepted { .. }), "{status} {error:?}");
            assert_eq!(stub.tokens(), 1, "the token is not the matter");
        }
    }

    #[tokio::test]
    async fn silence_and_nobody_there_are_told_apart() {
        let stub = Stub::api(|_| Reply::Silence).await;
        let error = ask(&stub.client()).await.expect_err("silent");
        assert!(matches!(error, Error::Transport { sent: true, .. }), "{error:?}");
        let mut config = stub.config();
        drop(stub);
        // Port 1 of loopback is nobody's.
        config.login_url = "http://127.0.0.1:1".into();
        let client = Client::new(&config, None).expect("complete");
        let error = ask(&client).await.expect_err("nobody");
        assert!(matches!(error, Error::Transport { sent: false, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        let stub = Stub::api(|_| Reply::ok(&format!("[{}]", "1,".repeat(5000)))).await;
        let config = Config { max_answer_bytes: 4096, ..stub.config() };
        let client = Client::new(&config, None).expect("complete");
        assert!(matches!(ask(&client).await, Err(Error::TooLarge { .. })));
    }

    #[tokio::test]
    async fn strangers_are_refused_before_anything_is_sent() {
        let stub = Stub::api(|_| Reply::ok(IMAGE)).await;
        let stranger = ProjectKey { project: ProjectId::new(1), ..PROJECT };
        let client = stub.client();
        assert!(matches!(client.image(stranger, ImageId::new(5)).await, Err(Error::Refused { .. })));
        assert!(matches!(client.trades(CompanyId::new(9)).await, Err(Error::Refused { .. })));
        assert_eq!((stub.tokens(), stub.calls().len()), (0, 0));
    }

    #[test]
    fn an_incomplete_config_says_what_is_missing() {
        let missing = |change: fn(&mut Config)| {
            let (mut config, _) = crate::procore::config::tests::defaults();
            config.client_id = "client".into();
            config.client_secret = SECRET.into();
            change(&mut config);
            Client::new(&config, None).expect_err("incomplete").to_string()
        };
        assert!(missing(|config| config.client_id.clear()).contains("procore.client_id"));
        assert!(missing(|config| config.client_secret = "".into()).contains("procore.client_secret_file"));
        assert!(
            missing(|config| config.environment = crate::procore::config::Environment::Custom)
                .contains("procore.api_url")
        );
    }
}
