//! The conformance suite over DynamoDB and S3, fed by the embedded catalog and log.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use souk_aws::{DynamoEventStore, archive};
use souk_conformance::{Fixture, Setup};
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_ports::{Catalog, EventLog, EventStore};
use tempfile::TempDir;

use crate::support::Place;

struct AwsFixture {
    backend: Embedded,
    store: Arc<DynamoEventStore>,
    archive: Arc<dyn ObjectStore>,
    setup: Setup,
    folder: TempDir,
    place: Place,
}

impl AwsFixture {
    async fn over(folder: TempDir, place: Place, setup: Setup) -> Self {
        let config = EmbeddedConfig {
            low_stock_threshold: setup.low_stock_threshold,
            ..EmbeddedConfig::new(folder.path())
        };
        let backend = Embedded::open(&config, setup.clock.clone(), setup.ids.clone()).unwrap();
        let store = DynamoEventStore::connect(&place.config, setup.clock.clone()).await.unwrap();
        let archive = archive(&place.config).await.unwrap();
        Self { backend, store: Arc::new(store), archive, setup, folder, place }
    }
}

#[async_trait]
impl Fixture for AwsFixture {
    async fn open(setup: Setup) -> Self {
        let mut place = Place::new();
        place.config.recent_retention = setup.recent_retention;
        Self::over(tempfile::tempdir().unwrap(), place, setup).await
    }

    fn catalog(&self) -> Arc<dyn Catalog> {
        self.backend.catalog()
    }

    fn log(&self) -> Arc<dyn EventLog> {
        self.backend.log()
    }

    fn store(&self) -> Arc<dyn EventStore> {
        self.store.clone()
    }

    fn archive(&self) -> Arc<dyn ObjectStore> {
        self.archive.clone()
    }

    async fn crash(self) -> Self {
        let Self { backend, store, archive, setup, folder, place } = self;
        drop((backend, store, archive));
        Self::over(folder, place, setup).await
    }
}

souk_conformance::event_store_promises!(AwsFixture);
souk_conformance::archive_promises!(AwsFixture);
