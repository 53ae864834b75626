//! The conformance suite over SQLite and local files.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use souk_conformance::{Destination, Fixture, Setup};
use souk_embedded::{Embedded, EmbeddedConfig, EmbeddedMoveTarget, OpenError};
use souk_ports::{Catalog, EventLog, EventStore, MoveTarget};
use tempfile::TempDir;

/// The embedded backend in a folder that goes with it.
struct EmbeddedFixture {
    backend: Embedded,
    archive: Arc<dyn ObjectStore>,
    setup: Setup,
    folder: Arc<TempDir>,
}

impl EmbeddedFixture {
    fn over(folder: Arc<TempDir>, setup: Setup) -> Result<Self, OpenError> {
        let config = EmbeddedConfig {
            low_stock_threshold: setup.low_stock_threshold,
            recent_retention: setup.recent_retention,
            ..EmbeddedConfig::new(folder.path())
        };
        let backend = Embedded::open(&config, setup.clock.clone(), setup.ids.clone())?;
        let archive = LocalFileSystem::new_with_prefix(backend.archive_dir())
            .expect("the archive exists")
            .with_fsync(true);
        Ok(Self { backend, archive: Arc::new(archive), setup, folder })
    }
}

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("there is a temporary folder"))
}

#[async_trait]
impl Fixture for EmbeddedFixture {
    async fn open(setup: Setup) -> Self {
        Self::over(folder(), setup).expect("the folder is free")
    }

    fn catalog(&self) -> Arc<dyn Catalog> {
        self.backend.catalog()
    }

    fn log(&self) -> Arc<dyn EventLog> {
        self.backend.log()
    }

    fn store(&self) -> Arc<dyn EventStore> {
        self.backend.event_store()
    }

    fn archive(&self) -> Arc<dyn ObjectStore> {
        self.archive.clone()
    }

    async fn crash(self) -> Self {
        let Self { backend, archive, setup, folder } = self;
        // Not closed: what was not committed is not waited for.
        drop((backend, archive));
        Self::over(folder, setup).expect("the folder is free")
    }

    async fn maintain(&self) {
        self.backend.sweep().await.expect("the store can be written");
    }
}

/// A folder that a shop can move to.
struct EmbeddedPlace {
    folder: Arc<TempDir>,
    setup: Setup,
}

#[async_trait]
impl Destination for EmbeddedPlace {
    type Shop = EmbeddedFixture;

    async fn take(setup: Setup) -> Self {
        Self { folder: folder(), setup }
    }

    async fn target(&self) -> Result<Box<dyn MoveTarget>, String> {
        let config = EmbeddedConfig::new(self.folder.path());
        match EmbeddedMoveTarget::open(&config, &*self.setup.ids) {
            Ok(target) => Ok(Box::new(target)),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn shop(&self) -> Result<EmbeddedFixture, String> {
        EmbeddedFixture::over(self.folder.clone(), self.setup.clone()).map_err(|error| error.to_string())
    }

    async fn leave(&self, shop: EmbeddedFixture) {
        shop.backend.close().await;
    }
}

souk_conformance::catalog_promises!(EmbeddedFixture);
souk_conformance::event_log_promises!(EmbeddedFixture);
souk_conformance::event_store_promises!(EmbeddedFixture);
souk_conformance::archive_promises!(EmbeddedFixture);
souk_conformance::moving_promises!(EmbeddedPlace);
souk_conformance::planted_lies!(EmbeddedFixture);
