//! A form that somebody who is signed in has sent, read and checked: the one way in for all that changes something.

use axum::extract::{FromRequest, FromRequestParts as _, RawForm, Request};
use axum::response::{IntoResponse as _, Response};
use url::form_urlencoded;

use super::PageError;
use crate::domain::review::RejectReason;
use crate::http::State;
use crate::http::error::HttpError;
use crate::http::guard::{self, Reviewer};
use crate::http::session::Session;

/// What was sent, in whose session.
#[derive(Debug)]
pub(in crate::http) struct Submitted {
    pub(super) session: Session,
    pub(super) form: Form,
}

impl FromRequest<State> for Submitted {
    type Rejection = Response;

    async fn from_request(request: Request, state: &State) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Reviewer(session) = Reviewer::from_request_parts(&mut parts, state).await?;
        let headers = parts.headers.clone();
        let read = RawForm::from_request(Request::from_parts(parts, body), state).await;
        let checked = read
            .map_err(|rejection| HttpError::unreadable(rejection.status(), &rejection.body_text()))
            .and_then(|RawForm(body)| {
                let form = Form::read(&body);
                guard::check_form(&headers, &session, form.text("csrf"))?;
                Ok(form)
            });
        match checked {
            Ok(form) => Ok(Self { session, form }),
            Err(error) => Err(PageError::from(error).into_response()),
        }
    }
}

/// The fields of a form, as they were typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The field `name`; empty where there is none.
    pub(super) fn text<'a>(&'a self, name: &'a str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    /// Why something is rejected.
    pub(super) fn reason(&self) -> Result<RejectReason, HttpError> {
        let reason = RejectReason::named(self.text("reason"));
        reason.ok_or_else(|| HttpError::Invalid("Choose one of the reasons.".into()))
    }

    /// A field that comes as often as there are ticks.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}
