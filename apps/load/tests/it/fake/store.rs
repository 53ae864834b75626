//! Products, events, and what is archived of them.

use std::collections::HashMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use souk_events::{Cursor, LogId};
use uuid::Uuid;

use super::{Lacks, Layout, Markers};

/// Partitions of the log.
const PARTITIONS: usize = 2;

#[derive(Default)]
pub struct Store {
    pub products: HashMap<Uuid, Value>,
    pub skus: HashMap<String, Uuid>,
    pub answers: HashMap<String, (u16, Value)>,
    pub events: Vec<String>,
    pub archived: Vec<Object>,
    pub writes: usize,
    /// The partition of each product that has an event.
    homes: HashMap<Uuid, usize>,
    /// For each event, how many each partition has up to and with it.
    counts: Vec<[u64; PARTITIONS]>,
}

/// An archived object.
pub struct Object {
    pub partition: usize,
    pub first: u64,
    pub next: u64,
    pub rows: u64,
}

/// Returns a position's text.
pub fn id_of(next: Vec<u64>) -> String {
    Cursor { log: LogId(1), next }.to_string()
}

impl Store {
    pub fn publish(&mut self, kind: &str, product: &Value) {
        let event = json!({
            "specversion": "1.0", "id": Uuid::nil(), "source": "/souk/api", "type": kind,
            "subject": product["id"], "time": product["updatedAt"], "datacontenttype": "application/json",
            "sellerid": product["sellerId"], "data": {"version": product["version"], "product": product}
        });
        self.events.push(event.to_string());
        let mut counts = self.counts(self.events.len() - 1);
        counts[self.partition_of(product)] += 1;
        self.counts.push(counts);
    }

    /// Returns the partition of a product: every other one's is the second.
    fn partition_of(&mut self, product: &Value) -> usize {
        let id = product["id"].as_str().unwrap().parse().unwrap();
        let next = self.homes.len() % PARTITIONS;
        *self.homes.entry(id).or_insert(next)
    }

    /// Counts each partition's events among the first `events`.
    fn counts(&self, events: usize) -> [u64; PARTITIONS] {
        events.checked_sub(1).map_or_else(Default::default, |last| self.counts[last])
    }

    /// Returns where the log is after its first `events`: the next offset of each partition.
    pub fn position(&self, events: usize, markers: Markers) -> Vec<u64> {
        let markers = match markers {
            Markers::None => 0,
            Markers::After(event) => usize::from(events > event + 1),
            Markers::Everywhere => events,
        };
        self.counts(events).into_iter().map(|count| count + markers as u64).collect()
    }

    /// Returns how many events are before a position.
    pub fn event_at(&self, position: &[u64], markers: Markers) -> usize {
        (0..=self.events.len()).find(|events| self.position(*events, markers) == position).unwrap()
    }

    /// Archives what is not archived yet.
    pub fn flush(&mut self, layout: Layout) {
        let ends = self.position(self.events.len(), layout.markers);
        let counts = self.counts(self.events.len());
        for (partition, (mut next, count)) in ends.into_iter().zip(counts).enumerate() {
            let of_it = |object: &&Object| object.partition == partition;
            let first = self.archived.iter().filter(of_it).map(|object| object.next).max().unwrap_or(0);
            let archived: u64 = self.archived.iter().filter(of_it).map(|object| object.rows).sum();
            let mut rows = count - archived;
            match layout.lacks {
                Lacks::Partition(lacking) if lacking == partition => continue,
                Lacks::Ends if rows > 0 => (rows, next) = (rows - 1, next - 1),
                _ => {}
            }
            if rows > 0 {
                self.archived.push(Object { partition, first, next, rows });
            }
        }
    }

    pub fn adjust(&mut self, id: Uuid, delta: i64) -> Result<Value, (StatusCode, Value)> {
        let Some(mut product) = self.products.get(&id).cloned() else {
            return Err((StatusCode::NOT_FOUND, json!({"code": "not-found", "detail": "no such product"})));
        };
        let (stock, low) = (product["stock"].as_i64().unwrap(), product["lowStock"].as_bool().unwrap());
        if stock + delta < 0 {
            return Err((
                StatusCode::CONFLICT,
                json!({"code": "insufficient-stock", "detail": "too few", "stock": stock}),
            ));
        }
        product["stock"] = json!(stock + delta);
        product["version"] = json!(product["version"].as_u64().unwrap() + 1);
        product["lowStock"] = json!(stock + delta < 5);
        product["updatedAt"] = json!(now(self.events.len()));
        self.products.insert(id, product.clone());
        self.publish("ProductUpdated", &product);
        match (low, stock + delta < 5) {
            (false, true) => self.publish("LowStockWarning", &product),
            (true, false) => self.publish("StockReplenished", &product),
            _ => {}
        }
        Ok(json!({"product": product, "previousStock": stock}))
    }
}

/// A clock that moves with the log.
pub fn now(events: usize) -> String {
    souk_domain::Timestamp::from_millis(1_795_370_400_000 + i64::try_from(events).unwrap()).to_string()
}
