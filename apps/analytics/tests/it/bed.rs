//! A test bed: an embedded backend, analytics over it, and a client.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use serde_json::Value;
use souk_analytics::{Analytics, AnalyticsConfig, AnalyticsDeps};
use souk_conformance::{SeededIds, TestClock, eventually, make, within};
use souk_contract_check::{Calls, Exchange};
use souk_domain::{Command, ProductId};
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_http::{Cors, Shutdown};
use souk_ports::{IdGenerator as _, LogRecord, Outcome, ReadLimit};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::faults::{FlakyLog, FlakyStore};

/// What the service promises: every answer that a test gets is held against it.
pub static CONTRACT: LazyLock<Calls> =
    LazyLock::new(|| Calls::new(souk_analytics::contract().document("analytics")));

/// An installation; analytics can be stopped and started over it.
pub struct Bed {
    dir: TempDir,
    pub clock: Arc<TestClock>,
    pub ids: SeededIds,
    pub embedded: Embedded,
    /// The log that analytics sees.
    pub log: Arc<FlakyLog>,
    /// The archive that analytics sees.
    pub archive: Arc<FlakyStore>,
    pub config: AnalyticsConfig,
}

/// Analytics at work.
pub struct Running {
    pub router: Router,
    pub shutdown: Shutdown,
    pub done: tokio::task::JoinHandle<()>,
}

impl Bed {
    pub fn new() -> Self {
        // Short waits, long ages: a test says when files are closed.
        let config = AnalyticsConfig {
            flush_interval: Duration::from_millis(1),
            commit_interval: Duration::from_millis(1),
            flush_timeout: Duration::from_secs(20),
            archive_max_age: Duration::from_secs(3600),
            ..AnalyticsConfig::default()
        };
        let (clock, ids) = (Arc::new(TestClock::default()), SeededIds::new(2));
        Self::over(tempfile::tempdir().unwrap(), clock, ids, config)
    }

    fn over(dir: TempDir, clock: Arc<TestClock>, ids: SeededIds, config: AnalyticsConfig) -> Self {
        let own = Arc::new(SeededIds::new(1));
        let embedded = Embedded::open(&EmbeddedConfig::new(dir.path()), clock.clone(), own).unwrap();
        let local = LocalFileSystem::new_with_prefix(embedded.archive_dir()).unwrap().with_fsync(true);
        let log = Arc::new(FlakyLog::new(embedded.log()));
        let archive = Arc::new(FlakyStore::new(Arc::new(local)));
        Self { dir, clock, ids, embedded, log, archive, config }
    }

    /// Closes the installation, lets `change` at its folder, and opens it again.
    pub fn reopen(self, change: impl FnOnce(&std::path::Path)) -> Self {
        let Self { dir, clock, ids, embedded, log, archive, config } = self;
        drop((embedded, log, archive));
        change(dir.path());
        Self::over(dir, clock, ids, config)
    }

    pub fn start(&self) -> Running {
        let analytics = Analytics::new(AnalyticsDeps {
            log: self.log.clone(),
            store: self.embedded.event_store(),
            archive: self.archive.clone(),
            clock: self.clock.clone(),
            backend: "embedded",
            cors: Cors::parse("*").unwrap(),
            about: "souk analytics".to_owned(),
            config: self.config.clone(),
        });
        let (router, shutdown) = (analytics.router(), Shutdown::new());
        let done = tokio::spawn(analytics.run(shutdown.clone()));
        Running { router, shutdown, done }
    }

    pub fn archive_path(&self, key: &str) -> PathBuf {
        self.embedded.archive_dir().join(key)
    }

    pub fn new_id(&self) -> ProductId {
        ProductId(self.ids.next_id())
    }

    /// Carries out commands as one unit.
    pub async fn run(&self, commands: impl Into<Vec<Command>>) {
        let outcome = self.embedded.catalog().execute(make::unit(commands)).await.unwrap();
        assert!(matches!(outcome, Outcome::Applied(_)));
    }

