//! People who sign in to an app with their own Procore account: the authorize page, and what each may see.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use maud::{DOCTYPE, html};
use serde::Deserialize;
use url::Url;

use super::access::Access;
use super::call::{Call, Refusal};
use super::clock::later;
use super::state::{Shared, Sim, User, World};
use crate::domain::ids::{CompanyId, ProjectId, UserId};

/// Life of an authorization code; Procore's is 10 minutes.
const CODE_LIFE: Duration = Duration::from_mins(10);

/// What somebody may do in one project.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) user: UserId,
    pub(super) project: ProjectId,
    pub(super) access: Access,
}

/// An authorization code that was given out and not yet used.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) user: UserId,
    pub(super) redirect_uri: String,
    pub(super) expires_at: Timestamp,
}

pub(super) fn routes() -> Router<Sim> {
    Router::new().route("/oauth/authorize", get(authorize)).route("/simulator/sign-in", post(choose))
}

/// What an app asks for, and, once somebody has chosen, as whom.
#[derive(Debug, Clone, Deserialize)]
struct Asked {
    client_id: String,
    redirect_uri: String,
    #[serde(default)]
    response_type: String,
    #[serde(default)]
    state: String,
    /// Absent when the person declines.
    #[serde(default, rename = "as")]
    chosen: Option<i64>,
}

impl Asked {
    /// A redirect that this app may ask for: https, or http on `localhost` by that very name.
    fn check(&self, sim: &Shared) -> Result<Url, Refusal> {
        let bad = |words: &str| Refusal::text(StatusCode::BAD_REQUEST, words);
        if self.client_id != sim.options.client_id {
            return Err(bad("Client authentication failed due to unknown client."));
        }
        if self.response_type != "code" {
            return Err(bad("The authorization server does not support this response type."));
        }
        let url = Url::parse(&self.redirect_uri).ok();
        let url = url.filter(|url| {
            url.scheme() == "https" || url.scheme() == "http" && url.host_str() == Some("localhost")
        });
        url.ok_or_else(|| {
            bad("The requested redirect uri is malformed or doesn't match client redirect URI.")
        })
    }
}

impl World {
    /// Everybody who can sign in as a person.
    fn persons(&self) -> impl Iterator<Item = &User> {
        let people = &self.people;
        std::iter::once(&people.superintendent).chain(&people.managers).chain(&people.others)
    }

    /// The companies that somebody is in: those of their projects; who is in no project is in the first company. The
    /// app is in all of them.
    pub(super) fn companies_of(&self, user: &User) -> Vec<CompanyId> {
        let theirs = self
            .projects
            .iter()
            .filter(|project| user.application.is_some() || self.membership(user.id, project.id).is_some());
        let mut companies: Vec<CompanyId> = theirs.map(|project| project.company).collect();
        if companies.is_empty() {
            companies.push(self.company.id);
        }
        companies.sort_unstable();
        companies.dedup();
        companies
    }

    /// What people call a company.
    pub(super) fn company_name(&self, id: CompanyId) -> String {
        if id == self.company.id { self.company.name.clone() } else { format!("Company {id}") }
    }

    /// What a person may do in `project`, if they are in it.
    pub(super) fn membership(&self, user: UserId, project: ProjectId) -> Option<Access> {
        let member = self.members.iter().find(|member| member.user == user && member.project == project)?;
        Some(member.access)
    }
}

async fn authorize(State(sim): State<Sim>, Extension(call): Extension<Arc<Call>>) -> Response {
    let asked = Asked {
        client_id: call.query("client_id").unwrap_or_default().to_owned(),
        redirect_uri: call.query("redirect_uri").unwrap_or_default().to_owned(),
        response_type: call.query("response_type").unwrap_or_default().to_owned(),
        state: call.query("state").unwrap_or_default().to_owned(),
        chosen: None,
    };
    if let Err(refusal) = asked.check(&sim) {
        return refusal.into_response();
    }
    let world = sim.world();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Simulated Procore: sign in" }
                style { (super::page::STYLE) }
            }
            body {
                h1 { "Simulated Procore" }
                p { "An app wants to know who you are. Who is it today?" }
                form method="post" action="/simulator/sign-in" {
                    @for (name, value) in [
                        ("client_id", &asked.client_id), ("redirect_uri", &asked.redirect_uri),
                        ("response_type", &asked.response_type), ("state", &asked.state),
                    ] { input type="hidden" name=(name) value=(value); }
                    @for user in world.persons() {
                        p { button name="as" value=(user.id) { (user.name) } " " (user.login) }
                    }
                    p { button { "Nobody: decline" } }
                }
            }
        }
    };
    Html(page.into_string()).into_response()
}

/// Somebody chose, and goes back to the app.
async fn choose(State(sim): State<Sim>, Form(asked): Form<Asked>) -> Response {
    let mut back = match asked.check(&sim) {
        Ok(back) => back,
        Err(refusal) => return refusal.into_response(),
    };
    let now = sim.now();
    let chosen = asked.chosen.map(UserId::new);
    let code = sim.change(|world| {
        let user = world.persons().find(|user| Some(user.id) == chosen)?.id;
        let code = world.ulid(now);
        let redirect_uri = asked.redirect_uri.clone();
        world.codes.insert(code.clone(), Code { user, redirect_uri, expires_at: later(now, CODE_LIFE) });
        Some(code)
    });
    {
        let mut query = back.query_pairs_mut();
        match &code {
            Some(code) => query.append_pair("code", code),
            None => query.append_pair("error", "access_denied"),
        };
        if !asked.state.is_empty() {
            query.append_pair("state", &asked.state);
        }
    }
    Redirect::to(back.as_str()).into_response()
}
