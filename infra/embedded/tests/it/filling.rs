//! A shop that is filled in bulk: its lists are right while their indexes are put off, and the indexes come back.

use std::path::Path;
use std::sync::Arc;

use souk_conformance::{eventually, make};
use souk_domain::{Command, ProductId};
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_ports::{Catalog, IdGenerator, Outcome, ProductQuery, ProductSort, RandomIds, SystemClock};

/// More than what makes a filling of it.
const ROWS: usize = 6_000;

fn open(dir: &Path) -> Embedded {
    Embedded::open(&EmbeddedConfig::new(dir), Arc::new(SystemClock), Arc::new(RandomIds)).unwrap()
}

/// Counts the list indexes in the file.
fn indexes(dir: &Path) -> i64 {
    let file = rusqlite::Connection::open(dir.join("souk.db")).unwrap();
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'products' AND sql NOT LIKE '%UNIQUE%'";
    file.query_row(sql, [], |row| row.get(0)).unwrap()
}

async fn built(dir: &Path, all: i64) {
    let look = || std::future::ready((indexes(dir) == all).then_some(()));
    eventually("the indexes are built in the first pause", look).await;
}

async fn take(catalog: &dyn Catalog, commands: Vec<Command>) {
    let outcome = catalog.execute(make::unit(commands)).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

async fn fill(catalog: &dyn Catalog) {
    let import = |n: usize| {
        let fields = make::fields(&format!("product {:05}", n * 7_919 % ROWS), (n % 90) as i64);
        let created_at = (n * 104_729 % ROWS) as i64;
        make::import(ProductId(RandomIds.next_id()), &format!("seller{}", n % 3), created_at, fields)
    };
    let commands: Vec<Command> = (0..ROWS).map(import).collect();
    for unit in commands.chunks(128) {
        take(catalog, unit.to_vec()).await;
    }
}

/// Reads every kind of list to its end; returns the names.
async fn lists(catalog: &dyn Catalog) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    for sort in [ProductSort::CreatedAt, ProductSort::Name, ProductSort::Stock] {
        for (seller, low_stock) in
            [(None, None), (Some("seller1"), None), (None, Some(true)), (Some("seller2"), Some(true))]
        {
            let mut query = ProductQuery {
                seller_id: seller.map(make::seller),
                low_stock,
                sort,
                descending: low_stock.is_some(),
                limit: 500,
                ..ProductQuery::default()
            };
            let mut names = Vec::new();
            loop {
                let page = catalog.products(&query).await.unwrap();
                names.extend(page.items.iter().map(|product| product.name.to_string()));
                query.cursor = page.next;
                if query.cursor.is_none() {
                    break;
                }
            }
            lists.push(names);
        }
    }
    lists
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_the_same_before_and_after_their_indexes_are_built() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path());
    let all = indexes(dir.path());
    fill(&*shop.catalog()).await;
    assert_eq!(indexes(dir.path()), 0, "they are put off");
    let sorted = lists(&*shop.catalog()).await;
    assert_eq!(sorted[0].len(), ROWS);
    built(dir.path(), all).await;
    assert_eq!(lists(&*shop.catalog()).await, sorted);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_of_another_kind_brings_them_back_and_so_does_a_close() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path());
    let all = indexes(dir.path());
    fill(&*shop.catalog()).await;
    take(&*shop.catalog(), vec![make::create(ProductId(RandomIds.next_id()), "ours", 1)]).await;
    shop.close().await;
    assert_eq!(indexes(dir.path()), all, "what is closed in order lacks nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_kill_left_out_is_built_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let shop = open(dir.path());
    let all = indexes(dir.path());
    fill(&*shop.catalog()).await;
    let copy = tempfile::tempdir().unwrap();
    // As the disk is at a kill.
    for file in ["souk.db", "souk.db-wal"] {
        std::fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
    }
    assert!(indexes(copy.path()) < all, "there is nothing to build");
    let sorted = lists(&*shop.catalog()).await;
    shop.close().await;
    let shop = open(copy.path());
    assert_eq!(lists(&*shop.catalog()).await, sorted);
    built(copy.path(), all).await;
    assert_eq!(lists(&*shop.catalog()).await, sorted);
    shop.close().await;
}
