//! Recent events. What is put here comes from the log, as it does in production.

use std::time::Duration;

use bytes::Bytes;
use souk_domain::{Event, EventType, Timestamp};
use souk_ports::{Clock, ErrorKind, LogRecord, RecentQuery};

use crate::{Fixture, Logged, Shop, eventually, make};

/// Two sellers' products with every type of event, a second apart; what the log has of it is put as recent.
async fn filled<F: Fixture>() -> (Shop<F>, Vec<Logged>) {
    let shop = Shop::<F>::open().await;
    for n in 0..12 {
        shop.clock.advance(Duration::from_secs(1));
        let (id, seller) = (shop.new_id(), if n % 2 == 0 { "seller1" } else { "seller2" });
        shop.run(make::create_for(seller, id, make::fields("recent", 6))).await;
        // Several within one millisecond: the order among them is fixed all the same.
        shop.run(make::adjust(id, -2)).await;
        shop.clock.advance(Duration::from_millis(1));
        shop.run(make::adjust(id, 5)).await;
        if n % 3 == 0 {
            shop.run(make::delete(id)).await;
        }
    }
    let logged = shop.settled_log().await;
    // As cut by whoever reads the log.
    let records: Vec<LogRecord> = shop.records().await;
    for batch in records.chunks(7) {
        shop.store.put_recent(batch).await.unwrap();
    }
    (shop, logged)
}

fn query() -> RecentQuery {
    RecentQuery { limit: 1_000, ..RecentQuery::default() }
}

/// Decodes recent events, without those of the helper that waits for the log.
fn events(items: &[Bytes]) -> Vec<Event> {
    let events = items.iter().map(|item| souk_events::decode(item).unwrap());
    events.filter(|event| event.product.name.as_str() != crate::shop::MARKER).collect()
}

