//! Products traded in memory, with all that follows from it: rows, records, figures, objects.

use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use souk_analytics::aggregates::Batch;
use souk_analytics::archive::{Span, encode, object_key};
use souk_audit::{AuditConfig, AuditDeps};
use souk_conformance::{SeededIds, TestClock, make};
use souk_domain::{Command, Context, Product, ProductId, Write, decide};
use souk_events::LogId;
use souk_ports::{
    CatalogRow, Clock as _, EventLog as _, EventStore as _, IdGenerator as _, LogRecord, Offset,
};

use super::catalog::FakeCatalog;
use super::log::FakeLog;
use super::store::FakeStore;

/// The prefix of the consumer groups' names: not the default, so that the setting is seen to count.
const CLIENT_ID: &str = "figures";

/// An installation in memory.
pub struct World {
    pub catalog: Arc<FakeCatalog>,
    pub log: Arc<FakeLog>,
    pub store: Arc<FakeStore>,
    pub archive: Arc<InMemory>,
    pub clock: Arc<TestClock>,
    pub ids: SeededIds,
    /// Events that the relay has not published yet.
    outbox: std::sync::Mutex<Vec<LogRecord>>,
}

impl World {
    pub fn new(partitions: usize) -> Self {
        Self {
            catalog: Arc::default(),
            log: Arc::new(FakeLog::new(partitions)),
            store: Arc::default(),
            archive: Arc::default(),
            clock: Arc::default(),
            ids: SeededIds::new(1),
            outbox: std::sync::Mutex::default(),
        }
    }

    pub fn deps(&self) -> AuditDeps {
        AuditDeps {
            catalog: self.catalog.clone(),
            log: self.log.clone(),
            store: self.store.clone(),
            archive: self.archive.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Audits it with little memory, and with little patience for a relay that only this process can be.
    pub fn config(&self) -> AuditConfig {
        AuditConfig {
            client_id: CLIENT_ID.to_owned(),
            memory: 64 << 10,
            standstill: std::time::Duration::from_secs(1),
            ..AuditConfig::default()
        }
    }

    /// Carries out a command; its events wait for the relay.
    pub fn execute(&self, command: &Command) {
        let id = command.product_id();
        let mut rows = self.catalog.rows.lock().unwrap();
        let current: Option<&Product> = rows.get(&id).and_then(|row| row.product.as_ref());
        let context = Context {
            now: self.clock.now(),
            event_ids: [self.ids.next_id(), self.ids.next_id()],
            default_threshold: make::stock(5),
            tombstone: rows.get(&id).filter(|row| row.product.is_none()).map(|row| row.version),
        };
        let Ok(decision) = decide(current, command, &context) else { return };
        match decision.write {
            Write::Nothing(_) => return,
            Write::Put(product) => {
                let product = Arc::unwrap_or_clone(product);
                rows.insert(id, CatalogRow { id, version: product.version, product: Some(product) });
            }
            Write::Delete { version, .. } => {
                rows.insert(id, CatalogRow { id, version, product: None });
            }
        }
        let partitions = self.log.state.lock().unwrap().partitions.len() as u64;
        let partition = u32::try_from(id.0.as_u64_pair().1 % partitions).unwrap();
        let mut outbox = self.outbox.lock().unwrap();
        for event in decision.events {
            let mut payload = Vec::new();
            souk_events::encode(&event, &mut payload);
            let payload = Bytes::from(payload);
            outbox.push(LogRecord { partition, offset: 0, appended_at: event.time, payload });
        }
    }

    /// Publishes what waits, in transactions of `size` events.
    pub fn relay(&self, size: usize) {
        let waiting = std::mem::take(&mut *self.outbox.lock().unwrap());
        for transaction in waiting.chunks(size) {
            self.log.append(transaction.to_vec());
        }
    }

    /// Creates products, sells some of each, renames and deletes a few; a second goes by with each.
    pub fn trade(&self, products: usize) -> Vec<ProductId> {
        let mut ids = Vec::with_capacity(products);
        for n in 0..products {
            let id = ProductId(self.ids.next_id());
            ids.push(id);
            let seller = format!("seller{}", n % 3);
            self.execute(&make::create_for(&seller, id, make::fields("a product", 8)));
            self.execute(&make::adjust(id, -5));
            if n % 5 == 0 {
                self.execute(&make::rename(id, "renamed"));
            }
            if n % 11 == 0 {
                self.execute(&make::delete(id));
            }
            self.clock.advance(std::time::Duration::from_secs(1));
        }
        ids
    }

    fn committed(&self, consumer: &str) -> Vec<Offset> {
        let state = self.log.state.lock().unwrap();
        let group = format!("{CLIENT_ID}-{consumer}");
        state.committed.get(&group).cloned().unwrap_or_else(|| vec![0; state.partitions.len()])
    }

    fn commit(&self, consumer: &str, positions: Vec<Offset>) {
        self.log.state.lock().unwrap().committed.insert(format!("{CLIENT_ID}-{consumer}"), positions);
    }

    fn records_from(&self, positions: &[Offset]) -> Vec<Vec<LogRecord>> {
        let state = self.log.state.lock().unwrap();
        let of = |(records, from): (&Vec<LogRecord>, &Offset)| {
            records.iter().filter(|record| record.offset >= *from).cloned().collect()
        };
        state.partitions.iter().zip(positions).map(of).collect()
    }

    /// Lets aggregates and recent events follow the log to its end.
    pub async fn consume(&self) {
        let mut positions = self.committed("aggregates");
        for (partition, records) in (0..).zip(self.records_from(&positions)) {
            let Some(last) = records.last() else { continue };
            self.store.put_recent(&records).await.unwrap();
            let deltas = Batch::read(&records).fold();
            self.store.add(self.log.identity(), partition, &deltas).await.unwrap();
            positions[partition as usize] = last.offset + 1;
        }
        self.commit("aggregates", positions.clone());
        self.commit("recent", positions);
    }

    /// Archives everything, `rows` to an object.
    pub async fn archive(&self, rows: usize) {
        let mut positions = self.committed("archive");
        for (partition, records) in (0..).zip(self.records_from(&positions)) {
            for records in records.chunks(rows) {
                let first_offset = positions[partition as usize];
                let next_offset = records.last().unwrap().offset + 1;
                let log: LogId = self.log.identity();
                let span = Span { log, partition, first_offset, next_offset, created_at: self.clock.now() };
                let key = object_key(log, partition, records[0].appended_at, first_offset);
                let object = encode(records, &span).unwrap();
                self.archive.put(&Path::from(key), object.into()).await.unwrap();
                positions[partition as usize] = next_offset;
            }
        }
        self.commit("archive", positions);
    }

    /// Takes away what the log holds before `keep` records of each partition.
    pub fn trim(&self, keep: usize) {
        for records in &mut self.log.state.lock().unwrap().partitions {
            records.drain(..records.len().saturating_sub(keep));
        }
    }
}
