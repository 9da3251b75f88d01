//! What keeps a photo from being looked at.

/// Why there are no pixels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It asks for more than [`Limits`](super::Limits) allow.
    #[error(
        "the photo has {got} {unit}, more than the {limit} that photo.{key} allows: upload a smaller copy, or raise the limit"
    )]
    TooLarge {
        /// What was counted.
        unit: &'static str,
        /// How many it has.
        got: u64,
        /// How many are allowed.
        limit: u64,
        /// The key of the section `[photo]` that sets the limit.
        key: &'static str,
    },
    /// It is well formed as far as can be seen, but of a kind that is not read.
    #[error("{what} cannot be read: {instead}")]
    Unsupported {
        /// What it is.
        what: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// It is damaged.
    #[error("the photo is damaged ({what}): upload the original again")]
    Broken {
        /// What was found.
        what: String,
    },
}

impl Error {
    /// A stable name for logs and machine-read output.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::Unsupported { .. } => "unsupported",
            Self::Broken { .. } => "broken",
        }
    }

    pub(crate) fn broken(what: impl Into<String>) -> Self {
        Self::Broken { what: what.into() }
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into(), instead: "save it as an ordinary JPEG and upload that" }
    }
}
