//! A log and a store that cannot be read, as callers see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, StatusCode};
use souk_analytics::{Analytics, AnalyticsConfig, AnalyticsDeps};
use souk_events::LogId;
use souk_http::{Cors, Shutdown};
use souk_ports::{
    AggregatePage, AggregateQuery, ErrorKind, EventLog, EventStore, GroupConsumer, ItemDelta, ItemRow,
    LogRecord, Offset, Partition, PartitionBounds, PortError, ReadLimit, RecentPage, RecentQuery,
    RefusedItem, StoreHealth, Tail,
};

use crate::bed::{Bed, Running};

/// What the adapter says of itself: for the log, not for callers.
const CAUSE: &str = "item 7 of table souk-events";

/// A log and a store of which every call fails in one way.
struct Broken {
    identity: LogId,
    kind: ErrorKind,
    /// How often it was asked where it ends.
    asked: AtomicUsize,
}

impl Broken {
    fn new(bed: &Bed, kind: ErrorKind) -> Arc<Self> {
        Arc::new(Self { identity: bed.embedded.log().identity(), kind, asked: AtomicUsize::new(0) })
    }

    fn fail<T>(&self) -> Result<T, PortError> {
        Err(PortError::new(self.kind, CAUSE))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl EventLog for Broken {
    fn identity(&self) -> LogId {
        self.identity
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.fail()
    }

    async fn read(&self, _: Partition, _: Offset, _: ReadLimit) -> Result<Vec<LogRecord>, PortError> {
        self.fail()
    }

    async fn tail(&self, _: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        self.fail()
    }

    async fn consumer(&self, _: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        self.fail()
    }

    async fn committed(&self, _: &str) -> Result<Vec<Offset>, PortError> {
        self.fail()
    }

    async fn dead_letter(&self, _: &LogRecord, _: &str) -> Result<(), PortError> {
        self.fail()
    }
}

#[async_trait]
impl EventStore for Broken {
    async fn put_recent(&self, _: &[LogRecord]) -> Result<(), PortError> {
        self.fail()
    }

    async fn recent(&self, _: &RecentQuery) -> Result<RecentPage, PortError> {
        self.fail()
    }

    async fn add(&self, _: LogId, _: Partition, _: &[ItemDelta]) -> Result<Vec<RefusedItem>, PortError> {
        self.fail()
    }

    async fn aggregates(&self, _: LogId, _: &AggregateQuery) -> Result<AggregatePage, PortError> {
        self.fail()
    }

    async fn scan_items(&self, _: LogId, _: Option<&ItemRow>, _: usize) -> Result<Vec<ItemRow>, PortError> {
        self.fail()
    }

    async fn replace_items(&self, _: LogId, _: &[ItemRow]) -> Result<(), PortError> {
        self.fail()
    }

    async fn remove_items(&self, _: LogId, _: &[ItemRow]) -> Result<(), PortError> {
        self.fail()
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        self.fail()
    }
}

/// Serves queries; no consumer runs.
fn serve(bed: &Bed, log: Arc<dyn EventLog>, store: Arc<dyn EventStore>, config: AnalyticsConfig) -> Running {
    let analytics = Analytics::new(AnalyticsDeps {
        log,
        store,
        archive: bed.archive.clone(),
        clock: bed.clock.clone(),
        backend: "embedded",
        cors: Cors::any(),
        about: "souk analytics".to_owned(),
        config,
    });
    Running { router: analytics.router(), shutdown: Shutdown::new(), done: tokio::spawn(async {}) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_told_as_ours() {
    let bed = Bed::new();
    let broken = Broken::new(&bed, ErrorKind::InvalidData);
    let no_log = serve(&bed, broken.clone(), bed.embedded.event_store(), bed.config.clone());
    let no_store = serve(&bed, bed.embedded.log(), broken, bed.config.clone());
    // A cursor that /aggregates gave out, and reads itself.
    let next_page = "/aggregates?cursor=aG91cgp0b3RhbAoyMDI2LTExLTIyVDE4OjAwOjAwLjAwMFoKdG90YWw";
    for (running, method, path) in [
        (&no_log, Method::GET, "/summary"),
        (&no_log, Method::GET, "/progress"),
        (&no_log, Method::GET, "/rankings"),
        (&no_log, Method::POST, "/archive/flush"),
        (&no_store, Method::GET, "/summary"),
        (&no_store, Method::GET, "/rankings"),
        (&no_store, Method::GET, "/aggregates"),
        (&no_store, Method::GET, next_page),
        (&no_store, Method::GET, "/events"),
    ] {
        let (status, body) = running.call(method, path).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}: {body}");
        assert_eq!(body["code"], "internal", "{path}");
        assert!(!body.to_string().contains(CAUSE), "{path}: {body}");
    }
    // Here only the store can tell what a cursor is.
    let (status, body) = no_store.call(Method::GET, "/events?cursor=x").await;
    assert_eq!((status, &body["code"]), (StatusCode::BAD_REQUEST, &"malformed-request".into()), "{body}");
}

/// Far more turns than a request takes that waits for nothing.
const TURNS: usize = 1000;

#[tokio::test]
async fn a_flush_asks_for_the_end_once_the_log_has_settled() {
    let bed = Bed::new();
    let log = Broken::new(&bed, ErrorKind::Unavailable);
    let serve_with = |settle_time| {
        let config = AnalyticsConfig { settle_time, ..bed.config.clone() };
        serve(&bed, log.clone(), bed.embedded.event_store(), config)
    };
    let patient = serve_with(Duration::from_secs(3600));
    let mut flush = std::pin::pin!(patient.flush());
    for _ in 0..TURNS {
        tokio::select! {
            biased;
            answer = &mut flush => panic!("it did not let the log settle: {answer:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(log.asked(), 0);
    for (settle_time, asked) in [(Duration::ZERO, 1), (Duration::from_millis(1), 2)] {
        let (status, body) = serve_with(settle_time).flush().await;
        assert_eq!((status, log.asked()), (StatusCode::SERVICE_UNAVAILABLE, asked), "{body}");
    }
    // A commit is in the embedded log; Kafka's is fed by a relay.
    assert!(AnalyticsConfig::default().settle_time.is_zero());
    assert!(!AnalyticsConfig::distributed().settle_time.is_zero());
}
