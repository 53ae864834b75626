//! Where the three services are, and whether they are ready.

use serde::Deserialize;
use souk_client::{Client, ClientError, Named, Targets, get};

use crate::LoadConfig;

/// What a service is called in its `/health` where it serves everything.
const EVERYTHING: &str = "souk";

/// Finds what was not named in the api, if it says that it serves everything; all have to be ready.
pub(crate) async fn find(config: &LoadConfig) -> Result<Targets, ClientError> {
    let (stream, analytics) = (config.stream.as_deref(), config.analytics.as_deref());
    let mut targets = Targets::resolve(&Named { api: &config.api, stream, analytics, ports: config.ports })?;
    let mut api = Client::new(targets.api.clone(), config.patience);
    api.probe().await?;
    if (stream.is_none() || analytics.is_none()) && serves_everything(&mut api).await? {
        targets.take_all_from_the_api();
    }
    for target in [&targets.analytics, &targets.stream] {
        Client::new(target.clone(), config.patience).probe().await?;
    }
    Ok(targets)
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
