//! Products taken over from another system, through the same units of work as any write.

use souk_domain::{Command, EventType, Phase, Rejection, Replacement, Version};

use crate::make::{import, migration};
use crate::{Fixture, Shop, fold_log, make};

/// What is imported has the id and the times that it had, in the row and in the event.
pub async fn an_import_keeps_id_and_times<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.new_id();
    let applied = shop.run(import(id, "seller1", 1_000, make::fields("old", 3))).await;
    let product = shop.get(id).await;
    assert_eq!(*applied.product, product);
    assert_eq!((product.created_at.millis(), product.updated_at.millis()), (1_000, 1_001));
    assert!(product.low_stock);
    let log = shop.settled_log().await;
    assert_eq!(log.len(), 1, "a copy tells nobody of what was low before");
    let event = &log[0].event;
    assert_eq!((event.event_type(), event.version), (EventType::ProductCreated, Version(1)));
    assert_eq!(event.origin.as_ref().unwrap().migration, migration(Phase::Copy));
    assert_eq!(fold_log(&log)[&id].product.as_ref(), Some(&product));
}

/// An import of what is there already writes nothing; one that differs is a change.
pub async fn an_import_is_harmless_twice<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (id, other) = (shop.new_id(), shop.new_id());
    let units = |pieces| {
        make::unit([
            import(id, "seller1", 1_000, make::fields("one", pieces)),
            import(other, "seller2", 2_000, make::fields("two", 20)),
        ])
    };
    shop.run_unit(units(10)).await;
    let before = shop.scan().await;
    shop.run_unit(units(10)).await;
    assert_eq!(shop.scan().await, before);
    shop.run_unit(units(11)).await;
    let log = shop.settled_log().await;
    assert_eq!(log.len(), 3, "one change of one product");
    assert_eq!(fold_log(&log)[&id].version, 2);
}

/// An id that the other system gives to another product is deleted and created anew, within a unit; versions go on.
pub async fn an_import_follows_an_id_that_is_used_again<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.new_id();
    shop.run(import(id, "seller1", 1_000, make::fields("first", 10))).await;
    let second = import(id, "seller2", 5_000, make::fields("second", 10));
    let refusals = shop.refusals(make::unit([second.clone()])).await;
    assert_eq!(refusals[0].rejection, Rejection::AlreadyExists { product_id: id });
    let delete = Command::ImportDelete { id, migration: migration(Phase::Follow), noted_at: None };
    shop.run_unit(make::unit([delete.clone(), second])).await;
    let product = shop.get(id).await;
    assert_eq!((product.seller_id.as_str(), product.version), ("seller2", Version(3)));
    shop.run(delete.clone()).await;
    let refusals = shop.refusals(make::unit([delete])).await;
    assert_eq!(refusals[0].rejection, Rejection::NotFound { product_id: id });
    assert_eq!(fold_log(&shop.settled_log().await)[&id].version, 4);
}

/// A sku is unique per seller for imports, too, within a unit and against what is there.
pub async fn an_import_respects_skus<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (holder, fresh) = (shop.new_id(), shop.new_id());
    let with_sku = |name| Replacement { sku: Some(make::sku("A-1")), ..make::fields(name, 10) };
    shop.run(import(holder, "seller1", 1_000, with_sku("holder"))).await;
    let unit = make::unit([import(fresh, "seller1", 2_000, with_sku("fresh"))]);
    let refusals = shop.refusals(unit.clone()).await;
    assert_eq!(refusals[0].rejection, Rejection::SkuTaken { product_id: holder });
    shop.run(import(fresh, "seller2", 2_000, with_sku("another seller's"))).await;
    shop.run(make::delete(holder)).await;
    let third = shop.new_id();
    shop.run(import(third, "seller1", 3_000, with_sku("after the delete"))).await;
}
