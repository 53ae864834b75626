//! Why a step did not end well.

use souk_ports::PortError;

/// A step that failed; everything that it did until then is kept and recorded.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// What was asked for is wrong; the text names it and the remedy.
    #[error("{0}")]
    Usage(String),
    /// Something was found that somebody has to decide or mend.
    #[error("{0}")]
    Found(String),
    /// Source, target or record cannot be reached.
    #[error("{0}")]
    Unreachable(String),
}

impl MigrateError {
    /// For work of ours that ended in the middle, which only a fault of ours does.
    pub(crate) fn cut_off(error: tokio::task::JoinError) -> Self {
        Self::Unreachable(format!("a piece of work was cut off: {error}"))
    }
}

impl From<PortError> for MigrateError {
    fn from(error: PortError) -> Self {
        let text = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        if error.kind() == souk_ports::ErrorKind::InvalidData {
            Self::Found(text)
        } else {
            Self::Unreachable(text)
        }
    }
}
