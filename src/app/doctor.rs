//! Is everything there that the service needs, and how to mend what is not: one line for each thing.

mod fields;
mod lists;
mod machine;
mod managers;
mod remote;

use std::path::Path;

use jiff::Timestamp;

use crate::config::Config;
use crate::procore::webhook::WebhookSecrets;
use crate::procore::{self, Client};
use crate::store::{self, Store};

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// It works; this should be known.
    Note,
    /// It does not work.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckLine {
    /// What it is, e.g. `credentials`.
    pub name: &'static str,
    pub verdict: CheckStatus,
    /// The same in words.
    pub detail: String,
    /// What to do about it; empty when nothing is.
    pub mend: String,
}

impl CheckLine {
    /// As it should be.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: CheckStatus::Ok, detail: detail.into(), mend: String::new() }
    }

    /// It works, and this should be known.
    pub fn note(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, verdict: CheckStatus::Note, detail: detail.into(), mend: mend.into() }
    }

    /// It does not work.
    pub fn wrong(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, verdict: CheckStatus::Wrong, detail: detail.into(), mend: mend.into() }
    }
}

/// What the lines are about, opened once for all of them; or why it cannot be.
pub struct DoctorContext {
    pub store: Result<Store, store::Error>,
    pub client: Result<Client, procore::Error>,
}

impl DoctorContext {
    /// Opens both. `credentials` is what `$CREDENTIALS_DIRECTORY` names.
    pub async fn open(config: &Config, credentials: Option<&Path>) -> Self {
        Self {
            store: Store::open(&config.store, Timestamp::now()).await,
            client: Client::new(&config.procore, credentials),
        }
    }

    /// Closes the database.
    pub async fn close(self) {
        if let Ok(store) = self.store {
            store.close().await;
        }
    }
}

/// Looks at everything but the model. `credentials` is what `$CREDENTIALS_DIRECTORY` names.
pub async fn examine(config: &Config, credentials: Option<&Path>, opened: &DoctorContext) -> Vec<CheckLine> {
    let mut lines = vec![machine::disk(&config.store)];
    lines.extend(machine::database(opened.store.as_ref()).await);
    lines.push(projects(config));
    lines.push(secret(config, credentials));
    match &opened.client {
        Ok(client) => {
            let carried = WebhookSecrets::read(&config.webhook, credentials).ok();
            let carried = carried.as_ref().and_then(WebhookSecrets::current);
            let remote = remote::examine(config, client, carried).await;
            // Without even the simplest call there is nothing to be said of people.
            let reached = remote.iter().any(|line| line.name == "credentials" && line.verdict == CheckStatus::Ok);
            lines.extend(remote);
            if reached {
                lines.extend(managers::examine(config, client, opened.store.as_ref().ok()).await);
                lines.extend(fields::examine(config, client).await);
            }
        }
        Err(error) => lines.push(CheckLine::wrong(
            "credentials",
            error.to_string(),
            "make an app with a service account in Procore's developer portal and copy its client id and secret",
        )),
    }
    lines
}

fn projects(config: &Config) -> CheckLine {
    let projects = &config.procore.projects;
    if projects.is_empty() {
        return CheckLine::wrong(
            "projects",
            "none is permitted, so there is nothing to do",
            "add one under [[procore.projects]] with company, project and mode",
        );
    }
    let list = projects.iter().map(|project| format!("{} ({:?})", project.key(), project.mode));
    CheckLine::ok("projects", list.collect::<Vec<_>>().join(", "))
}

fn secret(config: &Config, credentials: Option<&Path>) -> CheckLine {
    const NAME: &str = "webhook secret";
    let polling = config.webhook.public_url.is_empty();
    match WebhookSecrets::read(&config.webhook, credentials) {
        Err(error) => CheckLine::wrong(NAME, error.to_string(), "name a file that this user may read"),
        Ok(secrets) => match (secrets.current(), secrets.previous()) {
            (Some(_), Some(_)) => CheckLine::note(
                NAME,
                "a rotation is under way: the value before is accepted, too",
                "end it after 12 hours: punchlens hooks rotate --retire",
            ),
            (Some(_), None) => CheckLine::ok(NAME, "set"),
            (None, _) if polling => CheckLine::ok(NAME, "not needed without webhooks"),
            (None, _) => CheckLine::wrong(
                NAME,
                "not set: nothing would tell a delivery from a forgery",
                "put \"Bearer \" and 32 random bytes into the file that webhook.authorization_file names",
            ),
        },
    }
}
