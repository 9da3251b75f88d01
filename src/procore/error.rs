//! What can go wrong with a call, and what each case deserves.

use std::time::Duration;

use crate::domain::retry::Disposition;
use crate::secrets;

/// A call that did not give what it was made for. No message holds a token or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The config cannot be used for calls.
    #[error("config: {reason}")]
    Config {
        /// What is wrong and what to do.
        reason: String,
    },
    /// 401: the access token is not valid (any more).
    #[error("Procore does not accept the access token: {message}")]
    Unauthorized { message: String },
    /// The client id and secret are refused, or a fresh token is refused again.
    #[error(
        "Procore does not accept this app's credentials: {message}; check procore.environment, \
         procore.client_id and the client secret"
    )]
    Credentials { message: String },
    /// 403: no permission, app not connected, project not permitted to it, or tool switched off.
    #[error(
        "Procore forbids it: {message}; check that the app is installed, that its permitted projects \
         include this one, that the tool is switched on and that the app's permissions suffice"
    )]
    Forbidden { message: String },
    /// 404: it is not there, or this service may not see it.
    #[error(
        "Procore does not show it: {message}; it is deleted, or private and the service account may \
         not see private records"
    )]
    NotFound { message: String },
    /// Over a rate limit, by Procore's word (429) or by our own count.
    #[error("over Procore's rate limit: {message}")]
    RateLimited {
        /// How long to stay away.
        retry_after: Option<Duration>,
        message: String,
    },
    /// Procore read the request and does not want it.
    #[error("Procore refuses the request ({status}): {message}")]
    Rejected { status: u16, message: String },
    /// Procore, or something in front of it, is in trouble (408, 5xx).
    #[error("Procore is not available ({status}): {message}")]
    Unavailable {
        status: u16,
        /// How long to stay away, where it was told.
        retry_after: Option<Duration>,
        message: String,
    },
    /// A successful answer that this version cannot read.
    #[error("cannot read Procore's answer for {what} at '{path}': {message}")]
    Unreadable {
        /// What was asked for.
        what: &'static str,
        /// Where in the answer.
        path: String,
        /// What is wrong there.
        message: String,
    },
    /// Something else than Procore answered: a filter, a proxy, the sign-in page of a network. It says nothing about
    /// what was asked for, and it passes.
    #[error("something between this box and Procore answered (a filter, proxy or sign-in page): {message}")]
    Intercepted { status: u16, message: String },
    /// The network: no answer, or only a part of one.
    #[error("no answer from {host}: {message}")]
    Transport {
        host: String,
        /// Whether the request may have arrived.
        sent: bool,
        message: String,
    },
    /// More than the configured limit allows.
    #[error("{what} is larger than {limit}, the limit in {key}")]
    TooLarge {
        /// What was asked for.
        what: &'static str,
        /// The limit with its unit.
        limit: String,
        /// The config key that holds it.
        key: &'static str,
    },
    /// Policy forbids the call; nothing was sent.
    #[error("refused by policy: {reason}")]
    Refused {
        /// Which policy, and how to change it.
        reason: String,
    },
    /// A photo's link is no longer valid: ask for the photo again to get a fresh one.
    #[error("the photo's link does not work any more ({status}); a fresh one is needed")]
    LinkExpired { status: u16 },
}

impl Error {
    /// What the queue should do.
    pub fn disposition(&self) -> Disposition {
        let reason = || self.to_string();
        match self {
            Self::Unauthorized { .. } => Disposition::Reauthorise,
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                Disposition::RetryLater { after: *retry_after }
            }
            // What is wrong with the box's own access is no job's fault: all of them wait until it is mended.
            Self::Config { .. }
            | Self::Credentials { .. }
            | Self::Intercepted { .. }
            | Self::Transport { .. }
            | Self::LinkExpired { .. } => Disposition::RetryLater { after: None },
            // A filter's JSON looks like this too, and passes; a change of Procore's API does not.
            Self::Unreadable { .. } => Disposition::RetryThenPark { reason: reason() },
            Self::Forbidden { .. } | Self::NotFound { .. } | Self::Refused { .. } => {
                Disposition::Park { reason: reason() }
            }
            Self::Rejected { .. } | Self::TooLarge { .. } => Disposition::GiveUp { reason: reason() },
        }
    }

    /// After a write: whether Procore may have done it all the same, so that a look-up must come
    /// before a second attempt. Only meaningful for writes.
    pub const fn outcome_in_doubt(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::Intercepted { .. }
            | Self::Unreadable { .. }
            | Self::TooLarge { .. } => true,
            Self::Transport { sent, .. } => *sent,
            Self::Config { .. }
            | Self::Unauthorized { .. }
            | Self::Credentials { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::RateLimited { .. }
            | Self::Rejected { .. }
            | Self::Refused { .. }
            | Self::LinkExpired { .. } => false,
        }
    }

    /// The error for an HTTP status that is no success.
    pub(crate) fn from_status(status: u16, retry_after: Option<Duration>, message: String) -> Self {
        match status {
            401 => Self::Unauthorized { message },
            403 => Self::Forbidden { message },
            404 | 410 => Self::NotFound { message },
            408 | 425 | 500..=599 => Self::Unavailable { status, retry_after, message },
            429 => Self::RateLimited { retry_after, message },
            _ => Self::Rejected { status, message },
        }
    }
}

