//! What a service says of itself.

use std::io;

use serde_json::Value;
use souk_client::{Client, Target, get};

use crate::finding::Trouble;
use crate::remedy;

/// What `/health` said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Health {
    /// The service's name; `souk` where it serves everything.
    pub service: String,
    /// `embedded` or `distributed`.
    pub backend: String,
    /// Its version.
    pub version: String,
    /// What is not as it should be, although it works, with what it says of it.
    pub troubles: Vec<String>,
}

impl Health {
    /// Asks `target`, which has to be its service, or all of them.
    pub async fn ask(client: &mut Client) -> Result<Self, Trouble> {
        let target = client.target().clone();
        let mut request = Vec::new();
        get(&mut request, &target, "/health");
        let reply = client.try_once(&request).await.map_err(|error| silent(&target, &error))?;
        let document: Option<Value> = serde_json::from_slice(client.body()).ok();
        let document = document.filter(|document| document["status"].is_string());
        let (200 | 503, Some(document)) = (reply.status, document) else {
            let what = format!("{}/health answers {}, and not as a souk does", target.url(), reply.status);
            return Err(Trouble::fault(what, remedy::stranger(&target)));
        };
        let text = |field: &str| document[field].as_str().unwrap_or_default().to_owned();
        let health = Self {
            service: text("service"),
            backend: text("backend"),
            version: text("version"),
            troubles: troubles(&document),
        };
        if health.service != target.service && health.service != "souk" {
            let what = format!("{} is {}, not {}", target.url(), health.service, target.service);
            return Err(Trouble::fault(what, remedy::other_service(&target)));
        }
        if reply.status == 503 {
            let what = format!("it says that it is unavailable: {}", health.told());
            return Err(Trouble::fault(what, remedy::unavailable(&target)));
        }
        Ok(health)
    }

    /// Returns it in a few words.
    pub fn summary(&self) -> String {
        if self.troubles.is_empty() { "healthy".to_owned() } else { format!("degraded ({})", self.told()) }
    }

    fn told(&self) -> String {
        self.troubles.join(", ")
    }
}

fn troubles(document: &Value) -> Vec<String> {
    let checks = document["checks"].as_object();
    let troubled = checks.into_iter().flatten().filter(|(_, check)| check["status"] != "ok");
    troubled.map(|(name, check)| format!("{name}: {}", check["detail"].as_str().unwrap_or("?"))).collect()
}

/// Says why a service that does not answer does not.
pub(crate) fn silent(target: &Target, error: &io::Error) -> Trouble {
    let url = target.service_base().url();
    let what = match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("nothing listens at {url}"),
        io::ErrorKind::TimedOut => format!("{url} does not answer"),
        _ => format!("{url} cannot be reached: {error}"),
    };
    Trouble::unreachable(what, remedy::away(target))
}
