//! Where the three services are.

use std::time::Duration;

use serde::Deserialize;
use souk_client::{Client, ClientError, Target, get};

use crate::LoadConfig;

/// What a service is called in its `/health` where it serves everything.
const EVERYTHING: &str = "souk";

/// Where the three services are.
pub(crate) struct Targets {
    pub api: Target,
    pub stream: Target,
    pub analytics: Target,
    /// Whether the stream, or analytics, was named, and not supposed.
    named: (bool, bool),
}

impl Targets {
    /// Takes what is named from where it is said to be, and supposes the rest beside the api.
    pub fn resolve(config: &LoadConfig) -> Result<Self, ClientError> {
        let api = Target::parse("api", &config.api)?;
        let beside = |service, url: &Option<String>, port, path| match url {
            Some(url) => Target::parse(service, url),
            None => Ok(api.beside(service, port, path)),
        };
        let stream = beside("notifications", &config.stream, config.ports.0, "/events/stream")?;
        let analytics = beside("analytics", &config.analytics, config.ports.1, "")?;
        Ok(Self { api, stream, analytics, named: (config.stream.is_some(), config.analytics.is_some()) })
    }

    /// Finds what was not named in the api, if it says that it serves everything; all have to be ready.
    pub async fn find(&mut self, patience: Duration) -> Result<(), ClientError> {
        let mut api = Client::new(self.api.clone(), patience);
        api.probe().await?;
        if self.named != (true, true) && serves_everything(&mut api).await? {
            self.take_all_from_the_api();
        }
        for target in [&self.analytics, &self.stream] {
            Client::new(target.clone(), patience).probe().await?;
        }
        Ok(())
    }

    fn take_all_from_the_api(&mut self) {
        if !self.named.0 {
            let path = format!("{}/events/stream", self.api.path);
            self.stream = self.api.sharing("notifications", &path);
        }
        if !self.named.1 {
            self.analytics = self.api.sharing("analytics", &self.api.path);
        }
    }
}

/// Asks the api what it is, however well it is; what says nothing of it is the api alone.
async fn serves_everything(api: &mut Client) -> Result<bool, ClientError> {
    #[derive(Deserialize)]
    struct Health {
        service: String,
    }
    let mut request = Vec::new();
    get(&mut request, api.target(), "/health");
    if let Err(error) = api.try_once(&request).await {
        return Err(api.target().unreachable(error));
    }
    let health = serde_json::from_slice::<Health>(api.body());
    Ok(health.is_ok_and(|health| health.service == EVERYTHING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_beside_the_api_or_in_it() {
        let api = "http://souk.example:3300/shop".to_owned();
        let config = LoadConfig { api, ports: (4001, 4080), ..LoadConfig::default() };
        let mut targets = Targets::resolve(&config).unwrap();
        assert_eq!(targets.stream.url(), "http://souk.example:4001/events/stream");
        assert_eq!(targets.analytics.url(), "http://souk.example:4080");
        targets.take_all_from_the_api();
        assert_eq!(targets.stream.url(), "http://souk.example:3300/shop/events/stream");
        assert_eq!(targets.analytics.url(), "http://souk.example:3300/shop");
    }

    #[test]
    fn what_is_named_stays() {
        let config = LoadConfig {
            stream: Some("http://a:1/events/stream".to_owned()),
            analytics: Some("http://b:2".to_owned()),
            ..LoadConfig::default()
        };
        let mut targets = Targets::resolve(&config).unwrap();
        targets.take_all_from_the_api();
        assert_eq!(
            (targets.stream.url().as_str(), targets.analytics.url().as_str()),
            ("http://a:1/events/stream", "http://b:2")
        );
    }
}
