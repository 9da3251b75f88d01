//! Why a step did not come through, and what its job deserves.

use std::time::Duration;

use crate::domain::retry::Disposition;
use crate::{inference, procore, store};

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Decided by what went wrong.
    #[error("{message}")]
    Step {
        /// What the job deserves.
        disposition: Disposition,
        message: String,
    },
    /// The job waits for a person; what it works for is not touched.
    #[error("{reason}")]
    Waits {
        /// What is wrong and what to do about it.
        reason: String,
    },
    /// Something else must be done first; nothing was tried, so this is no attempt.
    #[error("another item of the project is being made")]
    NotYet {
        /// When to look again.
        after: Duration,
    },
    /// A write may yet be carried out by Procore: look again after `wait`.
    #[error("{reason}")]
    InDoubt {
        /// Until the next look.
        wait: Duration,
        /// What is not known, for the reviewer.
        reason: String,
    },
    /// The lease passed to somebody else meanwhile: whatever this attempt did is theirs to finish.
    #[error("the lease was lost to another worker")]
    LeaseLost,
}

impl Failure {
    /// Worth another attempt.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::Step { disposition: Disposition::RetryLater { after: None }, message: message.into() }
    }

    /// A person must act first.
    pub fn park(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Step { disposition: Disposition::Park { reason: reason.clone() }, message: reason }
    }

    /// It can never work.
    pub fn give_up(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Step { disposition: Disposition::GiveUp { reason: reason.clone() }, message: reason }
    }
}

impl From<procore::Error> for Failure {
    fn from(error: procore::Error) -> Self {
        Self::Step { disposition: error.disposition(), message: error.to_string() }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::LeaseLost => Self::LeaseLost,
            other => Self::retry(other.to_string()),
        }
    }
}

impl From<inference::Error> for Failure {
    fn from(error: inference::Error) -> Self {
        Self::retry(error.to_string())
    }
}
