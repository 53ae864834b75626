//! Units of work: all or nothing, judged in order, and none in another's way.

use std::sync::Arc;

use souk_domain::{Patch, Rejection, Replacement, Version};
use souk_ports::{ExecuteError, Outcome};

use crate::{Fixture, Shop, fold_log, make, within};

/// A unit whose last command fails leaves nothing behind, whatever the others were.
pub async fn a_unit_is_all_or_nothing<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (kept, doomed) = (shop.product("kept", 10).await, shop.product("doomed", 10).await);
    let (before_kept, before_doomed, fresh) = (shop.get(kept).await, shop.get(doomed).await, shop.new_id());
    let refusals = shop
        .refusals(make::unit([
            make::adjust(kept, -3),
            make::create(fresh, "fresh", 1),
            make::delete(doomed),
            make::adjust(kept, -8),
        ]))
        .await;
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].index, 3);
    assert_eq!(refusals[0].rejection, make::insufficient(kept, 10, 7));
    assert_eq!(shop.get(kept).await, before_kept);
    assert_eq!(shop.get(doomed).await, before_doomed);
    assert_eq!(shop.find(fresh).await, None);
    assert_eq!(shop.scan().await.len(), 2, "no tombstone and no row is left of it");
    assert_eq!(shop.settled_log().await.len(), 2, "no event is left of it");

    let applied = shop.run_unit(make::unit([make::adjust(kept, -3), make::adjust(doomed, -4)])).await;
    assert_eq!(applied.iter().map(|done| done.product.stock.get()).collect::<Vec<_>>(), [7, 6]);
}

/// Among units that are decided together, each is judged alone.
pub async fn a_rejected_unit_spoils_no_neighbour<F: Fixture>() {
    const UNITS: usize = 120;
    let shop = Shop::<F>::open().await;
    let shared = shop.product("shared", 1_000_000).await;
    let poor = shop.product("poor", 0).await;
    let mut units = Vec::new();
    for n in 0..UNITS {
        let (catalog, fresh) = (shop.catalog.clone(), shop.new_id());
        // Every third one fails after it touched what its neighbours touch.
        let fails = n % 3 == 1;
        let mut commands = vec![make::create(fresh, "fresh", 10), make::adjust(shared, -1)];
        if fails {
            commands.push(make::adjust(poor, -1));
        }
        units.push((fails, fresh, tokio::spawn(async move { catalog.execute(make::unit(commands)).await })));
    }
    let mut taken = 0;
    for (fails, fresh, unit) in units {
        let outcome = within("a unit's answer", unit).await.unwrap();
        if fails {
            let Err(ExecuteError::Rejected(refusals)) = outcome else {
                panic!("expected a refusal, got {outcome:?}")
            };
            assert_eq!(
                refusals.iter().map(|refusal| refusal.index).collect::<Vec<_>>(),
                [2],
                "only what failed is told"
            );
            assert_eq!(shop.find(fresh).await, None);
        } else {
            assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
            assert_eq!(shop.get(fresh).await.stock.get(), 10);
            taken += 1;
        }
    }
    let product = shop.get(shared).await;
    assert_eq!(product.stock.get(), 1_000_000 - taken);
    assert_eq!(product.version, Version(1 + u64::try_from(taken).unwrap()));
    assert_eq!(shop.get(poor).await.version, Version(1));
    let folds = fold_log(&shop.settled_log().await);
    assert_eq!(folds[&shared].product.as_ref(), Some(&product));
    assert_eq!(folds.len(), 2 + UNITS * 2 / 3);
}

/// A refusal names all lines that fail, each judged as if the failed ones before it were not there, and tells what is
/// at hand: as the unit has no effect, the stock before it.
pub async fn each_failing_line_is_reported<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let (id, other, absent) = (shop.product("few", 5).await, shop.product("other", 1).await, shop.new_id());
    let refusals = shop
        .refusals(make::unit([
            make::adjust(id, -3),
            make::adjust(id, -4),
            make::adjust(absent, -1),
            make::adjust(id, -2),
            make::adjust(other, -1),
            make::adjust(id, -1),
            make::create(other, "again", 1),
        ]))
        .await;
    let told: Vec<_> = refusals.iter().map(|refusal| (refusal.index, refusal.rejection.clone())).collect();
    assert_eq!(
        told,
        [
            (1, make::insufficient(id, 5, 2)),
            (2, Rejection::NotFound { product_id: absent }),
            (5, make::insufficient(id, 5, 0)),
            (6, Rejection::AlreadyExists { product_id: other }),
        ]
    );
    assert_eq!(shop.get(id).await.version, Version(1));
}

