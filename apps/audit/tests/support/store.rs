//! Aggregates and recent events in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{
    AggregateKey, AggregatePage, AggregateQuery, EventStore, ItemDelta, ItemRow, LogRecord, Partition,
    PortError, RecentPage, RecentQuery, RefusedItem, StoreHealth,
};
use uuid::Uuid;

/// A store whose recent events are copies.
#[derive(Default)]
pub struct FakeStore {
    pub items: Mutex<BTreeMap<(AggregateKey, Partition), ItemRow>>,
    pub recent: Mutex<BTreeMap<(Timestamp, Uuid), Bytes>>,
}

fn place(row: &ItemRow) -> (AggregateKey, Partition) {
    (row.key.clone(), row.partition)
}

#[async_trait]
impl EventStore for FakeStore {
    async fn put_recent(&self, records: &[LogRecord]) -> Result<(), PortError> {
        let mut recent = self.recent.lock().unwrap();
        for record in records {
            if let Ok(event) = souk_events::decode(&record.payload) {
                recent.insert((event.time, event.id), record.payload.clone());
            }
        }
        Ok(())
    }

    async fn recent(&self, query: &RecentQuery) -> Result<RecentPage, PortError> {
        let recent = self.recent.lock().unwrap();
        let before = query.cursor.as_ref().map(|cursor| {
            let (time, id) = cursor.split_once('_').unwrap();
            (Timestamp::from_millis(time.parse().unwrap()), id.parse().unwrap())
        });
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let from = Bound::Included((query.from.unwrap_or(Timestamp::MIN), Uuid::nil()));
        let page: Vec<_> = recent.range((from, end)).rev().take(query.limit).collect();
        let next = page.last().filter(|_| page.len() == query.limit);
        Ok(RecentPage {
            next: next.map(|((time, id), _)| format!("{}_{id}", time.millis())),
            items: page.iter().map(|(_, payload)| (*payload).clone()).collect(),
        })
    }

    async fn add(
        &self,
        _: LogId,
        partition: Partition,
        deltas: &[ItemDelta],
    ) -> Result<Vec<RefusedItem>, PortError> {
        let mut items = self.items.lock().unwrap();
        for delta in deltas {
            let ItemDelta { key, last, measures, .. } = delta.clone();
            items
                .entry((key.clone(), partition))
                .and_modify(|row| {
                    row.counted = last;
                    row.measures.merge(&measures);
                })
                .or_insert(ItemRow { key, partition, counted: last, measures });
        }
        Ok(Vec::new())
    }

    async fn aggregates(&self, _: LogId, _: &AggregateQuery) -> Result<AggregatePage, PortError> {
        unreachable!("an audit scans")
    }

    async fn scan_items(
        &self,
        _: LogId,
        after: Option<&ItemRow>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, PortError> {
        let from = after.map_or(Bound::Unbounded, |row| Bound::Excluded(place(row)));
        Ok(self
            .items
            .lock()
            .unwrap()
            .range((from, Bound::Unbounded))
            .take(limit)
            .map(|(_, row)| row.clone())
            .collect())
    }

    async fn replace_items(&self, _: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        self.items.lock().unwrap().extend(items.iter().map(|row| (place(row), row.clone())));
        Ok(())
    }

    async fn remove_items(&self, _: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        let mut stored = self.items.lock().unwrap();
        for row in items {
            stored.remove(&place(row));
        }
        Ok(())
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        unreachable!("an audit compares")
    }
}
