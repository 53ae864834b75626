//! What the apps need from the world, as traits; each has an embedded and a distributed adapter, and one
//! conformance suite (`souk-conformance`) runs against both.
//!
//! To add a port: one trait in a file of its own, in domain types, usable as `Arc<dyn …>`; say in its docs what
//! it promises and which errors mean what; add a function per promise to the conformance suite.
//!
//! The archive is not here: `object_store::ObjectStore` is taken as it is.

#![deny(missing_docs)]

mod catalog;
mod clock;
mod dump;
mod error;
mod event_log;
mod event_store;
pub mod fault;
mod finding;
mod keeper;
mod moving;
mod outpost;
mod source;

pub use catalog::{
    Answer, Applied, Catalog, CatalogRow, ExecuteError, Idempotency, Outcome, ProductPage, ProductQuery,
    ProductSort, Refusal, UnitOfWork,
};
pub use clock::{Clock, IdGenerator, RandomIds, SystemClock};
pub use dump::{DatabaseDump, Dumped, DumpedTable, TriedOut};
pub use error::{ErrorKind, PortError};
pub use event_log::{
    DeadLetter, Delivery, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds, ReadLimit,
    Tail,
};
pub use event_store::{
    Aggregate, AggregateKey, AggregatePage, AggregateQuery, Dimension, EventStore, ItemDelta, ItemRow,
    Measures, RecentPage, RecentQuery, RefusedItem, Window,
};
pub use finding::{Finding, Findings, Level, clock_skew};
pub use keeper::{KEPT_ELSEWHERE, Keeper};
pub use moving::{Holds, Milestone, MoveSource, MoveTarget, MovedEvent, StoredAnswer};
pub use outpost::{
    BackColumn, BackKeys, BackRow, BackWriting, Capture, Changes, GivenKey, KeyColumn, OldTable, WayBack,
};
pub use source::{
    KeyType, LockHolder, RowCount, SellersSku, SharedSkus, Source, SourceColumn, SourceIdentity, SourceQuery,
    SourceRow, SourceTable, TableName,
};

/// How well an adapter's store is doing, for `/health`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreHealth {
    /// What is wrong and what to do, when something is.
    pub problem: Option<String>,
    /// What the store is, for people: `SQLite at ./souk-data/souk.db`.
    pub detail: String,
    /// Figures by name, such as `walBytes`. A catalog that decides tells its `lowStockThreshold`: that of products without
    /// one of their own.
    pub figures: Vec<(&'static str, i64)>,
}
