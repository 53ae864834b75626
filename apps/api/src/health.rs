//! The service is as well as its catalog.

use std::sync::Arc;

use async_trait::async_trait;
use souk_http::{Check, Health, HealthCheck, Status};
use souk_ports::Catalog;

/// Asks the catalog.
pub(crate) struct CatalogHealth(pub(crate) Arc<dyn Catalog>);

#[async_trait]
impl HealthCheck for CatalogHealth {
    async fn check(&self) -> Health {
        let check = match self.0.health().await {
            Ok(store) => Check {
                status: if store.problem.is_some() { Status::Degraded } else { Status::Ok },
                detail: match store.problem {
                    Some(problem) => format!("{problem} ({})", store.detail),
                    None => store.detail,
                },
                figures: store.figures,
            },
            Err(error) => {
                Check { status: Status::Unavailable, detail: error.to_string(), figures: Vec::new() }
            }
        };
        Health { ready: check.status != Status::Unavailable, checks: vec![("catalog", check)] }
    }
}
