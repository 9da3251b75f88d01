//! The sign-in form: login and password of an account.

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{self, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html as markup};
use secrecy::SecretString;
use serde::Deserialize;

use super::icons::{Icon, icon, mark};
use super::submitted::Submitted;
use super::{PageError, html, page};
use crate::domain::people::{SignedInBy, Viewer};
use crate::http::State;
use crate::http::error::HttpError;
use crate::http::guard::{self, Peer};
use crate::http::session::{Secret, end_cookie, start_cookie};
use crate::http::sign_in as way_in;

/// What the form shows.
#[derive(Debug, Default)]
pub(super) struct SignIn<'a> {
    /// The login as typed before.
    login: &'a str,
    /// Where to go afterwards: a path below `/review`.
    next: &'a str,
    /// Why the person is here.
    notice: Option<&'a str>,
    /// Whether people can sign in with Procore.
    procore: bool,
}

impl SignIn<'_> {
    fn of(state: &State) -> Self {
        Self { procore: state.procore().is_some(), ..Self::default() }
    }

    /// The whole document.
    fn render(&self) -> Markup {
        let body = markup! {
            div #view data-page="sign-in" {
                main.sign-in #main tabindex="-1" {
                    h1.brand { (mark()) span { "Punchlens" } }
                    p { "What the photos of the site show, for you to decide." }
                    @if let Some(notice) = self.notice { p.notice.problem role="alert" { (icon(Icon::Alert)) (notice) } }
                    @if self.procore {
                        p { a.button.primary href=(self.procore_url()) { "Sign in with Procore" (icon(Icon::Forward)) } }
                        p.hint { "Or with an account of this box:" }
                    }
                    form method="post" action="/review/sign-in" {
                        input type="hidden" name="next" value=(self.next);
                        div.field {
                            label for="login" { "Login" }
                            input #login name="login" value=(self.login) required maxlength="64" autocomplete="username"
                                autocapitalize="none" spellcheck="false" autofocus;
                        }
                        div.field {
                            label for="password" { "Password" }
                            input #password name="password" type="password" required maxlength="200" autocomplete="current-password";
                            p.hint { "No account? The person who runs this box makes one: " code { "punchlens users add" } "." }
                        }
                        button.button.primary[!self.procore] type="submit" { "Sign in" (icon(Icon::Forward)) }
                    }
                }
            }
        };
        page::document("Sign in", &body)
    }

    fn procore_url(&self) -> String {
        let next: String = url::form_urlencoded::byte_serialize(self.next.as_bytes()).collect();
        format!("/review/procore/start?next={next}")
    }
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http) struct SignInForm {
    login: String,
    password: Typed,
    next: String,
}

/// A typed password, which no debug output shows.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "String")]
struct Typed(SecretString);

