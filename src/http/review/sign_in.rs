//! The sign-in form: a name for the record, and the key of the box.

use std::net::IpAddr;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{self, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html as markup};
use serde::Deserialize;

use super::icons::{Icon, icon, mark};
use super::{CardForm, PageError, html, page};
use crate::http::State;
use crate::http::error::HttpError;
use crate::http::guard::{self, Peer, Reviewer};
use crate::http::session::{Session, end_cookie, tidy_name};

/// What the form shows.
#[derive(Debug, Default)]
pub(super) struct SignIn<'a> {
    /// The name as typed before.
    pub(super) name: &'a str,
    /// Where to go afterwards: a path below `/review`.
    pub(super) next: &'a str,
    /// Why the person is here.
    pub(super) notice: Option<&'a str>,
}

impl SignIn<'_> {
    /// The whole document.
    pub(super) fn render(&self) -> Markup {
        let body = markup! {
            div #view data-page="sign-in" {
                main.sign-in #main tabindex="-1" {
                    h1.brand { (mark()) span { "Punchlens" } }
                    p { "What the photos of the site show, for you to decide." }
                    @if let Some(notice) = self.notice { p.notice.problem role="alert" { (icon(Icon::Alert)) (notice) } }
                    form method="post" action="/review/sign-in" {
                        input type="hidden" name="next" value=(self.next);
                        div.field {
                            label for="name" { "Your name" }
                            input #name name="name" value=(self.name) required maxlength="80" autocomplete="name" autofocus;
                            p.hint { "It stands beside every decision that you make." }
                        }
                        div.field {
                            label for="key" { "Review key" }
                            input #key name="key" type="password" required maxlength="200" autocomplete="current-password";
                            p.hint { "Punchlens prints it when it starts." }
                        }
                        button.button.primary type="submit" { "Sign in" (icon(Icon::Forward)) }
                    }
                }
            }
        };
        page::document("Sign in", &body)
    }
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http) struct SignInForm {
    name: String,
    key: String,
    next: String,
}

pub(in crate::http) async fn sign_in_page(Query(form): Query<SignInForm>) -> Response {
    html(StatusCode::OK, &SignIn { next: guard::safe_next(&form.next), ..SignIn::default() }.render())
}

/// Checks name and key, and leads to what was asked for.
pub(in crate::http) async fn sign_in(
    extract::State(state): extract::State<State>,
    Peer(peer): Peer,
    headers: HeaderMap,
    form: Result<Form<SignInForm>, FormRejection>,
) -> Response {
    let form = match form {
        Ok(Form(form)) => form,
        Err(rejection) => {
            return refuse(&HttpError::unreadable(rejection.status(), ""), &SignInForm::default());
        }
    };
    let checked = guard::check_origin(&headers).and_then(|()| guard::check_key(&state, &form.key, peer));
    match checked {
        Ok(()) if tidy_name(&form.name).is_empty() => {
            refuse(&HttpError::Invalid("Give your name: it stands beside your decisions.".into()), &form)
        }
        Ok(()) => welcome(&state, &form.name, guard::safe_next(&form.next)),
        Err(error) => refuse(&error, &form),
    }
}

/// Signs in whoever follows the printed link. The key leaves the address at once.
pub(super) fn by_link(state: &State, peer: IpAddr, headers: &HeaderMap, key: &str, name: &str) -> Response {
    let name = if tidy_name(name).is_empty() { &state.review().default_reviewer } else { name };
    match guard::check_key(state, key, peer) {
        Ok(()) if from_elsewhere(headers) => {
            // A strict cookie is not sent after a redirect that another site's link started; a page of
            // our own that moves on by itself gets it.
            let page =
                page::message("Signed in", "The list opens by itself.", Some(("To the list", "/review")));
            with_header(
                welcome_with(state, name, html(StatusCode::OK, &page)),
                header::REFRESH,
                "0; url=/review",
            )
        }
        Ok(()) => welcome(state, name, "/review"),
        Err(error) => refuse(&error, &SignInForm { name: name.to_owned(), ..SignInForm::default() }),
    }
}

fn from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

fn welcome(state: &State, name: &str, next: &str) -> Response {
    welcome_with(state, name, Redirect::to(next).into_response())
}

fn welcome_with(state: &State, name: &str, response: Response) -> Response {
    let review = state.review();
    let session = Session::new(name, rand::random(), review.session_hours, state.now());
    tracing::info!("a reviewer signed in");
    let cookie = session.cookie(state.key(), review.session_hours, review.secure_cookies);
    with_header(response, header::SET_COOKIE, &cookie)
}

fn refuse(error: &HttpError, form: &SignInForm) -> Response {
    let notice = match error {
        HttpError::Unauthorized => "This is not the key of this box.".to_owned(),
        error => error.to_string(),
    };
    let page = SignIn { name: &form.name, next: guard::safe_next(&form.next), notice: Some(&notice) };
    error.with_retry_after(html(error.status(), &page.render()))
}

pub(in crate::http) async fn sign_out(
    extract::State(state): extract::State<State>,
    reviewer: Reviewer,
    headers: HeaderMap,
    form: Result<Form<CardForm>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(form) = form.map_err(|rejection| HttpError::unreadable(rejection.status(), ""))?;
    guard::check_form(&headers, &reviewer.0, &form.csrf, &state)?;
    let response = Redirect::to("/review/sign-in").into_response();
    Ok(with_header(response, header::SET_COOKIE, &end_cookie(state.review().secure_cookies)))
}

/// The answer to whoever is not signed in: the form, which leads back to what was asked for.
pub(in crate::http) fn sign_in_first(parts: &Parts) -> Response {
    let decided = parts.method != Method::GET;
    let notice = decided.then_some("Your session has ended. Nothing was decided; sign in and repeat it.");
    let next = if decided { card_of(parts.uri.path()) } else { guard::asked_page(parts).to_owned() };
    let page = SignIn { notice, next: &next, ..SignIn::default() };
    html(StatusCode::UNAUTHORIZED, &page.render())
}

/// The card that a decision was about.
fn card_of(path: &str) -> String {
    let card = path.strip_prefix("/review/findings/").and_then(|rest| rest.split('/').next());
    card.filter(|id| super::desk::parse_id(id).is_ok())
        .map_or_else(|| "/review".to_owned(), |id| format!("/review/findings/{id}"))
}

fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}