async fn pages<F: Fixture>(shop: &Shop<F>, query: &RecentQuery) -> Vec<Event> {
    let mut query = query.clone();
    let mut items = Vec::new();
    loop {
        let page = shop.store.recent(&query).await.unwrap();
        assert!(page.items.len() <= query.limit);
        items.extend(page.items);
        let Some(next) = page.next else { return events(&items) };
        assert!(next.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{next}");
        query.cursor = Some(next);
    }
}

/// Waits until the store has taken in what was put.
async fn has<F: Fixture>(shop: &Shop<F>, query: &RecentQuery, expected: &[&Event]) {
    let what = format!("recent events of {query:?} to be the {} expected", expected.len());
    let mut ids: Vec<_> = expected.iter().map(|event| event.id).collect();
    ids.sort();
    let found = eventually(&what, || async {
        let found = pages(shop, query).await;
        let mut got: Vec<_> = found.iter().map(|event| event.id).collect();
        got.sort();
        (got == ids).then_some(found)
    })
    .await;
    for pair in found.windows(2) {
        assert!(pair[0].time >= pair[1].time, "newest first");
        if pair[0].product.id == pair[1].product.id {
            assert!(pair[0].version >= pair[1].version, "those of a product in reverse");
        }
    }
}

/// Newest first, a product's in the reverse of their order, each as it was published.
pub async fn recent_events_come_newest_first<F: Fixture>() {
    let (shop, logged) = filled::<F>().await;
    has(&shop, &query(), &logged.iter().map(|found| &found.event).collect::<Vec<_>>()).await;
    let page = shop.store.recent(&query()).await.unwrap();
    for item in page.items {
        let event = souk_events::decode(&item).unwrap();
        if let Some(found) = logged.iter().find(|found| found.event.id == event.id) {
            assert_eq!(item, found.record.payload);
        }
    }
}

/// A replay stores nothing twice, also after a crash.
pub async fn recent_events_are_stored_once<F: Fixture>() {
    let (shop, logged) = filled::<F>().await;
    let expected: Vec<_> = logged.iter().map(|found| &found.event).collect();
    let records = shop.records().await;
    shop.store.put_recent(&records).await.unwrap();
    let shop = shop.crash().await;
    shop.store.put_recent(&records[records.len() / 3..]).await.unwrap();
    shop.store.put_recent(&[]).await.unwrap();
    has(&shop, &query(), &expected).await;
}

/// Each filter narrows what the others leave; `from` is in, `to` is not.
pub async fn recent_events_are_filtered<F: Fixture>() {
    let (shop, logged) = filled::<F>().await;
    let (first, middle) = (&logged[0].event, &logged[logged.len() / 2].event);
    let times: [Option<Timestamp>; 3] =
        [None, Some(middle.time), Some(Timestamp::from_millis(middle.time.millis() + 1))];
    for seller in [None, Some("seller1"), Some("nobody")] {
        for product in [None, Some(first.product.id), Some(middle.product.id)] {
            for event_type in [None, Some(EventType::LowStockWarning), Some(EventType::ProductDeleted)] {
                for (from, to) in
                    [(times[0], times[0]), (times[1], times[0]), (times[0], times[1]), (times[1], times[2])]
                {
                    let query = RecentQuery {
                        seller_id: seller.map(make::seller),
                        product_id: product,
                        event_type,
                        from,
                        to,
                        limit: 5,
                        cursor: None,
                    };
                    let expected: Vec<&Event> = logged
                        .iter()
                        .map(|found| &found.event)
                        .filter(|event| {
                            seller.is_none_or(|id| event.product.seller_id.as_str() == id)
                                && product.is_none_or(|id| event.product.id == id)
                                && event_type.is_none_or(|wanted| event.event_type() == wanted)
                                && from.is_none_or(|from| event.time >= from)
                                && to.is_none_or(|to| event.time < to)
                        })
                        .collect();
                    has(&shop, &query, &expected).await;
                }
            }
        }
    }
}

/// Whatever the page size, each event is on one page, though new ones come meanwhile.
pub async fn recent_events_page_without_repeats<F: Fixture>() {
    let (shop, logged) = filled::<F>().await;
    let expected: Vec<_> = logged.iter().map(|found| &found.event).collect();
    has(&shop, &query(), &expected).await;
    let whole = pages(&shop, &query()).await;
    for limit in [1, 2, 10, expected.len()] {
        assert_eq!(pages(&shop, &RecentQuery { limit, ..query() }).await, whole);
    }
    let half = RecentQuery { limit: 20, ..query() };
    let first = shop.store.recent(&half).await.unwrap();
    shop.clock.advance(Duration::from_secs(1));
    shop.product("late", 10).await;
    shop.settled_log().await;
    shop.store.put_recent(&shop.records().await).await.unwrap();
    let mut items = first.items;
    let rest = RecentQuery { cursor: first.next, limit: 1_000, ..query() };
    items.extend(shop.store.recent(&rest).await.unwrap().items);
    assert_eq!(events(&items), whole);
}

/// What is older than the retention goes, and the rest stays.
pub async fn recent_events_expire<F: Fixture>() {
    let (shop, logged) = filled::<F>().await;
    let expected: Vec<_> = logged.iter().map(|found| &found.event).collect();
    has(&shop, &query(), &expected).await;
    shop.clock.advance(crate::shop::RECENT_RETENTION + Duration::from_secs(60));
    let id = shop.product("young", 10).await;
    let now = shop.clock.now();
    shop.settled_log().await;
    shop.store.put_recent(&shop.records().await).await.unwrap();
    eventually("old events to go and the young one to stay", || async {
        shop.fixture.maintain().await;
        let found = pages(&shop, &query()).await;
        assert!(found.iter().any(|event| event.product.id == id && event.time == now));
        (found.len() == 1).then_some(())
    })
    .await;
}

/// A cursor that this store did not give out is refused.
pub async fn bad_recent_cursors_are_invalid_data<F: Fixture>() {
    let (shop, _) = filled::<F>().await;
    for cursor in ["", ".", "!", "zzz", "../..", "-1", "99999999999999999999999999"] {
        let query = RecentQuery { cursor: Some(cursor.to_owned()), ..query() };
        match shop.store.recent(&query).await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidData, "{cursor}: {error}"),
            Ok(page) => panic!("{cursor:?} was answered with {} events", page.items.len()),
        }
    }
}
