//! Why there is no answer to go on with.

/// What went wrong between a command and a service.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A URL that cannot be used.
    #[error("{0}")]
    Url(String),
    /// A service does not answer.
    #[error("cannot reach {service} at {url}: {reason}; is souk up?")]
    Unreachable {
        /// The service.
        service: &'static str,
        /// Its URL.
        url: String,
        /// The last failure.
        reason: String,
    },
    /// A service answers with something that is not its interface.
    #[error("{service} answered {request} with something unexpected: {reason}")]
    Unexpected {
        /// The service.
        service: &'static str,
        /// Method and path.
        request: String,
        /// What came.
        reason: String,
    },
}