impl From<String> for Typed {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

pub(in crate::http) async fn sign_in_page(
    extract::State(state): extract::State<State>,
    Query(form): Query<SignInForm>,
) -> Response {
    let page = SignIn { next: guard::safe_next(&form.next), ..SignIn::of(&state) };
    html(StatusCode::OK, &page.render())
}

pub(in crate::http) async fn sign_in(
    extract::State(state): extract::State<State>,
    peer: Peer,
    headers: HeaderMap,
    form: Result<Form<SignInForm>, FormRejection>,
) -> Response {
    let Ok(Form(SignInForm { login, password, next })) = form else {
        let error = form.err().map_or(StatusCode::BAD_REQUEST, |rejection| rejection.status());
        return refuse(&state, &HttpError::unreadable(error, "this form could not be read"), "", "");
    };
    let outcome = match guard::check_origin(&headers) {
        Ok(()) => way_in::by_password(&state, peer, &login, password.0).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(viewer) => {
            welcome(&state, peer, &viewer, Redirect::to(guard::safe_next(&next)).into_response()).await
        }
        Err(error) => refuse(&state, &error, &login, &next),
    }
}

/// Signs in whoever follows the printed link on this machine. The key leaves the address at once.
pub(super) async fn by_link(
    state: &State,
    peer: Peer,
    headers: &HeaderMap,
    key: &str,
    name: &str,
) -> Response {
    match way_in::by_key(state, peer, key, name) {
        Ok(viewer) => welcome(state, peer, &viewer, arrive(headers, "/review")).await,
        Err(HttpError::Unauthorized) => {
            let notice = "This link works on the machine that runs Punchlens alone, and only with its key.";
            let page = SignIn { notice: Some(notice), ..SignIn::of(state) };
            html(StatusCode::UNAUTHORIZED, &page.render())
        }
        Err(error) => refuse(state, &error, "", ""),
    }
}

/// On to `next`, with the cookie that goes along with this answer. Browsers don't send a strict cookie after a
/// redirect that another site started; a page of our own that moves on by itself gets it.
pub(in crate::http) fn arrive(headers: &HeaderMap, next: &str) -> Response {
    let site = headers.get("sec-fetch-site");
    if !site.is_some_and(|site| site == "cross-site" || site == "same-site") {
        return Redirect::to(next).into_response();
    }
    let page = page::message("Signed in", "The page opens automatically.", Some(("To the page", next)));
    with_header(html(StatusCode::OK, &page), header::REFRESH, &format!("0; url={next}"))
}

/// Starts a session and adds its cookie to `response`.
pub(in crate::http) async fn welcome(
    state: &State,
    peer: Peer,
    viewer: &Viewer,
    response: Response,
) -> Response {
    let (secret, now) = (Secret::generate(), state.now());
    let config = state.sign_in();
    let hours = match viewer.person.by {
        SignedInBy::Procore => config.session_hours.min(config.procore_recheck_hours),
        _ => config.session_hours,
    };
    let ends = now.saturating_add(jiff::SignedDuration::from_hours(hours.into())).unwrap_or(now);
    if let Err(error) = state.store().open_session(&secret.digest(), viewer, ends, now).await {
        return PageError::from(error).into_response();
    }
    tracing::info!(who = %viewer.person.who, "signed in");
    let cookie = start_cookie(&secret, hours, state.cookies_are_secure(peer));
    with_header(response, header::SET_COOKIE, &cookie)
}

/// The form again, with why somebody was not signed in.
pub(in crate::http) fn refuse_sign_in(state: &State, error: &HttpError, next: &str) -> Response {
    refuse(state, error, "", next)
}

fn refuse(state: &State, error: &HttpError, login: &str, next: &str) -> Response {
    let notice = error.to_string();
    let page = SignIn { login, next: guard::safe_next(next), notice: Some(&notice), ..SignIn::of(state) };
    error.with_retry_after(html(error.status(), &page.render()))
}

pub(in crate::http) async fn sign_out(
    extract::State(state): extract::State<State>,
    peer: Peer,
    Submitted { session, .. }: Submitted,
) -> Result<Response, PageError> {
    state.store().end_session(&session.digest()).await?;
    let response = Redirect::to("/review/sign-in").into_response();
    Ok(with_header(response, header::SET_COOKIE, &end_cookie(state.cookies_are_secure(peer))))
}

/// The answer to whoever is not signed in: the form, which leads back to what was asked for.
pub(in crate::http) fn sign_in_first(state: &State, parts: &Parts) -> Response {
    let decided = parts.method != Method::GET;
    let notice = decided.then_some("Your session has ended. Nothing was decided; sign in and repeat it.");
    let next = if decided { card_of(parts) } else { guard::asked_page(parts).to_owned() };
    let page = SignIn { notice, next: &next, ..SignIn::of(state) };
    html(StatusCode::UNAUTHORIZED, &page.render())
}

/// The card that a decision was about, in the list in which it was.
fn card_of(parts: &Parts) -> String {
    let id = parts.uri.path().strip_prefix("/review/findings/").and_then(|rest| rest.split('/').next());
    let Some(id) = id.filter(|id| super::list_context::parse_id(id).is_ok()) else {
        return "/review".to_owned();
    };
    let query = parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    guard::safe_next(&format!("/review/findings/{id}{query}")).to_owned()
}

pub(in crate::http) fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(name, value);
    }
    response
}
