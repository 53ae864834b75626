//! Folders with shops in them, and what is compared between two.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use souk_analytics::{Analytics, AnalyticsConfig, AnalyticsDeps};
use souk_audit::{AuditConfig, AuditDeps, Report};
use souk_conformance::{SeededIds, TestClock, make};
use souk_domain::{Command, ProductId, Timestamp};
use souk_embedded::{AnalyticsDb, Embedded, EmbeddedConfig, EmbeddedMoveSource, EmbeddedMoveTarget};
use souk_http::Cors;
use souk_move::{Departure, MoveError, Record, Stage};
use souk_ports::{
    Answer, CatalogRow, ErrorKind, IdGenerator as _, MoveTarget, Offset, Outcome, PortError, StoredAnswer,
    UnitOfWork,
};
use tempfile::TempDir;

/// How long the shops keep events in the log.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A place for shops.
pub struct Bed {
    folder: TempDir,
    pub clock: Arc<TestClock>,
    pub ids: SeededIds,
    seeds: AtomicU16,
}

/// Everything that has to be the same in both places.
#[derive(Debug, PartialEq)]
pub struct Contents {
    pub rows: Vec<CatalogRow>,
    /// In the order of the log, archived ones first.
    pub events: Vec<Bytes>,
    pub answers: Vec<StoredAnswer>,
}