/// Commands on one product fold in turn, each seeing what the one before it left.
pub async fn commands_in_a_unit_see_those_before_them<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("counted", 10).await;
    let applied =
        shop.run_unit(make::unit([make::adjust(id, -4), make::adjust(id, -4), make::adjust(id, 20)])).await;
    let seen: Vec<_> = applied
        .iter()
        .map(|done| {
            (done.previous_stock.map(|stock| stock.get()), done.product.stock.get(), done.product.version.0)
        })
        .collect();
    assert_eq!(seen, [(Some(10), 6, 2), (Some(6), 2, 3), (Some(2), 22, 4)]);
    assert_eq!(shop.get(id).await, *applied[2].product);
    let logged = shop.settled_log().await;
    assert_eq!(logged.len(), 6, "a create, three moves, a warning and its end");
    assert_eq!(fold_log(&logged)[&id].version, 4);
}

/// A command that changes nothing takes no version and makes no event.
pub async fn a_no_op_writes_nothing<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("same", 10).await;
    let before = shop.get(id).await;
    shop.clock.advance(std::time::Duration::from_secs(60));
    for _ in 0..3 {
        let done = shop.run(make::patch(id, Patch::default())).await;
        assert_eq!(*done.product, before);
        assert_eq!(done.previous_stock, Some(before.stock));
        assert_eq!(*shop.run(make::rename(id, "same")).await.product, before);
    }
    let mixed = shop.run_unit(make::unit([make::rename(id, "same"), make::adjust(id, -1)])).await;
    assert_eq!(*mixed[0].product, before);
    assert_eq!(mixed[1].product.version, Version(2));
    assert_eq!(shop.settled_log().await.len(), 2);
}

/// As many lines as an order may have take effect together.
pub async fn a_unit_of_many_lines_is_one_unit<F: Fixture>() {
    const LINES: usize = 500;
    let shop = Shop::<F>::open().await;
    let ids: Vec<_> = (0..LINES).map(|_| shop.new_id()).collect();
    let creates: Vec<_> = ids.iter().map(|id| make::create(*id, "one of many", 10)).collect();
    assert_eq!(shop.run_unit(make::unit(creates)).await.len(), LINES);
    let mut sales: Vec<_> = ids.iter().map(|id| make::adjust(*id, -10)).collect();
    assert_eq!(shop.run_unit(make::unit(sales.clone())).await.len(), LINES);
    // One line too many at the end undoes all of it.
    for sale in &mut sales {
        *sale = make::adjust(sale.product_id(), 7);
    }
    sales.push(make::adjust(ids[LINES / 2], -8));
    let refusals = shop.refusals(make::unit(sales)).await;
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].index, LINES);
    for id in &ids {
        assert_eq!(shop.get(*id).await.stock.get(), 0);
    }
}

/// A product's whole life fits into one unit.
pub async fn a_unit_creates_changes_and_deletes_the_same_product<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.new_id();
    let applied = shop
        .run_unit(make::unit([
            make::create(id, "brief", 10),
            make::adjust(id, -2),
            make::delete(id),
            make::create_for(
                "seller2",
                id,
                Replacement { sku: Some(make::sku("B")), ..make::fields("again", 9) },
            ),
        ]))
        .await;
    let versions: Vec<_> = applied.iter().map(|done| done.product.version.0).collect();
    assert_eq!(versions, [1, 2, 2, 4], "a delete answers with the product as it was last");
    let product = shop.get(id).await;
    assert_eq!(product, *applied[3].product);
    assert_eq!(fold_log(&shop.settled_log().await)[&id].product, Some(product));
    shop.run_unit(make::unit([make::rename(id, "and again"), make::delete(id)])).await;
    assert_eq!(shop.find(id).await, None);
    assert_eq!(fold_log(&shop.settled_log().await)[&id].version, 6);
}

/// An id names one product.
pub async fn an_id_in_use_is_not_created_again<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("first", 10).await;
    let refusals = shop.refusals(make::unit([make::create(id, "second", 1)])).await;
    assert_eq!(refusals[0].rejection, Rejection::AlreadyExists { product_id: id });
    let contested = shop.new_id();
    let catalog = &shop.catalog;
    let mut creators = Vec::new();
    for n in 0..20 {
        let catalog = Arc::clone(catalog);
        let unit = make::unit([make::create(contested, &format!("creator {n}"), n)]);
        creators.push(tokio::spawn(async move { catalog.execute(unit).await }));
    }
    let mut created = 0;
    for creator in creators {
        match within("a creator's answer", creator).await.unwrap() {
            Ok(_) => created += 1,
            Err(ExecuteError::Rejected(refusals)) => {
                assert_eq!(refusals[0].rejection, Rejection::AlreadyExists { product_id: contested });
            }
            other => panic!("expected an effect or a refusal, got {other:?}"),
        }
    }
    assert_eq!(created, 1);
    assert_eq!(shop.get(contested).await.version, Version(1));
}
