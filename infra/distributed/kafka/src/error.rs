//! What can go wrong, said once in the words of whoever has to act on it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use souk_ports::{ErrorKind, PortError};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// For now; trying again may help.
    #[error("{0}")]
    Unreachable(String),
    /// Until somebody changes something; the text says what.
    #[error("{0}")]
    Refused(String),
}

impl From<ConnectError> for PortError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Unreachable(text) => Self::new(ErrorKind::Unavailable, text),
            ConnectError::Refused(text) => Self::new(ErrorKind::InvalidData, text),
        }
    }
}

/// Why a batch was not published, and what that says about it.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nothing of the batch was sent; the same call may succeed later.
    #[error("{0}")]
    Retry(String),
    /// The batch was published as a whole or not at all, and only the position tells: drop this producer, start
    /// another one and read its position.
    #[error("{0}")]
    Unclear(String),
    /// Another producer with the same transactional id has started; nothing of the batch was published.
    #[error("{0}")]
    Fenced(String),
    /// Until somebody changes something; the text says what. Nothing of the batch was published.
    #[error("{0}")]
    Fatal(String),
}

/// Makes a sentence of what was tried, an error, and the reason that the client last heard of.
pub(crate) fn sentence(what: &str, error: &KafkaError, reason: Option<String>) -> String {
    match reason {
        Some(reason) => format!("{what}: {error} ({reason})"),
        None => format!("{what}: {error}"),
    }
}

/// Tells whether the broker refuses for a reason that only a person can remove.
pub(crate) fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SSL
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
    )
}

/// Tells whether a member's claim to its partitions is gone, so that another member may have them.
pub(crate) fn is_lost_membership(code: Code) -> bool {
    matches!(
        code,
        Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::RebalanceInProgress
            | Code::FencedInstanceId
            | Code::StaleMemberEpoch
            | Code::FencedMemberEpoch
            | Code::AssignmentLost
            | Code::PollExceeded
    )
}

/// Translates an error of a read or a commit.
pub(crate) fn port_error(what: &str, error: KafkaError, reason: Option<String>) -> PortError {
    let kind = match error.rdkafka_error_code() {
        Some(code) if is_lost_membership(code) => ErrorKind::Conflict,
        Some(Code::OffsetOutOfRange | Code::AutoOffsetReset) => ErrorKind::InvalidData,
        // Refusals are waited out like an outage: rights and certificates are mended while services run.
        _ => ErrorKind::Unavailable,
    };
    PortError::new(kind, sentence(what, &error, reason)).with_source(error)
}
