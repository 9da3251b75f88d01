//! What somebody may do where: asked with their own token, soon for the first projects and afterwards for the rest.
//!
//! A company's projects that the person is in are one call, and what they may do is one call a project, of which Procore
//! allows few in ten seconds. A refusal for one company or project means that they are not in it, and nothing more.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Granted, Me, Member, SignIn, role_of};
use crate::domain::ids::{CompanyId, ProjectId, ProjectKey};
use crate::domain::people::{Grant, Role};
use crate::procore::auth::Token;
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::error::Error;
use crate::procore::lenient;
use crate::procore::paging::PROJECT_ROWS;
use crate::procore::project_data::Permissions;

/// Projects about which is asked at once.
const TOGETHER: usize = 6;

/// Projects about which is asked while the person waits; below half of what Procore allows in ten seconds.
const FIRST: usize = 12;

/// How long a person waits for the answers.
const WITHIN: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 6 });

/// How long afterwards the rest is asked; less than a token of a person is used.
const AFTERWARDS: Duration = Duration::from_mins(4);

/// Permitted projects of a company up to which each is asked about, without asking first which the person is in.
const FEW: usize = 2;

/// The wait after a failure that tells none.
const PAUSE: Duration = Duration::from_secs(5);

/// The shortest wait after a failure, whatever it tells.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// What is still to be asked about a person who is signed in already. Their tokens end with it.
#[derive(Debug)]
pub struct Later {
    sign_in: SignIn,
    token: Token,
    granted: Granted,
    projects: Vec<ProjectKey>,
}

impl Later {
    /// Asks about the rest, and takes the person's tokens back. What cannot be had in time is left out.
    pub async fn grants(self) -> Vec<Grant> {
        let until = Instant::now() + AFTERWARDS;
        let client = self.sign_in.client.background();
        let mut grants = Vec::new();
        for project in self.projects {
            match patiently(&client, &self.token, project, until).await {
                Ok(role) => grants.extend(role.map(|role| Grant { project, role })),
                Err(error) => {
                    tracing::warn!(%project, %error, "what a person may do there could not be asked");
                }
            }
        }
        self.sign_in.end(&self.granted).await;
        grants
    }
}

async fn patiently(
    client: &Client,
    token: &Token,
    project: ProjectKey,
    until: Instant,
) -> Result<Option<Role>, Error> {
    loop {
        let wait = match role(client, token, project).await {
            Err(Error::RateLimited { retry_after, .. } | Error::Unavailable { retry_after, .. }) => {
                retry_after.unwrap_or(PAUSE).max(SHORTEST_PAUSE)
            }
            Err(Error::Transport { .. }) => PAUSE,
            outcome => return outcome,
        };
        if Instant::now() + wait >= until {
            return role(client, token, project).await;
        }
        sleep(wait).await;
    }
}

/// Who the token speaks for and what they may do, as far as it can be had soon.
pub(super) async fn member(sign_in: &SignIn, granted: Granted, token: Token) -> Result<Member, Error> {
    let asked = known(sign_in, &token).await;
    let (me, grants, projects) = match asked {
        Ok(known) => known,
        Err(error) => {
            sign_in.end(&granted).await;
            return Err(error);
        }
    };
    let later = if projects.is_empty() {
        sign_in.end(&granted).await;
        None
    } else {
        Some(Later { sign_in: sign_in.clone(), token, granted, projects })
    };
    Ok(Member { id: me.id, login: me.login, name: me.name, grants, later })
}

type FirstAnswers = (Me, Vec<Grant>, Vec<ProjectKey>);

