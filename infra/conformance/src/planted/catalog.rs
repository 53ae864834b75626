//! Catalogs that lie.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use souk_domain::{Product, ProductId, Rejection};
use souk_ports::{
    Catalog, CatalogRow, ExecuteError, Keeper, Outcome, PortError, ProductPage, ProductQuery, StoreHealth,
    UnitOfWork,
};

use super::Lie;
use crate::make;

/// Does not know what an idempotency key is.
pub struct ForgetsKeys;

/// Carries out a unit's commands one by one, so that what came before a failure stays.
pub struct LeavesHalves;

/// Tells of the first fault alone.
pub struct ReportsOneFault;

/// Tells of what the lines before a refused one would have left, though nothing was written.
pub struct TellsWhatIsLeft;

/// Says that somebody else keeps the products, and lets writes pass.
pub struct IgnoresTheKeeper;

/// Answers reads from a cache that nobody empties.
pub struct ReturnsStaleProducts;

impl Lie for ForgetsKeys {
    fn catalog(honest: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
        Arc::new(Lying { honest, how: How::ForgetsKeys })
    }
}

impl Lie for LeavesHalves {
    fn catalog(honest: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
        Arc::new(Lying { honest, how: How::LeavesHalves })
    }
}

impl Lie for ReportsOneFault {
    fn catalog(honest: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
        Arc::new(Lying { honest, how: How::ReportsOneFault })
    }
}

impl Lie for TellsWhatIsLeft {
    fn catalog(honest: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
        Arc::new(Lying { honest, how: How::TellsWhatIsLeft })
    }
}

impl Lie for IgnoresTheKeeper {
    fn catalog(honest: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
        Arc::new(Lying { honest, how: How::Ignores(Mutex::default()) })
    }
}

impl Lie for ReturnsStaleProducts {
    fn catalog(honest: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
        Arc::new(Lying { honest, how: How::Caches(Mutex::default()) })
    }
}

enum How {
    ForgetsKeys,
    LeavesHalves,
    ReportsOneFault,
    TellsWhatIsLeft,
    Ignores(Mutex<Keeper>),
    Caches(Mutex<HashMap<ProductId, Option<Product>>>),
}

struct Lying {
    honest: Arc<dyn Catalog>,
    how: How,
}

#[async_trait]
impl Catalog for Lying {
    async fn execute(&self, mut unit: UnitOfWork) -> Result<Outcome, ExecuteError> {
        match self.how {
            How::ForgetsKeys => unit.idempotency = None,
            How::LeavesHalves => {
                let mut all = Vec::new();
                for (index, command) in unit.commands.into_iter().enumerate() {
                    match self.honest.execute(make::unit([command])).await {
                        Ok(Outcome::Applied(applied)) => all.extend(applied),
                        Err(ExecuteError::Rejected(mut refusals)) => {
                            refusals[0].index = index;
                            return Err(ExecuteError::Rejected(refusals));
                        }
                        other => return other,
                    }
                }
                return Ok(Outcome::Applied(all));
            }
            How::ReportsOneFault | How::TellsWhatIsLeft | How::Ignores(_) | How::Caches(_) => {}
        }
        match self.honest.execute(unit).await {
            Err(ExecuteError::Rejected(mut refusals)) if matches!(self.how, How::ReportsOneFault) => {
                refusals.truncate(1);
                Err(ExecuteError::Rejected(refusals))
            }
            Err(ExecuteError::Rejected(mut refusals)) if matches!(self.how, How::TellsWhatIsLeft) => {
                for refusal in &mut refusals {
                    if let Rejection::InsufficientStock { stock, left, .. } = &mut refusal.rejection {
                        *stock = *left;
                    }
                }
                Err(ExecuteError::Rejected(refusals))
            }
            outcome => outcome,
        }
    }

    async fn product(&self, id: ProductId) -> Result<Option<Product>, PortError> {
        let How::Caches(cache) = &self.how else { return self.honest.product(id).await };
        if let Some(product) = cache.lock().unwrap().get(&id) {
            return Ok(product.clone());
        }
        let product = self.honest.product(id).await?;
        cache.lock().unwrap().insert(id, product.clone());
        Ok(product)
    }

    async fn products(&self, query: &ProductQuery) -> Result<ProductPage, PortError> {
        self.honest.products(query).await
    }

    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Result<Vec<CatalogRow>, PortError> {
        self.honest.scan(after, limit).await
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        self.honest.health().await
    }

    async fn keeper(&self) -> Result<Keeper, PortError> {
        match &self.how {
            How::Ignores(said) => Ok(*said.lock().unwrap()),
            _ => self.honest.keeper().await,
        }
    }

    async fn set_keeper(&self, keeper: Keeper) -> Result<(), PortError> {
        match &self.how {
            How::Ignores(said) => {
                *said.lock().unwrap() = keeper;
                Ok(())
            }
            _ => self.honest.set_keeper(keeper).await,
        }
    }
}
