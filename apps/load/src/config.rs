//! What `souk load` is told, and why it can fail to reach a verdict.

use std::path::PathBuf;
use std::time::Duration;

use souk_client::ClientError;

/// Most lines that one order may have (`POST /stock-adjustments`).
pub(crate) const MAX_LINES_PER_REQUEST: usize = 500;

/// Most requests in flight: each has a connection, and file descriptors are finite.
const MAX_CONCURRENCY: usize = 10_000;

/// What to replay, where to, and how hard.
#[derive(Debug, Clone)]
pub struct LoadConfig {
    /// The transactions, `.csv` or `.csv.gz`; `None`: the sample inside the binary.
    pub data: Option<PathBuf>,
    /// Base URL of api.
    pub api: String,
    /// URL of the event stream; `None`: where the api says that it serves everything, there; else beside it.
    pub stream: Option<String>,
    /// Base URL of analytics; `None`: as for the stream.
    pub analytics: Option<String>,
    /// Ports of notifications and analytics where they are beside the api.
    pub ports: (u16, u16),
    /// Requests in flight at most, each on a connection of its own.
    pub concurrency: usize,
    /// Lines per second to send on a fixed schedule; `None`: as fast as answers come.
    pub rate: Option<f64>,
    /// Most lines of an invoice in one order, 1 to 500; with 1 each line is an adjustment of its own.
    pub lines_per_request: usize,
    /// How long a request is retried, and a lost stream reconnected, before the run gives up.
    pub patience: Duration,
    /// How long the stream may stand still before what is missing counts as lost.
    pub settle: Duration,
    /// Whether to draw a progress line on stderr.
    pub progress: bool,
}

impl Default for LoadConfig {
    fn default() -> Self {
        Self {
            data: None,
            api: "http://localhost:3000".to_owned(),
            stream: None,
            analytics: None,
            ports: (3001, 8080),
            concurrency: 64,
            rate: None,
            lines_per_request: MAX_LINES_PER_REQUEST,
            patience: Duration::from_secs(60),
            settle: Duration::from_secs(15),
            progress: false,
        }
    }
}

impl LoadConfig {
    /// Checks what does not need the world.
    ///
    /// # Errors
    /// [`LoadError::Setting`] naming the setting and what it can be.
    pub fn validate(&self) -> Result<(), LoadError> {
        if !(1..=MAX_CONCURRENCY).contains(&self.concurrency) {
            return Err(LoadError::Setting(format!(
                "concurrency is {}; give 1 to {MAX_CONCURRENCY}",
                self.concurrency
            )));
        }
        if !(1..=MAX_LINES_PER_REQUEST).contains(&self.lines_per_request) {
            return Err(LoadError::Setting(format!(
                "lines per request is {}; give 1 to {MAX_LINES_PER_REQUEST}",
                self.lines_per_request
            )));
        }
        if let Some(rate) = self.rate
            && !(rate.is_finite() && rate > 0.0)
        {
            return Err(LoadError::Setting(format!("rate is {rate}; give lines per second, above 0")));
        }
        Ok(())
    }
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A setting that cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The transactions cannot be read.
    #[error("cannot read the transactions in {name}: {reason}")]
    Data {
        /// The file, or `the sample`.
        name: String,
        /// What is wrong, with the line where there is one.
        reason: String,
    },
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

impl From<ClientError> for LoadError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Url(what) => Self::Setting(what),
            ClientError::Unreachable { service, url, reason } => Self::Unreachable { service, url, reason },
            ClientError::Unexpected { service, request, reason } => {
                Self::Unexpected { service, request, reason }
            }
        }
    }
}
