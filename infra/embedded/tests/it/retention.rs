//! Old events leave the log once everybody has passed them and the archive holds them.

use std::sync::Arc;
use std::time::Duration;

use souk_conformance::{SeededIds, TestClock, make};
use souk_domain::ProductId;
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_ports::{EventLog, IdGenerator, RandomIds};

const DAY: Duration = Duration::from_secs(86_400);

async fn commit(log: &dyn EventLog, group: &str, next: u64) {
    let mut consumer = log.consumer(group).await.unwrap();
    consumer.next(Duration::ZERO).await.unwrap();
    consumer.commit(0, next).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trims_only_what_is_old_consumed_and_archived() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock::default());
    let embedded =
        Embedded::open(&EmbeddedConfig::new(dir.path()), clock.clone(), Arc::new(SeededIds::new(1))).unwrap();
    let (catalog, log) = (embedded.catalog(), embedded.log());
    let write = |count: usize| {
        let catalog = catalog.clone();
        async move {
            for _ in 0..count {
                let id = ProductId(RandomIds.next_id());
                catalog.execute(make::unit([make::create(id, "Lantern", 10)])).await.unwrap();
            }
        }
    };
    write(10).await;
    clock.advance(8 * DAY);
    write(10).await;
    let (engines, events) = (&embedded, &log);
    let earliest = || async { events.bounds().await.unwrap()[0].earliest };

    embedded.sweep().await.unwrap();
    assert_eq!(earliest().await, 1, "nobody has passed them");
    for group in ["analytics-service-recent", "analytics-service-aggregates"] {
        commit(&*log, group, 21).await;
    }
    embedded.sweep().await.unwrap();
    assert_eq!(earliest().await, 1, "the archive does not hold them");
    // The search index has to be past them too.
    let trimmed_to = |offset: u64, why: &'static str| {
        souk_conformance::eventually(why, move || async move {
            engines.sweep().await.unwrap();
            (earliest().await == offset).then_some(())
        })
    };
    commit(&*log, "analytics-service-archive", 6).await;
    trimmed_to(6, "the archived ones are trimmed").await;
    commit(&*log, "analytics-service-archive", 21).await;
    trimmed_to(11, "the old ones are trimmed").await;
    embedded.sweep().await.unwrap();
    assert_eq!(earliest().await, 11, "the others are not old");
    clock.advance(8 * DAY);
    trimmed_to(20, "all are trimmed but the newest, so that offsets never come back").await;
    embedded.sweep().await.unwrap();
    assert_eq!(earliest().await, 20, "the newest stays");
    drop((catalog, log));
    embedded.close().await;

    let again = Embedded::open(&EmbeddedConfig::new(dir.path()), clock, Arc::new(SeededIds::new(2))).unwrap();
    assert_eq!(again.log().bounds().await.unwrap()[0].next, 21);
    again.close().await;
}
