//! Recent events in shards: what is hot is spread, and every page is what a plain filter over everything gives.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use souk_conformance::{Dice, eventually};
use souk_domain::{
    Category, Crossing, Event, EventKind, EventType, Name, Price, Product, ProductId, SellerId, Stock,
    Timestamp, Version,
};
use souk_ports::{EventStore, LogRecord, RecentQuery};
use uuid::Uuid;

use crate::support::Place;

pub const NOW: i64 = 1_795_370_400_000;

fn event(number: u64, seller: u64, product: u64, low: bool, time: i64) -> LogRecord {
    let time = Timestamp::from_millis(time);
    let product = Product {
        id: ProductId(Uuid::from_u64_pair(0x0199_0000_0000_7000, (0x8000 << 48) | (product * 0x9e37))),
        seller_id: SellerId::new(format!("seller{seller}")).unwrap(),
        sku: None,
        name: Name::new("thing").unwrap(),
        description: None,
        category: Category::default(),
        price: Price::from_units(25_500).unwrap(),
        stock: Stock::new(3).unwrap(),
        low_stock_threshold: None,
        low_stock: low,
        version: Version(number + 1),
        created_at: time,
        updated_at: time,
    };
    let crossing = Crossing { previous_stock: None, threshold: Stock::new(5).unwrap() };
    let kind = if low { EventKind::LowStockWarning(crossing) } else { EventKind::Created };
    let id = Uuid::from_u128(u128::from(number) << 64 | 7);
    let event = Event { id, time, version: product.version, product: Arc::new(product), kind, origin: None };
    let mut payload = Vec::new();
    souk_events::encode(&event, &mut payload);
    let partition = u32::try_from(number % 3).unwrap();
    LogRecord { partition, offset: number / 3, appended_at: time, payload: Bytes::from(payload) }
}

/// Events of four sellers and a few dozen products, several in a millisecond, one in forty of another type.
pub fn history(count: u64) -> Vec<LogRecord> {
    let mut dice = Dice::new(5);
    let mut time = NOW - 3_600_000;
    (0..count)
        .map(|number| {
            time += i64::try_from(dice.roll(3)).unwrap();
            let product = dice.roll(40);
            event(number, product % 4, product, dice.roll(40) == 0, time)
        })
        .collect()
}

pub fn matching(records: &[LogRecord], query: &RecentQuery) -> Vec<Bytes> {
    let mut found: Vec<(i64, u64, Uuid, Bytes)> = records
        .iter()
        .filter_map(|record| {
            let event = souk_events::decode(&record.payload).unwrap();
            let wanted = query.seller_id.as_ref().is_none_or(|id| *id == event.product.seller_id)
                && query.product_id.is_none_or(|id| id == event.product.id)
                && query.event_type.is_none_or(|kind| kind == event.event_type())
                && query.from.is_none_or(|from| event.time >= from)
                && query.to.is_none_or(|to| event.time < to);
            wanted.then(|| (event.time.millis(), record.offset, event.id, record.payload.clone()))
        })
        .collect();
    found.sort_by_key(|event| std::cmp::Reverse((event.0, event.1, event.2)));
    found.into_iter().map(|(.., payload)| payload).collect()
}

async fn pages(store: &dyn EventStore, query: &RecentQuery) -> Vec<Bytes> {
    let (mut query, mut found) = (query.clone(), Vec::new());
    loop {
        let page = store.recent(&query).await.unwrap();
        assert!(page.items.len() <= query.limit);
        found.extend(page.items);
        let Some(next) = page.next else { return found };
        query.cursor = Some(next);
    }
}

