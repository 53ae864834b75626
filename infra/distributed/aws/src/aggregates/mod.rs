//! Aggregates: one item per log, window, dimension, key, bucket and partition, with the last offset that it counts.
//!
//! | `series` | `place` | holds |
//! |---|---|---|
//! | `<log>#<window>#<by>#<key>` | `<bucket>#<partition>` | a figure by seller, category or product |
//! | `<log>#<window>#total` | `<bucket>#<key>#<partition>` | a figure of everything together |
//! | `<log>#<window>#<by>` | `<bucket>#<key>#<partition>` | nothing: says that the figure of this name exists |
//!
//! So a key's buckets are one read, and all keys of a bucket are a read of names and batches of figures. A name is
//! put before its figure, so that none is ever missed; a name without a figure is what a crash in between leaves, and
//! is passed over. Every read is consistent: what was counted is in the next answer.

mod add;
mod item;
mod key;
mod list;
mod repair;
mod scan;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use parking_lot::Mutex;
use souk_events::LogId;
use souk_ports::{AggregateKey, Partition, PortError};

use crate::batch::{Batches, Item, Table};
use crate::error::port_error;
use crate::pace::Pace;
use crate::tables::TableSpec;

/// Attributes of the key.
const SERIES: &str = "series";
const PLACE: &str = "place";

/// The table.
pub(crate) const TABLE: TableSpec =
    TableSpec { setting: "AGGREGATES_TABLE_NAME", hash: SERIES, range: PLACE, indexes: &[], expires: false };

/// The table of aggregates.
pub(crate) struct Aggregates {
    client: Client,
    name: String,
    batches: Batches,
    updates: Pace,
    named: Mutex<Named>,
}

impl Aggregates {
    pub fn new(client: Client, name: String) -> Self {
        Self {
            client,
            name,
            batches: Batches::default(),
            updates: Pace::new(add::CONCURRENT),
            named: Mutex::default(),
        }
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
        let key = key_item("ping".to_owned(), "ping".to_owned());
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        request.send().await.map(drop).map_err(|e| port_error(&self.name, e))
    }

    /// Makes sure that the names of these items are there.
    async fn name_all<'k>(
        &self,
        log: LogId,
        items: impl Iterator<Item = (&'k AggregateKey, Partition)> + Send,
    ) -> Result<(), PortError> {
        let mut new = HashMap::new();
        {
            let named = self.named.lock();
            for (key, partition) in items {
                if let Some((series, place)) = key::name(log, key, partition)
                    && !named.has(&series, &place)
                {
                    new.insert((series, place), ());
                }
            }
        }
        let puts = new.keys().map(|(series, place)| put(key_item(series.clone(), place.clone())));
        self.table().write(puts.collect()).await?;
        let mut named = self.named.lock();
        for (series, place) in new.keys() {
            named.note(series, place);
        }
        Ok(())
    }
}

fn put(item: Item) -> WriteRequest {
    let put = PutRequest::builder().set_item(Some(item)).build().expect("the item is set");
    WriteRequest::builder().put_request(put).build()
}

fn key_item(series: String, place: String) -> Item {
    HashMap::from([
        (SERIES.to_owned(), AttributeValue::S(series)),
        (PLACE.to_owned(), AttributeValue::S(place)),
    ])
}

/// Names in one generation: a few megabytes for both.
const GENERATION: usize = 1 << 16;

/// Names that were put, as far as this process remembers; forgetting one costs a put that changes nothing.
///
/// They are remembered as 128 bits of two hashes with seeds of their own: two names never meet in practice.
#[derive(Default)]
struct Named {
    young: HashSet<u128>,
    old: HashSet<u128>,
    seeds: (RandomState, RandomState),
}

impl Named {
    fn hash(&self, series: &str, place: &str) -> u128 {
        let name = (series, place);
        (u128::from(self.seeds.0.hash_one(name)) << 64) | u128::from(self.seeds.1.hash_one(name))
    }

    fn has(&self, series: &str, place: &str) -> bool {
        let hash = self.hash(series, place);
        self.young.contains(&hash) || self.old.contains(&hash)
    }

    fn note(&mut self, series: &str, place: &str) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(self.hash(series, place));
    }
}
