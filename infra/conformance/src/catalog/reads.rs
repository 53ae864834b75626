//! Reading single products, and all of them.

use std::time::Duration;

use souk_domain::{Category, Description, Name, Price, Replacement, Version};
use souk_ports::{ProductQuery, ProductSort};

use crate::{Dice, Fixture, Shop, fold_log, make, within};

/// Whoever was answered finds its own write, by every way of reading, while others write.
pub async fn reads_see_what_was_answered<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let busy = shop.product("busy", 1_000_000).await;
    let (catalog, done) =
        (shop.catalog.clone(), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let stop = done.clone();
    let noise = tokio::spawn(async move {
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            catalog.execute(make::unit([make::adjust(busy, -1)])).await.unwrap();
        }
    });
    let newest =
        ProductQuery { sort: ProductSort::CreatedAt, descending: true, limit: 1, ..ProductQuery::default() };
    for n in 0..40 {
        shop.clock.advance(Duration::from_millis(1));
        let id = shop.product(&format!("product {n}"), 10).await;
        assert_eq!(shop.page(&newest).await.items[0].id, id, "the list has it");
        let sold = shop.run(make::adjust(id, -n % 10 - 1)).await;
        assert_eq!(shop.get(id).await, *sold.product);
        if n % 2 == 0 {
            shop.run(make::delete(id)).await;
            assert_eq!(shop.find(id).await, None);
            assert_ne!(shop.page(&newest).await.items[0].id, id, "the list has it no more");
        }
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    within("the other writer", noise).await.unwrap();
}

/// Every field comes back as it was answered, after a crash too.
pub async fn products_survive_a_reopen_unchanged<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let mut dice = Dice::new(5);
    let mut expected = Vec::new();
    for (n, price) in [0, 1, 999_900, 3_333, 9_999_999_999_999, 10_000_000_000_000].into_iter().enumerate() {
        let id = shop.new_id();
        let full = Replacement {
            sku: Some(make::sku(&format!("\u{fc}-{n} '\"%_\\"))),
            name: Name::new("\u{1f9f6} Wool 'n' \"Yarn\"\n\\ %_;--").unwrap(),
            description: Some(Description::new("d\u{e9}".repeat(2_500)).unwrap()),
            category: Category::new("caf\u{e9} & co").unwrap(),
            price: Price::from_units(price).unwrap(),
            stock: make::stock(1_000_000_000 - i64::try_from(dice.roll(10)).unwrap()),
            low_stock_threshold: Some(make::stock(1_000_000_000)),
        };
        let created = shop.run(make::create_for("Seller_1.a-b", id, full)).await;
        expected.push((id, (*created.product).clone()));
    }
    let id = shop.new_id();
    let bare = Replacement { description: Some(Description::new("").unwrap()), ..make::fields("x", 0) };
    expected.push((id, (*shop.run(make::create_for("s", id, bare)).await.product).clone()));
    let logged = shop.settled_log().await;
    let shop = shop.crash().await;
    for (id, product) in expected {
        assert_eq!(shop.get(id).await, product);
        assert_eq!(fold_log(&logged)[&id].product, Some(product));
    }
}

/// Absence is no error.
pub async fn absent_products_are_none<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    assert_eq!(shop.find(shop.new_id()).await, None);
    assert!(shop.scan().await.is_empty());
    assert!(shop.pages(&ProductQuery { limit: 10, ..ProductQuery::default() }).await.is_empty());
}

/// A scan gives every row once, by id, whatever the page size.
pub async fn a_scan_is_complete_and_in_id_order<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let mut ids: Vec<_> = (0..50).map(|_| shop.new_id()).collect();
    ids.reverse();
    let creates: Vec<_> = ids.iter().map(|id| make::create(*id, "scanned", 10)).collect();
    shop.run_unit(make::unit(creates)).await;
    ids.reverse();
    for id in ids.iter().step_by(3) {
        shop.run(make::delete(*id)).await;
    }
    for limit in [1, 7, 49, 50, 51, 1_000] {
        let mut rows: Vec<souk_ports::CatalogRow> = Vec::new();
        loop {
            let page = shop.catalog.scan(rows.last().map(|row| row.id), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            rows.extend(page);
        }
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
        for (n, row) in rows.iter().enumerate() {
            assert_eq!(row.product.is_none(), n % 3 == 0);
            if let Some(product) = &row.product {
                assert_eq!((product.id, product.version), (row.id, row.version));
            }
        }
    }
}

/// Of a deleted product the version that its delete took is kept.
pub async fn deleted_products_leave_tombstones<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("deleted", 10).await;
    shop.run(make::adjust(id, -1)).await;
    let last = shop.run(make::delete(id)).await;
    assert_eq!(last.product.version, Version(2));
    for _ in 0..2 {
        let refusals = shop.refusals(make::unit([make::delete(id)])).await;
        assert_eq!(refusals[0].rejection, souk_domain::Rejection::NotFound { product_id: id });
    }
    let shop = shop.crash().await;
    let rows = shop.scan().await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].id, rows[0].version, &rows[0].product), (id, Version(3), &None));
}

/// An id that comes back after its delete goes on counting.
pub async fn an_id_that_comes_back_goes_on_from_its_tombstone<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("first life", 10).await;
    shop.run(make::delete(id)).await;
    let shop = shop.crash().await;
    let second = shop.run(make::create(id, "second life", 20)).await;
    assert_eq!((second.product.version, second.previous_stock), (Version(3), None));
    shop.run(make::delete(id)).await;
    shop.run_unit(make::unit([make::create(id, "third life", 1), make::adjust(id, -1)])).await;
    assert_eq!(shop.get(id).await.version, Version(6));
    let rows = shop.scan().await;
    assert_eq!(rows.len(), 1, "one row for one id");
    assert_eq!((rows[0].version, rows[0].product.as_ref()), (Version(6), Some(&shop.get(id).await)));
    assert_eq!(fold_log(&shop.settled_log().await)[&id].version, 6);
}

/// Health of a store that works names it and finds nothing wrong; a catalog's tells the threshold of products that have
/// none of their own, which nobody can learn from the products.
pub async fn a_healthy_store_says_so<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    for health in [shop.catalog.health().await.unwrap(), shop.store.health().await.unwrap()] {
        assert_eq!(health.problem, None);
        assert!(!health.detail.is_empty());
    }
    let figures = shop.catalog.health().await.unwrap().figures;
    assert!(figures.contains(&("lowStockThreshold", 5)), "{figures:?}");
}
