//! A small installation with products, events, aggregates and an archive of several objects.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use rusqlite::Connection;
use souk_analytics::{Analytics, AnalyticsConfig, AnalyticsDeps};
use souk_audit::{AuditConfig, AuditDeps, Check, Report, audit};
use souk_conformance::{Dice, eventually, make};
use souk_domain::{Patch, ProductId};
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_http::{Cors, Shutdown};
use souk_ports::{Catalog, IdGenerator, RandomIds, SystemClock};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// Rows of an archived object: few, so that there are several.
const ROWS: usize = 50;

/// How these installations are audited: with little memory, so that temporary files are part of it; and with little
/// patience, since no relay is on its way to a log that is the catalog's own.
pub fn config() -> AuditConfig {
    AuditConfig {
        recent_of_the_log: true,
        memory: 64 << 10,
        standstill: std::time::Duration::from_secs(1),
        ..AuditConfig::default()
    }
}

/// What an audit reads of a store.
pub fn deps(store: &Embedded) -> AuditDeps {
    let archive = LocalFileSystem::new_with_prefix(store.archive_dir()).unwrap();
    AuditDeps {
        catalog: store.catalog(),
        log: store.log(),
        store: store.event_store(),
        archive: Arc::new(archive),
        clock: Arc::new(SystemClock),
    }
}

/// A running installation.
pub struct Running {
    pub store: Embedded,
    router: axum::Router,
    shutdown: Shutdown,
    analytics: tokio::task::JoinHandle<()>,
}

impl Running {
    pub fn open(folder: &Path) -> Self {
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds));
        let store = Embedded::open(&EmbeddedConfig::new(folder), clock.clone(), ids).unwrap();
        let archive: Arc<dyn ObjectStore> =
            Arc::new(LocalFileSystem::new_with_prefix(store.archive_dir()).unwrap());
        let analytics = Analytics::new(AnalyticsDeps {
            log: store.log(),
            store: store.event_store(),
            archive,
            clock,
            backend: "embedded",
            cors: Cors::parse("*").unwrap(),
            about: String::new(),
            config: AnalyticsConfig { archive_max_rows: ROWS, ..AnalyticsConfig::default() },
        });
        let (router, shutdown) = (analytics.router(), Shutdown::new());
        let analytics = tokio::spawn(analytics.run(shutdown.clone()));
        Self { store, router, shutdown, analytics }
    }

    pub fn deps(&self) -> AuditDeps {
        deps(&self.store)
    }

    /// Archives everything that is committed.
    pub async fn flush(&self) {
        let request = Request::post("/archive/flush").body(Body::empty()).unwrap();
        let reply = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK);
    }

    /// Waits until everything that is committed is counted, and the position is committed too.
    pub async fn counted(&self) {
        let log = self.store.log();
        let end = log.bounds().await.unwrap()[0].next;
        eventually("aggregates to have committed the log's end", || async {
            let committed = log.committed("analytics-service-aggregates").await.unwrap();
            committed.first().is_some_and(|next| *next >= end).then_some(())
        })
        .await;
    }

    pub async fn close(self) {
        self.shutdown.soft.cancel();
        self.analytics.await.unwrap();
        self.store.close().await;
    }
}

/// Does `count` random things to the products in `ids`; refusals are part of it.
pub async fn trade(catalog: &dyn Catalog, dice: &mut Dice, ids: &mut Vec<ProductId>, count: usize) {
    for n in 0..count {
        let id = if ids.is_empty() { None } else { Some(ids[dice.index(ids.len())]) };
        let pieces = i64::try_from(dice.roll(12)).unwrap();
        let command = match (dice.roll(12), id) {
            (0, Some(id)) => {
                ids.retain(|other| *other != id);
                make::delete(id)
            }
            (1, Some(id)) => make::rename(id, &format!("renamed {n}")),
            (2, Some(id)) => make::patch(
                id,
                Patch { low_stock_threshold: Some(Some(make::stock(pieces))), ..Patch::default() },
            ),
            (3..=9, Some(id)) => make::adjust(id, if n % 2 == 0 { pieces + 1 } else { -pieces - 1 }),
            _ => {
                let id = ProductId(RandomIds.next_id());
                ids.push(id);
                make::create_for(&format!("seller{}", n % 3), id, make::fields("a product", pieces))
            }
        };
        let _ = catalog.execute(make::unit([command])).await;
    }
}

