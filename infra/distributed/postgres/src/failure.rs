//! What a failed batch or read means.

use souk_ports::{ErrorKind, PortError};
use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use crate::connect;

/// Why a batch was not committed. Nothing of it took effect.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A guess was wrong or another writer was faster: fold anew, with everything looked up.
    Redo,
    /// Another writer stood in the way: try again a little later.
    Conflict(String),
    /// The session is gone.
    Lost(String),
    /// The server does not take writes now; the text says why.
    Refused(String),
    /// Something in the batch is at fault, or we are.
    Broken(PortError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return if is_lost(&error) {
                Self::Lost(connect::reason(&error))
            } else {
                Self::Broken(PortError::new(ErrorKind::Internal, "a write failed").with_source(error))
            };
        };
        if is_lost(&error) {
            return Self::Lost(db.message().to_owned());
        }
        match db.code() {
            &SqlState::UNIQUE_VIOLATION => Self::Redo,
            &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::T_R_DEADLOCK_DETECTED
            | &SqlState::LOCK_NOT_AVAILABLE => Self::Conflict(db.message().to_owned()),
            // Out of disk, memory or sessions; cancelled or timed out; trouble with the system.
            code if ["53", "57", "58"].iter().any(|class| code.code().starts_with(class)) => {
                Self::Refused(format!("Postgres does not take writes now: {}", db.message()))
            }
            _ => Self::Broken(PortError::new(ErrorKind::Internal, "a write failed").with_source(error)),
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Broken(error)
    }
}

/// Tells whether the session cannot be used any more.
pub(crate) fn is_lost(error: &Error) -> bool {
    match error.as_db_error() {
        Some(db) => {
            matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
                // The server became a standby, or prepared statements do not fit the tables any more.
                || matches!(db.code(), &SqlState::READ_ONLY_SQL_TRANSACTION | &SqlState::FEATURE_NOT_SUPPORTED)
                || db.code().code().starts_with("57P0")
        }
        None => {
            error.is_closed()
                || std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
        }
    }
}

/// Translates an error of a read.
pub(crate) fn port_error(error: Error) -> PortError {
    let (kind, message) = if is_lost(&error) {
        (ErrorKind::Unavailable, "Postgres cannot be reached")
    } else {
        match error.as_db_error().map(|db| &db.code().code()[..2]) {
            Some("53" | "57" | "58") => (ErrorKind::Unavailable, "Postgres does not answer reads now"),
            _ => (ErrorKind::Internal, "a read from Postgres failed"),
        }
    };
    PortError::new(kind, message).with_source(error)
}
