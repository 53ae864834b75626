//! The SDK's errors in the terms of ports and operators.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use souk_ports::{ErrorKind, PortError};

/// Why DynamoDB or S3 cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// For now: trying again may help.
    #[error("{0}")]
    Unreachable(String),
    /// Until somebody changes something; the text says what.
    #[error("{0}")]
    Refused(String),
}

/// What every operation's error has.
pub(crate) trait ServiceFault:
    ProvideErrorMetadata + std::error::Error + Send + Sync + 'static
{
}

impl<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static> ServiceFault for E {}

/// Returns DynamoDB's name for what went wrong, when it answered.
pub(crate) fn code<E: ServiceFault>(error: &SdkError<E>) -> Option<&str> {
    match error {
        SdkError::ServiceError(service) => service.err().code(),
        _ => None,
    }
}

/// Tells whether the table takes no more for now.
pub(crate) fn is_throttled<E: ServiceFault>(error: &SdkError<E>) -> bool {
    matches!(
        code(error),
        Some("ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded")
    )
}

/// Translates an error of a request on `table`.
///
/// Nearly everything may pass: a lost server, throttling, keys that are being changed, a table that is put back.
pub(crate) fn port_error<E: ServiceFault>(table: &str, error: SdkError<E>) -> PortError {
    let (kind, message) = match (&error, code(&error)) {
        (_, Some("ValidationException")) => {
            (ErrorKind::Internal, format!("DynamoDB refuses a request on table {table}"))
        }
        (_, Some("ResourceNotFoundException")) => {
            (ErrorKind::Unavailable, format!("table {table} is gone: restore it, or restart to make it anew"))
        }
        _ if is_throttled(&error) => {
            (ErrorKind::Unavailable, format!("table {table} is throttled: raise its limits or wait"))
        }
        (SdkError::TimeoutError(_), _) => {
            (ErrorKind::Timeout, format!("DynamoDB does not answer in time on table {table}"))
        }
        _ => (ErrorKind::Unavailable, format!("DynamoDB cannot be used on table {table}")),
    };
    PortError::new(kind, message).with_source(error)
}

/// Translates an error of setting up: whoever cannot be reached may come back, whoever refuses will go on to.
pub(crate) fn connect_error<E: ServiceFault>(place: &str, doing: &str, error: &SdkError<E>) -> ConnectError {
    let text = format!("{place}: {doing}: {}", DisplayErrorContext(error));
    match code(error) {
        Some("ValidationException") => ConnectError::Refused(text),
        Some("AccessDeniedException" | "UnrecognizedClientException" | "InvalidSignatureException") => {
            ConnectError::Refused(format!("{text}; check AWS_ACCESS_KEY_ID and what it may do"))
        }
        _ => ConnectError::Unreachable(text),
    }
}
