//! Following the log from a position.

use std::collections::HashMap;
use std::time::Duration;

use souk_ports::{LogRecord, Offset, Tail};

use crate::{Fixture, Shop, make, within};

/// Takes records until there are `count`.
async fn take(tail: &mut dyn Tail, count: usize) -> Vec<LogRecord> {
    let mut taken = Vec::new();
    let taking = async {
        while taken.len() < count {
            let records = tail.next().await.unwrap();
            assert!(!records.is_empty(), "a tail gives something or waits");
            taken.extend(records);
        }
    };
    within("records of the tail", taking).await;
    taken
}

/// Moves a position past `record`.
fn pass(position: &mut Vec<Offset>, record: &LogRecord) {
    let partition = record.partition as usize;
    if position.len() <= partition {
        position.resize(partition + 1, 0);
    }
    position[partition] = record.offset + 1;
}

fn sorted(records: &[LogRecord]) -> Vec<LogRecord> {
    let mut records = records.to_vec();
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

/// Wherever a reader stopped, it goes on with exactly the rest, in order.
pub async fn a_tail_resumes_from_any_cursor_with_nothing_missed<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    shop.with_events(6, 60).await;
    let all = shop.records().await;
    let mut first = shop.log.tail(&[]).await.unwrap();
    let merged = take(&mut *first, all.len()).await;
    assert_eq!(sorted(&merged), all);
    let mut position = Vec::new();
    for cut in 0..merged.len() {
        let mut tail = shop.log.tail(&position).await.unwrap();
        let rest = take(&mut *tail, merged.len() - cut).await;
        assert_eq!(sorted(&rest), sorted(&merged[cut..]), "resumed after {cut} records");
        let mut last: HashMap<u32, Offset> = HashMap::new();
        for record in &rest {
            let before = last.insert(record.partition, record.offset);
            assert!(before.is_none_or(|before| before < record.offset), "offsets grow within a partition");
        }
        pass(&mut position, &merged[cut]);
    }
    // From the end on there is only what comes then, on a log opened anew too.
    let shop = shop.crash().await;
    let mut tail = shop.log.tail(&position).await.unwrap();
    let id = shop.product("after all", 10).await;
    let next = take(&mut *tail, 1).await;
    assert_eq!(souk_events::decode(&next[0].payload).unwrap().product.id, id);
}

/// A tail that has caught up gives each later write, and nothing before it is written.
pub async fn a_tail_waits_for_what_is_written_next<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let mut tail = shop.log.tail(&[]).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(20), tail.next()).await;
    assert!(early.is_err(), "an empty log gives nothing, got {early:?}");
    for n in 0..10 {
        let id = shop.product(&format!("product {n}"), 1).await;
        let records = take(&mut *tail, 2).await;
        let types: Vec<_> = records
            .iter()
            .map(|record| {
                let event = souk_events::decode(&record.payload).unwrap();
                assert_eq!(event.product.id, id);
                event.event_type().as_str()
            })
            .collect();
        assert_eq!(types, ["ProductCreated", "LowStockWarning"]);
    }
}

/// Calls given up at any moment lose and repeat nothing.
pub async fn a_tail_is_cancel_safe<F: Fixture>() {
    const EVENTS: usize = 100;
    let shop = Shop::<F>::open().await;
    let id = shop.product("sold", 1_000_000).await;
    let mut tail = shop.log.tail(&[]).await.unwrap();
    let catalog = shop.catalog.clone();
    let writer = tokio::spawn(async move {
        for _ in 1..EVENTS {
            catalog.execute(make::unit([make::adjust(id, -1)])).await.unwrap();
        }
    });
    let mut versions = Vec::new();
    let mut patience = 0;
    let taking = async {
        while versions.len() < EVENTS {
            patience = (patience + 137) % 1_500;
            if let Ok(records) = tokio::time::timeout(Duration::from_micros(patience), tail.next()).await {
                versions.extend(
                    records
                        .unwrap()
                        .iter()
                        .map(|record| souk_events::decode(&record.payload).unwrap().version.0),
                );
            }
            tokio::task::yield_now().await;
        }
    };
    within("all events in spite of cancelled calls", taking).await;
    assert_eq!(versions, (1..=EVENTS as u64).collect::<Vec<_>>());
    within("the writer", writer).await.unwrap();
}

/// Each tail has a position of its own.
pub async fn tails_do_not_share_a_position<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    shop.with_events(3, 20).await;
    let all = shop.records().await;
    let (mut one, mut two) = (shop.log.tail(&[]).await.unwrap(), shop.log.tail(&[]).await.unwrap());
    assert_eq!(sorted(&take(&mut *one, all.len()).await), all);
    assert_eq!(sorted(&take(&mut *two, all.len()).await), all);
    let id = shop.product("seen by both", 10).await;
    for tail in [&mut one, &mut two] {
        let next = take(&mut **tail, 1).await;
        assert_eq!(souk_events::decode(&next[0].payload).unwrap().product.id, id);
    }
}

/// Under many writers a tail sees each product's versions in order, without a hole.
pub async fn a_tail_sees_a_product_in_order_under_load<F: Fixture>() {
    const WRITERS: usize = 8;
    const WRITES: usize = 40;
    let shop = Shop::<F>::open().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(shop.product(&format!("product {n}"), 1_000_000).await);
    }
    let mut tail = shop.log.tail(&[]).await.unwrap();
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (catalog, ids) = (shop.catalog.clone(), ids.clone());
        writers.push(tokio::spawn(async move {
            for n in 0..WRITES {
                let lines = [make::adjust(ids[(writer + n) % 5], -1), make::adjust(ids[n % 5], -1)];
                catalog.execute(make::unit(lines)).await.unwrap();
            }
        }));
    }
    let mut versions: HashMap<_, u64> = HashMap::new();
    for record in take(&mut *tail, ids.len() + 2 * WRITERS * WRITES).await {
        let event = souk_events::decode(&record.payload).unwrap();
        let last = versions.entry(event.product.id).or_default();
        assert_eq!(event.version.0, *last + 1);
        *last += 1;
    }
    for writer in writers {
        within("a writer", writer).await.unwrap();
    }
}