async fn numbers(place: &Place) -> Vec<(String, String)> {
    let request = place
        .client()
        .query()
        .table_name(&place.config.recent_table)
        .key_condition_expression("productId = :kept")
        .expression_attribute_values(":kept", AttributeValue::S("#shards".to_owned()));
    let items = request.send().await.unwrap().items.unwrap();
    items
        .iter()
        .map(|item| (item["at"].as_s().unwrap().clone(), item["number"].as_n().unwrap().clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_over_shards_are_those_of_a_plain_filter() {
    let mut place = Place::new();
    // Anything is hot.
    place.config.events_per_shard = 1;
    let store = place.store(Timestamp::from_millis(NOW)).await;
    let records = history(900);
    store.put_recent(&records[..300]).await.unwrap();
    // The rate is known after a second, whatever it takes to get there.
    eventually("the feed to be spread", || async {
        store.put_recent(&records[..300]).await.unwrap();
        numbers(&place).await.iter().any(|(name, _)| name == "feed").then_some(())
    })
    .await;
    for chunk in records.chunks(128) {
        store.put_recent(chunk).await.unwrap();
    }
    let spread = numbers(&place).await;
    assert!(spread.iter().any(|(name, number)| name == "seller#seller1" && number != "1"), "{spread:?}");
    let product = souk_events::decode(&records[0].payload).unwrap().product.id;
    let middle = souk_events::decode(&records[450].payload).unwrap().time;
    let other = place.store(Timestamp::from_millis(NOW)).await;
    for seller in [None, Some("seller1"), Some("nobody")] {
        for product in [None, Some(product)] {
            for kind in [None, Some(EventType::LowStockWarning), Some(EventType::ProductDeleted)] {
                for (from, to) in [(None, None), (Some(middle), None), (None, Some(middle))] {
                    for limit in [7, 1_000] {
                        let query = RecentQuery {
                            seller_id: seller.map(|id| SellerId::new(id).unwrap()),
                            product_id: product,
                            event_type: kind,
                            from,
                            to,
                            limit,
                            cursor: None,
                        };
                        let expected = matching(&records, &query);
                        assert!(
                            pages(&other, &query).await == expected,
                            "{query:?}: {} expected",
                            expected.len()
                        );
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_hardly_anything_passes_costs_a_bounded_page() {
    let place = Place::new();
    let store = place.store(Timestamp::from_millis(NOW)).await;
    // More than one page may read: the one event wanted is the oldest.
    let mut records = vec![event(0, 1, 1, true, NOW - 1_000_000)];
    records
        .extend((1..26_000).map(|n| event(n, 1, n % 50, false, NOW - 900_000 + i64::try_from(n).unwrap())));
    store.put_recent(&records).await.unwrap();
    let query = RecentQuery {
        seller_id: Some(SellerId::new("seller1").unwrap()),
        event_type: Some(EventType::LowStockWarning),
        limit: 10,
        ..RecentQuery::default()
    };
    let first = store.recent(&query).await.unwrap();
    assert!(
        first.items.is_empty() && first.next.is_some(),
        "the first page ends before it has read everything"
    );
    assert_eq!(pages(&store, &query).await, [records[0].payload.clone()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_client_reads_the_event_as_it_was_published_with_its_time_to_live() {
    let place = Place::new();
    let now = souk_ports::SystemClock;
    let time = souk_ports::Clock::now(&now);
    let store = place.store(time).await;
    let old = event(1, 1, 1, false, time.millis() - 8 * 86_400_000);
    let young = event(2, 1, 1, false, time.millis() - 86_400_000);
    store.put_recent(&[old, young.clone()]).await.unwrap();
    let items =
        place.client().scan().table_name(&place.config.recent_table).send().await.unwrap().items.unwrap();
    assert_eq!(items.len(), 1, "what has expired is not put");
    assert_eq!(items[0]["event"].as_s().unwrap().as_bytes(), &young.payload[..]);
    let ttl: i64 = items[0]["ttl"].as_n().unwrap().parse().unwrap();
    let ends = time.millis() / 1000 + i64::try_from(Duration::from_secs(6 * 86_400).as_secs()).unwrap();
    assert!((ends..ends + 60).contains(&ttl), "{ttl} is about {ends}");
}
