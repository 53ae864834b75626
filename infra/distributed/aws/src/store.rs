//! `EventStore` over two tables of DynamoDB.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_events::LogId;
use souk_ports::{
    AggregatePage, AggregateQuery, Clock, ErrorKind, EventStore, ItemDelta, ItemRow, LogRecord, Partition,
    PortError, RecentPage, RecentQuery, RefusedItem, StoreHealth,
};

use crate::aggregates::Aggregates;
use crate::recent::RecentEvents;
use crate::{AwsConfig, ConnectError, tables};

/// How long a look at the tables may take: whoever asks for health asks often and does not wait long.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// Recent events and aggregates on DynamoDB.
pub struct DynamoEventStore {
    recent: RecentEvents,
    aggregates: Aggregates,
    clock: Arc<dyn Clock>,
    place: String,
}

impl DynamoEventStore {
    /// Opens the tables, and makes those that are absent. One attempt.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`] when trying again may help; [`ConnectError::Refused`] when a table of that name
    /// is another program's, or keys or region are wrong.
    pub async fn connect(config: &AwsConfig, clock: Arc<dyn Clock>) -> Result<Self, ConnectError> {
        Self::open(config, clock, true).await
    }

    /// Opens the tables as they are, for those who only read.
    ///
    /// # Errors
    /// As [`DynamoEventStore::connect`], and [`ConnectError::Refused`] when a table is absent.
    pub async fn existing(config: &AwsConfig, clock: Arc<dyn Clock>) -> Result<Self, ConnectError> {
        Self::open(config, clock, false).await
    }

    async fn open(config: &AwsConfig, clock: Arc<dyn Clock>, create: bool) -> Result<Self, ConnectError> {
        let client = config.dynamo(&config.sdk().await?);
        tables::ensure(config, &client, create).await?;
        let recent = RecentEvents::new(
            client.clone(),
            config.recent_table.clone(),
            config.recent_retention,
            config.events_per_shard,
        );
        let aggregates = Aggregates::new(client, config.aggregates_table.clone());
        let place = format!(
            "{}, tables {} and {}",
            config.dynamo_place(),
            config.recent_table,
            config.aggregates_table
        );
        Ok(Self { recent, aggregates, clock, place })
    }
}

#[async_trait]
impl EventStore for DynamoEventStore {
    async fn put_recent(&self, records: &[LogRecord]) -> Result<(), PortError> {
        self.recent.put(records, self.clock.now()).await
    }

    async fn recent(&self, query: &RecentQuery) -> Result<RecentPage, PortError> {
        self.recent.page(query, self.clock.now()).await
    }

    async fn add(
        &self,
        log: LogId,
        partition: Partition,
        deltas: &[ItemDelta],
    ) -> Result<Vec<RefusedItem>, PortError> {
        self.aggregates.add(log, partition, deltas).await
    }

    async fn aggregates(&self, log: LogId, query: &AggregateQuery) -> Result<AggregatePage, PortError> {
        self.aggregates.page(log, query).await
    }

    async fn scan_items(
        &self,
        log: LogId,
        after: Option<&ItemRow>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, PortError> {
        self.aggregates.scan(log, after, limit).await
    }

    async fn replace_items(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        self.aggregates.replace(log, items).await
    }

    async fn remove_items(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        self.aggregates.remove(log, items).await
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        let look = async { tokio::try_join!(self.recent.ping(), self.aggregates.ping()) };
        match tokio::time::timeout(HEALTH_TIMEOUT, look).await {
            Ok(result) => result?,
            Err(_) => {
                let message = format!("{} does not answer within {} s", self.place, HEALTH_TIMEOUT.as_secs());
                return Err(PortError::new(ErrorKind::Unavailable, message));
            }
        };
        Ok(StoreHealth {
            problem: None,
            detail: self.place.clone(),
            figures: vec![("itemsAskedAgain", self.recent.undone() + self.aggregates.undone())],
        })
    }
}
