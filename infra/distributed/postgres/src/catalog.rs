//! The catalog port over Postgres.

use std::sync::Arc;

use async_trait::async_trait;
use souk_domain::{Product, ProductId};
use souk_ports::{
    Catalog, CatalogRow, ErrorKind, ExecuteError, Keeper, Outcome, PortError, ProductPage, ProductQuery,
    StoreHealth, UnitOfWork,
};
use uuid::Uuid;

use crate::keeper::{self, IS_SOURCE};
use crate::list;
use crate::readers::Readers;
use crate::rows::{self, COLUMNS, read};
use crate::shared::Shared;

/// Products and their events in one database.
pub(crate) struct PostgresCatalog {
    pub readers: Arc<Readers>,
    /// `None` when opened for reading.
    pub writers: Option<Arc<Shared>>,
    pub detail: String,
}

/// What is said to whoever would write there.
const READING_ONLY: &str = "the database is open for reading only";

#[async_trait]
impl Catalog for PostgresCatalog {
    async fn execute(&self, unit: UnitOfWork) -> Result<Outcome, ExecuteError> {
        match &self.writers {
            Some(writers) => writers.execute(unit).await,
            None => Err(ExecuteError::Overloaded(READING_ONLY.into())),
        }
    }

    async fn product(&self, id: ProductId) -> Result<Option<Product>, PortError> {
        let sql = format!("SELECT {COLUMNS} FROM souk.products WHERE id = $1");
        self.readers.query(&sql, &[&id.0]).await?.first().map(rows::product).transpose()
    }

    async fn products(&self, query: &ProductQuery) -> Result<ProductPage, PortError> {
        list::page(&self.readers, query).await
    }

    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Result<Vec<CatalogRow>, PortError> {
        // Both halves in one statement, which sees one moment: a product that is deleted meanwhile is in exactly one.
        let (from, comparison) = after.map_or((Uuid::nil(), ">="), |id| (id.0, ">"));
        let sql = format!(
            "(SELECT {COLUMNS} FROM souk.products WHERE id {comparison} $1 ORDER BY id LIMIT $2) UNION ALL \
             (SELECT id, NULL, version, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL \
             FROM souk.tombstones WHERE id {comparison} $1 ORDER BY id LIMIT $2)"
        );
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = Vec::new();
        for row in &self.readers.query(&sql, &[&from, &most]).await? {
            let product = match read::<Option<i64>>(row, 1)? {
                Some(_) => Some(rows::product(row)?),
                None => None,
            };
            found.push(CatalogRow { id: ProductId(read(row, 0)?), version: rows::version(row, 2)?, product });
        }
        found.sort_unstable_by_key(|row| row.id);
        found.truncate(limit);
        Ok(found)
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        let rows = self.readers.query("SELECT pg_database_size(current_database())", &[]).await?;
        let bytes = rows.first().map_or(Ok(0), |row| read(row, 0))?;
        let mut figures = vec![("databaseBytes", bytes)];
        if let Some(writers) = &self.writers {
            figures.push(("queuedWrites", i64::try_from(writers.queue.len()).unwrap_or(i64::MAX)));
            figures.push(("lowStockThreshold", writers.rules.default_threshold.get()));
        }
        let problem = self.writers.as_ref().and_then(|writers| writers.problem());
        Ok(StoreHealth { problem, detail: self.detail.clone(), figures })
    }

    async fn keeper(&self) -> Result<Keeper, PortError> {
        let rows = self.readers.query(&format!("SELECT {IS_SOURCE}"), &[]).await?;
        Ok(keeper::of(rows.first().map_or(Ok(false), |row| read(row, 0))?))
    }

    async fn set_keeper(&self, keeper: Keeper) -> Result<(), PortError> {
        match &self.writers {
            Some(writers) => keeper::store(&writers.server, keeper).await,
            None => Err(PortError::new(ErrorKind::Unavailable, READING_ONLY)),
        }
    }
}
