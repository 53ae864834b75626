//! Aggregates count each offset once.

use std::collections::BTreeMap;
use std::sync::Arc;

use souk_domain::{Amount, Timestamp};
use souk_events::LogId;
use souk_ports::{
    AggregateKey, AggregateQuery, Dimension, EventStore, ItemDelta, ItemRow, Measures, Offset, Partition,
    RefusedItem, Window,
};

use crate::{Dice, Fixture, Shop, within};

/// The log that tests count by.
pub(super) const LOG: LogId = LogId(0x1122_3344_5566_7788);

/// An event as aggregates see it: an offset, and what it adds to which items.
#[derive(Debug, Clone)]
struct Countable {
    offset: Offset,
    items: Vec<AggregateKey>,
    measures: Measures,
}

/// Names an item of a seller.
pub(super) fn item(window: Window, minute: i64, key: &str) -> AggregateKey {
    let bucket = window.bucket(Timestamp::from_millis(minute * 60_000));
    AggregateKey { window, by: Dimension::Seller, bucket, key: Arc::from(key) }
}

/// Measures that differ in every field, so that none can stand for another.
pub(super) fn measures(n: i64) -> Measures {
    let count = n.unsigned_abs();
    Measures {
        events: [count, count + 1, count + 2, count + 3, count + 4],
        units_sold: n + 5,
        units_returned: n + 6,
        revenue: Amount::from_units(i128::from(n) * 7 - 1_000),
        stock_delta: -n,
        stock_value: Amount::from_units(i128::from(n) * -11),
        low_stock_products: n % 3 - 1,
    }
}

/// Events with holes between their offsets, each in a few of a dozen items.
fn events(seed: u64, count: u64) -> Vec<Countable> {
    let mut dice = Dice::new(seed);
    let mut offset = dice.roll(3);
    (0..count)
        .map(|_| {
            offset += 1 + dice.roll(4);
            let seller = format!("seller{}", dice.roll(3));
            let minute = i64::try_from(dice.roll(90)).unwrap();
            let items =
                [Window::Minute, Window::Hour, Window::All].map(|window| item(window, minute, &seller));
            let n = i64::try_from(dice.roll(1_000)).unwrap();
            Countable { offset, items: items.to_vec(), measures: measures(n) }
        })
        .collect()
}

/// Folds events into one delta per item.
fn deltas(events: &[Countable]) -> Vec<ItemDelta> {
    let mut folded: BTreeMap<AggregateKey, ItemDelta> = BTreeMap::new();
    for event in events {
        for key in &event.items {
            let delta = folded.entry(key.clone()).or_insert_with(|| ItemDelta {
                key: key.clone(),
                first: event.offset,
                last: event.offset,
                measures: Measures::default(),
            });
            delta.last = event.offset;
            delta.measures.merge(&event.measures);
        }
    }
    folded.into_values().collect()
}

/// Counts events as a consumer does: what is refused is added again without what is counted already.
async fn count(store: &dyn EventStore, log: LogId, partition: Partition, events: &[Countable]) {
    let mut wanted = deltas(events);
    while !wanted.is_empty() {
        let refused = store.add(log, partition, &wanted).await.unwrap();
        let mut rest = Vec::new();
        for RefusedItem { index, counted } in refused {
            let key = &wanted[index].key;
            let left: Vec<Countable> = events
                .iter()
                .filter(|event| event.offset > counted && event.items.contains(key))
                .map(|event| Countable { items: vec![key.clone()], ..event.clone() })
                .collect();
            rest.extend(deltas(&left));
        }
        wanted = rest;
    }
}

/// What items have to hold after `events` were counted once.
fn expected(events: &[Countable], partition: Partition) -> Vec<ItemRow> {
    deltas(events)
        .into_iter()
        .map(|delta| ItemRow { key: delta.key, partition, counted: delta.last, measures: delta.measures })
        .collect()
}

/// Returns all items, sorted.
async fn items(store: &dyn EventStore, log: LogId) -> Vec<ItemRow> {
    let mut rows = scan(store, log, 13).await;
    rows.sort_by(|a, b| (&a.key, a.partition).cmp(&(&b.key, b.partition)));
    rows
}

