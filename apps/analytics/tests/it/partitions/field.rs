//! Several instances of analytics over one log of several partitions, one store and one archive.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use parking_lot::Mutex;
use souk_analytics::aggregates::Batch;
use souk_analytics::archive::{ObjectQuery, objects, read_object};
use souk_analytics::{Analytics, AnalyticsConfig, AnalyticsDeps};
use souk_conformance::{TestClock, make};
use souk_domain::ProductId;
use souk_events::LogId;
use souk_http::{Cors, Shutdown};
use souk_ports::{
    AggregateKey, AggregatePage, AggregateQuery, Clock as _, EventLog as _, EventStore, ItemDelta, ItemRow,
    LogRecord, Measures, Offset, Partition, PortError, RecentPage, RecentQuery, RefusedItem, StoreHealth,
};

use super::fake_log::FakeLog;
use crate::bed::{Bed, Running};

/// An installation.
pub struct Field {
    pub bed: Bed,
    pub log: Arc<FakeLog>,
    pub store: Arc<Recording>,
    pub archive: Arc<InMemory>,
    pub config: AnalyticsConfig,
    ids: Vec<ProductId>,
    partitions: usize,
    taken: usize,
}

impl Field {
    pub fn new(partitions: usize) -> Self {
        let bed = Bed::new();
        let store = Recording { inner: bed.embedded.event_store(), recent: Mutex::default() };
        Self {
            log: FakeLog::new(partitions),
            store: Arc::new(store),
            archive: Arc::new(InMemory::new()),
            config: AnalyticsConfig { flush_timeout: Duration::from_secs(10), ..bed.config.clone() },
            ids: Vec::new(),
            partitions,
            taken: 0,
            bed,
        }
    }

    /// Lets the shop do `count` things, and puts the events into their partitions.
    pub async fn trade(&mut self, count: usize) {
        if self.ids.is_empty() {
            self.ids = self.bed.create("ann", self.partitions * 3).await;
        }
        for n in 0..count {
            self.bed.run([make::adjust(self.ids[n % self.ids.len()], 1)]).await;
            self.bed.clock.advance(Duration::from_millis(1));
        }
        let records = self.bed.records().await;
        for record in &records[self.taken..] {
            let product = souk_events::Envelope::read(&record.payload).unwrap().subject;
            let number = self.ids.iter().position(|id| *id == product).unwrap();
            self.log.append(number % self.partitions, record);
        }
        self.taken = records.len();
    }

    /// Appends what is no event.
    pub fn poison(&self, partition: usize, payload: &'static [u8]) {
        let appended_at = self.bed.clock.now();
        let payload = Bytes::from_static(payload);
        self.log.append(partition, &LogRecord { partition: 0, offset: 0, appended_at, payload });
    }

    /// Starts an instance.
    pub fn start(&self) -> Running {
        let analytics = Analytics::new(AnalyticsDeps {
            log: self.log.clone(),
            store: self.store.clone(),
            archive: self.archive.clone(),
            clock: Arc::clone(&self.bed.clock) as Arc<TestClock>,
            backend: "distributed",
            cors: Cors::parse("*").unwrap(),
            about: "souk analytics".to_owned(),
            config: self.config.clone(),
        });
        let (router, shutdown) = (analytics.router(), Shutdown::new());
        let done = tokio::spawn(analytics.run(shutdown.clone()));
        Running { router, shutdown, done }
    }

    /// Returns every readable event by partition and offset.
    fn events(&self) -> Vec<LogRecord> {
        let all = self.log.all().into_iter().flatten();
        all.filter(|record| souk_events::decode(&record.payload).is_ok()).collect()
    }

    /// Proves that the archive holds everything up to the log's end, each record once, its objects in chains.
    pub async fn assert_archive_is_whole(&self) {
        let query = ObjectQuery { limit: 10_000, ..ObjectQuery::default() };
        let store: &dyn ObjectStore = &*self.archive;
        let (found, _) = objects(store, self.log.identity(), &query).await.unwrap();
        let mut chains: BTreeMap<Partition, Vec<_>> = BTreeMap::new();
        for object in found {
            chains.entry(object.footer.partition).or_default().push(object);
        }
        for (partition, records) in (0..).zip(self.log.all()) {
            let mut chain = chains.remove(&partition).unwrap_or_default();
            chain.sort_by_key(|object| object.footer.first_offset);
            let (mut next, mut events) = (0, Vec::new());
            for object in chain {
                assert_eq!(object.footer.first_offset, next, "objects of partition {partition} chain");
                next = object.footer.next_offset;
                let contents = read_object(store, &object.key).await.unwrap();
                events.extend(contents.events.into_iter().map(|event| (event.offset, event.payload)));
            }
            let expected: Vec<_> =
                records.into_iter().map(|record| (record.offset, record.payload)).collect();
            assert_eq!(events, expected, "partition {partition}");
        }
    }

    /// Proves that items are what a single fold over each partition gives.
    pub async fn assert_counted_once(&self) {
        let mut expected: HashMap<(AggregateKey, Partition), Measures> = HashMap::new();
        for (partition, records) in (0..).zip(self.log.all()) {
            for delta in Batch::read(&records).fold() {
                expected.insert((delta.key, partition), delta.measures);
            }
        }
        let rows = self.store.scan_items(self.log.identity(), None, 100_000).await.unwrap();
        let found: HashMap<_, _> =
            rows.into_iter().map(|row| ((row.key, row.partition), row.measures)).collect();
        assert!(found == expected, "{} items, {} expected", found.len(), expected.len());
    }

    /// Proves that every event was put where recent ones are found.
    pub fn assert_all_recent(&self) {
        let wanted: BTreeSet<_> =
            self.events().into_iter().map(|record| (record.partition, record.offset)).collect();
        let found = self.store.recent.lock();
        assert!(wanted.is_subset(&found), "{} of {}", found.len(), wanted.len());
    }
}

/// The embedded store, which notes what is put as recent.
pub struct Recording {
    inner: Arc<dyn EventStore>,
    pub recent: Mutex<BTreeSet<(Partition, Offset)>>,
}

#[async_trait]
impl EventStore for Recording {
    async fn put_recent(&self, records: &[LogRecord]) -> Result<(), PortError> {
        self.recent.lock().extend(records.iter().map(|record| (record.partition, record.offset)));
        Ok(())
    }

    async fn recent(&self, query: &RecentQuery) -> Result<RecentPage, PortError> {
        self.inner.recent(query).await
    }

    async fn add(
        &self,
        log: LogId,
        partition: Partition,
        deltas: &[ItemDelta],
    ) -> Result<Vec<RefusedItem>, PortError> {
        self.inner.add(log, partition, deltas).await
    }

    async fn aggregates(&self, log: LogId, query: &AggregateQuery) -> Result<AggregatePage, PortError> {
        self.inner.aggregates(log, query).await
    }

    async fn scan_items(
        &self,
        log: LogId,
        after: Option<&ItemRow>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, PortError> {
        self.inner.scan_items(log, after, limit).await
    }

    async fn replace_items(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        self.inner.replace_items(log, items).await
    }

    async fn remove_items(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        self.inner.remove_items(log, items).await
    }

    async fn health(&self) -> Result<StoreHealth, PortError> {
        self.inner.health().await
    }
}
