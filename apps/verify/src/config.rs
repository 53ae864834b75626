//! What `souk verify` is told, and where the services then are.

use std::time::Duration;

use souk_client::{ClientError, Target};

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

/// Where the three services are.
pub(crate) struct Targets {
    pub api: Target,
    pub stream: Target,
    pub analytics: Target,
    /// Whether the stream, or analytics, was named, and not supposed.
    named: (bool, bool),
}

impl Targets {
    pub fn resolve(config: &VerifyConfig) -> Result<Self, ClientError> {
        let api = Target::parse("api", &config.api)?;
        let beside = |service, url: &Option<String>, port, path| match url {
            Some(url) => Target::parse(service, url),
            None => Ok(api.beside(service, port, path)),
        };
        let stream = beside("notifications", &config.stream, config.ports.0, "/events/stream")?;
        let analytics = beside("analytics", &config.analytics, config.ports.1, "")?;
        Ok(Self { api, stream, analytics, named: (config.stream.is_some(), config.analytics.is_some()) })
    }

    /// Looks for everything that was not named where the api is: it said that it serves it.
    pub fn take_all_from_the_api(&mut self) {
        if !self.named.0 {
            let path = format!("{}/events/stream", self.api.path);
            self.stream = self.api.sharing("notifications", &path);
        }
        if !self.named.1 {
            self.analytics = self.api.sharing("analytics", &self.api.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_beside_the_api_or_in_it() {
        let config = VerifyConfig { api: "http://souk.example:3300".to_owned(), ..VerifyConfig::default() };
        let mut targets = Targets::resolve(&config).unwrap();
        assert_eq!(targets.stream.url(), "http://souk.example:3001/events/stream");
        assert_eq!(targets.analytics.url(), "http://souk.example:8080");
        targets.take_all_from_the_api();
        assert_eq!(targets.stream.url(), "http://souk.example:3300/events/stream");
        assert_eq!(targets.analytics.url(), "http://souk.example:3300");
    }

    #[test]
    fn what_is_named_stays() {
        let config = VerifyConfig {
            stream: Some("http://a:1/events/stream".to_owned()),
            analytics: Some("http://b:2".to_owned()),
            ..VerifyConfig::default()
        };
        let mut targets = Targets::resolve(&config).unwrap();
        targets.take_all_from_the_api();
        assert_eq!(
            (targets.stream.url().as_str(), targets.analytics.url().as_str()),
            ("http://a:1/events/stream", "http://b:2")
        );
    }
}
