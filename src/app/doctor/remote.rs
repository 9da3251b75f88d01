//! Procore: credentials, clock, permissions, hooks.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use super::{CheckLine, lists};
use crate::config::Config;
use crate::domain::delivery::ProjectMode;
use crate::domain::ids::ProjectKey;
use crate::procore::hooks::{DeliveryStatus, Hook};
use crate::procore::project_data::ToolPermission;
use crate::procore::{Client, Error};

/// A clock that is off by more makes evidence doubtful, and by still more hides drafts from look-ups.
const CLOCK_OFF_MAX: Duration = Duration::from_mins(1);

pub(super) async fn examine(
    config: &Config,
    client: &Client,
    secret: Option<&SecretString>,
) -> Vec<CheckLine> {
    let permitted = client.config().permitted();
    let Some(first) = permitted.first() else { return Vec::new() };
    let route = client.route();
    let (time, name) = match client.clock(first.company).await {
        Ok((time, me)) => (time, me.name.unwrap_or_else(|| me.id.to_string())),
        Err(error) => return vec![unreached(&error, &route)],
    };
    let mut lines = vec![
        CheckLine::ok("network", format!("Procore is reached {route}")),
        CheckLine::ok("credentials", format!("Procore knows this service as {name}")),
        clock(time, Timestamp::now()),
    ];
    for project in &permitted {
        lines.push(permissions(client, *project).await);
        lines.extend(lists::examine(client, *project).await);
    }
    lines.extend(hooks(config, client, &permitted, secret).await);
    lines
}

/// Why not even the simplest call works. `route` says how Procore was called.
fn unreached(error: &Error, route: &str) -> CheckLine {
    let mend = match error {
        Error::Transport { message, .. } => {
            let detail = format!("{error}; Procore is called {route}");
            return CheckLine::wrong("network", detail, network_cure(message));
        }
        Error::Credentials { .. } | Error::Unauthorized { .. } => {
            "copy client id and secret afresh from the app's page in the developer portal; sandbox and production \
             have different ones"
        }
        Error::Forbidden { .. } => "install the app in the company, and pick its permitted projects",
        Error::Intercepted { .. } => {
            "sign in to this network or ask who runs its filter to let Procore's hosts through"
        }
        Error::RateLimited { .. } | Error::Unavailable { .. } => "try again in a while",
        _ => "check procore.environment, procore.api_url and procore.login_url",
    };
    let name = if matches!(error, Error::Intercepted { .. }) { "network" } else { "credentials" };
    CheckLine::wrong(name, error.to_string(), mend)
}

/// What to do about a failure on the way, by what it says.
fn network_cure(message: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["UnknownIssuer", "unknown issuer", "self-signed", "self signed"]) {
        "this network inspects TLS, or a sign-in page answers instead of Procore: put the network's CA certificate into a PEM \
         file and name it in procore.ca_file, or sign this box in to the network"
    } else if says(&["certificate", "Certificate", "NotValidForName"]) {
        "the certificate is not Procore's or not valid now: check this box's clock, and whether a proxy or a sign-in page \
         answers instead of Procore"
    } else if says(&["407", "roxy authentication", "roxy auth"]) {
        "the proxy asks for credentials: put \"user:password\" into a file and name it in procore.proxy_credentials_file"
    } else if says(&["tunnel", "proxy"]) {
        "the proxy does not let this box through: check procore.proxy_url or HTTPS_PROXY, and whether it allows Procore's hosts"
    } else {
        "check the uplink, DNS and firewall of this box, and procore.environment; if this network only allows traffic \
         through a proxy, set procore.proxy_url. The credentials were not rejected"
    }
}

fn clock(theirs: Option<Timestamp>, ours: Timestamp) -> CheckLine {
    const NAME: &str = "clock";
    let Some(theirs) = theirs else { return CheckLine::note(NAME, "Procore does not tell the time", "") };
    let off = ours.duration_since(theirs);
    if off.unsigned_abs() <= CLOCK_OFF_MAX {
        return CheckLine::ok(NAME, format!("agrees with Procore's to {} s", off.unsigned_abs().as_secs()));
    }
    let way = if off.is_negative() { "behind" } else { "ahead of" };
    let detail = format!("{} s {way} Procore's", off.unsigned_abs().as_secs());
    CheckLine::wrong(NAME, detail, "switch time synchronisation on, e.g. timedatectl set-ntp true")
}

