//! Items can be put right: replaced as they are given, and removed.

use std::sync::Arc;

use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{AggregateKey, AggregateQuery, Dimension, ItemDelta, ItemRow, RefusedItem, Window};

use super::counting::{LOG, item, measures, scan};
use crate::{Fixture, Shop};

/// Items of every dimension, in two partitions.
fn rows() -> Vec<ItemRow> {
    let mut rows = Vec::new();
    for (n, by) in (1..).zip(Dimension::ALL) {
        for window in [Window::Day, Window::All] {
            for partition in 0..2 {
                let bucket = window.bucket(Timestamp::from_millis(n * 86_400_000));
                let key = AggregateKey { window, by, bucket, key: Arc::from(format!("key {n}")) };
                rows.push(ItemRow { key, partition, counted: 40, measures: measures(n) });
            }
        }
    }
    rows
}

async fn sorted<F: Fixture>(shop: &Shop<F>, log: LogId) -> Vec<ItemRow> {
    let mut rows = scan(&*shop.store, log, 7).await;
    rows.sort_by(|a, b| (&a.key, a.partition).cmp(&(&b.key, b.partition)));
    rows
}

fn query(key: &AggregateKey) -> AggregateQuery {
    let AggregateKey { window, by, .. } = *key;
    AggregateQuery { window, by, key: None, from: None, to: None, limit: 100, after: None }
}

/// What is put replaces what was there, in every answer, and counts on from the offset that it says.
pub async fn replaced_items_are_as_given_and_count_on<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let mut rows = rows();
    rows.sort_by(|a, b| (&a.key, a.partition).cmp(&(&b.key, b.partition)));
    // Some are there already and wrong, some are absent.
    let wrong = ItemDelta { key: rows[0].key.clone(), first: 1, last: 90, measures: measures(7) };
    assert!(shop.store.add(LOG, rows[0].partition, &[wrong]).await.unwrap().is_empty());
    let other = LogId(LOG.0 ^ 1);
    shop.store.replace_items(other, &rows[..3]).await.unwrap();
    shop.store.replace_items(LOG, &rows).await.unwrap();
    shop.store.replace_items(LOG, &rows[2..]).await.unwrap();
    shop.store.replace_items(LOG, &[]).await.unwrap();
    let shop = shop.crash().await;
    assert_eq!(sorted(&shop, LOG).await, rows);
    assert_eq!(sorted(&shop, other).await, rows[..3]);
    for row in &rows {
        let page = shop.store.aggregates(LOG, &query(&row.key)).await.unwrap();
        let mut sum = row.measures;
        sum.merge(&row.measures);
        assert!(page.items.iter().any(|item| item.key == row.key && item.measures == sum), "{row:?}");
    }
    let delta = |first| ItemDelta { key: rows[0].key.clone(), first, last: 50, measures: measures(2) };
    let refused = shop.store.add(LOG, rows[0].partition, &[delta(40)]).await.unwrap();
    assert_eq!(refused, [RefusedItem { index: 0, counted: 40 }]);
    assert!(shop.store.add(LOG, rows[0].partition, &[delta(41)]).await.unwrap().is_empty());
    rows[0].counted = 50;
    rows[0].measures.merge(&measures(2));
    assert_eq!(sorted(&shop, LOG).await, rows);
}

/// What is removed is in no answer, and counts from nothing when something comes again.
pub async fn removed_items_are_gone_and_count_anew<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let mut rows = rows();
    rows.sort_by(|a, b| (&a.key, a.partition).cmp(&(&b.key, b.partition)));
    shop.store.replace_items(LOG, &rows).await.unwrap();
    let absent = ItemRow { key: item(Window::All, 0, "nobody"), ..rows[0].clone() };
    let removed = [rows[0].clone(), rows[5].clone(), absent];
    shop.store.remove_items(LOG, &removed).await.unwrap();
    shop.store.remove_items(LOG, &removed).await.unwrap();
    let kept: Vec<ItemRow> =
        rows.iter().enumerate().filter(|(n, _)| ![0, 5].contains(n)).map(|(_, row)| row.clone()).collect();
    assert_eq!(sorted(&shop, LOG).await, kept);
    let page = shop.store.aggregates(LOG, &query(&rows[0].key)).await.unwrap();
    let left = page.items.iter().find(|item| item.key == rows[0].key).unwrap();
    assert_eq!(left.measures, rows[0].measures, "the other partition's is still there");
    let delta = ItemDelta { key: rows[0].key.clone(), first: 3, last: 4, measures: measures(9) };
    assert!(shop.store.add(LOG, rows[0].partition, &[delta]).await.unwrap().is_empty());
    let again = ItemRow { counted: 4, measures: measures(9), ..rows[0].clone() };
    assert!(sorted(&shop, LOG).await.contains(&again));
    let page = shop.store.aggregates(LOG, &query(&rows[0].key)).await.unwrap();
    let mut sum = rows[0].measures;
    sum.merge(&measures(9));
    assert!(page.items.iter().any(|item| item.key == rows[0].key && item.measures == sum));
}
