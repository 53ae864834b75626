//! Tests of what a power cut may take: nothing can be unplugged here, so each writer's connection is asked how it syncs.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use souk_ports::{EventLog as _, RandomIds, SystemClock};

use crate::search::Indexer;
use crate::{Embedded, EmbeddedConfig, EmbeddedMoveTarget};

/// `PRAGMA synchronous` when every commit is synced.
const FULL: i64 = 2;
/// When the file stays whole and may lose its last commits.
const NORMAL: i64 = 1;

/// Returns how a connection syncs, and its journal.
fn promised(connection: &Connection) -> (i64, String) {
    let synchronous = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
    (synchronous, connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap())
}

fn open(dir: &Path) -> Embedded {
    Embedded::open(&EmbeddedConfig::new(dir), Arc::new(SystemClock), Arc::new(RandomIds)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_writer_syncs_as_promised() {
    let dir = tempfile::tempdir().unwrap();
    let wal = |synchronous: i64| (synchronous, "wal".to_owned());
    // Once made anew, once as it lies there.
    for _ in 0..2 {
        let embedded = open(dir.path());
        let committer = &embedded.writing.as_ref().unwrap().committer;
        assert_eq!(
            committer.maintain(|connection| promised(connection)).await.unwrap(),
            wal(FULL),
            "catalog and log"
        );
        assert_eq!(embedded.event_store.db().with_writer(promised), wal(FULL), "the event store");
        let (search, catalog) = (dir.path().join("search.db"), dir.path().join("souk.db"));
        let indexer = Indexer::open(&search, &catalog, embedded.log.identity(), &embedded.log, 1).unwrap();
        assert_eq!(indexer.with_writer(promised), wal(NORMAL), "search");
        drop(indexer);
        embedded.close().await;
    }
    let moved = tempfile::tempdir().unwrap();
    let target = EmbeddedMoveTarget::open(&EmbeddedConfig::new(moved.path()), &RandomIds).unwrap();
    assert_eq!(target.with_writer(promised), wal(FULL), "a move");
}

#[test]
fn a_writer_that_does_not_sync_is_noticed() {
    let test = "durability::each_writer_syncs_as_promised";
    assert!(souk_conformance::passes_with("none", test), "the test fails without a bug");
    assert!(!souk_conformance::passes_with("write-without-sync", test));
}
