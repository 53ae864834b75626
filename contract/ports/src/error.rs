//! The one error that ports have.

use std::error::Error;
use std::fmt;

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The state does not allow it: something exists already, or another one was faster.
    Conflict,
    /// The store cannot be reached or refuses for now (full, locked, shutting down). Nothing was done.
    Unavailable,
    /// No answer in time. For a write: it may have happened.
    Timeout,
    /// Input or stored data that cannot be read, a bad cursor among them.
    InvalidData,
    /// A bug, or an answer that makes no sense.
    Internal,
}

/// A failure of an adapter, translated once from its driver's error.
#[derive(Debug)]
pub struct PortError {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl PortError {
    /// Makes an error; `message` names the input and, where there is one, the remedy.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Adds the driver's error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the message without its source.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Tells whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Timeout)
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for PortError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
