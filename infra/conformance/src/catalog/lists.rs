//! Keyset lists.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use souk_domain::{Category, Product, ProductId, Replacement};
use souk_ports::{ErrorKind, ProductQuery, ProductSort};

use crate::{Fixture, Shop, make, within};

const SORTS: [ProductSort; 3] = [ProductSort::CreatedAt, ProductSort::Name, ProductSort::Stock];

/// Every sort in both directions.
fn orders() -> impl Iterator<Item = (ProductSort, bool)> {
    SORTS.into_iter().flat_map(|sort| [(sort, false), (sort, true)])
}

/// Asserts that `products` is in the order asked for; ties may lie either way.
fn assert_ordered(products: &[Product], sort: ProductSort, descending: bool) {
    for pair in products.windows(2) {
        let order = match sort {
            ProductSort::CreatedAt => pair[0].created_at.cmp(&pair[1].created_at),
            ProductSort::Name => pair[0].name.as_str().as_bytes().cmp(pair[1].name.as_str().as_bytes()),
            ProductSort::Stock => pair[0].stock.cmp(&pair[1].stock),
        };
        let order = if descending { order.reverse() } else { order };
        assert_ne!(order, std::cmp::Ordering::Greater, "{sort:?} descending {descending}: {pair:?}");
    }
}

/// Forty products with many ties in each sort, over two sellers and three categories.
async fn stocked<F: Fixture>() -> (Shop<F>, Vec<Product>) {
    let shop = Shop::<F>::open().await;
    for n in 0_i64..40 {
        if n % 4 == 0 {
            shop.clock.advance(Duration::from_millis(1));
        }
        let name = ["ann", "Ben", "carl", "\u{e9}mile", "ann b"][usize::try_from(n % 5).unwrap()];
        let fields = Replacement {
            category: Category::new(["toys", "wool", "tea"][usize::try_from(n % 3).unwrap()]).unwrap(),
            sku: (n % 2 == 0).then(|| make::sku(&format!("S{}", n / 4))),
            ..make::fields(name, n % 7)
        };
        let seller = if n % 4 < 2 { "seller1" } else { "seller2" };
        shop.run(make::create_for(seller, shop.new_id(), fields)).await;
    }
    let products: Vec<Product> = shop.scan().await.into_iter().filter_map(|row| row.product).collect();
    assert_eq!(products.len(), 40);
    (shop, products)
}

fn ids(products: &[Product]) -> Vec<ProductId> {
    let mut ids: Vec<_> = products.iter().map(|product| product.id).collect();
    ids.sort();
    ids
}

/// Whatever the order and the page size, the pages together hold each product once, in the same order.
pub async fn pages_hold_every_product_once_in_every_order<F: Fixture>() {
    let (shop, all) = stocked::<F>().await;
    for (sort, descending) in orders() {
        let mut first: Option<Vec<Product>> = None;
        for limit in [1, 3, 39, 40, 41, 500] {
            let query = ProductQuery { sort, descending, limit, ..ProductQuery::default() };
            let products = shop.pages(&query).await;
            assert_eq!(ids(&products), ids(&all), "{query:?}");
            assert_ordered(&products, sort, descending);
            assert_eq!(
                first.get_or_insert_with(|| products.clone()),
                &products,
                "ties are broken in a fixed way"
            );
        }
    }
}

/// Names are compared as bytes, not by a locale.
pub async fn names_are_ordered_byte_by_byte<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let mut names = ["b", "B", "a", "_", "\u{e9}", "z", "a b", "a-b", "A", "1", " ", "ab", "\u{1f9f6}"];
    for name in names {
        shop.product(name, 1).await;
    }
    names.sort_unstable();
    let query = ProductQuery { sort: ProductSort::Name, limit: 4, ..ProductQuery::default() };
    let listed = shop.pages(&query).await;
    assert_eq!(listed.iter().map(|product| product.name.as_str()).collect::<Vec<_>>(), names);
}

