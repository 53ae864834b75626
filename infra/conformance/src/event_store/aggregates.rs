//! Reading aggregates.

use std::sync::Arc;

use souk_domain::Timestamp;
use souk_ports::{
    Aggregate, AggregateKey, AggregateQuery, Dimension, EventStore, ItemDelta, Measures, Window,
};

use super::counting::{LOG, measures, scan};
use crate::{Fixture, Shop};

/// Buckets far apart, one before 1970, the last far in the future.
const MINUTES: [i64; 5] = [-1_000, 0, 1, 60, 20_000_000];
/// Keys whose order as bytes is no alphabet's.
const KEYS: [&str; 4] = ["B", "a", "caf\u{e9} & co", "total"];

/// Fills windows and dimensions with items that all differ.
async fn filled<F: Fixture>() -> (Shop<F>, Vec<Aggregate>) {
    let shop = Shop::<F>::open().await;
    let mut expected: Vec<Aggregate> = Vec::new();
    let mut n = 0;
    for window in Window::ALL {
        for by in Dimension::ALL {
            for minute in MINUTES {
                for key in KEYS {
                    let bucket = window.bucket(Timestamp::from_millis(minute * 60_000));
                    let key = AggregateKey { window, by, bucket, key: Arc::from(key) };
                    if expected.iter().any(|aggregate| aggregate.key == key) {
                        continue;
                    }
                    let mut sum = Measures::default();
                    for partition in 0..2 {
                        n += 1;
                        let measures = measures(n);
                        sum.merge(&measures);
                        let delta = ItemDelta { key: key.clone(), first: 1, last: 1, measures };
                        assert!(shop.store.add(LOG, partition, &[delta]).await.unwrap().is_empty());
                    }
                    expected.push(Aggregate { key, measures: sum });
                }
            }
        }
    }
    expected.sort_by(|a, b| (a.key.bucket, &a.key.key).cmp(&(b.key.bucket, &b.key.key)));
    (shop, expected)
}

fn query(window: Window, by: Dimension) -> AggregateQuery {
    AggregateQuery { window, by, key: None, from: None, to: None, limit: 1_000, after: None }
}

/// Asks for all pages, and compares with what `expected` says should be in them.
async fn assert_answers(store: &dyn EventStore, query: &AggregateQuery, expected: &[Aggregate]) {
    let expected: Vec<_> = expected
        .iter()
        .filter(|aggregate| {
            let key = &aggregate.key;
            key.window == query.window
                && key.by == query.by
                && query.key.as_ref().is_none_or(|wanted| *wanted == key.key)
                && query.from.is_none_or(|from| key.bucket.is_none_or(|bucket| bucket >= from))
                && query.to.is_none_or(|to| key.bucket.is_none_or(|bucket| bucket < to))
        })
        .cloned()
        .collect();
    let mut query = query.clone();
    let mut found: Vec<Aggregate> = Vec::new();
    loop {
        let page = store.aggregates(LOG, &query).await.unwrap();
        assert!(page.items.len() <= query.limit);
        found.extend(page.items);
        if !page.more {
            break;
        }
        let last = found.last().expect("more follows something");
        query.after = Some((last.key.bucket, last.key.key.clone()));
    }
    assert_eq!(found, expected, "{query:?}");
}

/// Oldest bucket first, then by key as bytes, partitions summed.
pub async fn aggregates_come_oldest_bucket_first_then_by_key<F: Fixture>() {
    let (shop, expected) = filled::<F>().await;
    for key in [None, Some("a"), Some("caf\u{e9} & co"), Some("nobody")] {
        let query = AggregateQuery { key: key.map(Arc::from), ..query(Window::Minute, Dimension::Category) };
        assert_answers(&*shop.store, &query, &expected).await;
    }
}

/// `from` belongs to a range, `to` does not.
pub async fn ranges_include_their_start_and_not_their_end<F: Fixture>() {
    let (shop, expected) = filled::<F>().await;
    for window in [Window::Minute, Window::Hour, Window::Day] {
        for from in MINUTES {
            for to in MINUTES {
                for (shift_from, shift_to) in [(0, 0), (1, 0), (0, 1), (-1, -1)] {
                    let at = |minute: i64, shift| {
                        let bucket = window.bucket(Timestamp::from_millis(minute * 60_000)).unwrap();
                        Some(Timestamp::from_millis(bucket.millis() + shift))
                    };
                    let query = AggregateQuery {
                        from: at(from, shift_from),
                        to: at(to, shift_to),
                        ..query(window, Dimension::Product)
                    };
                    assert_answers(&*shop.store, &query, &expected).await;
                }
            }
        }
    }
}

/// A key of one window and dimension is not that of another.
pub async fn windows_and_dimensions_do_not_mix<F: Fixture>() {
    let (shop, expected) = filled::<F>().await;
    for window in Window::ALL {
        for by in Dimension::ALL {
            assert_answers(&*shop.store, &query(window, by), &expected).await;
        }
    }
}

/// Whatever the page size, the pages hold each item once.
pub async fn aggregates_page_without_repeats<F: Fixture>() {
    let (shop, expected) = filled::<F>().await;
    for limit in [1, 2, 3, 19, 20, 21] {
        for window in [Window::Minute, Window::All] {
            let query = AggregateQuery { limit, ..query(window, Dimension::Total) };
            assert_answers(&*shop.store, &query, &expected).await;
            let query = AggregateQuery { key: Some(Arc::from("B")), ..query };
            assert_answers(&*shop.store, &query, &expected).await;
        }
    }
}

/// A scan gives each stored item once, in an order that does not depend on the page size.
pub async fn items_scan_completely_in_a_fixed_order<F: Fixture>() {
    let (shop, expected) = filled::<F>().await;
    let whole = scan(&*shop.store, LOG, 10_000).await;
    assert_eq!(whole.len(), expected.len() * 2);
    for limit in [1, 7, whole.len()] {
        assert_eq!(scan(&*shop.store, LOG, limit).await, whole);
    }
    for aggregate in &expected {
        let mut sum = Measures::default();
        let rows: Vec<_> = whole.iter().filter(|row| row.key == aggregate.key).collect();
        assert_eq!(rows.iter().map(|row| row.partition).sum::<u32>(), 1, "partitions 0 and 1");
        for row in rows {
            assert_eq!(row.counted, 1);
            sum.merge(&row.measures);
        }
        assert_eq!(sum, aggregate.measures);
    }
}
