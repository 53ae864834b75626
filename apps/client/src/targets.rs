//! Where the three services of an installation are.

use crate::{ClientError, Target};

/// Where an installation is said to be.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Base URL of api.
    pub api: &'a str,
    /// URL of the event stream, where that is said.
    pub stream: Option<&'a str>,
    /// Base URL of analytics, where that is said.
    pub analytics: Option<&'a str>,
    /// Ports of notifications and analytics where they are beside the api.
    pub ports: (u16, u16),
}

/// Where the three services are.
#[derive(Debug)]
pub struct Targets {
    /// api.
    pub api: Target,
    /// notifications' stream.
    pub stream: Target,
    /// analytics.
    pub analytics: Target,
    /// Whether the stream, or analytics, was named, and not supposed.
    named: (bool, bool),
}

impl Targets {
    /// Takes what is named from where it is said to be, and supposes the rest beside the api.
    ///
    /// # Errors
    /// [`ClientError::Url`] with what is wrong with one that is named.
    pub fn resolve(named: &Named<'_>) -> Result<Self, ClientError> {
        let api = Target::parse("api", named.api)?;
        let beside = |service, url: Option<&str>, port, path| match url {
            Some(url) => Target::parse(service, url),
            None => Ok(api.beside(service, port, path)),
        };
        let stream = beside("notifications", named.stream, named.ports.0, "/events/stream")?;
        let analytics = beside("analytics", named.analytics, named.ports.1, "")?;
        Ok(Self { api, stream, analytics, named: (named.stream.is_some(), named.analytics.is_some()) })
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

    const NAMED: Named<'_> =
        Named { api: "http://souk.example:3300/shop", stream: None, analytics: None, ports: (4001, 4080) };

    #[test]
    fn what_is_not_named_is_beside_the_api_or_in_it() {
        let mut targets = Targets::resolve(&NAMED).expect("a URL");
        assert_eq!(targets.stream.url(), "http://souk.example:4001/events/stream");
        assert_eq!(targets.analytics.url(), "http://souk.example:4080");
        targets.take_all_from_the_api();
        assert_eq!(targets.stream.url(), "http://souk.example:3300/shop/events/stream");
        assert_eq!(targets.analytics.url(), "http://souk.example:3300/shop");
    }

    #[test]
    fn what_is_named_stays() {
        let (stream, analytics) = (Some("http://a:1/events/stream"), Some("http://b:2"));
        let mut targets = Targets::resolve(&Named { stream, analytics, ..NAMED }).expect("URLs");
        targets.take_all_from_the_api();
        assert_eq!(
            (targets.stream.url().as_str(), targets.analytics.url().as_str()),
            ("http://a:1/events/stream", "http://b:2")
        );
    }
}
