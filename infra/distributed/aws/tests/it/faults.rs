//! Throttling, unprocessed items and replies that are lost: whatever the network and the server do, each event is
//! stored once, each offset counts once and each object is made once.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode};
use souk_aws::archive;
use souk_domain::{Amount, Timestamp};
use souk_events::LogId;
use souk_fault_proxy::{Call, Http, HttpFault, Proxy, Times, What};
use souk_ports::{
    AggregateKey, AggregateQuery, Dimension, ErrorKind, EventStore, ItemDelta, ItemRow, Measures,
    RecentQuery, Window,
};

use crate::recent::{NOW, history, matching};
use crate::support::Place;

const LOG: LogId = LogId(77);

fn upstream(endpoint: &str) -> SocketAddr {
    endpoint.strip_prefix("http://").unwrap().to_socket_addrs().unwrap().next().unwrap()
}

/// Puts a proxy between the store and DynamoDB.
fn before_dynamo(place: &mut Place) -> Proxy<Http> {
    let proxy = Proxy::start(upstream(place.config.dynamo_endpoint.as_ref().unwrap())).unwrap();
    place.config.dynamo_endpoint = Some(format!("http://{}", proxy.address()));
    proxy
}

fn deltas(count: u64, first: u64) -> Vec<ItemDelta> {
    (0..count)
        .map(|n| ItemDelta {
            key: AggregateKey {
                window: Window::Day,
                by: Dimension::Product,
                bucket: Window::Day.bucket(Timestamp::from_millis(NOW)),
                key: Arc::from(format!("product {n:03}")),
            },
            first,
            last: first + 1,
            measures: Measures {
                units_sold: 2,
                revenue: Amount::from_units(i128::from(n) * 10_000_000_000_000_000_007),
                ..Measures::default()
            },
        })
        .collect()
}