/// Scans items page by page.
pub(super) async fn scan(store: &dyn EventStore, log: LogId, limit: usize) -> Vec<ItemRow> {
    let mut rows: Vec<ItemRow> = Vec::new();
    loop {
        let page = store.scan_items(log, rows.last(), limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

/// Batches cut anywhere, again and again from anywhere before the end, leave each offset counted once.
pub async fn an_offset_counts_once_whatever_is_replayed<F: Fixture>() {
    for seed in 0..6 {
        let shop = Shop::<F>::open().await;
        let events = events(seed, 120);
        let mut dice = Dice::new(seed + 100);
        let mut done = 0;
        while done < events.len() {
            // A consumer begins at or before where it got to, and dies somewhere.
            let mut at = dice.index(done + 1);
            let until = (done + 1 + dice.index(40)).min(events.len());
            while at < until {
                let next = (at + 1 + dice.index(25)).min(until);
                count(&*shop.store, LOG, 0, &events[at..next]).await;
                at = next;
            }
            done = done.max(until);
            assert_eq!(items(&*shop.store, LOG).await, expected(&events[..done], 0), "seed {seed}");
        }
        count(&*shop.store, LOG, 0, &events).await;
        assert_eq!(items(&*shop.store, LOG).await, expected(&events, 0), "all of it again changes nothing");
    }
}

/// A consumer that was thought dead and its successor count the same events at once, each cut its own way.
pub async fn racing_consumers_count_each_offset_once<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let events = events(42, 150);
    let mut racers = Vec::new();
    for racer in 0..4 {
        let (store, events) = (shop.store.clone(), events.clone());
        racers.push(tokio::spawn(async move {
            let mut dice = Dice::new(racer);
            let mut at = 0;
            while at < events.len() {
                let next = (at + 1 + dice.index(20)).min(events.len());
                count(&*store, LOG, 0, &events[at..next]).await;
                at = next;
            }
        }));
    }
    for racer in racers {
        within("a racing consumer", racer).await.unwrap();
    }
    assert_eq!(items(&*shop.store, LOG).await, expected(&events, 0));
}

/// A refusal says how far the item has counted, and leaves it alone, while the others of the call go in.
pub async fn refused_items_report_what_they_counted_and_stay_as_they_are<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (ahead, behind) = (item(Window::Minute, 1, "ahead"), item(Window::Minute, 1, "behind"));
    let delta =
        |key: &AggregateKey, first, last| ItemDelta { key: key.clone(), first, last, measures: measures(3) };
    assert!(shop.store.add(LOG, 0, &[delta(&ahead, 4, 9), delta(&behind, 2, 3)]).await.unwrap().is_empty());
    for (first, last) in [(9, 12), (4, 9), (1, 2), (1, 20)] {
        let refused =
            shop.store.add(LOG, 0, &[delta(&behind, 4, 4), delta(&ahead, first, last)]).await.unwrap();
        let told = refused.iter().find(|refused| refused.index == 1);
        assert_eq!(told, Some(&RefusedItem { index: 1, counted: 9 }));
    }
    let rows = items(&*shop.store, LOG).await;
    let mut twice = measures(3);
    twice.merge(&measures(3));
    assert_eq!(rows[0], ItemRow { key: ahead.clone(), partition: 0, counted: 9, measures: measures(3) });
    assert_eq!(rows[1], ItemRow { key: behind, partition: 0, counted: 4, measures: twice });
    // Right after what was counted it goes on, holes or not.
    assert!(shop.store.add(LOG, 0, &[delta(&ahead, 30, 30)]).await.unwrap().is_empty());
    assert_eq!(items(&*shop.store, LOG).await[0].counted, 30);
    // Offset 0 is an offset like any other.
    let zero = item(Window::Minute, 1, "zero");
    assert!(shop.store.add(LOG, 0, &[delta(&zero, 0, 0)]).await.unwrap().is_empty());
    let again = shop.store.add(LOG, 0, &[delta(&zero, 0, 0)]).await.unwrap();
    assert_eq!(again, [RefusedItem { index: 0, counted: 0 }]);
}

/// What was counted is counted after a crash, and not once more.
pub async fn counts_survive_a_reopen<F: Fixture>() {
    let mut shop = Shop::<F>::open().await;
    let events = events(7, 100);
    for end in [30, 60, 100] {
        count(&*shop.store, LOG, 0, &events[..end]).await;
        shop = shop.crash().await;
        assert_eq!(items(&*shop.store, LOG).await, expected(&events[..end], 0));
    }
}

/// The same offsets of another log are other events.
pub async fn other_logs_do_not_mix<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (old, new) = (events(1, 50), events(2, 50));
    let other = LogId(LOG.0 ^ (1 << 63));
    count(&*shop.store, LOG, 0, &old).await;
    count(&*shop.store, other, 0, &new).await;
    count(&*shop.store, LOG, 0, &old).await;
    assert_eq!(items(&*shop.store, LOG).await, expected(&old, 0));
    assert_eq!(items(&*shop.store, other).await, expected(&new, 0));
    assert!(items(&*shop.store, LogId(0)).await.is_empty());
    assert!(shop.store.aggregates(LogId(0), &all()).await.unwrap().items.is_empty());
}

fn all() -> AggregateQuery {
    AggregateQuery {
        window: Window::All,
        by: Dimension::Seller,
        key: None,
        from: None,
        to: None,
        limit: 100,
        after: None,
    }
}

/// Each partition has offsets of its own; an answer sums over them.
pub async fn partitions_count_apart_and_sum_up<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let parts: Vec<_> = (0..3).map(|partition| events(partition, 60)).collect();
    for (partition, events) in (0..).zip(&parts) {
        count(&*shop.store, LOG, partition, events).await;
        count(&*shop.store, LOG, partition, &events[20..]).await;
    }
    let mut rows: Vec<ItemRow> =
        (0..).zip(&parts).flat_map(|(partition, events)| expected(events, partition)).collect();
    rows.sort_by(|a, b| (&a.key, a.partition).cmp(&(&b.key, b.partition)));
    assert_eq!(items(&*shop.store, LOG).await, rows);
    for aggregate in shop.store.aggregates(LOG, &all()).await.unwrap().items {
        let mut sum = Measures::default();
        for row in rows.iter().filter(|row| row.key == aggregate.key) {
            sum.merge(&row.measures);
        }
        assert_eq!(aggregate.measures, sum);
    }
}

/// Money adds up exactly, far beyond what 64 bits hold.
pub async fn sums_are_exact_beyond_64_bits<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let key = item(Window::All, 0, "rich");
    let huge = Measures {
        revenue: Amount::from_units(i128::from(i64::MAX) * 1_000_003),
        stock_value: Amount::from_units(i128::from(i64::MIN) * 999_983),
        ..Measures::default()
    };
    let mut sum = Measures::default();
    for offset in 0..20 {
        sum.merge(&huge);
        let delta = ItemDelta { key: key.clone(), first: offset, last: offset, measures: huge };
        assert!(shop.store.add(LOG, 0, &[delta]).await.unwrap().is_empty());
    }
    assert_eq!(items(&*shop.store, LOG).await[0].measures, sum);
    assert_eq!(shop.store.aggregates(LOG, &all()).await.unwrap().items[0].measures, sum);
}