/// An installation that stands still: archived, then traded on and counted, then traded on once more.
pub struct Standing {
    pub folder: TempDir,
}

impl Standing {
    /// Returns one of its own that can be damaged.
    pub fn new() -> Self {
        static TEMPLATE: OnceLock<TempDir> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().to_owned();
            let build = move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
                runtime.block_on(build(&path));
            };
            // On a thread of its own: the caller may be inside a runtime.
            std::thread::spawn(build).join().unwrap();
            folder
        });
        let folder = tempfile::tempdir().unwrap();
        copy(template.path(), folder.path());
        Self { folder }
    }

    /// Carries out SQL on the catalog and the log; tells how many rows it changed.
    pub fn sql(&self, statement: &str) -> usize {
        sql(&self.folder.path().join("souk.db"), statement)
    }

    /// The same on what analytics has.
    pub fn analytics_sql(&self, statement: &str) -> usize {
        sql(&self.folder.path().join("analytics.db"), statement)
    }

    /// Returns a number from the catalog or the log.
    pub fn number(&self, query: &str) -> i64 {
        let connection = Connection::open(self.folder.path().join("souk.db")).unwrap();
        connection.query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// Returns the archived objects in the order in which they follow each other.
    pub fn objects(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().join("archive")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found.sort_by_key(|path| path.file_name().unwrap().to_owned());
        assert!(found.len() >= 4, "there are several objects: {found:?}");
        found
    }

    /// Returns where the archive ends: events from here on are in the log alone.
    pub fn archive_end(&self) -> i64 {
        let connection = Connection::open(self.folder.path().join("analytics.db")).unwrap();
        let query = "SELECT next FROM consumer_positions WHERE grp = 'analytics-service-archive'";
        connection.query_row(query, [], |row| row.get(0)).unwrap()
    }

    pub async fn audit(&self) -> Report {
        let week = Duration::from_secs(7 * 86_400);
        let store = Embedded::open_read_only(self.folder.path(), week, Arc::new(SystemClock)).unwrap();
        let report = audit(&deps(&store), &config(), |_| {}).await.unwrap();
        store.close().await;
        report
    }

    /// Audits, and asserts that each of `checks` found something, and that a difference's key holds `key`.
    pub async fn assert_found(&self, checks: &[Check], key: &str) -> Report {
        let report = self.audit().await;
        assert!(!report.ok);
        for check in checks {
            let differences = report.differences.iter().filter(|difference| difference.check == *check);
            assert!(
                differences.clone().any(|difference| difference.key.contains(key)),
                "{check:?} did not name {key}:\n{report}"
            );
        }
        report
    }
}

async fn build(folder: &Path) {
    let (mut dice, mut ids) = (Dice::new(11), Vec::new());
    let running = Running::open(folder);
    trade(&*running.store.catalog(), &mut dice, &mut ids, 250).await;
    running.flush().await;
    trade(&*running.store.catalog(), &mut dice, &mut ids, 60).await;
    running.counted().await;
    running.close().await;
    // Nobody archives or counts these.
    let (clock, new_ids) = (Arc::new(SystemClock), Arc::new(RandomIds));
    let store = Embedded::open(&EmbeddedConfig::new(folder), clock, new_ids).unwrap();
    trade(&*store.catalog(), &mut dice, &mut ids, 60).await;
    store.close().await;
}

fn sql(file: &Path, statement: &str) -> usize {
    let connection = Connection::open(file).unwrap();
    let changed = connection.execute(statement, []).unwrap();
    assert!(changed > 0, "it changed nothing: {statement}");
    changed
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}
