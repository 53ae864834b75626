//! What the steps know of the installation, and of what they have left in it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use souk_client::{Client, ClientError, Target, Targets};
use uuid::Uuid;

use crate::health::Health;
use crate::report::Report;
use crate::stream::{Arrival, Stream};
use crate::{Status, Step, VerifyConfig};

/// The product of this run.
#[derive(Debug, Clone)]
pub(crate) enum Made {
    /// Nothing was written.
    Nothing,
    /// It was asked for, and nobody said how that went: the request, to ask again with the same key.
    Unknown(Vec<u8>),
    /// It is there, as the api answered; and when it was asked for.
    Product(Value, Instant),
    /// It is gone again, or was refused.
    Removed(Option<String>),
}

/// One run.
pub(crate) struct Visit {
    pub targets: Targets,
    /// Longest wait of each check.
    pub timeout: Duration,
    /// Made up for this run, so that nothing of others is touched or waited for.
    pub seller: String,
    pub made: Made,
    /// The stream, once it is open.
    pub stream: Option<Stream>,
    /// The created product's event, once it has arrived.
    pub created: Option<Arrival>,
    /// What each service said of itself.
    pub healths: BTreeMap<&'static str, Health>,
    pub steps: Vec<Step>,
}

impl Visit {
    pub fn new(config: &VerifyConfig) -> Result<Self, ClientError> {
        Ok(Self {
            targets: config.targets()?,
            timeout: config.timeout,
            seller: format!("souk-verify-{}", Uuid::now_v7().simple()),
            made: Made::Nothing,
            stream: None,
            created: None,
            healths: BTreeMap::new(),
            steps: Vec::new(),
        })
    }

    /// Makes a client that tries for as long as a check may take.
    pub fn client(&self, target: &Target) -> Client {
        Client::new(target.clone(), self.timeout)
    }

    /// Returns the product's id, once there was one.
    pub fn product(&self) -> Option<&str> {
        match &self.made {
            Made::Product(product, _) => product["id"].as_str(),
            Made::Removed(id) => id.as_deref(),
            Made::Nothing | Made::Unknown(_) => None,
        }
    }

    /// Tells whether the services work on servers, as far as they have said.
    pub fn is_distributed(&self) -> bool {
        self.healths.values().any(|health| health.backend == "distributed")
    }

    /// Returns why an event may be lost between `services`, where what they say of themselves tells.
    pub fn suspects(&self, services: &[&'static str]) -> Option<String> {
        let said: Vec<(&str, &Health)> =
            services.iter().filter_map(|service| Some((*service, self.healths.get(service)?))).collect();
        if let Some((service, health)) = said.iter().find(|(_, health)| !health.troubles.is_empty()) {
            return Some(format!(
                "{service} says: {}; `souk doctor` looks at every server",
                health.troubles.join(", ")
            ));
        }
        let mut differing = said.windows(2).filter(|pair| pair[0].1.backend != pair[1].1.backend);
        differing.next().map(|pair| {
            let [(one, its), (other, others)] = pair else { unreachable!("windows of two") };
            format!(
                "these are two installations: {one} is {}, {other} is {}; start both with the same settings (`souk config`)",
                its.backend, others.backend
            )
        })
    }

    pub fn report(self, took: Duration, interrupted: bool) -> Report {
        Report {
            ok: !interrupted && self.steps.iter().all(|step| step.status == Status::Ok),
            interrupted,
            took,
            api: self.targets.api.url(),
            stream: self.targets.stream.url(),
            analytics: self.targets.analytics.url(),
            backend: self.healths.values().next().map(|health| health.backend.clone()),
            product_id: self.product().map(str::to_owned),
            seller_id: self.seller,
            steps: self.steps,
        }
    }
}
