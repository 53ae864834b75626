//! How a check ends.

use souk_client::ClientError;

/// What a check that did not come out well has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Something answers, and is not as it should be.
    Fault {
        /// What was found.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Nothing answers.
    Unreachable {
        /// What was tried.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// It could not be looked at, because of something that another check has told.
    Skipped(String),
}

/// What a check found when it came out well, in a few words.
pub(crate) type Finding = Result<String, Trouble>;

impl Trouble {
    pub fn fault(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Fault { what: what.into(), remedy: remedy.into() }
    }

    pub fn unreachable(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Unreachable { what: what.into(), remedy: remedy.into() }
    }

    /// Takes what a client says; what to do about it is the check's to know.
    pub fn of(error: &ClientError, remedy: impl Into<String>) -> Self {
        match error {
            ClientError::Unreachable { reason, .. } => Self::unreachable(reason, remedy),
            ClientError::Unexpected { request, reason, .. } => {
                Self::fault(format!("{request} was answered {reason}"), remedy)
            }
            ClientError::Url(what) => Self::fault(what, remedy),
        }
    }
}
