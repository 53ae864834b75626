//! What `souk verify` is told.

use std::time::Duration;

use souk_client::{ClientError, Named, Targets};

/// Where the installation is, and how long to wait for it.
#[derive(Debug, Clone)]
pub struct VerifyConfig {
    /// Base URL of api.
    pub api: String,
    /// URL of the event stream; `None`: where the api says that it serves everything, there; else beside it.
    pub stream: Option<String>,
    /// Base URL of analytics; `None`: as for the stream.
    pub analytics: Option<String>,
    /// Ports of notifications and analytics where they are beside the api.
    pub ports: (u16, u16),
    /// Longest wait of each check.
    pub timeout: Duration,
}

impl Default for VerifyConfig {
    fn default() -> Self {
        Self {
            api: "http://localhost:3000".to_owned(),
            stream: None,
            analytics: None,
            ports: (3001, 8080),
            timeout: Duration::from_secs(30),
        }
    }
}

impl VerifyConfig {
    pub(crate) fn targets(&self) -> Result<Targets, ClientError> {
        let (stream, analytics) = (self.stream.as_deref(), self.analytics.as_deref());
        Targets::resolve(&Named { api: &self.api, stream, analytics, ports: self.ports })
    }
}
