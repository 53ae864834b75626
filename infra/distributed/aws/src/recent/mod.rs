//! Recent events: one item per event under its product, and three indexes over all events, over one type and over
//! one seller, so that every query is a few reads from its newest end, whatever the table holds.
//!
//! | key | of the table | of the index |
//! |---|---|---|
//! | `productId`, `at` | yes | |
//! | `feedKey` = `feed#<shard>`, `at` | | `byFeed` |
//! | `typeKey` = `type#<type>#<shard>`, `at` | | `byType` |
//! | `sellerKey` = `seller#<seller>#<shard>`, `at` | | `bySeller` |
//!
//! `at` is time, offset and event id as text that sorts: a replay puts the same item again, and pages are cut at any
//! event. What is hot is spread over shards ([`shards`]). `ttl` lets DynamoDB remove what has expired; since it takes
//! its time, queries begin where the retention does and never see what is older.
//!
//! The indexes follow the table within milliseconds on AWS, not at once; a query for one product reads the table.

mod page;
mod position;
mod shards;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use souk_domain::{EventType, Timestamp};
use souk_events::Envelope;
use souk_ports::{LogRecord, PortError, SystemClock};

use crate::batch::{Batches, Item, Table};
use crate::tables::{TTL, TableSpec};
use position::Position;
use shards::Shards;

/// Attributes of an event's item.
const PRODUCT: &str = "productId";
const AT: &str = "at";
const FEED: &str = "feedKey";
const TYPE: &str = "typeKey";
const SELLER: &str = "sellerKey";
const EVENT: &str = "event";

/// Indexes.
const BY_FEED: &str = "byFeed";
const BY_TYPE: &str = "byType";
const BY_SELLER: &str = "bySeller";

/// The table.
pub(crate) const TABLE: TableSpec = TableSpec {
    setting: "RECENT_EVENTS_TABLE_NAME",
    hash: PRODUCT,
    range: AT,
    indexes: &[(BY_FEED, FEED), (BY_TYPE, TYPE), (BY_SELLER, SELLER)],
    expires: true,
};

/// The table of recent events.
pub(crate) struct RecentEvents {
    client: Client,
    name: String,
    retention: Duration,
    shards: Shards,
    batches: Batches,
}

impl RecentEvents {
    pub fn new(client: Client, name: String, retention: Duration, events_per_shard: u32) -> Self {
        Self { client, name, retention, shards: Shards::new(events_per_shard), batches: Batches::default() }
    }

    fn table(&self) -> Table<'_> {
        Table { client: &self.client, name: &self.name, batches: &self.batches }
    }

    /// Returns how many items came back undone so far.
    pub fn undone(&self) -> i64 {
        self.batches.undone()
    }

    /// Reads something, to see whether the table can be.
    pub async fn ping(&self) -> Result<(), PortError> {
        shards::stored(self.table(), "feed").await.map(drop)
    }

    /// Returns the time before which nothing is shown.
    fn oldest(&self, now: Timestamp) -> Timestamp {
        let retention = i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(now.millis().saturating_sub(retention))
    }

    /// Puts events. What has expired already, or cannot be read, is left out.
    pub async fn put(&self, records: &[LogRecord], now: Timestamp) -> Result<(), PortError> {
        let oldest = self.oldest(now);
        let mut events = Vec::with_capacity(records.len());
        for record in records {
            let (Ok(text), Ok(envelope)) =
                (std::str::from_utf8(&record.payload), Envelope::read(&record.payload))
            else {
                continue;
            };
            if envelope.time >= oldest {
                events.push((record, text, envelope));
            }
        }
        let names = events.iter().flat_map(|(_, _, envelope)| names_of(envelope));
        self.shards.observe(self.table(), names).await?;
        // A batch names each item once.
        let mut items: HashMap<(String, String), WriteRequest> = HashMap::with_capacity(events.len());
        for (record, text, envelope) in events {
            let at =
                Position { time: envelope.time, offset: record.offset, id: envelope.id.simple().to_string() };
            let (product, at) = (envelope.subject.to_string(), at.to_string());
            let put = PutRequest::builder().set_item(Some(self.item(&product, &at, text, &envelope, oldest)));
            let request = WriteRequest::builder().put_request(put.build().expect("the item is set")).build();
            items.insert((product, at), request);
        }
        self.table().write(items.into_values().collect()).await
    }

    fn item(&self, product: &str, at: &str, text: &str, envelope: &Envelope, oldest: Timestamp) -> Item {
        let [feed, kind, seller] = names_of(envelope);
        let spread = envelope.subject.0.as_u128();
        let shard = |name: String| {
            let shard = self.shards.shard(&name, spread);
            AttributeValue::S(format!("{name}#{shard}"))
        };
        // What is left of its life by our clock, told by the clock that DynamoDB goes by: the real one.
        let left = (envelope.time.millis() - oldest.millis()) / 1000 + 1;
        let ends = souk_ports::Clock::now(&SystemClock).millis() / 1000 + left;
        HashMap::from([
            (PRODUCT.to_owned(), AttributeValue::S(product.to_owned())),
            (AT.to_owned(), AttributeValue::S(at.to_owned())),
            (FEED.to_owned(), shard(feed)),
            (TYPE.to_owned(), shard(kind)),
            (SELLER.to_owned(), shard(seller)),
            (EVENT.to_owned(), AttributeValue::S(text.to_owned())),
            (TTL.to_owned(), AttributeValue::N(ends.to_string())),
        ])
    }
}

/// Returns what the event is found by in each index, without the shard.
fn names_of(envelope: &Envelope) -> [String; 3] {
    [feed_name(), type_name(envelope.event_type), seller_name(envelope.seller_id.as_str())]
}

fn feed_name() -> String {
    "feed".to_owned()
}

fn type_name(kind: EventType) -> String {
    format!("type#{}", kind.as_str())
}

fn seller_name(seller: &str) -> String {
    format!("seller#{seller}")
}
