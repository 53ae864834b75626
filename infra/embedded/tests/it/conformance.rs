//! The conformance suite over SQLite and local files.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use souk_conformance::{Fixture, Setup};
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_ports::{Catalog, EventLog, EventStore};
use tempfile::TempDir;

/// The embedded backend in a folder that goes with it.
struct EmbeddedFixture {
    backend: Embedded,
    archive: Arc<dyn ObjectStore>,
    setup: Setup,
    folder: TempDir,
}

impl EmbeddedFixture {
    fn over(folder: TempDir, setup: Setup) -> Self {
        let config = EmbeddedConfig {
            low_stock_threshold: setup.low_stock_threshold,
            recent_retention: setup.recent_retention,
            ..EmbeddedConfig::new(folder.path())
        };
        let backend =
            Embedded::open(&config, setup.clock.clone(), setup.ids.clone()).expect("the folder is free");
        let archive = LocalFileSystem::new_with_prefix(backend.archive_dir())
            .expect("the archive exists")
            .with_fsync(true);
        Self { backend, archive: Arc::new(archive), setup, folder }
    }
}

#[async_trait]
impl Fixture for EmbeddedFixture {
    async fn open(setup: Setup) -> Self {
        Self::over(tempfile::tempdir().expect("there is a temporary folder"), setup)
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
        Self::over(folder, setup)
    }

    async fn maintain(&self) {
        self.backend.sweep().await.expect("the store can be written");
    }
}

souk_conformance::catalog_promises!(EmbeddedFixture);
souk_conformance::event_log_promises!(EmbeddedFixture);
souk_conformance::event_store_promises!(EmbeddedFixture);
souk_conformance::archive_promises!(EmbeddedFixture);
souk_conformance::planted_lies!(EmbeddedFixture);
