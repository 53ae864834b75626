//! Rows in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;

use async_trait::async_trait;
use souk_domain::{Product, ProductId};
use souk_ports::{
    Catalog, CatalogRow, ExecuteError, Outcome, PortError, ProductPage, ProductQuery, StoreHealth, UnitOfWork,
};

/// A catalog that can be scanned.
#[derive(Default)]
pub struct FakeCatalog {
    pub rows: Mutex<BTreeMap<ProductId, CatalogRow>>,
}

#[async_trait]
impl Catalog for FakeCatalog {
    async fn execute(&self, _: UnitOfWork) -> Result<Outcome, ExecuteError> {
        unreachable!("an audit writes no products")
    }

    async fn product(&self, _: ProductId) -> Result<Option<Product>, PortError> {
        unreachable!("an audit scans")
    }

    async fn products(&self, _: &ProductQuery) -> Result<ProductPage, PortError> {
        unreachable!("an audit scans")
    }

    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Result<Vec<CatalogRow>, PortError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(self
            .rows
            .lock()
            .unwrap()
            .range((from, Bound::Unbounded))
            .take(limit)
            .map(|(_, row)| row.clone())
            .collect())
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        unreachable!("an audit compares")
    }
}
