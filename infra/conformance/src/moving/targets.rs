//! What comes is there with its milestone or not at all, and is a shop when it is finished.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use souk_domain::ProductId;
use souk_events::Envelope;
use souk_ports::{
    Answer, Catalog, CatalogRow, Clock as _, EventLog, Holds, Milestone, MoveTarget, MovedEvent, Outcome,
    ReadLimit, StoredAnswer,
};

use crate::shop::RECENT_RETENTION;
use crate::{Destination, Fixture, SeededIds, Setup, Shop, TestClock, eventually, make, within};

/// The key whose answer moves with the shop.
const KEY: &str = "order-1";
/// Tells its request from others.
const REQUEST: u8 = 7;

/// A shop as it comes.
struct Luggage {
    events: Vec<MovedEvent>,
    rows: Vec<CatalogRow>,
    answers: Vec<StoredAnswer>,
}

/// Packs a small shop: products, changes, a delete and its tombstone, an answer that may still be asked for.
async fn pack<F: Fixture>() -> Luggage {
    let shop = Shop::<F>::open().await;
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(shop.product(&format!("product {n}"), 20).await);
    }
    for id in &ids {
        shop.run(make::adjust(*id, -1)).await;
    }
    shop.run(make::delete(ids[3])).await;
    let mut events: Vec<_> = shop.settled_log().await;
    // Partitions have no order among each other.
    events.sort_by_key(|logged| (logged.event.product.id, logged.event.version));
    let events = events
        .into_iter()
        .map(|logged| MovedEvent {
            envelope: Envelope::read(&logged.record.payload).unwrap(),
            payload: logged.record.payload,
        })
        .collect();
    let mut rows = shop.scan().await;
    // The marker's tombstone: its events are not in what the log was said to hold.
    rows.retain(|row| ids.contains(&row.id));
    let answer = Answer {
        status: 201,
        etag: Some("\"1\"".to_owned()),
        location: Some("/products/1".to_owned()),
        body: Bytes::from_static(b"{\"as\":\"answered\"}"),
    };
    let stored_at = shop.clock.now();
    let answers = vec![StoredAnswer { key: KEY.into(), fingerprint: [REQUEST; 32], answer, stored_at }];
    Luggage { events, rows, answers }
}

/// Takes a place.
async fn take<D: Destination>() -> D {
    let setup = Setup {
        clock: Arc::new(TestClock::default()),
        // Those of the shop that comes are others.
        ids: Arc::new(SeededIds::new(u16::MAX)),
        low_stock_threshold: make::stock(5),
        recent_retention: RECENT_RETENTION,
    };
    D::take(setup).await
}

async fn target<D: Destination>(place: &D) -> Box<dyn MoveTarget> {
    within("the target", place.target()).await.unwrap()
}

fn milestone(number: u64) -> Milestone {
    Milestone { number, record: format!("milestone {number}") }
}

fn beginning(number: u64) -> Holds {
    Holds::Beginning(milestone(number).record)
}

/// Brings everything, and finishes.
async fn arrive<D: Destination>(place: &D, luggage: &Luggage) {
    let mut target = target(place).await;
    assert_eq!(target.unrest().await.unwrap(), None);
    target.note(&milestone(1)).await.unwrap();
    let (first, second) = luggage.events.split_at(luggage.events.len() / 2);
    target.put_events(first.to_vec(), &milestone(2)).await.unwrap();
    target.put_events(second.to_vec(), &milestone(3)).await.unwrap();
    let (first, second) = luggage.rows.split_at(luggage.rows.len() / 2);
    target.put_rows(first, &milestone(4)).await.unwrap();
    target.put_rows(second, &milestone(5)).await.unwrap();
    target.put_answers(&luggage.answers, &milestone(6)).await.unwrap();
    target.settle(&milestone(7)).await.unwrap();
    target.finish(&milestone(8)).await.unwrap();
    target.close().await;
}

async fn scan(catalog: &dyn Catalog) -> Vec<CatalogRow> {
    catalog.scan(None, 1_000).await.unwrap()
}

