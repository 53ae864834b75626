//! Aggregates count each offset once, whatever is replayed.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use souk_analytics::aggregates::Batch;
use souk_conformance::make;
use souk_ports::{AggregateKey, ItemRow, Measures};

use crate::bed::Bed;

/// Returns every stored item.
async fn stored(bed: &Bed) -> HashMap<AggregateKey, Measures> {
    let (store, log) = (bed.embedded.event_store(), bed.embedded.log().identity());
    let rows: Vec<ItemRow> = store.scan_items(log, None, 100_000).await.unwrap();
    rows.into_iter().map(|row| (row.key, row.measures)).collect()
}

/// Returns every item as a single fold over the log counts it.
async fn recounted(bed: &Bed) -> HashMap<AggregateKey, Measures> {
    let deltas = Batch::read(&bed.records().await).fold();
    deltas.into_iter().map(|delta| (delta.key, delta.measures)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_count_once() {
    let bed = Bed::new();
    // Nothing is committed, so each start reads everything again and has to count only what is new.
    bed.log.commits_lost.store(true, Ordering::SeqCst);
    let mut ids = Vec::new();
    for round in 0..3 {
        let running = bed.start();
        ids.extend(bed.create("ann", 5).await);
        bed.run([make::adjust(ids[round], -6), make::adjust(ids[0], 1)]).await;
        running.settle().await;
        running.crash().await;
        assert_eq!(bed.committed("aggregates").await, 0);
    }
    assert_eq!(stored(&bed).await, recounted(&bed).await);
    bed.log.commits_lost.store(false, Ordering::SeqCst);
    let running = bed.start();
    running.settle().await;
    running.stop().await;
    assert_eq!(stored(&bed).await, recounted(&bed).await);
    assert_eq!(bed.committed("aggregates").await, bed.records().await.last().unwrap().offset + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_is_counted_in_batches_of_any_size() {
    let mut bed = Bed::new();
    (bed.config.flush_events, bed.config.flush_interval) = (7, std::time::Duration::from_secs(1));
    let running = bed.start();
    bed.create("ann", 300).await;
    bed.create("bob", 300).await;
    running.settle().await;
    assert_eq!(stored(&bed).await, recounted(&bed).await);
    running.stop().await;
}
