//! The search index can be lost in any way: what is searched for is found all the same after the next start.

use std::path::Path;
use std::sync::Arc;

use souk_conformance::{eventually, make};
use souk_domain::ProductId;
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_ports::{Finding, IdGenerator, Level, ProductQuery, RandomIds, SystemClock};

fn open(dir: &Path) -> Embedded {
    Embedded::open(&EmbeddedConfig::new(dir), Arc::new(SystemClock), Arc::new(RandomIds)).unwrap()
}

async fn create(embedded: &Embedded, name: &str) {
    let id = ProductId(RandomIds.next_id());
    embedded.catalog().execute(make::unit([make::create(id, name, 10)])).await.unwrap();
}

/// Waits until a search for `word` finds one product.
async fn finds(embedded: &Embedded, word: &str) {
    let catalog = embedded.catalog();
    let query = ProductQuery { words: souk_domain::query_tokens(word), limit: 10, ..ProductQuery::default() };
    eventually("a search to find it", || async {
        (catalog.products(&query).await.unwrap().items.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_index_is_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("search.db");
    for (from, word) in [(0, "lantern"), (4096, "candle")] {
        let embedded = open(dir.path());
        create(&embedded, word).await;
        finds(&embedded, word).await;
        embedded.close().await;
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[from..].fill(0xa5);
        std::fs::write(&file, bytes).unwrap();
        let embedded = open(dir.path());
        finds(&embedded, word).await;
        create(&embedded, &format!("another {word}er")).await;
        finds(&embedded, &format!("{word}er")).await;
        embedded.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_ahead_of_an_older_catalog_is_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    let younger = tempfile::tempdir().unwrap();
    let embedded = open(dir.path());
    create(&embedded, "lantern").await;
    finds(&embedded, "lantern").await;
    embedded.close().await;
    // As a copy of the folder that is put back, but for one file.
    for file in ["souk.db", "analytics.db"] {
        std::fs::copy(dir.path().join(file), younger.path().join(file)).unwrap();
    }
    let embedded = open(dir.path());
    create(&embedded, "candle").await;
    create(&embedded, "basket").await;
    finds(&embedded, "basket").await;
    embedded.close().await;
    std::fs::copy(dir.path().join("search.db"), younger.path().join("search.db")).unwrap();

    let embedded = open(younger.path());
    finds(&embedded, "lantern").await;
    create(&embedded, "brandnew").await;
    finds(&embedded, "brandnew").await;
    embedded.close().await;
}

/// Returns what the doctor finds of the index.
fn examined(dir: &Path) -> Finding {
    let mut found = None;
    souk_embedded::doctor::examine(dir, &mut |finding| {
        if finding.name == "folder.search" {
            found = Some(finding);
        }
    });
    found.expect("the doctor looks at the index")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_behind_catches_up_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (file, older) = (dir.path().join("search.db"), dir.path().join("search.older"));
    let embedded = open(dir.path());
    create(&embedded, "lantern").await;
    finds(&embedded, "lantern").await;
    embedded.close().await;
    // As after a power cut that took its last commits.
    std::fs::copy(&file, &older).unwrap();
    let embedded = open(dir.path());
    create(&embedded, "candle").await;
    finds(&embedded, "candle").await;
    embedded.close().await;
    std::fs::rename(&older, &file).unwrap();
    let found = examined(dir.path());
    assert!(found.level == Level::Ok && found.figures.contains(&("trailsEvents", 1)), "{found:?}");

    let embedded = open(dir.path());
    finds(&embedded, "candle").await;
    finds(&embedded, "lantern").await;
    embedded.close().await;
    let found = examined(dir.path());
    assert!(found.level == Level::Ok && found.figures.contains(&("trailsEvents", 0)), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_lost_rows_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let embedded = open(dir.path());
    // A name without a word is in no index, and nothing is amiss.
    for name in ["lantern", "candle", "\u{2014}"] {
        create(&embedded, name).await;
    }
    finds(&embedded, "candle").await;
    embedded.close().await;
    let found = examined(dir.path());
    assert_eq!((found.level, found.detail.as_str()), (Level::Ok, "it has all of 3 products"));

    let index = rusqlite::Connection::open(dir.path().join("search.db")).unwrap();
    index.execute_batch("DELETE FROM documents WHERE tokens = ' candle'").unwrap();
    let found = examined(dir.path());
    assert_eq!(
        (found.level, found.detail.as_str()),
        (Level::Fail, "it lacks 1 of 3 products, and has 0 that are gone")
    );
    assert!(found.remedy.unwrap().contains("remove search.db"));
    index
        .execute_batch("INSERT INTO documents VALUES (x'00', ' gone'), (x'01', ' gone'), (x'02', ' gone')")
        .unwrap();
    assert_eq!(examined(dir.path()).detail, "it lacks 1 of 3 products, and has 3 that are gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_catalog_is_told_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().await;
    std::fs::write(dir.path().join("souk.db"), vec![0xa5; 64 << 10]).unwrap();
    let config = EmbeddedConfig::new(dir.path());
    let error = Embedded::open(&config, Arc::new(SystemClock), Arc::new(RandomIds)).err().unwrap();
    let text = error.to_string();
    assert!(text.contains("souk.db") && text.contains("same copy"), "{text}");
}