impl Bed {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, ids) = (Arc::new(TestClock::default()), SeededIds::new(1));
        Self { folder, clock, ids, seeds: AtomicU16::new(2) }
    }

    pub fn path(&self, shop: &str) -> PathBuf {
        self.folder.path().join(shop)
    }

    /// Ids that nobody else gives out.
    fn new_ids(&self) -> SeededIds {
        SeededIds::new(self.seeds.fetch_add(1, Ordering::Relaxed))
    }

    pub fn open(&self, shop: &str) -> Embedded {
        let config = EmbeddedConfig::new(self.path(shop));
        Embedded::open(&config, self.clock.clone(), Arc::new(self.new_ids())).unwrap()
    }

    /// Carries out a unit.
    pub async fn run(&self, shop: &Embedded, unit: UnitOfWork) {
        let outcome = shop.catalog().execute(unit).await.unwrap();
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }

    /// Creates products with skus, sells of each until some are low, deletes some, and lets one of those come back.
    pub async fn trade(&self, shop: &Embedded, products: usize) {
        let ids: Vec<ProductId> = (0..products).map(|_| ProductId(self.ids.next_id())).collect();
        let skus = |n: usize, id: &ProductId| make::create_sku("seller1", *id, &format!("{id}-{n}"));
        for (at, ids) in ids.chunks(250).enumerate() {
            let mut commands: Vec<Command> =
                ids.iter().enumerate().map(|(n, id)| skus(at * 250 + n, id)).collect();
            commands.extend(ids.iter().map(|id| make::adjust(*id, -7)));
            commands.extend(ids.iter().step_by(5).map(|id| make::delete(*id)));
            commands.extend(ids.iter().step_by(25).map(|id| make::create(*id, "back again", 8)));
            self.run(shop, make::unit(commands)).await;
        }
        let order = [make::adjust(ids[1], -1)];
        self.run(shop, make::keyed(order, &format!("order-{}", ids[1]), 1)).await;
        self.clock.advance(Duration::from_secs(60));
    }

    /// Lets analytics take everything in.
    pub async fn work_off(&self, shop: &Embedded) {
        let analytics = Analytics::new(AnalyticsDeps {
            log: shop.log(),
            store: shop.event_store(),
            archive: Arc::new(archive(shop)),
            clock: self.clock.clone(),
            backend: "embedded",
            cors: Cors::any(),
            about: String::new(),
            config: AnalyticsConfig::default(),
        });
        analytics.catch_up(|_, problem| assert_eq!(problem, None)).await.unwrap();
    }

    /// Lets the log forget something of what is in the archive, once the search index has had it, too.
    pub async fn forget(&self, shop: &Embedded) {
        self.forget_before(shop, 2).await;
    }

    /// Lets the log forget what is before `offset` at least; the newest event stays.
    pub async fn forget_before(&self, shop: &Embedded, offset: Offset) {
        self.clock.advance(2 * WEEK);
        let forgets = async {
            while shop.log().bounds().await.unwrap()[0].earliest < offset {
                shop.sweep().await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), forgets).await.expect("the log forgets something");
    }

    /// Returns the side that a shop leaves, with its lock.
    pub fn departure(&self, shop: &str) -> Departure {
        let folder = self.path(shop);
        let source = EmbeddedMoveSource::open(&folder).unwrap();
        let store = Embedded::open_read_only(&folder, WEEK, self.clock.clone()).unwrap();
        Departure {
            place: shop.to_owned(),
            catalog: store.catalog(),
            log: store.log(),
            archive: Arc::new(archive(&store)),
            source: Arc::new(source),
            clock: self.clock.clone(),
        }
    }

    pub fn target(&self, shop: &str) -> Box<dyn MoveTarget> {
        let config = EmbeddedConfig::new(self.path(shop));
        Box::new(EmbeddedMoveTarget::open(&config, &self.new_ids()).unwrap())
    }

    /// Moves, makes the figures and audits them; the target is a shop then.
    pub async fn complete(&self, from: &str, to: &str) -> Record {
        let mut target = self.target(to);
        let departure = self.departure(from);
        let mut record = souk_move::load(&departure, &mut *target, &mut |_| {}).await.unwrap();
        target.close().await;
        let config = EmbeddedConfig {
            moving: true,
            log_retention: 1_000 * WEEK,
            ..EmbeddedConfig::new(self.path(to))
        };
        let store = Embedded::open(&config, self.clock.clone(), Arc::new(self.new_ids())).unwrap();
        self.work_off(&store).await;
        let report = self.audit(&store).await;
        assert!(report.ok, "{report}");
        store.close().await;
        let mut target = self.target(to);
        record.stage = Stage::Done;
        target.finish(&record.milestone()).await.unwrap();
        target.close().await;
        record
    }

    pub async fn audit(&self, shop: &Embedded) -> Report {
        let deps = AuditDeps {
            catalog: shop.catalog(),
            log: shop.log(),
            store: shop.event_store(),
            archive: Arc::new(archive(shop)),
            clock: self.clock.clone(),
        };
        let config = AuditConfig { recent_of_the_log: true, ..AuditConfig::default() };
        souk_audit::audit(&deps, &config, |_| {}).await.unwrap()
    }

    /// Reads everything that has to move, also where a shop is still on its way.
    pub async fn contents(&self, shop: &str) -> Contents {
        let folder = self.path(shop);
        // Its consumers have not begun then.
        AnalyticsDb::open(&folder.join("analytics.db"), None).unwrap();
        let store = Embedded::open_read_only(&folder, WEEK, self.clock.clone()).unwrap();
        let rows = store.catalog().scan(None, 1_000_000).await.unwrap();
        let (log, archive) = (store.log(), archive(&store));
        let query = souk_analytics::archive::ObjectQuery { limit: 10_000, ..Default::default() };
        let (objects, _) = souk_analytics::archive::objects(&archive, log.identity(), &query).await.unwrap();
        let (mut events, mut next) = (Vec::new(), 0);
        for object in objects {
            let read = souk_analytics::archive::read_object(&archive, &object.key).await.unwrap();
            events.extend(read.events.into_iter().map(|event| event.payload));
            next = object.footer.next_offset;
        }
        loop {
            let records = log.read(0, next, souk_ports::ReadLimit::default()).await.unwrap();
            let Some(last) = records.last() else { break };
            next = last.offset + 1;
            events.extend(records.into_iter().map(|record| record.payload));
        }
        Contents { rows, events, answers: answers(&folder) }
    }
}

/// Reads the remembered answers, also of a folder that a shop is still moving to, or that another handle has locked.
fn answers(folder: &Path) -> Vec<StoredAnswer> {
    let sql =
        "SELECT key, fingerprint, status, etag, location, body, stored_at FROM idempotency ORDER BY key";
    let connection = rusqlite::Connection::open(folder.join("souk.db")).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        Ok(StoredAnswer {
            key: Arc::from(row.get::<_, String>(0)?),
            fingerprint: row.get(1)?,
            answer: Answer {
                status: row.get(2)?,
                etag: row.get(3)?,
                location: row.get(4)?,
                body: row.get::<_, Vec<u8>>(5)?.into(),
            },
            stored_at: Timestamp::from_millis(row.get(6)?),
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn archive(shop: &Embedded) -> LocalFileSystem {
    LocalFileSystem::new_with_prefix(shop.archive_dir()).unwrap().with_fsync(true)
}

/// An outcome that a test asks for.
pub fn refusal(outcome: Result<Record, MoveError>) -> String {
    match outcome {
        Err(error @ (MoveError::AtWork(_) | MoveError::Occupied(_))) => error.to_string(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// The error of a server that has gone.
pub fn gone() -> PortError {
    PortError::new(ErrorKind::Unavailable, "gone")
}