/// Each filter narrows what the others leave.
pub async fn filters_combine<F: Fixture>() {
    let (shop, all) = stocked::<F>().await;
    let mut found = 0;
    for seller in [None, Some("seller1"), Some("seller2"), Some("nobody")] {
        for category in [None, Some("wool"), Some("Wool")] {
            for low_stock in [None, Some(true), Some(false)] {
                for code in [None, Some("S3")] {
                    let query = ProductQuery {
                        seller_id: seller.map(make::seller),
                        category: category.map(|name| Category::new(name).unwrap()),
                        sku: code.map(make::sku),
                        low_stock,
                        limit: 4,
                        ..ProductQuery::default()
                    };
                    let expected: Vec<Product> = all
                        .iter()
                        .filter(|product| {
                            seller.is_none_or(|id| product.seller_id.as_str() == id)
                                && category.is_none_or(|name| product.category.as_str() == name)
                                && low_stock.is_none_or(|low| product.low_stock == low)
                                && code.is_none_or(|code| {
                                    product.sku.as_ref().is_some_and(|sku| sku.as_str() == code)
                                })
                        })
                        .cloned()
                        .collect();
                    found += expected.len();
                    for (sort, descending) in orders() {
                        let query = ProductQuery { sort, descending, ..query.clone() };
                        let products = shop.pages(&query).await;
                        assert_eq!(ids(&products), ids(&expected), "{query:?}");
                        assert_ordered(&products, sort, descending);
                    }
                }
            }
        }
    }
    assert!(found > 100, "the filters leave something to compare");
}

/// While others create, delete and sell, a walk over the pages meets what existed throughout exactly once.
pub async fn pages_miss_nothing_while_writes_go_on<F: Fixture>() {
    let (shop, all) = stocked::<F>().await;
    let stop = Arc::new(AtomicBool::new(false));
    let (catalog, ids_source, clock, stopped) =
        (shop.catalog.clone(), shop.ids.clone(), shop.clock.clone(), stop.clone());
    let churn = tokio::spawn(async move {
        let mut mine = std::collections::VecDeque::new();
        let mut n = 0_i64;
        while !stopped.load(Ordering::Relaxed) {
            n += 1;
            clock.advance(Duration::from_millis(1));
            let id = ProductId(souk_ports::IdGenerator::next_id(&*ids_source));
            let name = ["aaa", "ann", "bob", "zoe"][usize::try_from(n % 4).unwrap()];
            catalog.execute(make::unit([make::create(id, name, n % 7 + 1)])).await.unwrap();
            catalog.execute(make::unit([make::adjust(id, -1)])).await.unwrap();
            mine.push_back(id);
            if mine.len() > 20 {
                let oldest = mine.pop_front().unwrap();
                catalog.execute(make::unit([make::delete(oldest)])).await.unwrap();
            }
        }
    });
    for (sort, descending) in orders() {
        for limit in [1, 5] {
            let query = ProductQuery { sort, descending, limit, ..ProductQuery::default() };
            let mut met: HashMap<ProductId, usize> = HashMap::new();
            for product in within("a walk over the pages", shop.pages(&query)).await {
                *met.entry(product.id).or_default() += 1;
            }
            for product in &all {
                assert_eq!(met.get(&product.id), Some(&1), "{query:?} met {} so often", product.id);
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    within("the other writer", churn).await.unwrap();
}

/// A full last page already knows that nothing follows.
pub async fn the_last_page_says_that_it_is_the_last<F: Fixture>() {
    let (shop, _) = stocked::<F>().await;
    let query = ProductQuery { limit: 20, ..ProductQuery::default() };
    let first = shop.page(&query).await;
    assert_eq!(first.items.len(), 20);
    let second = shop.page(&ProductQuery { cursor: first.next, ..query }).await;
    assert_eq!((second.items.len(), second.next), (20, None));
}

/// A cursor that this sort did not give out is refused, never guessed at.
pub async fn bad_cursors_are_invalid_data<F: Fixture>() {
    let (shop, _) = stocked::<F>().await;
    for (sort, descending) in orders() {
        let query = ProductQuery { sort, descending, limit: 2, ..ProductQuery::default() };
        let given = shop.page(&query).await.next.expect("there are forty products");
        let mut bad: Vec<String> =
            ["", ".", "!", "abc", "0", "../..", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
                .map(String::from)
                .to_vec();
        bad.push("x".repeat(10_000));
        bad.push(given[..given.len() - 1].to_owned());
        bad.push(format!("{given}A"));
        for other in SORTS.into_iter().filter(|other| *other != sort) {
            let query = ProductQuery { sort: other, limit: 2, ..ProductQuery::default() };
            bad.extend(shop.page(&query).await.next);
        }
        for cursor in bad {
            let query = ProductQuery { cursor: Some(cursor), ..query.clone() };
            match shop.catalog.products(&query).await {
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidData, "{query:?}: {error}"),
                Ok(page) => panic!("{query:?} was answered with {} products", page.items.len()),
            }
        }
    }
}
