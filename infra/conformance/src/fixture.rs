//! What a backend has to offer to be tested.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use object_store::ObjectStore;
use souk_domain::{Stock, Timestamp};
use souk_ports::{Catalog, Clock, EventLog, EventStore, IdGenerator, MoveTarget, Offset};
use uuid::Uuid;

/// A backend of its own, opened fresh for one test.
#[async_trait]
pub trait Fixture: Send + Sync + Sized + 'static {
    /// Opens a backend that holds nothing and that no other test sees.
    async fn open(setup: Setup) -> Self;

    /// Returns the catalog.
    fn catalog(&self) -> Arc<dyn Catalog>;

    /// Returns the event log.
    fn log(&self) -> Arc<dyn EventLog>;

    /// Returns the event store.
    fn store(&self) -> Arc<dyn EventStore>;

    /// Returns the archive.
    fn archive(&self) -> Arc<dyn ObjectStore>;

    /// Ends the backend as a crash would, without finishing anything, and opens it again over the same data and
    /// the same [`Setup`]. The caller has dropped every handle it had.
    async fn crash(self) -> Self;

    /// Does at once what the backend otherwise does now and then, such as removing what has expired.
    async fn maintain(&self) {}

    /// Has retention remove what each partition of the log holds before an offset, by partition number. All of it is
    /// older than anything is kept, and done with by every group that has a position.
    async fn expire(&self, before: &[Offset]) {
        let _ = before;
        self.maintain().await;
    }
}

/// A place of a backend that a shop can move to.
#[async_trait]
pub trait Destination: Send + Sync + Sized + 'static {
    /// The backend that is there once a shop has come.
    type Shop: Fixture;

    /// Takes a place that holds nothing and that no other test sees.
    async fn take(setup: Setup) -> Self;

    /// Opens it as the target of a move, or tells why it cannot be had.
    async fn target(&self) -> Result<Box<dyn MoveTarget>, String>;

    /// Opens the shop that is there as a service would, or tells why it does not start.
    async fn shop(&self) -> Result<Self::Shop, String>;

    /// Ends the shop in order, so that the place can be had by others.
    async fn leave(&self, shop: Self::Shop);
}

/// What a backend is opened with.
#[derive(Clone)]
pub struct Setup {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn IdGenerator>,
    /// The threshold of products that have none of their own.
    pub low_stock_threshold: Stock,
    /// How long recent events are kept.
    pub recent_retention: Duration,
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl Default for TestClock {
    /// 2026-11-22T18:00:00.000Z: any time does, as long as it is the same each run.
    fn default() -> Self {
        Self(AtomicI64::new(1_795_370_400_000))
    }
}

impl TestClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Ids that count up from a seed: of two seeds none is the same, of one seed all are.
#[derive(Debug)]
pub struct SeededIds {
    seed: u16,
    next: AtomicU64,
}

impl SeededIds {
    /// Makes ids of `seed`.
    pub fn new(seed: u16) -> Self {
        Self { seed, next: AtomicU64::new(0) }
    }
}

impl IdGenerator for SeededIds {
    fn next_id(&self) -> Uuid {
        let n = self.next.fetch_add(1, Ordering::SeqCst);
        // Version 7 with a fixed time, a seed and a counter, so that they sort as real ones do.
        Uuid::from_u64_pair(0x0199_0000_0000_7000, (0x8000 << 48) | (u64::from(self.seed) << 32) | n)
    }
}
