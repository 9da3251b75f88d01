//! What a request can fail with, and how that is told: stable codes, nothing from inside.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::domain::people::Role;
use crate::store;

/// A request that was not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpError {
    /// No key, no session, or one that ran out.
    #[error("Sign in first.")]
    Unauthorized,
    /// The password is not the account's, or there is no such account: nobody learns which.
    #[error("Wrong login or password.")]
    WrongPassword,
    /// Somebody may look, but not do this.
    #[error("You can view this project, but this needs the role of {0} in it.")]
    Forbidden(Role),
    /// A form that did not come from this box's own page.
    #[error("This did not come from the review page itself. Load the page again and repeat it.")]
    Forged,
    /// There is such a thing, but not for this method.
    #[error("This can't be done with that method; Allow lists those that work.")]
    WrongMethod,
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// Somebody or something was faster.
    #[error("{0}")]
    Conflict(String),
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It is longer than the limits allow.
    #[error("This is too long.")]
    TooLarge,
    /// Too many wrong passwords.
    #[error("Too many wrong passwords. Wait {0} seconds.")]
    TooMany(u64),
    /// Procore cannot be asked now.
    #[error("Procore can't be reached now. Try again in a moment, or sign in with an account of this box.")]
    Unreachable,
    /// The box cannot do it now; the same request works later.
    #[error("The box cannot save this now. Nothing was changed; try again in a moment.")]
    Unavailable,
    /// A fault of ours; the log has it.
    #[error("Something went wrong on the box. Nothing was changed; its log says more.")]
    Internal,
}

/// Seconds after which an unavailable box is worth another try.
const RETRY_AFTER_S: u64 = 5;

impl HttpError {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::Forged => StatusCode::FORBIDDEN,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unreachable | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable name that a script may compare.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::WrongPassword => "wrong_password",
            Self::Forbidden(_) => "forbidden",
            Self::Forged => "forged",
            Self::WrongMethod => "wrong_method",
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::Invalid(_) => "invalid",
            Self::TooLarge => "too_large",
            Self::TooMany(_) => "too_many_attempts",
            Self::Unreachable => "procore_unreachable",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// Adds `Retry-After` where waiting helps.
    pub(crate) fn with_retry_after(&self, mut response: Response) -> Response {
        let seconds = match self {
            Self::TooMany(seconds) => Some(*seconds),
            Self::Unreachable | Self::Unavailable => Some(RETRY_AFTER_S),
            _ => None,
        };
        if let Some(seconds) = seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<store::Error> for HttpError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound(_) => Self::NotFound("finding"),
            store::Error::Conflict(why) => Self::Conflict(sentence(&why)),
            error if error.is_transient() || matches!(error, store::Error::ReadOnly) => {
                tracing::error!(%error, "the store cannot serve a request");
                Self::Unavailable
            }
            error => {
                tracing::error!(%error, "a request failed");
                Self::Internal
            }
        }
    }
}

impl HttpError {
    /// A body that could not be read, by the status that the framework gives it.
    pub(crate) fn unreadable(status: StatusCode, why: &str) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => Self::Invalid(sentence(why)),
        }
    }
}

/// `text` with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).chain(['.']).collect())
}

/// An error for scripts: `application/problem+json` (RFC 9457).
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) HttpError);

impl<E: Into<HttpError>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let body = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": self.0.code(),
            "detail": self.0.to_string(),
        });
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        self.0.with_retry_after(response)
    }
}

/// One of each, for whoever must know them all.
#[cfg(test)]
pub(crate) fn every() -> Vec<HttpError> {
    use HttpError::{
        Conflict, Forbidden, Forged, Internal, Invalid, NotFound, TooLarge, TooMany, Unauthorized,
        Unavailable, Unreachable, WrongMethod, WrongPassword,
    };
    let first = Unauthorized;
    // A new kind of error is to be added below; this match notices.
    match first {
        Unauthorized | WrongPassword | Forbidden(_) | Forged | WrongMethod | NotFound(_) | Conflict(_)
        | Invalid(_) | TooLarge | TooMany(_) | Unreachable | Unavailable | Internal => {}
    }
    vec![
        Unauthorized,
        WrongPassword,
        Forbidden(Role::Reviewer),
        Forged,
        WrongMethod,
        NotFound("thing"),
        Conflict(String::new()),
        Invalid(String::new()),
        TooLarge,
        TooMany(1),
        Unreachable,
        Unavailable,
        Internal,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_internal_gets_out() {
        let inner = store::Error::Corrupt("findings.card of /var/lib/secret.db: line 3".into());
        let error = HttpError::from(inner);
        assert_eq!(error, HttpError::Internal);
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn a_full_disk_is_told_as_later_and_a_conflict_as_itself() {
        assert_eq!(HttpError::from(store::Error::DiskFull), HttpError::Unavailable);
        assert_eq!(HttpError::from(store::Error::ReadOnly), HttpError::Unavailable);
        let error = HttpError::from(store::Error::Conflict("ana rejected this already".into()));
        assert_eq!(error.to_string(), "Ana rejected this already.");
    }

    #[test]
    fn problems_carry_status_code_and_wait() {
        let response = Problem(HttpError::Unavailable).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
    }
}
