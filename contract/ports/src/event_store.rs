//! Recent events and aggregates.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use souk_domain::{Amount, EventType, ProductId, SellerId, Timestamp};
use souk_events::LogId;

use crate::{LogRecord, Offset, Partition, PortError, StoreHealth};

/// Recent events by seller and time; aggregates that count each offset once, whatever is replayed.
///
/// Promises: putting an event twice stores it once; an item of an aggregate counts each offset of a partition at
/// most once, under any replay and any cut into batches; items of different logs never mix.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Stores events for [`EventStore::recent`]. Idempotent.
    async fn put_recent(&self, records: &[LogRecord]) -> Result<(), PortError>;

    /// Returns recent events, newest first.
    ///
    /// # Errors
    /// `InvalidData` when the cursor is not one that this store gave out.
    async fn recent(&self, query: &RecentQuery) -> Result<RecentPage, PortError>;

    /// Adds each delta to its item, if the item has counted no offset at or after the delta's first; returns the
    /// others, unchanged, with what they have counted, so that the caller can drop what is in and add the rest.
    ///
    /// All deltas come from one partition of one log.
    async fn add(
        &self,
        log: LogId,
        partition: Partition,
        deltas: &[ItemDelta],
    ) -> Result<Vec<RefusedItem>, PortError>;

    /// Returns aggregates of this log summed over partitions, oldest bucket first, then by key.
    async fn aggregates(&self, log: LogId, query: &AggregateQuery) -> Result<AggregatePage, PortError>;

    /// Returns stored items of `log` in a fixed order after `after`; empty at the end. For audits.
    async fn scan_items(
        &self,
        log: LogId,
        after: Option<&ItemRow>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, PortError>;

    /// Puts items of `log` as they are given, whatever was there, for repairs; nothing may be counting meanwhile.
    async fn replace_items(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError>;

    /// Removes items of `log`, for repairs; nothing may be counting meanwhile.
    async fn remove_items(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError>;

    /// Tells how the store is doing.
    ///
    /// # Errors
    /// When the store cannot be used at all.
    async fn health(&self) -> Result<StoreHealth, PortError>;
}

/// Which recent events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecentQuery {
    /// Of this seller.
    pub seller_id: Option<SellerId>,
    /// Of this product.
    pub product_id: Option<ProductId>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// Decided at or after.
    pub from: Option<Timestamp>,
    /// Decided before.
    pub to: Option<Timestamp>,
    /// Most events returned.
    pub limit: usize,
    /// Where the page before ended, as it said.
    pub cursor: Option<String>,
}

/// A page of recent events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecentPage {
    /// The events as they were published.
    pub items: Vec<Bytes>,
    /// Where the next page begins; `None` at the end. Made of `A-Za-z0-9._-`.
    pub next: Option<String>,
}

/// The length of an aggregate's buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Window {
    /// 60 s.
    Minute,
    /// 3,600 s.
    Hour,
    /// 86,400 s, from midnight UTC.
    Day,
    /// One bucket for all time.
    All,
}

impl Window {
    /// All windows.
    pub const ALL: [Window; 4] = [Self::Minute, Self::Hour, Self::Day, Self::All];

    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::All => "all",
        }
    }

    /// Returns the window of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.as_str() == name)
    }

    /// Returns the start of the bucket that `time` falls into; `None` for [`Window::All`].
    pub fn bucket(self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Minute => Some(time.floor_to(60_000)),
            Self::Hour => Some(time.floor_to(3_600_000)),
            Self::Day => Some(time.floor_to(86_400_000)),
            Self::All => None,
        }
    }
}

/// What an aggregate is grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// Everything together; the key is `total`.
    Total,
    /// By seller id.
    Seller,
    /// By category.
    Category,
    /// By product id; for days and all time only.
    Product,
}

impl Dimension {
    /// All dimensions.
    pub const ALL: [Dimension; 4] = [Self::Total, Self::Seller, Self::Category, Self::Product];

    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Seller => "seller",
            Self::Category => "category",
            Self::Product => "product",
        }
    }

    /// Returns the dimension of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == name)
    }
}

/// Which item of which aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AggregateKey {
    /// The window.
    pub window: Window,
    /// The dimension.
    pub by: Dimension,
    /// The start of the bucket; `None` for all time.
    pub bucket: Option<Timestamp>,
    /// The seller, category or product; `total`.
    pub key: Arc<str>,
}

/// What is counted. Sums are additive, so that partitions and batches fold in any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measures {
    /// Events by type, at [`EventType::index`].
    pub events: [u64; 5],
    /// Pieces sold.
    pub units_sold: i64,
    /// Pieces that came back.
    pub units_returned: i64,
    /// Money from sales less money for returns.
    pub revenue: Amount,
    /// Pieces more at hand, creates and deletes included.
    pub stock_delta: i64,
    /// Change of the sum of price × stock.
    pub stock_value: Amount,
    /// Change of the number of products that are low on stock.
    pub low_stock_products: i64,
}

impl Measures {
    /// Adds another measure to this one.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.events.iter_mut().zip(other.events) {
            *mine += theirs;
        }
        self.units_sold += other.units_sold;
        self.units_returned += other.units_returned;
        self.revenue += other.revenue;
        self.stock_delta += other.stock_delta;
        self.stock_value += other.stock_value;
        self.low_stock_products += other.low_stock_products;
    }
}

/// What a run of events adds to an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemDelta {
    /// The item.
    pub key: AggregateKey,
    /// Offset of the first event in it.
    pub first: Offset,
    /// Offset of the last event in it.
    pub last: Offset,
    /// What they add.
    pub measures: Measures,
}

/// An item that had counted some of a delta's offsets already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedItem {
    /// The delta's position in the call.
    pub index: usize,
    /// The last offset that the item has counted.
    pub counted: Offset,
}

/// Which aggregates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateQuery {
    /// The window.
    pub window: Window,
    /// The dimension.
    pub by: Dimension,
    /// Only this key.
    pub key: Option<Arc<str>>,
    /// Buckets that start at or after.
    pub from: Option<Timestamp>,
    /// Buckets that start before.
    pub to: Option<Timestamp>,
    /// Most items returned.
    pub limit: usize,
    /// The last item of the page before.
    pub after: Option<(Option<Timestamp>, Arc<str>)>,
}

/// An item summed over partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// The item.
    pub key: AggregateKey,
    /// What was counted.
    pub measures: Measures,
}

/// A page of aggregates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AggregatePage {
    /// The items.
    pub items: Vec<Aggregate>,
    /// Whether there are more.
    pub more: bool,
}

/// An item as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRow {
    /// The item.
    pub key: AggregateKey,
    /// The partition whose events it counts.
    pub partition: Partition,
    /// The last offset that it has counted.
    pub counted: Offset,
    /// What was counted.
    pub measures: Measures,
}
