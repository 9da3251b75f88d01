//! The webhooks in Procore of everything that is permitted: made, listed, rotated, removed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::ids::{CompanyId, ProjectKey};
use crate::procore::hooks::{Hook, HookScope, HookSpec, HookSync};
use crate::procore::webhook::{WebhookSecrets, previous_file};
use crate::procore::{Client, Error, WebhookConfig};

/// Random bytes in a new authorization value.
const VALUE_BYTES: usize = 32;

/// What became of one scope's hook.
#[derive(Debug)]
pub struct Outcome {
    /// Of what the hook tells.
    pub scope: HookScope,
    /// How it now is. A company's hook only saves asking for trades now and then.
    pub synced: Result<HookSync, Error>,
}

impl Outcome {
    /// Why a project has no hook, if so.
    pub fn failure(&self) -> Option<(ProjectKey, String)> {
        match (self.scope, &self.synced) {
            (HookScope::Project(project), Err(error)) => Some((project, why(self.scope, error))),
            _ => None,
        }
    }
}

/// Why something about the hooks of `scope` failed; where a permission is lacking, which.
pub fn why(scope: HookScope, error: &Error) -> String {
    let place = match scope {
        HookScope::Project(project) => format!("project {project}"),
        HookScope::Company(_) => scope.to_string(),
    };
    match error {
        Error::Forbidden { message } => format!(
            "Procore forbids it: {message}; give the service account the permission Webhooks API Standard (or \
             Admin) in {place}, and check that the app is installed there"
        ),
        error => error.to_string(),
    }
}

/// Makes or mends the hook of each of `projects`, and of a company where its projects do not hear of trades. What
/// fails in one project keeps no other from its hook.
///
/// # Errors
/// When there is no public address.
pub async fn sync(
    client: &Client,
    webhook: &WebhookConfig,
    authorization: &SecretString,
    projects: &[ProjectKey],
) -> anyhow::Result<Vec<Outcome>> {
    let destination_url = &webhook.public_url;
    ensure!(!destination_url.is_empty(), "webhook.public_url is empty: Procore cannot reach this box");
    let wanted = HookSpec { namespace: &webhook.namespace, destination_url, authorization };
    let mut outcomes = Vec::new();
    let mut without_trades = BTreeSet::new();
    for project in projects {
        let scope = HookScope::Project(*project);
        let synced = client.sync_hook(scope, wanted).await;
        if synced.as_ref().is_ok_and(HookSync::lacks_trades) {
            without_trades.insert(project.company);
        }
        outcomes.push(Outcome { scope, synced });
    }
    for company in without_trades {
        let scope = HookScope::Company(company);
        outcomes.push(Outcome { scope, synced: client.sync_hook(scope, wanted).await });
    }
    Ok(outcomes)
}

/// This service's hooks. Companies whose hooks may not be read are left out: they need none.
///
/// # Errors
/// When the hooks of a project cannot be had; the message names the project and what it lacks.
pub async fn list(client: &Client, namespace: &str) -> anyhow::Result<Vec<(HookScope, Hook)>> {
    let mut found = Vec::new();
    for scope in scopes(client) {
        match client.hooks(scope, namespace).await {
            Ok(hooks) => found.extend(hooks.into_iter().map(|hook| (scope, hook))),
            Err(error) if matches!(scope, HookScope::Company(_)) => {
                tracing::debug!(%scope, %error, "no hooks of the company");
            }
            Err(error) => bail!("{scope}: {}", why(scope, &error)),
        }
    }
    Ok(found)
}

fn scopes(client: &Client) -> Vec<HookScope> {
    let projects = client.config().permitted();
    let companies: BTreeSet<CompanyId> = projects.iter().map(|project| project.company).collect();
    let projects = projects.into_iter().map(HookScope::Project);
    projects.chain(companies.into_iter().map(HookScope::Company)).collect()
}

/// Removes this service's hooks and returns them.
///
/// # Errors
/// When Procore refuses.
pub async fn remove(client: &Client, namespace: &str) -> anyhow::Result<Vec<(HookScope, Hook)>> {
    let hooks = list(client, namespace).await?;
    for (scope, hook) in &hooks {
        client
            .remove_hook(*scope, hook)
            .await
            .map_err(|error| anyhow!("{scope}: {}", why(*scope, &error)))?;
    }
    Ok(hooks)
}

/// What a rotation did.
#[derive(Debug)]
pub struct Rotated {
    /// The file with the new value; `None` where the value is not in a file of its own.
    pub file: Option<PathBuf>,
    /// Whether an unfinished rotation was carried on instead of beginning another.
    pub resumed: bool,
    /// The hooks that now carry the new value.
    pub hooks: Vec<(HookScope, Hook)>,
}