/// Adds as analytics does, until it succeeds: whatever is refused has to be in already.
async fn add(store: &dyn EventStore, deltas: &[ItemDelta]) {
    loop {
        match store.add(LOG, 0, deltas).await {
            Ok(refused) => {
                assert!(refused.iter().all(|item| item.counted == deltas[item.index].last), "{refused:?}");
                return;
            }
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

async fn items(store: &dyn EventStore) -> Vec<ItemRow> {
    let mut rows = store.scan_items(LOG, None, 10_000).await.unwrap();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

async fn assert_counted_twice_over(store: &dyn EventStore, count: u64) {
    let rows = items(store).await;
    assert_eq!(rows.len(), usize::try_from(count).unwrap());
    for (row, delta) in rows.iter().zip(deltas(count, 1)) {
        let mut twice = delta.measures;
        twice.merge(&delta.measures);
        assert_eq!((&row.key, row.counted, row.measures), (&delta.key, 4, twice));
    }
    let query = AggregateQuery {
        window: Window::Day,
        by: Dimension::Product,
        key: None,
        from: None,
        to: None,
        limit: 10_000,
        after: None,
    };
    let page = store.aggregates(LOG, &query).await.unwrap();
    assert_eq!(page.items.len(), rows.len(), "every item is in the list");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_that_are_lost_and_requests_that_are_throttled_count_once() {
    let mut place = Place::new();
    let proxy = before_dynamo(&mut place);
    let store = place.store(Timestamp::from_millis(NOW)).await;
    let update = |what| HttpFault::new(Call::Operation("UpdateItem"), what);
    let lost = proxy.arm(update(What::LoseReply), Times::Next(8));
    let faults = [
        proxy.arm(update(What::LoseRequest), Times::Next(3)),
        proxy.arm(update(What::THROTTLED), Times::Next(4)),
        proxy.arm(update(What::THROTTLING), Times::Next(3)),
        proxy.arm(update(What::DYNAMO_INTERNAL), Times::Next(3)),
    ];
    add(&store, &deltas(60, 1)).await;
    add(&store, &deltas(60, 3)).await;
    assert!(lost.fired() == 8 && faults.iter().all(|fault| fault.fired() > 0));
    proxy.mend();
    assert_counted_twice_over(&store, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_stays_throttled_is_said_and_waited_for() {
    let mut place = Place::new();
    let proxy = before_dynamo(&mut place);
    let store = place.store(Timestamp::from_millis(NOW)).await;
    let throttled = proxy.arm(HttpFault::new(Call::Any, What::THROTTLED), Times::Next(1_000_000));
    let error = store.add(LOG, 0, &deltas(1, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("throttled"), "{error}");
    assert!(throttled.fired() > 1, "it was tried more than once");
    let error = store.put_recent(&history(3)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    proxy.mend();
    add(&store, &deltas(1, 1)).await;
    add(&store, &deltas(1, 3)).await;
    assert_counted_twice_over(&store, 1).await;
}

/// A server that is too slow for all that is asked of it at once works at requests that nobody waits for any more:
/// unless fewer are sent, none is ever answered in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_answers_slowly_is_asked_for_less_at_once() {
    let mut place = Place::new();
    let proxy = before_dynamo(&mut place);
    let store = place.store(Timestamp::from_millis(NOW)).await;
    let slow = HttpFault::new(Call::Operation("UpdateItem"), What::OneByOne(Duration::from_millis(300)));
    proxy.arm(slow, Times::Next(1_000_000));
    let deltas = deltas(48, 1);
    let mut calls = 0;
    while let Err(error) = store.add(LOG, 0, &deltas).await {
        assert!(error.is_retryable(), "{error}");
        calls += 1;
        assert!(calls < 3, "nothing gets through: {error}");
    }
    proxy.mend();
    assert_eq!(items(&store).await.len(), 48);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_that_come_back_unprocessed_are_written_all_the_same() {
    let mut place = Place::new();
    let proxy = before_dynamo(&mut place);
    let store = place.store(Timestamp::from_millis(NOW)).await;
    let batch = |what| HttpFault::new(Call::Operation("BatchWriteItem"), what);
    let some = proxy.arm(batch(What::Unprocessed { taken: 11 }), Times::OneIn(2, 6));
    let none = proxy.arm(batch(What::Unprocessed { taken: 0 }), Times::Next(2));
    let lost = proxy.arm(batch(What::LoseReply), Times::Next(1));
    let records = history(400);
    for chunk in records.chunks(90) {
        store.put_recent(chunk).await.unwrap();
    }
    // Names of aggregates go the same way.
    add(&store, &deltas(90, 1)).await;
    add(&store, &deltas(90, 3)).await;
    assert!(some.fired() > 0 && none.fired() > 0 && lost.fired() > 0);
    proxy.mend();
    let query = RecentQuery { limit: 1_000, ..RecentQuery::default() };
    assert!(store.recent(&query).await.unwrap().items == matching(&records, &query));
    assert_counted_twice_over(&store, 90).await;
    let figures = store.health().await.unwrap().figures;
    assert!(figures.iter().any(|(name, count)| *name == "itemsAskedAgain" && *count > 0), "{figures:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_takes_nothing_is_said_and_everything_can_be_asked_again() {
    let mut place = Place::new();
    let proxy = before_dynamo(&mut place);
    let store = place.store(Timestamp::from_millis(NOW)).await;
    let nothing = HttpFault::new(Call::Operation("BatchWriteItem"), What::Unprocessed { taken: 0 });
    proxy.arm(nothing, Times::Next(1_000_000));
    let records = history(30);
    let error = store.put_recent(&records).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("30 items"), "{error}");
    proxy.mend();
    store.put_recent(&records).await.unwrap();
    let query = RecentQuery { limit: 100, ..RecentQuery::default() };
    assert!(store.recent(&query).await.unwrap().items == matching(&records, &query));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_whose_reply_is_lost_made_the_object_and_is_found_in_its_own_way() {
    let mut place = Place::new();
    let proxy = Proxy::<Http>::start(upstream(place.config.s3_endpoint.as_ref().unwrap())).unwrap();
    let direct = place.config.s3_endpoint.replace(format!("http://{}", proxy.address()));
    place.config.s3_timeout = Duration::from_secs(2);
    let store = archive(&place.config).await.unwrap();
    let (path, text) = (Path::from("product-events/o=1.parquet"), Bytes::from_static(b"made once"));
    let put = |what| HttpFault::new(Call::Method("PUT", ".parquet"), what);
    let lost = proxy.arm(put(What::LoseReply), Times::Next(1));
    let result = store.put_opts(&path, text.clone().into(), PutMode::Create.into()).await;
    assert_eq!(lost.fired(), 1);
    // Tried again by itself, or left to the caller: never a success that is none, never two.
    assert!(matches!(&result, Err(Error::AlreadyExists { .. } | Error::Generic { .. })), "{result:?}");
    let again = store.put_opts(&path, Bytes::from_static(b"other").into(), PutMode::Create.into()).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), text);
    // The same without a word from the server until nobody waits any more.
    let late = Path::from("product-events/o=3.parquet");
    let held = proxy.arm(put(What::HoldReply(3 * place.config.s3_timeout)), Times::Next(1));
    let result = store.put_opts(&late, text.clone().into(), PutMode::Create.into()).await;
    assert_eq!(held.fired(), 1);
    assert!(matches!(&result, Err(Error::AlreadyExists { .. } | Error::Generic { .. })), "{result:?}");
    let again = store.put_opts(&late, Bytes::from_static(b"other").into(), PutMode::Create.into()).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
    assert_eq!(store.get(&late).await.unwrap().bytes().await.unwrap(), text);
    // What the server did not do is tried again.
    let other = Path::from("product-events/o=2.parquet");
    let faults =
        [proxy.arm(put(What::SLOW_DOWN), Times::Next(1)), proxy.arm(put(What::S3_INTERNAL), Times::Next(1))];
    store.put_opts(&other, text.clone().into(), PutMode::Create.into()).await.unwrap();
    assert!(faults.iter().all(|fault| fault.fired() == 1));
    place.config.s3_endpoint = direct;
}
