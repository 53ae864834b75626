//! Skus: unique per seller, through every way of getting one.

use souk_domain::{ProductId, Rejection, Version};
use souk_ports::{ExecuteError, Outcome};

use crate::{Fixture, Shop, fold_log, make, within};

/// Asserts who has a sku.
async fn assert_skus<F: Fixture>(shop: &Shop<F>, expected: &[(ProductId, Option<&str>)]) {
    for (id, code) in expected {
        let product = shop.get(*id).await;
        assert_eq!(product.sku.as_ref().map(|sku| sku.as_str()), *code, "sku of {id}");
    }
}

/// A seller has a sku once; another seller may have it too, and products without one do not meet.
pub async fn sku_is_unique_per_seller<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (first, second, other, plain) = (shop.new_id(), shop.new_id(), shop.new_id(), shop.new_id());
    shop.run(make::create_sku("seller1", first, "A-1")).await;
    let taken = Rejection::SkuTaken { product_id: first };
    assert_eq!(
        shop.refusals(make::unit([make::create_sku("seller1", second, "A-1")])).await[0].rejection,
        taken
    );
    shop.run(make::create_sku("seller2", other, "A-1")).await;
    shop.run(make::create_sku("seller1", second, "a-1")).await;
    assert_eq!(shop.refusals(make::unit([make::set_sku(second, Some("A-1"))])).await[0].rejection, taken);
    assert_eq!(shop.run(make::set_sku(first, Some("A-1"))).await.product.version, Version(1), "its own");
    shop.run_unit(make::unit([
        make::create(plain, "no sku", 1),
        make::create(shop.new_id(), "no sku either", 1),
    ]))
    .await;
    assert_skus(&shop, &[(first, Some("A-1")), (second, Some("a-1")), (other, Some("A-1")), (plain, None)])
        .await;
}

/// Of creators that come together, one gets the sku, and the others learn which product has it.
pub async fn one_of_many_concurrent_creators_gets_the_sku<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    for round in 0..4 {
        let code = format!("SKU-{round}");
        let mut creators = Vec::new();
        for _ in 0..25 {
            let (catalog, id) = (shop.catalog.clone(), shop.new_id());
            let unit = make::unit([make::create_sku("seller1", id, &code)]);
            creators.push(tokio::spawn(async move { catalog.execute(unit).await }));
        }
        let (mut winners, mut named) = (Vec::new(), Vec::new());
        for creator in creators {
            match within("a creator's answer", creator).await.unwrap() {
                Ok(Outcome::Applied(applied)) => winners.push(applied[0].product.id),
                Err(ExecuteError::Rejected(refusals)) => match refusals[0].rejection {
                    Rejection::SkuTaken { product_id } => named.push(product_id),
                    ref other => panic!("expected the sku to be taken, got {other:?}"),
                },
                other => panic!("expected a product or a refusal, got {other:?}"),
            }
        }
        assert_eq!(winners.len(), 1);
        assert!(named.iter().all(|id| *id == winners[0]), "the refusal names who has it");
    }
    assert_eq!(shop.scan().await.len(), 4);
}

/// Within a unit the second taker is refused, and with it the unit.
pub async fn a_sku_is_unique_within_a_unit<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (first, second) = (shop.new_id(), shop.new_id());
    let refusals = shop
        .refusals(make::unit([
            make::create_sku("seller1", first, "A"),
            make::create_sku("seller1", second, "A"),
        ]))
        .await;
    assert_eq!(refusals.len(), 1);
    assert_eq!((refusals[0].index, &refusals[0].rejection), (1, &Rejection::SkuTaken { product_id: first }));
    assert!(shop.scan().await.is_empty());
    shop.run(make::create_sku("seller1", second, "A")).await;
}

