//! The data folder: who may open it, and what it says when it may not be opened.

use std::sync::Arc;
use std::time::Duration;

use souk_conformance::make;
use souk_domain::ProductId;
use souk_embedded::{Embedded, EmbeddedConfig, OpenError};
use souk_ports::{ExecuteError, IdGenerator, RandomIds, SystemClock};

fn open(dir: &std::path::Path) -> Result<Embedded, OpenError> {
    Embedded::open(&EmbeddedConfig::new(dir), Arc::new(SystemClock), Arc::new(RandomIds))
}

fn open_read_only(dir: &std::path::Path) -> Result<Embedded, OpenError> {
    Embedded::open_read_only(dir, Duration::from_secs(3600), Arc::new(SystemClock))
}

#[tokio::test]
async fn a_second_writer_is_refused_and_told_who_the_first_is() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let message = open(dir.path()).err().unwrap().to_string();
    assert!(
        message.contains("in use by another souk") && message.contains(&std::process::id().to_string()),
        "{message}"
    );
    first.close().await;
    open(dir.path()).unwrap().close().await;
}

#[tokio::test]
async fn a_reader_looks_on_beside_the_writer_and_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path()).unwrap();
    let id = ProductId(RandomIds.next_id());
    writer.catalog().execute(make::unit([make::create(id, "Lantern", 10)])).await.unwrap();
    let reader = open_read_only(dir.path()).unwrap();
    assert_eq!(reader.catalog().product(id).await.unwrap().unwrap().name.as_str(), "Lantern");
    assert_eq!(reader.log().identity(), writer.log().identity());
    assert_eq!(reader.log().bounds().await.unwrap(), writer.log().bounds().await.unwrap());
    let refused = reader.catalog().execute(make::unit([make::delete(id)])).await;
    assert!(matches!(refused, Err(ExecuteError::Overloaded(_))), "{refused:?}");
    writer.close().await;
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    for file in ["souk.db", "analytics.db", "search.db"] {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap().close().await;
        let path = dir.path().join(file);
        rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let message = open(dir.path()).err().unwrap().to_string();
        assert!(message.contains(file) && message.contains("schema 99"), "{message}");
    }
}

#[tokio::test]
async fn a_folder_without_data_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(open_read_only(dir.path()), Err(OpenError::Absent { .. })));
}

#[tokio::test]
async fn a_path_that_is_no_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "").unwrap();
    let message = open(&path).err().unwrap().to_string();
    assert!(
        message.contains(path.to_str().unwrap()) && message.contains("choose another folder"),
        "{message}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("souk.db"), vec![b'x'; 8192]).unwrap();
    let message = open(dir.path()).err().unwrap().to_string();
    assert!(message.contains("souk.db") && message.contains("not a database"), "{message}");
}

#[tokio::test]
async fn an_older_catalog_beside_younger_figures_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let mut consumer = store.log().consumer("analytics-service-aggregates").await.unwrap();
    consumer.next(Duration::ZERO).await.unwrap();
    consumer.commit(0, 1000).await.unwrap();
    drop(consumer);
    store.close().await;
    let message = open(dir.path()).err().unwrap().to_string();
    assert!(message.contains("consumed up to 1000") && message.contains("same copy"), "{message}");
}
