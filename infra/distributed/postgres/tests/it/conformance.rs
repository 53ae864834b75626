//! The catalog's part of the conformance suite over Postgres alone, the outbox standing in for the log.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use souk_conformance::planted::{ForgetsKeys, LeavesHalves, Planted, ReturnsStaleProducts, assert_broken};
use souk_conformance::{Fixture, Setup};
use souk_events::LogId;
use souk_ports::{
    AggregatePage, AggregateQuery, Catalog, EventLog, EventStore, ItemDelta, ItemRow, LogRecord, Partition,
    PortError, RecentPage, RecentQuery, RefusedItem, StoreHealth,
};
use souk_postgres::{Postgres, PostgresConfig};

use crate::database::Database;
use crate::outbox_log::OutboxLog;

/// A catalog in a database that goes with it.
struct CatalogFixture {
    postgres: Postgres,
    log: Arc<OutboxLog>,
    setup: Setup,
    database: Database,
}

impl CatalogFixture {
    async fn over(database: Database, setup: Setup) -> Self {
        let mut config = PostgresConfig::parse(&database.url).unwrap();
        config.low_stock_threshold = setup.low_stock_threshold;
        let postgres = Postgres::connect(config, setup.clock.clone(), setup.ids.clone()).await.unwrap();
        let log = OutboxLog::over(&postgres).await;
        Self { postgres, log, setup, database }
    }
}

#[async_trait]
impl Fixture for CatalogFixture {
    async fn open(setup: Setup) -> Self {
        Self::over(Database::create().await, setup).await
    }

    fn catalog(&self) -> Arc<dyn Catalog> {
        self.postgres.catalog()
    }

    fn log(&self) -> Arc<dyn EventLog> {
        self.log.clone()
    }

    fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(NoStore)
    }

    fn archive(&self) -> Arc<dyn ObjectStore> {
        Arc::new(InMemory::new())
    }

    async fn crash(self) -> Self {
        let Self { postgres, log, setup, database } = self;
        // Not closed: what was not committed is not waited for.
        drop((postgres, log));
        Self::over(database, setup).await
    }

    async fn maintain(&self) {
        self.postgres.sweep().await.unwrap();
    }
}

souk_conformance::catalog_promises!(CatalogFixture);

#[test]
fn forgotten_keys_are_noticed() {
    assert_broken(
        souk_conformance::catalog::keys::a_key_gives_one_effect_and_the_same_answer::<
            Planted<CatalogFixture, ForgetsKeys>,
        >,
    );
}

#[test]
fn half_units_are_noticed() {
    assert_broken(
        souk_conformance::catalog::units::a_unit_is_all_or_nothing::<Planted<CatalogFixture, LeavesHalves>>,
    );
}

#[test]
fn stale_reads_are_noticed() {
    assert_broken(
        souk_conformance::catalog::reads::reads_see_what_was_answered::<
            Planted<CatalogFixture, ReturnsStaleProducts>,
        >,
    );
}

/// The catalog's promises ask no event store.
struct NoStore;

#[async_trait]
impl EventStore for NoStore {
    async fn put_recent(&self, _: &[LogRecord]) -> Result<(), PortError> {
        unreachable!()
    }

    async fn recent(&self, _: &RecentQuery) -> Result<RecentPage, PortError> {
        unreachable!()
    }

    async fn add(&self, _: LogId, _: Partition, _: &[ItemDelta]) -> Result<Vec<RefusedItem>, PortError> {
        unreachable!()
    }

    async fn aggregates(&self, _: LogId, _: &AggregateQuery) -> Result<AggregatePage, PortError> {
        unreachable!()
    }

    async fn scan_items(&self, _: LogId, _: Option<&ItemRow>, _: usize) -> Result<Vec<ItemRow>, PortError> {
        unreachable!()
    }

    async fn replace_items(&self, _: LogId, _: &[ItemRow]) -> Result<(), PortError> {
        unreachable!()
    }

    async fn remove_items(&self, _: LogId, _: &[ItemRow]) -> Result<(), PortError> {
        unreachable!()
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        Ok(StoreHealth { problem: None, detail: "none".into(), figures: Vec::new() })
    }
}
