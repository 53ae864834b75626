//! The catalog port over SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::params;
use souk_domain::{Product, ProductId, Stock};
use souk_ports::{
    Catalog, CatalogRow, ErrorKind, ExecuteError, Keeper, Outcome, PortError, ProductPage, ProductQuery,
    StoreHealth, UnitOfWork,
};

use crate::checkpoint::Checkpoints;
use crate::committer::Committer;
use crate::door::DoorClient;
use crate::keeper;
use crate::list;
use crate::readers::Readers;
use crate::rows;

/// Products and their events in one SQLite file.
pub(crate) struct EmbeddedCatalog {
    pub readers: Readers,
    pub writer: Writer,
    pub checkpoints: Option<Arc<Checkpoints>>,
    /// What products without a threshold of their own follow; `None` where another process decides.
    pub default_threshold: Option<Stock>,
    pub detail: String,
}

/// Who writes.
pub(crate) enum Writer {
    /// This process.
    Own(Arc<Committer>),
    /// Another one, which takes what comes through its door.
    Beside(DoorClient),
    /// Nobody: the folder is open for reading.
    Nobody,
}

/// What is said to whoever would write there.
const READING_ONLY: &str = "the data folder is open for reading only";

#[async_trait]
impl Catalog for EmbeddedCatalog {
    async fn execute(&self, unit: UnitOfWork) -> Result<Outcome, ExecuteError> {
        match &self.writer {
            Writer::Own(committer) => committer.execute(unit).await,
            Writer::Beside(door) => door.execute(unit).await,
            Writer::Nobody => Err(ExecuteError::Overloaded(READING_ONLY.into())),
        }
    }

    async fn product(&self, id: ProductId) -> Result<Option<Product>, PortError> {
        let found = self.readers.read(move |connection| Ok(rows::load(connection, id)?)).await?;
        Ok(found.map(|stored| Arc::unwrap_or_clone(stored.product)))
    }

    async fn products(&self, query: &ProductQuery) -> Result<ProductPage, PortError> {
        let query = query.clone();
        self.readers.read(move |connection| list::page(connection, &query)).await
    }

    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Result<Vec<CatalogRow>, PortError> {
        self.readers
            .read(move |connection| {
                let after = after.map(|id| id.0.into_bytes().to_vec()).unwrap_or_default();
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let mut found = Vec::new();
                {
                    // Both halves in one snapshot: a product that is deleted in between is in exactly one of them.
                    let snapshot = connection.unchecked_transaction()?;
                    let sql =
                        format!("SELECT {} FROM products WHERE id > ?1 ORDER BY id LIMIT ?2", rows::COLUMNS);
                    let mut products = snapshot.prepare_cached(&sql)?;
                    for row in products.query_map(params![after, limit], rows::product)? {
                        let (_, product) = row?;
                        found.push(CatalogRow {
                            id: product.id,
                            version: product.version,
                            product: Some(product),
                        });
                    }
                    let mut tombstones = snapshot.prepare_cached(
                        "SELECT id, version FROM tombstones WHERE id > ?1 ORDER BY id LIMIT ?2",
                    )?;
                    let buried = tombstones.query_map(params![after, limit], |row| {
                        let (id, version) = (ProductId(rows::id(row, 0)?), rows::version(row, 1)?);
                        Ok(CatalogRow { id, version, product: None })
                    })?;
                    for row in buried {
                        found.push(row?);
                    }
                }
                found.sort_unstable_by_key(|row| row.id);
                found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                Ok(found)
            })
            .await
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        let bytes = self
            .readers
            .read(|connection| {
                let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
                let page_size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
                Ok(pages * page_size)
            })
            .await?;
        let mut figures = vec![("fileBytes", bytes)];
        if let Some(checkpoints) = &self.checkpoints {
            figures.push(("walBytes", checkpoints.wal_bytes()));
        }
        figures.extend(self.default_threshold.map(|threshold| ("lowStockThreshold", threshold.get())));
        let problem = match &self.writer {
            Writer::Own(committer) => committer.problem.lock().clone(),
            Writer::Beside(_) | Writer::Nobody => None,
        };
        Ok(StoreHealth { problem, detail: self.detail.clone(), figures })
    }

    async fn keeper(&self) -> Result<Keeper, PortError> {
        self.readers.read(|connection| Ok(keeper::load(connection)?)).await
    }

    async fn set_keeper(&self, keeper: Keeper) -> Result<(), PortError> {
        match &self.writer {
            Writer::Own(committer) => committer.set_keeper(keeper).await,
            Writer::Beside(door) => door.set_keeper(keeper).await,
            Writer::Nobody => Err(PortError::new(ErrorKind::Unavailable, READING_ONLY)),
        }
    }
}
