//! `punchlens doctor`: is everything there that the service needs, and how to mend what is not.

mod people;

use std::process::ExitCode;
use std::time::Instant;

use jiff::Timestamp;

use super::Settings;
use crate::app::{self, rules};
use crate::config::Config;
use crate::domain::picture::Picture;
use crate::inference::{self, package};
use crate::pipeline::reference;
use crate::procore::Client;
use crate::procore::webhook::WebhookSecrets;
use crate::store::Store;

type Line = Result<String, String>;

pub(super) async fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    let config = settings.config;
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(std::path::PathBuf::from);
    let client = Client::new(&config.procore, credentials.as_deref()).map_err(|error| error.to_string());
    let model = {
        let inference = config.inference.clone();
        tokio::task::spawn_blocking(move || self_test(&inference)).await?
    };
    let checks: [(&str, Line); 8] = [
        ("model", model),
        ("database", database(&config).await),
        ("projects", projects(&config)),
        (
            "credentials",
            match &client {
                Ok(client) => app::whoami(client)
                    .await
                    .map(|name| format!("Procore knows this service as {name}"))
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error.clone()),
            },
        ),
        (
            "hooks",
            match &client {
                Ok(client) => hooks(&config, client).await,
                Err(_) => Err("not checked: the credentials come first".to_owned()),
            },
        ),
        ("webhook secret", secret(&config, credentials.as_deref())),
        ("sign-in", people::sign_in(&config).await),
        ("privacy", people::privacy(&config)),
    ];
    let notes = match &client {
        Ok(client) => tagging(&config, client).await,
        Err(_) => Ok(Vec::new()),
    };
    let mut wrong = 0;
    for (name, line) in &checks {
        match line {
            Ok(detail) => println!("ok     {name}: {detail}"),
            Err(detail) => {
                wrong += 1;
                println!("WRONG  {name}: {detail}");
            }
        }
    }
    match notes {
        Ok(notes) if notes.is_empty() => {
            println!("ok     tagging: every rule finds its counterpart in Procore");
        }
        Ok(notes) => notes.iter().for_each(|note| println!("note   tagging: {note}")),
        Err(error) => {
            wrong += 1;
            println!("WRONG  tagging: {error:#}");
        }
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Loads the model and times one look: what is asked for is worth nothing until it has worked.
fn self_test(config: &inference::Config) -> Line {
    let detector = inference::load(config).map_err(|error| error.to_string())?;
    let side = detector.long_side();
    let grey = Picture::grey(side);
    let started = Instant::now();
    detector.detect(&grey).map_err(|error| error.to_string())?;
    let (model, took) = (detector.model(), started.elapsed().as_millis());
    let provider = &model.provider;
    Ok(format!(
        "{} ({}), one look in {took} ms on {} (asked for {}: {}), runtime {}; {}",
        model.label(),
        model.precision.name(),
        provider.got.name(),
        provider.asked.name(),
        provider.why,
        model.runtime,
        model.licence.statement,
    ))
}

/// What of each project's rules and site file finds no counterpart in Procore. Drafts are made all the same, without
/// what is missing.
async fn tagging(config: &Config, client: &Client) -> anyhow::Result<Vec<String>> {
    let rules = rules::load(&config.tagging, &config.procore.permitted())?;
    let model = package::open(&config.inference)?;
    let classes: Vec<&str> = model.manifest.classes.iter().map(|class| class.name.as_str()).collect();
    let mut notes = Vec::new();
    for (project, rules) in &rules {
        let reference = reference::fresh(client, *project).await?;
        let missing = rules.tagging.missing_classes(&classes);
        anyhow::ensure!(missing.is_empty(), "no rule of project {project} covers {}", missing.join(", "));
        let gaps = rules.tagging.gaps(&classes, &reference.catalogue);
        notes.extend(gaps.into_iter().map(|gap| format!("project {project}: {gap}")));
        let site = rules.site.as_ref().map(|site| site.check(&reference.locations).len());
        if let Some(faults) = site.filter(|faults| *faults > 0) {
            notes.push(format!("project {project}: {faults} areas of the site file are to be mended: see punchlens site check"));
        }
    }
    Ok(notes)
}

async fn database(config: &Config) -> Line {
    let file = config.store.file().map_err(|error| error.to_string())?;
    let store = Store::open(&config.store, Timestamp::now()).await.map_err(|error| error.to_string())?;
    let answer = store.ping().await.map_err(|error| error.to_string());
    let audit = store.verify_audit().await.map_err(|error| error.to_string());
    store.close().await;
    answer?;
    let audit = audit?;
    match audit.broken {
        None => Ok(format!("{} writes; {} audit rows in an unbroken chain", file.display(), audit.rows)),
        Some(at) => Err(format!("{}: the audit chain is broken at {at:?}", file.display())),
    }
}

fn projects(config: &Config) -> Line {
    let projects = &config.procore.projects;
    if projects.is_empty() {
        return Err("none is permitted: add one under [[procore.projects]]".to_owned());
    }
    let list = projects.iter().map(|project| format!("{} ({:?})", project.key(), project.mode));
    Ok(list.collect::<Vec<_>>().join(", "))
}

async fn hooks(config: &Config, client: &Client) -> Line {
    let wanted = &config.webhook.public_url;
    if wanted.is_empty() {
        return Ok(format!(
            "none: webhook.public_url is empty, so photos are found by sweeping every {} s",
            config.pipeline.sweep_every_s
        ));
    }
    for project in config.procore.permitted() {
        let hooks =
            client.hooks(project, &config.webhook.namespace).await.map_err(|error| error.to_string())?;
        if !hooks.iter().any(|hook| &hook.destination_url == wanted && !hook.disabled) {
            return Err(format!("project {project} has no hook to {wanted}: run punchlens hooks sync"));
        }
    }
    Ok(format!("every permitted project delivers to {wanted}"))
}

fn secret(config: &Config, credentials: Option<&std::path::Path>) -> Line {
    let secrets = WebhookSecrets::read(&config.webhook, credentials).map_err(|error| error.to_string())?;
    match secrets.current() {
        Some(_) => Ok("set".to_owned()),
        None if config.webhook.public_url.is_empty() => Ok("not needed without webhooks".to_owned()),
        None => Err("not set: put \"Bearer \" and 32 random bytes into the file that \
                     webhook.authorization_file names"
            .to_owned()),
    }
}
