//! A scripted HTTP server for the tests of this module: plain, on loopback, one request a connection.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::domain::delivery::ProjectMode;
use crate::domain::ids::{CompanyId, ProjectId, ProjectKey};
use crate::procore::client::Client;
use crate::procore::config::{Config, Environment, PermittedProject, tests::defaults};

/// The one project that the tests' client may call.
pub(crate) const PROJECT: ProjectKey =
    ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };

/// The client secret of the tests.
pub(crate) const SECRET: &str = "hush-client-secret";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// `GET /path`, for scripts and comparisons.
    pub(crate) fn call(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// All values of a query parameter.
    pub(crate) fn asked(&self, name: &str) -> Vec<&str> {
        self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// It hangs up without a word.
    HangUp,
    /// It says nothing and keeps the line open.
    Silence,
    /// It sends these bytes as they are and then keeps the line open.
    Raw(Vec<u8>),
}

impl Reply {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::Answer { status, headers: vec![("Content-Type", "application/json".into())], body: body.into() }
    }

    pub(crate) fn ok(body: &str) -> Self {
        Self::json(200, body)
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::json(302, "").with("Location", to)
    }

    pub(crate) fn with(self, name: &'static str, value: impl Display) -> Self {
        match self {
            Self::Answer { status, mut headers, body } => {
                headers.push((name, value.to_string()));
                Self::Answer { status, headers, body }
            }
            other => other,
        }
    }
}

/// The server; it ends with this value.
#[derive(Debug)]
pub(crate) struct Stub {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    /// Answers everything with `script`.
    pub(crate) async fn bare(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (seen, script) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::new(script));
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                connections.spawn(async move { serve(stream, &*script, &log).await });
            }
        });
        Self { url, seen, task }
    }

    /// Grants the tokens `token-1`, `token-2`, … and answers everything else with `script`.
    pub(crate) async fn api(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let granted = AtomicUsize::new(0);
        Self::bare(move |seen| {
            if seen.path != "/oauth/token" {
                return script(seen);
            }
            let number = granted.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::ok(&format!(r#"{{"access_token": "token-{number}", "expires_in": 5400}}"#))
        })
        .await
    }

    /// Every request so far but those for tokens.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|seen| seen.path != "/oauth/token").cloned().collect()
    }

    /// How many tokens were asked for.
    pub(crate) fn tokens(&self) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|seen| seen.path == "/oauth/token").count()
    }

    /// A config that leads here, with limits short enough for tests.
    pub(crate) fn config(&self) -> Config {
        let (mut config, _) = defaults();
        config.environment = Environment::Custom;
        config.api_url = self.url.clone();
        config.login_url = self.url.clone();
        config.client_id = "client".into();
        config.client_secret = SECRET.into();
        config.allow_loopback = true;
        config.first_byte_ms = 150;
        config.total_ms = 250;
        config.download.first_byte_ms = 150;
        config.download.total_ms = 250;
        config.limiter.per_10_s = 1000;
        config.limiter.per_hour = 1000;
        config.limiter.max_wait_ms = 0;
        config.projects = vec![PermittedProject {
            company: PROJECT.company,
            project: PROJECT.project,
            mode: ProjectMode::Draft,
        }];
        config
    }

    /// A client for it.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.config(), None).expect("the config is complete")
    }
}

async fn serve(mut stream: TcpStream, script: &(impl Fn(&Seen) -> Reply + Sync), log: &Mutex<Vec<Seen>>) {
    let Some(seen) = read(&mut stream).await else { return };
    log.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
    match script(&seen) {
        Reply::HangUp => {}
        Reply::Silence => std::future::pending::<()>().await,
        Reply::Raw(bytes) => {
            // The client may hang up first; that is what some tests are about.
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Reply::Answer { status, headers, body } => {
            let mut head =
                format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in headers {
                head = format!("{head}{name}: {value}\r\n");
            }
            let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
            let _ = stream.write_all(&body).await;
            let _ = stream.shutdown().await;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let split = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |line: &str| {
        line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: HashMap<String, String> = lines.filter_map(header).collect();
    let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < split + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let body = serde_json::from_slice(&bytes[split + 4..]).unwrap_or(Value::Null);
    Some(Seen { method, path: path.to_owned(), query, headers, body })
}
