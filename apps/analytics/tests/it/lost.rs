//! A lost `analytics.db` beside a log that was trimmed: the archive and the log together make up for it.

use std::time::Duration;

use http::StatusCode;
use souk_conformance::make;
use souk_ports::ItemRow;

use crate::bed::Bed;

const DAY: Duration = Duration::from_secs(86_400);

async fn items(bed: &Bed) -> Vec<ItemRow> {
    let (store, log) = (bed.embedded.event_store(), bed.embedded.log().identity());
    let mut rows = store.scan_items(log, None, 100_000).await.unwrap();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_analytics_file_is_made_up_for_although_the_log_was_trimmed() {
    let mut bed = Bed::new();
    bed.config.archive_max_rows = 7;
    let running = bed.start();
    let ids = bed.create("ann", 20).await;
    bed.run([make::adjust(ids[0], -6), make::delete(ids[1])]).await;
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    bed.clock.advance(8 * DAY);
    bed.create("bob", 3).await;
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    let archived = running.get("/archive").await;
    souk_conformance::eventually("the old events to be trimmed", || async {
        bed.embedded.sweep().await.unwrap();
        (bed.records().await.len() == 3).then_some(())
    })
    .await;
    running.stop().await;
    let before = items(&bed).await;
    let position = bed.committed("aggregates").await;

    let bed = bed.reopen(|dir| {
        for file in ["analytics.db", "analytics.db-wal", "analytics.db-shm"] {
            let _ = std::fs::remove_file(dir.join(file));
        }
    });
    let running = bed.start();
    running.settle().await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    assert_eq!(items(&bed).await, before);
    assert_eq!(running.get("/archive").await, archived, "nothing is archived twice");
    assert_eq!(bed.committed("aggregates").await, position);
    // And everything goes on.
    bed.create("bob", 2).await;
    assert_eq!(running.flush().await.0, StatusCode::OK);
    assert_eq!(running.get("/summary?sellerId=bob").await["products"], 5);
    assert_eq!(
        running.get("/archive").await["items"].as_array().unwrap().len(),
        archived["items"].as_array().unwrap().len() + 1
    );
    running.stop().await;
}