    /// Creates `n` products of `seller` with 10 pieces each, and returns their ids.
    pub async fn create(&self, seller: &str, n: usize) -> Vec<ProductId> {
        let ids: Vec<ProductId> = (0..n).map(|_| self.new_id()).collect();
        for chunk in ids.chunks(50) {
            let commands: Vec<Command> =
                chunk.iter().map(|id| make::create_for(seller, *id, make::fields("thing", 10))).collect();
            self.run(commands).await;
        }
        ids
    }

    /// Returns the whole log.
    pub async fn records(&self) -> Vec<LogRecord> {
        let (log, mut records) = (self.embedded.log(), Vec::<LogRecord>::new());
        loop {
            let from = records.last().map_or(0, |record| record.offset + 1);
            let more = log.read(0, from, ReadLimit::default()).await.unwrap();
            if more.is_empty() {
                return records;
            }
            records.extend(more);
        }
    }

    /// Returns the committed position of a consumer.
    pub async fn committed(&self, name: &str) -> u64 {
        self.embedded.log().committed(&format!("analytics-service-{name}")).await.unwrap()[0]
    }

    /// Returns every archived event as (offset, payload), in order of keys, each object proved.
    pub async fn archived(&self) -> Vec<(u64, Bytes)> {
        let query = souk_analytics::archive::ObjectQuery { limit: 10_000, ..Default::default() };
        let store: &dyn ObjectStore = &*self.archive;
        let log = self.embedded.log().identity();
        let (objects, more) = souk_analytics::archive::objects(store, log, &query).await.unwrap();
        assert!(!more);
        let (mut events, mut next) = (Vec::new(), 0);
        for object in objects {
            let contents = souk_analytics::archive::read_object(store, &object.key).await.unwrap();
            assert_eq!(contents.object, object);
            assert_eq!(object.footer.first_offset, next, "objects chain");
            next = object.footer.next_offset;
            events.extend(contents.events.into_iter().map(|event| (event.offset, event.payload)));
        }
        events
    }

    /// Proves that the archive holds the log, each event once.
    pub async fn assert_archive_equals_log(&self) {
        let log: Vec<(u64, Bytes)> =
            self.records().await.into_iter().map(|record| (record.offset, record.payload)).collect();
        assert_eq!(self.archived().await, log);
    }
}

impl Running {
    pub async fn call(&self, method: Method, path: &str) -> (StatusCode, Value) {
        let request = Request::builder().method(method.clone()).uri(path).body(Body::empty()).unwrap();
        let response = within(path, self.router.clone().oneshot(request)).await.unwrap();
        let (parts, body) = response.into_parts();
        let status = parts.status;
        let body = to_bytes(body, usize::MAX).await.unwrap();
        CONTRACT.check(&Exchange {
            method: method.as_str(),
            target: path,
            sent: b"",
            status: status.as_u16(),
            headers: &parts.headers,
            body: Some(&body),
        });
        let value = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into()));
        (status, value)
    }

    /// Gets what has to be there.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub async fn flush(&self) -> (StatusCode, Value) {
        self.call(Method::POST, "/archive/flush").await
    }

    /// Waits until recent events and aggregates have taken everything in.
    pub async fn settle(&self) {
        eventually("recent events and aggregates to catch up", async || {
            let progress = self.get("/progress").await;
            let lag = |n: usize| progress["consumers"][n]["lagEvents"].as_u64().unwrap();
            (lag(0) == 0 && lag(1) == 0).then_some(())
        })
        .await;
    }

    /// Waits for a health check of this name and status.
    pub async fn health(&self, name: &str, status: &str) -> Value {
        eventually(&format!("health to call {name} {status}"), async || {
            let (_, body) = self.call(Method::GET, "/health").await;
            (body["checks"][name]["status"] == status).then_some(body)
        })
        .await
    }

    /// Drains and waits until everything has ended.
    pub async fn stop(self) {
        self.shutdown.soft.cancel();
        within("analytics to drain", self.done).await.unwrap();
    }

    /// Ends it as a crash would: nothing more is stored or committed.
    pub async fn crash(self) {
        self.shutdown.hard.cancel();
        self.shutdown.soft.cancel();
        within("analytics to end", self.done).await.unwrap();
    }
}
