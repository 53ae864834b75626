//! The embedded event store: recent events are an index on the log's own table, aggregates and consumer positions
//! lie in `analytics.db`, apart from the catalog, so that analytics never holds its writer up.

mod codec;
mod db;
mod items;
mod recent;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{
    AggregatePage, AggregateQuery, Clock, EventStore, ItemDelta, ItemRow, LogRecord, Partition, PortError,
    RecentPage, RecentQuery, RefusedItem, StoreHealth,
};

pub use db::AnalyticsDb;
pub(crate) use db::SCHEMA;

use crate::readers::Readers;

/// `EventStore` over `analytics.db` and the log's table.
pub struct EmbeddedEventStore {
    db: Arc<AnalyticsDb>,
    log: Readers,
    clock: Arc<dyn Clock>,
    retention: Duration,
}

impl EmbeddedEventStore {
    /// Makes a store of `db` and of the log's file at `log_path`; recent events are shown for `retention`.
    pub fn new(db: Arc<AnalyticsDb>, log_path: &Path, clock: Arc<dyn Clock>, retention: Duration) -> Self {
        Self { db, log: Readers::new(log_path, None), clock, retention }
    }

    /// Returns the file, for a test to look at.
    #[cfg(test)]
    pub(crate) fn db(&self) -> &AnalyticsDb {
        &self.db
    }

    /// Closes idle connections to the log's file and to the store's.
    pub fn close(&self) {
        self.log.close();
        self.db.close_readers();
    }
}

#[async_trait]
impl EventStore for EmbeddedEventStore {
    /// Does nothing: the events are in the log's table already, and its indexes are what `recent` reads. A copy in
    /// the same file would cost two thirds of the write rate.
    async fn put_recent(&self, _records: &[LogRecord]) -> Result<(), PortError> {
        Ok(())
    }

    async fn recent(&self, query: &RecentQuery) -> Result<RecentPage, PortError> {
        let retention = i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX);
        let oldest = Timestamp::from_millis(self.clock.now().millis().saturating_sub(retention));
        let query = query.clone();
        self.log.read(move |connection| recent::recent(connection, &query, oldest)).await
    }

    async fn add(
        &self,
        log: LogId,
        partition: Partition,
        deltas: &[ItemDelta],
    ) -> Result<Vec<RefusedItem>, PortError> {
        if deltas.is_empty() {
            return Ok(Vec::new());
        }
        let deltas = deltas.to_vec();
        self.db
            .write(log, move |transaction, log| {
                items::add(transaction, log, partition, &deltas).map_err(Into::into)
            })
            .await
    }

    async fn aggregates(&self, log: LogId, query: &AggregateQuery) -> Result<AggregatePage, PortError> {
        let query = query.clone();
        self.db
            .read(log, move |connection, log| match log {
                Some(log) => items::aggregates(connection, log, &query).map_err(Into::into),
                None => Ok(AggregatePage::default()),
            })
            .await
    }

    async fn scan_items(
        &self,
        log: LogId,
        after: Option<&ItemRow>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, PortError> {
        let after = after.cloned();
        self.db
            .read(log, move |connection, log| match log {
                Some(log) => items::scan(connection, log, after.as_ref(), limit).map_err(Into::into),
                None => Ok(Vec::new()),
            })
            .await
    }

    async fn replace_items(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        let items = items.to_vec();
        self.db
            .write(log, move |transaction, log| items::replace(transaction, log, &items).map_err(Into::into))
            .await
    }

    async fn remove_items(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        let items = items.to_vec();
        self.db
            .write(log, move |transaction, log| items::remove(transaction, log, &items).map_err(Into::into))
            .await
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        Ok(self.db.health())
    }
}

#[cfg(test)]
mod tests;
