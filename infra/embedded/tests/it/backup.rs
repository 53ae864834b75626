//! A copy of a folder in use has every event, in the archive or in the log, whatever was moved between the two meanwhile.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use souk_conformance::{SeededIds, TestClock, eventually, make, passes_with};
use souk_domain::ProductId;
use souk_embedded::{Embedded, EmbeddedConfig, back_up};
use souk_ports::{IdGenerator as _, Offset, RandomIds};
use tempfile::TempDir;
use tokio::runtime::Handle;

const ARCHIVE: &str = "analytics-service-archive";
const SECOND: Duration = Duration::from_secs(1);

/// A folder that keeps no event for longer than it has to.
struct Shop {
    folder: TempDir,
    clock: Arc<TestClock>,
    embedded: Embedded,
}

impl Shop {
    fn open() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(TestClock::default()));
        let config = EmbeddedConfig {
            log_retention: SECOND,
            recent_retention: SECOND,
            ..EmbeddedConfig::new(folder.path())
        };
        let embedded = Embedded::open(&config, clock.clone(), Arc::new(SeededIds::new(1))).unwrap();
        Self { folder, clock, embedded }
    }

    /// Writes `count` events.
    async fn write(&self, count: usize) {
        for _ in 0..count {
            let id = ProductId(RandomIds.next_id());
            self.embedded.catalog().execute(make::unit([make::create(id, "Lantern", 10)])).await.unwrap();
        }
    }

    /// Archives everything in one object, as analytics would, and trims what may go then: all but the newest.
    async fn archive_and_sweep(&self) {
        let log = self.embedded.log();
        let (first, next) =
            (log.committed(ARCHIVE).await.unwrap()[0].max(1), log.bounds().await.unwrap()[0].next);
        let hour = format!("product-events/log={}/date=2026-11-22/hour=18/p=00000", log.identity());
        let object = self.embedded.archive_dir().join(hour).join(format!("o={first:020}.parquet"));
        std::fs::create_dir_all(object.parent().unwrap()).unwrap();
        // What is in it does not matter here, but where it ends.
        std::fs::write(object, next.to_string()).unwrap();
        for group in ["analytics-service-recent", "analytics-service-aggregates", ARCHIVE] {
            let mut consumer = log.consumer(group).await.unwrap();
            consumer.next(Duration::ZERO).await.unwrap();
            consumer.commit(0, next).await.unwrap();
        }
        self.clock.advance(2 * SECOND);
        // The search index has to be past them, too.
        eventually("all to be trimmed but the newest", || async {
            self.embedded.sweep().await.unwrap();
            (log.bounds().await.unwrap()[0].earliest == next - 1).then_some(())
        })
        .await;
    }

    /// Copies the folder into `to`; `between` happens after each copy of analytics' file, before that of the log.
    fn copy_with(&self, to: &Path, mut between: impl AsyncFnMut()) -> Result<(), String> {
        let copy = || {
            back_up(self.folder.path(), to, ARCHIVE, |path| {
                if path.ends_with("analytics.db") {
                    Handle::current().block_on(between());
                }
            })
        };
        tokio::task::block_in_place(copy).map_err(|error| error.to_string())
    }
}

/// Returns the offsets of the objects below `folder`.
fn objects(folder: &Path) -> Vec<Range<Offset>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(objects(&path));
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let first = name.strip_prefix("o=").and_then(|name| name.strip_suffix(".parquet")).unwrap();
        found.push(first.parse().unwrap()..std::fs::read_to_string(&path).unwrap().parse().unwrap());
    }
    found
}

/// Returns the first event that a copy lacks, which is the one after its last when it is whole.
async fn lacks(copy: &Path) -> Offset {
    let copy = Embedded::open_read_only(copy, SECOND, Arc::new(TestClock::default())).unwrap();
    let (log, mut next) = (copy.log(), 1);
    let archived = log.committed(ARCHIVE).await.unwrap()[0];
    let mut objects = objects(&copy.archive_dir());
    objects.sort_unstable_by_key(|object| object.start);
    for object in objects {
        assert!(object.start < archived, "a start on the copy knows nothing of {object:?}");
        if object.start <= next {
            next = next.max(object.end);
        }
    }
    let bounds = log.bounds().await.unwrap()[0];
    if bounds.earliest <= next { bounds.next } else { next }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_archived_and_trimmed_meanwhile_is_part_of_a_copy() {
    let (shop, to) = (Shop::open(), tempfile::tempdir().unwrap());
    shop.write(10).await;
    shop.archive_and_sweep().await;
    shop.write(10).await;
    let mut copies = 0;
    let copied = shop.copy_with(to.path(), async || {
        copies += 1;
        if copies == 1 {
            shop.archive_and_sweep().await;
        }
    });
    copied.unwrap();
    assert_eq!(lacks(to.path()).await, 21, "all twenty are there");
    shop.embedded.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_trimmed_each_time_is_not_copied_and_the_remedy_is_named() {
    let (shop, to) = (Shop::open(), tempfile::tempdir().unwrap());
    let copied = shop.copy_with(to.path(), async || {
        shop.write(2).await;
        shop.archive_and_sweep().await;
    });
    let message = copied.unwrap_err();
    assert!(message.contains("trimmed") && message.contains("LOG_RETENTION"), "{message}");
    shop.embedded.close().await;
}

#[test]
fn a_backup_that_takes_the_first_copy_as_it_is_is_noticed() {
    let test = "backup::what_is_archived_and_trimmed_meanwhile_is_part_of_a_copy";
    assert!(passes_with("none", test));
    assert!(!passes_with("backup-takes-the-first-copy", test));
}