async fn known(sign_in: &SignIn, token: &Token) -> Result<FirstAnswers, Error> {
    let client = &sign_in.client;
    let permitted = client.config().permitted();
    let Some(first) = permitted.first() else {
        let reason = "procore.projects is empty: there is nothing to sign in to".into();
        return Err(Error::Config { reason });
    };
    let mut companies: Vec<CompanyId> = Vec::new();
    for project in &permitted {
        if !companies.contains(&project.company) {
            companies.push(project.company);
        }
    }
    let mut person: Option<Me> = None;
    let mut projects = Vec::new();
    for company in companies {
        let call = Call::get(company, "/rest/v1.0/me").query("company_id", company);
        let Some(answer) = unless_refused(client.attempt(&call, token).await)? else { continue };
        let me: Me = answer.read("the person who signs in")?;
        person = Some(match person {
            Some(known) if !known.name.is_empty() => known,
            _ => me,
        });
        let of_company: Vec<ProjectKey> =
            permitted.iter().copied().filter(|project| project.company == company).collect();
        projects.extend(theirs(client, token, company, of_company).await?);
    }
    let me = if let Some(me) = person {
        me
    } else {
        // In none of the companies: who they are is still known, for the log.
        let call = Call::get(first.company, "/rest/v1.0/me").without_company();
        client.attempt(&call, token).await?.read("the person who signs in")?
    };
    let (grants, projects) = first_grants(client, token, projects).await?;
    Ok((me, grants, projects))
}

/// Those of `projects` that the person is in, as far as Procore lists them.
async fn theirs(
    client: &Client,
    token: &Token,
    company: CompanyId,
    projects: Vec<ProjectKey>,
) -> Result<Vec<ProjectKey>, Error> {
    #[derive(Deserialize)]
    struct Row {
        #[serde(deserialize_with = "lenient::id")]
        id: ProjectId,
    }
    if projects.len() <= FEW {
        return Ok(projects);
    }
    let mut listed = Vec::new();
    for part in projects.chunks(client.config().ids_per_call.max(1)) {
        let call = Call::get(company, "/rest/v1.1/projects")
            .query("company_id", company)
            .query("filters[by_status]", "All");
        let call = part.iter().fold(call, |call, project| call.query("filters[id][]", project.project));
        match client.pages_as(token, "the person's projects", call, PROJECT_ROWS).all::<Row>().await {
            Ok(rows) => listed.extend(rows.into_iter().map(|row| row.id)),
            // Each project tells by itself whether they are in it; this would only have been quicker.
            Err(error) => {
                tracing::warn!(%company, %error, "which projects a person is in could not be listed");
                return Ok(projects);
            }
        }
    }
    Ok(projects.into_iter().filter(|project| listed.contains(&project.project)).collect())
}

/// What the person may do, asked in rounds until something is known or nothing is left; and the projects about which
/// nothing is known yet.
async fn first_grants(
    client: &Client,
    token: &Token,
    projects: Vec<ProjectKey>,
) -> Result<(Vec<Grant>, Vec<ProjectKey>), Error> {
    let until = Instant::now() + WITHIN;
    let (mut grants, mut open, mut failure) = (Vec::new(), Vec::new(), None);
    let mut rounds = projects.chunks(FIRST);
    for round in rounds.by_ref() {
        let asking = |project: ProjectKey| async move {
            (project, timeout_at(until, role(client, token, project)).await)
        };
        let answers: Vec<_> =
            stream::iter(round.iter().copied().map(asking)).buffered(TOGETHER).collect().await;
        for (project, answer) in answers {
            match answer {
                Ok(Ok(role)) => grants.extend(role.map(|role| Grant { project, role })),
                Ok(Err(error)) => {
                    failure = Some(error);
                    open.push(project);
                }
                Err(_late) => open.push(project),
            }
        }
        if !grants.is_empty() || Instant::now() >= until || failure.is_some() {
            break;
        }
    }
    open.extend(rounds.flatten().copied());
    match failure {
        // Nothing is known, and there is a reason.
        Some(error) if grants.is_empty() => Err(error),
        _ => Ok((grants, open)),
    }
}

/// What the person may do in `project`; nothing where they are not in it.
async fn role(client: &Client, token: &Token, project: ProjectKey) -> Result<Option<Role>, Error> {
    let call = Call::get(project.company, "/rest/v1.0/settings/permissions");
    let call = call.query("project_id", project.project);
    match unless_refused(client.attempt(&call, token).await)? {
        Some(answer) => Ok(role_of(&answer.read::<Permissions>("permissions")?.tools)),
        None => Ok(None),
    }
}

/// A refusal is an answer here: no permission there.
fn unless_refused<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Forbidden { .. } | Error::NotFound { .. } | Error::Rejected { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
