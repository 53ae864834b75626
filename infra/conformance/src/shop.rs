//! A backend with its handles, and what nearly every promise does with them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use souk_domain::{Command, Event, Product, ProductId, Version};
use souk_ports::{
    Applied, Catalog, CatalogRow, EventLog, EventStore, ExecuteError, IdGenerator, LogRecord, Outcome,
    ProductPage, ProductQuery, ReadLimit, Refusal, UnitOfWork,
};

use crate::{Fixture, SeededIds, Setup, TestClock, eventually, make};

/// How long recent events are kept in tests.
pub const RECENT_RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// Name of the products by which [`Shop::settled_log`] finds the log's end.
pub const MARKER: &str = "marker";

/// An open backend.
pub struct Shop<F> {
    /// The backend.
    pub fixture: F,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// Its ids.
    pub ids: Arc<SeededIds>,
    /// Its catalog.
    pub catalog: Arc<dyn Catalog>,
    /// Its log.
    pub log: Arc<dyn EventLog>,
    /// Its event store.
    pub store: Arc<dyn EventStore>,
}

/// An event with where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The record.
    pub record: LogRecord,
    /// The event in it.
    pub event: Event,
}

impl<F: Fixture> Shop<F> {
    /// Opens a fresh backend with a threshold of 5.
    pub async fn open() -> Self {
        // No two backends of a run give out the same ids, as no two installations do.
        static SEED: AtomicU16 = AtomicU16::new(0);
        let seed = SEED.fetch_add(1, Ordering::Relaxed);
        let (clock, ids) = (Arc::new(TestClock::default()), Arc::new(SeededIds::new(seed)));
        let setup = Setup {
            clock: clock.clone(),
            ids: ids.clone(),
            low_stock_threshold: make::stock(5),
            recent_retention: RECENT_RETENTION,
        };
        Self::around(F::open(setup).await, clock, ids)
    }

    fn around(fixture: F, clock: Arc<TestClock>, ids: Arc<SeededIds>) -> Self {
        let (catalog, log, store) = (fixture.catalog(), fixture.log(), fixture.store());
        Self { fixture, clock, ids, catalog, log, store }
    }

    /// Ends the backend without a word and opens it again.
    pub async fn crash(self) -> Self {
        let Self { fixture, clock, ids, catalog, log, store } = self;
        drop((catalog, log, store));
        Self::around(fixture.crash().await, clock, ids)
    }

    /// Returns an id that no product has.
    pub fn new_id(&self) -> ProductId {
        ProductId(self.ids.next_id())
    }

    /// Carries out one command.
    pub async fn run(&self, command: Command) -> Applied {
        self.run_unit(make::unit([command])).await.remove(0)
    }

    /// Carries out a unit that has to take effect now.
    pub async fn run_unit(&self, unit: UnitOfWork) -> Vec<Applied> {
        match self.catalog.execute(unit).await {
            Ok(Outcome::Applied(applied)) => applied,
            other => panic!("expected an effect, got {other:?}"),
        }
    }

    /// Carries out a unit that has to be refused.
    pub async fn refusals(&self, unit: UnitOfWork) -> Vec<Refusal> {
        match self.catalog.execute(unit).await {
            Err(ExecuteError::Rejected(refusals)) => refusals,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    /// Creates a product of `seller1` and returns its id.
    pub async fn product(&self, name: &str, pieces: i64) -> ProductId {
        let id = self.new_id();
        self.run(make::create(id, name, pieces)).await;
        id
    }

    /// Returns the product, which has to be there.
    pub async fn get(&self, id: ProductId) -> Product {
        self.find(id).await.unwrap_or_else(|| panic!("product {id} is gone"))
    }

    /// Returns the product.
    pub async fn find(&self, id: ProductId) -> Option<Product> {
        self.catalog.product(id).await.unwrap()
    }

    /// Returns a page.
    pub async fn page(&self, query: &ProductQuery) -> ProductPage {
        self.catalog.products(query).await.unwrap()
    }

    /// Returns the products of all pages of `query`.
    pub async fn pages(&self, query: &ProductQuery) -> Vec<Product> {
        let mut query = query.clone();
        let mut products = Vec::new();
        loop {
            let page = self.page(&query).await;
            assert!(page.items.len() <= query.limit, "a page holds at most what was asked for");
            assert!(!page.items.is_empty() || page.next.is_none(), "an empty page is the last");
            products.extend(page.items);
            let Some(next) = page.next else { return products };
            assert!(next.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{next}");
            query.cursor = Some(next);
        }
    }

    /// Returns every row of the catalog.
    pub async fn scan(&self) -> Vec<CatalogRow> {
        let mut rows: Vec<CatalogRow> = Vec::new();
        loop {
            let page = self.catalog.scan(rows.last().map(|row| row.id), 7).await.unwrap();
            if page.is_empty() {
                return rows;
            }
            rows.extend(page);
        }
    }

    /// Returns the records that every partition holds now, by partition.
    pub async fn records(&self) -> Vec<LogRecord> {
        let mut records = Vec::new();
        for (partition, bounds) in (0..).zip(self.log.bounds().await.unwrap()) {
            let mut from = bounds.earliest;
            while from < bounds.next {
                let batch = self.log.read(partition, from, ReadLimit::default()).await.unwrap();
                let Some(last) = batch.last() else { break };
                from = last.offset + 1;
                records.extend(batch);
            }
        }
        records
    }

    /// Waits until the log has all that was answered so far, and returns it; in order within each partition.
    ///
    /// A product named `marker` is created and deleted for this, which is not in what is returned: events reach the log in
    /// commit order, so once its last one is there, so is everything before it.
    pub async fn settled_log(&self) -> Vec<Logged> {
        let marker = self.product(MARKER, 100).await;
        self.run(make::delete(marker)).await;
        let rows: HashMap<ProductId, Version> =
            self.scan().await.into_iter().map(|row| (row.id, row.version)).collect();
        eventually("the log to hold every version of the catalog", || async {
            let logged: Vec<Logged> = self
                .records()
                .await
                .into_iter()
                .map(|record| {
                    let event = souk_events::decode(&record.payload).unwrap();
                    Logged { record, event }
                })
                .collect();
            let mut last: HashMap<ProductId, Version> = HashMap::new();
            for Logged { event, .. } in &logged {
                last.insert(event.product.id, event.version);
            }
            let complete = rows.iter().all(|(id, version)| last.get(id) >= Some(version));
            complete.then(|| {
                logged.into_iter().filter(|found| found.event.product.name.as_str() != MARKER).collect()
            })
        })
        .await
    }

    /// Writes `events` events over `products` products, and returns what the log has of them.
    pub async fn with_events(&self, products: usize, events: usize) -> Vec<Logged> {
        let mut ids = Vec::new();
        for n in 0..products {
            ids.push(self.product(&format!("product {n}"), 1_000_000).await);
        }
        for n in products..events {
            self.clock.advance(Duration::from_millis(1));
            self.run(make::adjust(ids[n % products], -1)).await;
        }
        let logged = self.settled_log().await;
        assert_eq!(logged.len(), events.max(products));
        logged
    }
}