/// What the project's mode needs, tool by tool, as (its name in Procore, what people call it, why, whether the
/// permission does).
type Need = (&'static str, &'static str, &'static str, fn(&ToolPermission) -> bool);

const PHOTOS: Need = ("images", "Photos", "Read Only or higher", |tool| tool.available_for_user);
const PUNCH_LIST: Need =
    ("punch_list", "Punch List", "Standard, or Admin to change drafts that people edited", |tool| {
        tool.can_create
    });

async fn permissions(client: &Client, project: ProjectKey) -> CheckLine {
    const NAME: &str = "permissions";
    let tools = match client.permissions(project).await {
        Ok(tools) => tools,
        Err(error) => {
            let mend = format!("make project {project} one of the app's permitted projects in Procore");
            return CheckLine::wrong(NAME, format!("project {project}: {error}"), mend);
        }
    };
    let shadow = client.config().mode(project) == Some(ProjectMode::Shadow);
    let needs: &[Need] = if shadow { &[PHOTOS] } else { &[PHOTOS, PUNCH_LIST] };
    let lacking: Vec<&Need> = needs.iter().filter(|need| !granted(&tools, need)).collect();
    if lacking.is_empty() {
        let names: Vec<&str> = needs.iter().map(|(_, name, ..)| *name).collect();
        return CheckLine::ok(NAME, format!("project {project}: {} suffice", names.join(" and ")));
    }
    let names: Vec<&str> = lacking.iter().map(|(_, name, ..)| *name).collect();
    let mend: Vec<String> = lacking.iter().map(|(_, name, level, _)| format!("{name} {level}")).collect();
    CheckLine::wrong(
        NAME,
        format!("project {project}: the service account may not do enough in {}", names.join(" and ")),
        format!("give it {}; if the tool is switched off in the project, switch it on", mend.join("; ")),
    )
}

fn granted(tools: &[ToolPermission], (name, friendly, _, suffices): &Need) -> bool {
    tools.iter().any(|tool| (tool.name == *name || tool.friendly_name == *friendly) && suffices(tool))
}

async fn hooks(
    config: &Config,
    client: &Client,
    permitted: &[ProjectKey],
    secret: Option<&SecretString>,
) -> Vec<CheckLine> {
    const NAME: &str = "hooks";
    let wanted = &config.webhook.public_url;
    if wanted.is_empty() {
        let every = config.pipeline.poll_every_s;
        let detail = format!("polling only: without webhook.public_url Procore is asked every {every} s");
        return vec![CheckLine::note(NAME, detail, "")];
    }
    let mut lines = Vec::new();
    for project in permitted {
        match client.hooks(*project, &config.webhook.namespace).await {
            Ok(hooks) => {
                let ours = hooks.into_iter().find(|hook| hook.destination_url == *wanted);
                lines.push(hook(client, *project, ours, secret, wanted).await);
            }
            Err(error @ Error::Forbidden { .. }) => lines.push(CheckLine::wrong(
                NAME,
                format!("project {project}: {error}"),
                "give the service account Webhooks API Standard",
            )),
            Err(error) => {
                lines.push(CheckLine::wrong(
                    NAME,
                    format!("project {project}: {error}"),
                    "try again in a while",
                ));
            }
        }
    }
    lines
}

async fn hook(
    client: &Client,
    project: ProjectKey,
    hook: Option<Hook>,
    secret: Option<&SecretString>,
    wanted: &str,
) -> CheckLine {
    const NAME: &str = "hooks";
    let wrong = |detail: String| {
        CheckLine::wrong(NAME, format!("project {project}: {detail}"), "punchlens hooks sync")
    };
    let Some(hook) = hook else { return wrong(format!("no hook leads to {wanted}")) };
    if hook.disabled {
        let mend = "punchlens hooks remove, then punchlens hooks sync";
        return CheckLine::wrong(
            NAME,
            format!("project {project}: hook {} is switched off in Procore", hook.id),
            mend,
        );
    }
    if secret.is_some_and(|secret| !hook.carries(secret)) {
        return wrong(format!("hook {} carries another authorization value than this box expects", hook.id));
    }
    match client.triggers(project.into(), &hook).await {
        Err(error) => return wrong(error.to_string()),
        Ok(triggers) => {
            let hears = |event: &str| triggers.iter().any(|at| at.resource == "Images" && at.event == event);
            if !hears("create") || !hears("update") {
                return wrong(format!("hook {} does not tell of photos", hook.id));
            }
        }
    }
    match client.deliveries(project, &hook, DeliveryStatus::Failed).await {
        Ok(failed) if !failed.is_empty() => CheckLine::note(
            NAME,
            format!("project {project}: {} deliveries to {wanted} failed", failed.len()),
            "check that Procore reaches this address from the internet, with a certificate that holds",
        ),
        _ => CheckLine::ok(NAME, format!("project {project} delivers to {wanted}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_has_its_cure() {
        for (message, cure) in [
            ("invalid peer certificate: UnknownIssuer", "procore.ca_file"),
            ("invalid peer certificate: Expired", "clock"),
            (
                "client error (Connect): tunnel error: proxy authorization required: 407",
                "proxy_credentials_file",
            ),
            ("tunnel error: unsuccessful", "procore.proxy_url"),
            ("Connection refused (os error 111)", "procore.proxy_url"),
        ] {
            assert!(network_cure(message).contains(cure), "{message}");
        }
    }
}
