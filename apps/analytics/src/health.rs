//! How analytics is doing: its store and its three consumers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_http::{Check, Health, HealthCheck, Status};

use crate::analytics::Shared;
use crate::consumer::chain;

/// Looks at the store and the consumers.
pub(crate) struct AnalyticsHealth {
    shared: Arc<Shared>,
}

impl AnalyticsHealth {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Returns how the store is doing, and whether queries can be answered. One that is away for a while is no reason to
    /// give up: the archive goes on, and what was not counted is counted later.
    async fn store(&self) -> (Check, bool) {
        let check = match self.shared.store.health().await {
            Ok(health) => {
                let status = if health.problem.is_some() { Status::Degraded } else { Status::Ok };
                Check { status, detail: health.problem.unwrap_or(health.detail), figures: health.figures }
            }
            Err(error) => {
                let status = if error.is_retryable() { Status::Degraded } else { Status::Unavailable };
                return (Check { status, detail: chain(&error), figures: Vec::new() }, false);
            }
        };
        (check, true)
    }
}

#[async_trait]
impl HealthCheck for AnalyticsHealth {
    async fn check(&self) -> Health {
        let (store, reachable) = self.store().await;
        let mut checks = vec![("eventStore", store)];
        for state in self.shared.consumers() {
            // The archive holds records back until its files are full or old; the others do not.
            let patience = if state.name == self.shared.archiver.name {
                self.shared.config.archive_max_age
            } else {
                Duration::ZERO
            };
            checks.push((state.name, state.check(patience)));
        }
        // One that lags or waits does not keep queries from being answered; one that has stopped makes them go stale.
        let working = self.shared.consumers().iter().all(|state| state.is_member() && !state.is_stopped());
        Health { ready: reachable && working, checks }
    }
}
