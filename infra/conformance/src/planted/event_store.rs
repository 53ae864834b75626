//! Event stores that lie.

use std::sync::Arc;

use async_trait::async_trait;
use souk_events::LogId;
use souk_ports::{
    AggregatePage, AggregateQuery, EventStore, ItemDelta, ItemRow, LogRecord, Partition, PortError,
    RecentPage, RecentQuery, RefusedItem, StoreHealth,
};

use super::Lie;

/// Adds whatever it is given, counted before or not.
pub struct CountsReplays;

/// Takes every log for the same.
pub struct ForgetsTheLog;

/// Gives the newest bucket first.
pub struct MisordersAggregates;

impl Lie for CountsReplays {
    fn store(honest: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        Arc::new(Lying { honest, how: How::CountsReplays })
    }
}

impl Lie for ForgetsTheLog {
    fn store(honest: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        Arc::new(Lying { honest, how: How::ForgetsTheLog })
    }
}

impl Lie for MisordersAggregates {
    fn store(honest: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        Arc::new(Lying { honest, how: How::MisordersAggregates })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    CountsReplays,
    ForgetsTheLog,
    MisordersAggregates,
}

struct Lying {
    honest: Arc<dyn EventStore>,
    how: How,
}

impl Lying {
    fn log(&self, log: LogId) -> LogId {
        if self.how == How::ForgetsTheLog { LogId(1) } else { log }
    }
}

#[async_trait]
impl EventStore for Lying {
    async fn put_recent(&self, records: &[LogRecord]) -> Result<(), PortError> {
        self.honest.put_recent(records).await
    }

    async fn recent(&self, query: &RecentQuery) -> Result<RecentPage, PortError> {
        self.honest.recent(query).await
    }

    async fn add(
        &self,
        log: LogId,
        partition: Partition,
        deltas: &[ItemDelta],
    ) -> Result<Vec<RefusedItem>, PortError> {
        let refused = self.honest.add(self.log(log), partition, deltas).await?;
        if self.how != How::CountsReplays {
            return Ok(refused);
        }
        for RefusedItem { index, counted } in refused {
            let delta = &deltas[index];
            let again = ItemDelta { first: counted + 1, last: delta.last.max(counted + 1), ..delta.clone() };
            self.honest.add(log, partition, &[again]).await?;
        }
        Ok(Vec::new())
    }

    async fn aggregates(&self, log: LogId, query: &AggregateQuery) -> Result<AggregatePage, PortError> {
        let mut page = self.honest.aggregates(self.log(log), query).await?;
        if self.how == How::MisordersAggregates {
            page.items.reverse();
        }
        Ok(page)
    }

    async fn scan_items(
        &self,
        log: LogId,
        after: Option<&ItemRow>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, PortError> {
        self.honest.scan_items(self.log(log), after, limit).await
    }

    async fn replace_items(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        self.honest.replace_items(self.log(log), items).await
    }

    async fn remove_items(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        self.honest.remove_items(self.log(log), items).await
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        self.honest.health().await
    }
}