/// Deleting a product frees its sku, also for the next command of the same unit.
pub async fn a_sku_is_free_again_after_its_delete<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (first, second, third) = (shop.new_id(), shop.new_id(), shop.new_id());
    shop.run(make::create_sku("seller1", first, "A")).await;
    shop.run(make::delete(first)).await;
    shop.run(make::create_sku("seller1", second, "A")).await;
    shop.run_unit(make::unit([make::delete(second), make::create_sku("seller1", third, "A")])).await;
    assert_skus(&shop, &[(third, Some("A"))]).await;
    // A refused unit frees nothing.
    shop.refusals(make::unit([make::delete(third), make::adjust(first, -1)])).await;
    let refusals = shop.refusals(make::unit([make::create_sku("seller1", first, "A")])).await;
    assert_eq!(refusals[0].rejection, Rejection::SkuTaken { product_id: third });
}

/// Giving a sku up frees it, whether for another or for none.
pub async fn a_sku_is_free_again_after_a_change<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (first, second) = (shop.new_id(), shop.new_id());
    shop.run(make::create_sku("seller1", first, "A")).await;
    shop.run(make::set_sku(first, Some("B"))).await;
    shop.run(make::create_sku("seller1", second, "A")).await;
    shop.run(make::set_sku(first, None)).await;
    shop.run(make::set_sku(second, Some("B"))).await;
    shop.run(make::set_sku(first, Some("A"))).await;
    assert_skus(&shop, &[(first, Some("A")), (second, Some("B"))]).await;
    let shop = shop.crash().await;
    let refusals = shop.refusals(make::unit([make::create_sku("seller1", shop.new_id(), "B")])).await;
    assert_eq!(refusals[0].rejection, Rejection::SkuTaken { product_id: second });
}

/// What matters is that each command finds its sku free, not in which order rows are stored.
pub async fn skus_can_be_swapped_within_a_unit<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (first, second) = (shop.new_id(), shop.new_id());
    shop.run(make::create_sku("seller1", first, "A")).await;
    shop.run(make::create_sku("seller1", second, "B")).await;
    for (held_by_first, held_by_second) in [("B", "A"), ("A", "B")] {
        shop.run_unit(make::unit([
            make::set_sku(first, None),
            make::set_sku(second, Some(held_by_second)),
            make::set_sku(first, Some(held_by_first)),
        ]))
        .await;
        assert_skus(&shop, &[(first, Some(held_by_first)), (second, Some(held_by_second))]).await;
    }
    let refusals =
        shop.refusals(make::unit([make::set_sku(first, Some("B")), make::set_sku(second, Some("A"))])).await;
    assert_eq!(refusals.len(), 2, "without a free moment in between each finds its sku taken");
}

/// Skus that wander between products while many write stay unique, and the log says the same.
pub async fn skus_can_be_swapped_between_concurrent_units<F: Fixture>() {
    const CODES: [&str; 3] = ["A", "B", "C"];
    let shop = Shop::<F>::open().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(shop.product("wandering", 10).await);
    }
    let mut writers = Vec::new();
    for writer in 0..8 {
        let (catalog, ids) = (shop.catalog.clone(), ids.clone());
        writers.push(tokio::spawn(async move {
            let mut dice = crate::Dice::new(writer);
            for _ in 0..40 {
                let code = (dice.roll(3) > 0).then(|| CODES[dice.index(CODES.len())]);
                let unit = make::unit([make::set_sku(ids[dice.index(ids.len())], code)]);
                match catalog.execute(unit).await {
                    Ok(_) | Err(ExecuteError::Rejected(_)) => {}
                    Err(other) => panic!("expected a change or a refusal, got {other:?}"),
                }
            }
        }));
    }
    for writer in writers {
        within("a writer", writer).await.unwrap();
    }
    let folds = fold_log(&shop.settled_log().await);
    let mut held = Vec::new();
    for id in ids {
        let product = shop.get(id).await;
        assert_eq!(folds[&id].product.as_ref(), Some(&product));
        held.extend(product.sku);
    }
    let all = held.len();
    held.sort();
    held.dedup();
    assert_eq!(held.len(), all, "no sku is held twice");
}