/// Gives every hook a new authorization value. Both values are accepted from before the first hook is changed
/// until [`retire`].
///
/// # Errors
/// When the secrets cannot be written, or a hook cannot be changed: run it again then, it carries on.
pub async fn rotate(
    client: &Client,
    webhook: &WebhookConfig,
    credentials: Option<&Path>,
) -> anyhow::Result<Rotated> {
    let secrets = WebhookSecrets::read(webhook, credentials)?;
    let old = secrets.current().context("there is no webhook.authorization to be rotated")?;
    let in_file = webhook.authorization.expose_secret().is_empty() && !webhook.authorization_file.is_empty();
    let resumed = secrets.previous().is_some();
    match (resumed, in_file) {
        (true, _) => {}
        (false, true) => renew(webhook, old)?,
        (false, false) => bail!(
            "the authorization value is not in a file of its own: put the present one into \
             webhook.previous_authorization, a new one into webhook.authorization, restart the service, \
             then run this again"
        ),
    }
    let secrets = WebhookSecrets::read(webhook, credentials)?;
    let new = secrets.current().context("the new value cannot be read")?;
    let mut hooks = Vec::new();
    for (scope, hook) in list(client, &webhook.namespace).await? {
        let changed = client.rotate_hook(scope, &hook, new).await;
        let changed = changed.map_err(|error| anyhow!("{scope}: {}", why(scope, &error)))?;
        ensure!(
            changed.carries(new),
            "{scope}: hook {} does not show the new value: run this again",
            hook.id
        );
        hooks.push((scope, changed));
    }
    let file = in_file.then(|| PathBuf::from(&webhook.authorization_file));
    Ok(Rotated { file, resumed, hooks })
}

/// Ends a rotation: the value before is no longer accepted.
///
/// # Errors
/// When there is none, or a hook still carries another value than the present one.
pub async fn retire(
    client: &Client,
    webhook: &WebhookConfig,
    credentials: Option<&Path>,
) -> anyhow::Result<()> {
    let secrets = WebhookSecrets::read(webhook, credentials)?;
    ensure!(secrets.previous().is_some(), "no rotation is under way");
    let current = secrets.current().context("there is no webhook.authorization")?;
    for (scope, hook) in list(client, &webhook.namespace).await? {
        ensure!(
            hook.carries(current),
            "{scope}: hook {} still carries another value: run punchlens hooks rotate first",
            hook.id
        );
    }
    match previous_file(webhook).filter(|file| file.exists()) {
        Some(file) => fs::remove_file(&file).with_context(|| format!("removing {}", file.display())),
        None => bail!("empty webhook.previous_authorization and restart the service"),
    }
}

/// Writes a new value into the file, and the old one beside it first: whatever happens in between, the value that
/// hooks carry is accepted.
fn renew(webhook: &WebhookConfig, old: &SecretString) -> anyhow::Result<()> {
    let previous = previous_file(webhook).context("webhook.authorization_file is not set")?;
    let value = format!("Bearer {}", BASE64URL_NOPAD.encode(&rand::random::<[u8; VALUE_BYTES]>()));
    write_secret(&previous, old.expose_secret())?;
    write_secret(Path::new(&webhook.authorization_file), &value)
}

/// Replaces a file in one step, readable by its owner alone.
fn write_secret(path: &Path, value: &str) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let write = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(value.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("the secret file {} cannot be replaced", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_value_leaves_the_old_one_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("authorization");
        fs::write(&file, "Bearer old\n").expect("written");
        let webhook = WebhookConfig {
            authorization_file: file.display().to_string(),
            ..toml::from_str::<toml::Table>(crate::procore::config::DEFAULT)
                .expect("TOML")
                .remove("webhook")
                .expect("a section")
                .try_into()
                .expect("complete")
        };
        let read = || WebhookSecrets::read(&webhook, None).expect("readable");
        renew(&webhook, read().current().expect("there")).expect("renewed");
        let secrets = read();
        assert_eq!(
            secrets.previous().map(|value| value.expose_secret().to_owned()),
            Some("Bearer old".into())
        );
        let new = secrets.current().expect("there").expose_secret().to_owned();
        assert!(new.starts_with("Bearer ") && new.len() > 45, "{} characters", new.len());
        assert!(secrets.authorized(Some(b"Bearer old")) && secrets.authorized(Some(new.as_bytes())));
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("a file").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["authorization", "authorization.previous"]);
    }
}
