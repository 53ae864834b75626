//! What arrives.

use souk_conformance::make;
use souk_domain::ProductId;
use souk_ports::{IdGenerator as _, Outcome};

use crate::bed::Bed;

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_as_it_was_and_the_shop_goes_on() {
    let bed = Bed::new();
    let shop = bed.open("old");
    bed.trade(&shop, 500).await;
    bed.work_off(&shop).await;
    bed.forget(&shop).await;
    bed.trade(&shop, 300).await;
    shop.close().await;
    let before = bed.contents("old").await;
    // The first order's answer has expired.
    assert_eq!((before.events.len() > 2_000, before.answers.len()), (true, 1));

    let record = bed.complete("old", "new").await;
    assert_eq!(bed.contents("new").await, before);
    assert_eq!(bed.contents("old").await, before, "the side that a shop leaves is only read");
    let tombstones = before.rows.iter().filter(|row| row.product.is_none()).count() as u64;
    assert_eq!((record.events, record.tombstones), (before.events.len() as u64, tombstones));
    assert!(tombstones > 0);

    let shop = bed.open("new");
    let again = shop.catalog().execute(make::keyed([], &before.answers[0].key, 1)).await.unwrap();
    assert_eq!(again, Outcome::Replayed(before.answers[0].answer.clone()), "an order is not taken twice");
    let deleted = before.rows.iter().find(|row| row.product.is_none()).unwrap();
    bed.run(&shop, make::unit([make::create(deleted.id, "back", 1)])).await;
    let back = shop.catalog().product(deleted.id).await.unwrap().unwrap();
    assert_eq!(back.version.0, deleted.version.0 + 1, "an id that comes back goes on");
    bed.trade(&shop, 100).await;
    bed.work_off(&shop).await;
    let report = bed.audit(&shop).await;
    assert!(report.ok, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_archive_alone_holds_moves_where_the_log_begins_just_after_it() {
    let bed = Bed::new();
    let shop = bed.open("old");
    // A quiet shop: an object for each event.
    for _ in 0..3 {
        bed.run(&shop, make::unit([make::create(ProductId(bed.ids.next_id()), "thing", 50)])).await;
        bed.work_off(&shop).await;
    }
    bed.forget_before(&shop, 3).await;
    let bounds = shop.log().bounds().await.unwrap();
    assert_eq!((bounds[0].earliest, bounds[0].next), (3, 4));
    shop.close().await;
    let before = bed.contents("old").await;
    assert_eq!(before.events.len(), 3);

    let record = bed.complete("old", "new").await;
    assert_eq!(record.events, 3);
    assert_eq!(bed.contents("new").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shop_does_before_its_move_is_done_moves_too() {
    let bed = Bed::new();
    let shop = bed.open("old");
    bed.trade(&shop, 300).await;
    shop.close().await;
    let mut target = bed.target("new");
    souk_move::load(&bed.departure("old"), &mut *target, &mut |_| {}).await.unwrap();
    target.close().await;

    // Skus change hands, products go: rows that are there already would stand in the way.
    let shop = bed.open("old");
    let rows = shop.catalog().scan(None, 1_000).await.unwrap();
    let alive: Vec<_> = rows.iter().filter_map(|row| row.product.clone()).collect();
    let with_sku = |n: usize| alive.iter().filter(|product| product.sku.is_some()).nth(n).unwrap();
    let sku = with_sku(1).sku.clone().unwrap();
    let commands = [
        make::delete(with_sku(1).id),
        make::set_sku(with_sku(0).id, Some(sku.as_str())),
        make::delete(with_sku(2).id),
    ];
    bed.run(&shop, make::unit(commands)).await;
    bed.trade(&shop, 100).await;
    shop.close().await;

    bed.complete("old", "new").await;
    assert_eq!(bed.contents("new").await, bed.contents("old").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_shop_moves() {
    let bed = Bed::new();
    bed.open("old").close().await;
    let record = bed.complete("old", "new").await;
    assert_eq!((record.events, record.products), (0, 0));
    let shop = bed.open("new");
    bed.trade(&shop, 30).await;
}