/// Returns what a log holds, by product, as it lies there.
async fn logged(log: &dyn EventLog) -> BTreeMap<ProductId, Vec<Bytes>> {
    let mut found: BTreeMap<ProductId, Vec<Bytes>> = BTreeMap::new();
    for (partition, bounds) in (0..).zip(log.bounds().await.unwrap()) {
        let mut from = bounds.earliest;
        while from < bounds.next {
            let records = log.read(partition, from, ReadLimit::default()).await.unwrap();
            let Some(last) = records.last() else { break };
            from = last.offset + 1;
            for record in records {
                let subject = Envelope::read(&record.payload).unwrap().subject;
                found.entry(subject).or_default().push(record.payload);
            }
        }
    }
    found
}

fn events(luggage: &Luggage) -> BTreeMap<ProductId, Vec<Bytes>> {
    let mut events: BTreeMap<ProductId, Vec<Bytes>> = BTreeMap::new();
    for event in &luggage.events {
        events.entry(event.product()).or_default().push(event.payload.clone());
    }
    events
}

/// Rows with their versions, tombstones, events byte by byte in each product's order, answers: all of it, and once.
pub async fn a_shop_arrives_as_it_was<D: Destination>() {
    let luggage = pack::<D::Shop>().await;
    let place = take::<D>().await;
    arrive(&place, &luggage).await;
    let shop = place.shop().await.unwrap();
    assert_eq!(scan(&*shop.catalog()).await, luggage.rows);
    assert_eq!(logged(&*shop.log()).await, events(&luggage));
    let again = make::keyed([make::adjust(luggage.rows[0].id, -5)], KEY, REQUEST);
    let replayed = shop.catalog().execute(again).await.unwrap();
    assert_eq!(replayed, Outcome::Replayed(luggage.answers[0].answer.clone()));
    place.leave(shop).await;
}

/// Nothing that was moved is published anew, and what is written next is, once.
pub async fn what_follows_the_catalog_begins_after_what_was_moved<D: Destination>() {
    let luggage = pack::<D::Shop>().await;
    let place = take::<D>().await;
    arrive(&place, &luggage).await;
    let shop = place.shop().await.unwrap();
    let id = luggage.rows[0].id;
    shop.catalog().execute(make::unit([make::rename(id, "renamed after the move")])).await.unwrap();
    let log = shop.log();
    let mut after = eventually("the event of the next write", || async {
        let found = logged(&*log).await;
        (found[&id].len() > events(&luggage)[&id].len()).then_some(found)
    })
    .await;
    let new = after.get_mut(&id).unwrap().pop().unwrap();
    let new = souk_events::decode(&new).unwrap();
    assert_eq!(new.product.name.as_str(), "renamed after the move");
    assert_eq!(new.version, luggage.rows[0].version.next());
    assert_eq!(after, events(&luggage));
    drop(log);
    place.leave(shop).await;
}

/// Whatever ends the mover after an answer: whoever opens the place next finds the milestone of the last call.
pub async fn a_milestone_is_durable_with_its_call<D: Destination>() {
    let luggage = pack::<D::Shop>().await;
    let place = take::<D>().await;
    let mut open = target(&place).await;
    assert_eq!(open.holds().await.unwrap(), Holds::Nothing);
    for call in 1..=5 {
        match call {
            1 => open.note(&milestone(call)).await,
            2 => open.put_events(luggage.events.clone(), &milestone(call)).await,
            3 => open.put_rows(&luggage.rows, &milestone(call)).await,
            4 => open.put_answers(&luggage.answers, &milestone(call)).await,
            _ => open.settle(&milestone(call)).await,
        }
        .unwrap();
        assert_eq!(open.holds().await.unwrap(), beginning(call));
        // Not closed in order.
        drop(open);
        open = eventually("the place to be free", || async { place.target().await.ok() }).await;
        assert_eq!(open.holds().await.unwrap(), beginning(call), "after call {call}");
    }
    open.finish(&milestone(6)).await.unwrap();
    assert_eq!(open.holds().await.unwrap(), Holds::Moved(milestone(6).record));
    open.close().await;
    let mut open = target(&place).await;
    assert_eq!(open.holds().await.unwrap(), Holds::Moved(milestone(6).record));
    open.close().await;
}