impl From<secrets::Error> for Error {
    /// A secret that was named and cannot be had.
    fn from(error: secrets::Error) -> Self {
        Self::Config { reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Deserves {
        Later(Option<u64>),
        Token,
        Park,
        LaterPark,
        GiveUp,
    }

    fn deserves(error: &Error) -> Deserves {
        match error.disposition() {
            Disposition::RetryLater { after } => Deserves::Later(after.map(|wait| wait.as_secs())),
            Disposition::Reauthorise => Deserves::Token,
            Disposition::Park { reason } => {
                assert!(reason.len() > 20, "a person must be able to act on '{reason}'");
                Deserves::Park
            }
            Disposition::RetryThenPark { .. } => Deserves::LaterPark,
            Disposition::GiveUp { .. } => Deserves::GiveUp,
        }
    }

    #[test]
    fn every_status_has_its_consequence() {
        let check = |status, retry_after: Option<u64>, expected: Deserves, doubt| {
            let error = Error::from_status(status, retry_after.map(Duration::from_secs), "said".into());
            assert_eq!(deserves(&error), expected, "{status}");
            assert_eq!(error.outcome_in_doubt(), doubt, "{status}");
        };
        check(400, None, Deserves::GiveUp, false);
        check(401, None, Deserves::Token, false);
        check(403, None, Deserves::Park, false);
        check(404, None, Deserves::Park, false);
        check(406, None, Deserves::GiveUp, false);
        check(408, None, Deserves::Later(None), true);
        check(409, None, Deserves::GiveUp, false);
        check(422, None, Deserves::GiveUp, false);
        check(429, Some(7), Deserves::Later(Some(7)), false);
        check(500, None, Deserves::Later(None), true);
        check(502, None, Deserves::Later(None), true);
        check(503, Some(30), Deserves::Later(Some(30)), true);
        check(504, None, Deserves::Later(None), true);
    }

    #[test]
    fn everything_else_has_its_consequence_too() {
        let check = |error: &Error, expected: Deserves, doubt| {
            assert_eq!(deserves(error), expected, "{error}");
            assert_eq!(error.outcome_in_doubt(), doubt, "{error}");
        };
        let transport = |sent| Error::Transport { host: "api".into(), sent, message: "reset".into() };
        check(&transport(true), Deserves::Later(None), true);
        check(&transport(false), Deserves::Later(None), false);
        check(&Error::LinkExpired { status: 403 }, Deserves::Later(None), false);
        check(&Error::Credentials { message: "no".into() }, Deserves::Later(None), false);
        check(&Error::Config { reason: "there is no secret".into() }, Deserves::Later(None), false);
        check(&Error::Refused { reason: "project 1/2".into() }, Deserves::Park, false);
        let unreadable = Error::Unreadable { what: "a photo", path: "id".into(), message: "null".into() };
        check(&unreadable, Deserves::LaterPark, true);
        let page = Error::Intercepted { status: 403, message: "a page titled 'Blocked'".into() };
        check(&page, Deserves::Later(None), true);
        assert!(!page.to_string().contains("permission"), "the app's permissions are not the matter: {page}");
        let large = Error::TooLarge { what: "the photo", limit: "1 byte".into(), key: "a.b" };
        check(&large, Deserves::GiveUp, true);
    }
}
