//! A full disk: writes are refused with its name, reads go on, and it ends when there is room.

use std::sync::Arc;

use souk_conformance::{eventually, make};
use souk_domain::ProductId;
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_ports::{ExecuteError, IdGenerator, Outcome, RandomIds, SystemClock};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_writes_by_name_and_recovers_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig { max_bytes: Some(1 << 20), ..EmbeddedConfig::new(dir.path()) };
    let embedded = Embedded::open(&config, Arc::new(SystemClock), Arc::new(RandomIds)).unwrap();
    let catalog = embedded.catalog();
    let mut written = Vec::new();
    let refusal = loop {
        let id = ProductId(RandomIds.next_id());
        match catalog.execute(make::unit([make::create(id, "Lantern", 10)])).await {
            Ok(_) => written.push(id),
            Err(error) => break error,
        }
        assert!(written.len() < 100_000, "the cap has no effect");
    };
    assert!(
        matches!(&refusal, ExecuteError::Overloaded(cause) if cause.contains("disk is full")),
        "{refusal:?}"
    );
    let problem = catalog.health().await.unwrap().problem.unwrap();
    assert!(problem.contains("disk is full"), "{problem}");
    let last = *written.last().unwrap();
    assert!(catalog.product(last).await.unwrap().is_some(), "reads go on");

    // What writes nothing finds no room, and says of none.
    let no_op = make::unit([make::rename(last, "Lantern")]);
    assert!(matches!(catalog.execute(no_op).await, Ok(Outcome::Applied(_))));
    assert!(catalog.health().await.unwrap().problem.is_some(), "the disk is as full as it was");

    embedded.set_max_bytes(None).await.unwrap();
    eventually("the health to tell of room without a write", || async {
        catalog.health().await.unwrap().problem.is_none().then_some(())
    })
    .await;
    let id = ProductId(RandomIds.next_id());
    catalog.execute(make::unit([make::create(id, "Lantern", 10)])).await.unwrap();
    let log = embedded.log();
    let next = log.bounds().await.unwrap()[0].next;
    assert_eq!(
        next,
        1 + written.len() as u64 + 1,
        "one event for each write that was answered, none for the refused"
    );
    drop((catalog, log));
    embedded.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_on_a_full_disk_tells_so_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let open = |max_bytes| {
        let config = EmbeddedConfig { max_bytes, ..EmbeddedConfig::new(dir.path()) };
        Embedded::open(&config, Arc::new(SystemClock), Arc::new(RandomIds)).unwrap()
    };
    let embedded = open(Some(1 << 20));
    assert_eq!(embedded.catalog().health().await.unwrap().problem, None);
    let fill = async || {
        let id = ProductId(RandomIds.next_id());
        embedded.catalog().execute(make::unit([make::create(id, "Lantern", 10)])).await
    };
    while fill().await.is_ok() {}
    embedded.close().await;
    let embedded = open(Some(1 << 20));
    let problem = embedded.catalog().health().await.unwrap().problem;
    assert!(problem.is_some_and(|problem| problem.contains("disk is full")));
    embedded.close().await;
}
