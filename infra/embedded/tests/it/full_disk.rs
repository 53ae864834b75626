//! A full disk: writes are refused with its name, reads go on, and it ends when there is room.

use std::sync::Arc;

use souk_conformance::make;
use souk_domain::ProductId;
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_ports::{ExecuteError, IdGenerator, RandomIds, SystemClock};

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

    embedded.set_max_bytes(None).await.unwrap();
    let id = ProductId(RandomIds.next_id());
    catalog.execute(make::unit([make::create(id, "Lantern", 10)])).await.unwrap();
    assert_eq!(catalog.health().await.unwrap().problem, None);
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