/// A batch that cannot be taken in, since a row of it is there, takes nothing with it.
pub async fn a_refused_batch_leaves_rows_and_milestone_as_they_were<D: Destination>() {
    let luggage = pack::<D::Shop>().await;
    let place = take::<D>().await;
    let mut open = target(&place).await;
    open.put_events(luggage.events.clone(), &milestone(1)).await.unwrap();
    let (first, rest) = luggage.rows.split_at(2);
    open.put_rows(first, &milestone(2)).await.unwrap();
    let spoilt: Vec<CatalogRow> = rest.iter().chain(first).cloned().collect();
    open.put_rows(&spoilt, &milestone(3)).await.unwrap_err();
    assert_eq!(open.holds().await.unwrap(), beginning(2));
    open.put_rows(rest, &milestone(3)).await.unwrap();
    open.settle(&milestone(4)).await.unwrap();
    open.finish(&milestone(5)).await.unwrap();
    open.close().await;
    let shop = place.shop().await.unwrap();
    assert_eq!(scan(&*shop.catalog()).await, luggage.rows);
    place.leave(shop).await;
}

/// A shop that went on while it moved brings its rows again.
pub async fn rows_that_were_cleared_come_anew<D: Destination>() {
    let luggage = pack::<D::Shop>().await;
    let place = take::<D>().await;
    let mut open = target(&place).await;
    open.put_events(luggage.events.clone(), &milestone(1)).await.unwrap();
    open.put_rows(&luggage.rows, &milestone(2)).await.unwrap();
    open.put_answers(&luggage.answers, &milestone(3)).await.unwrap();
    open.clear_rows(&milestone(4)).await.unwrap();
    assert_eq!(open.holds().await.unwrap(), beginning(4));
    open.put_rows(&luggage.rows, &milestone(5)).await.unwrap();
    open.put_answers(&luggage.answers, &milestone(6)).await.unwrap();
    open.settle(&milestone(7)).await.unwrap();
    open.finish(&milestone(8)).await.unwrap();
    open.close().await;
    let shop = place.shop().await.unwrap();
    assert_eq!(scan(&*shop.catalog()).await, luggage.rows);
    place.leave(shop).await;
}

/// Half a shop takes no orders.
pub async fn no_shop_opens_before_the_move_is_finished<D: Destination>() {
    let luggage = pack::<D::Shop>().await;
    let place = take::<D>().await;
    for (number, settles) in [(1, false), (2, true)] {
        let mut open = target(&place).await;
        if settles {
            open.settle(&milestone(number)).await.unwrap();
        } else {
            open.put_rows(&luggage.rows, &milestone(number)).await.unwrap();
        }
        open.close().await;
        let refused = place.shop().await.err().expect("no shop starts in a place that one is moving to");
        assert!(refused.contains("souk move"), "the remedy is missing: {refused}");
    }
}

/// A shop that was there is not mixed with another.
pub async fn a_place_with_a_shop_takes_no_other<D: Destination>() {
    let place = take::<D>().await;
    let shop = place.shop().await.unwrap();
    let id = ProductId(uuid::Uuid::now_v7());
    shop.catalog().execute(make::unit([make::create(id, "was here first", 3)])).await.unwrap();
    let log = shop.log();
    eventually("its event", || async { logged(&*log).await.contains_key(&id).then_some(()) }).await;
    drop(log);
    place.leave(shop).await;
    let mut open = target(&place).await;
    let held = open.holds().await.unwrap();
    assert!(matches!(held, Holds::Shop(_)), "{held:?}");
    open.close().await;
}

/// Of two that move to the same place, the second is told so.
pub async fn one_mover_at_a_time<D: Destination>() {
    let place = take::<D>().await;
    let mut first = target(&place).await;
    first.note(&milestone(1)).await.unwrap();
    assert!(place.target().await.is_err(), "a second mover got the place");
    first.note(&milestone(2)).await.unwrap();
    first.close().await;
    let mut second = target(&place).await;
    assert_eq!(second.holds().await.unwrap(), beginning(2));
    second.close().await;
}
