//! Lists over more products than a filter may leave to be sorted.

use souk_conformance::{eventually, make};
use souk_domain::{ProductId, query_tokens};
use souk_ports::{ProductQuery, ProductSort};
use uuid::Uuid;

use crate::database::{Database, session};

/// Rows put in beside the catalog: 5,000 of one seller, a few of another, so that lists are planned both ways.
const FILL: &str = "INSERT INTO souk.products (id, price, version, created_at, updated_at, stock, low_stock, \
     seller_id, category, name) SELECT gen_random_uuid(), 10000, 1, n / 10, n, (n * 7919) % 1000, false, \
     CASE WHEN n % 500 = 0 THEN 'small' ELSE 'big' END, CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END, \
     'mug ' || md5(n::text) || CASE WHEN n % 100 = 0 THEN ' blue' ELSE '' END FROM generate_series(1, 10000) n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frequent_and_rare_filters_and_words_page_through_the_same_products() {
    let database = Database::create().await;
    // The tables first, then the rows, then an index that finds them by comparing.
    database.connect(42_001).await.close().await;
    let client = session(&database.url).await;
    client.batch_execute(FILL).await.unwrap();
    client.batch_execute("TRUNCATE souk.search_state").await.unwrap();
    let postgres = database.connect(42_002).await;
    let catalog = postgres.catalog();
    eventually("all words to be indexed", || async {
        let sql = "SELECT count(*) FROM souk.search_documents";
        (client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 10_000).then_some(())
    })
    .await;
    let cases = [
        (Some("big"), None, "", "seller_id = 'big'"),
        (Some("small"), None, "", "seller_id = 'small'"),
        (None, Some("odd"), "", "category = 'odd'"),
        (Some("small"), Some("even"), "mug", "seller_id = 'small' AND category = 'even'"),
        (None, None, "mug", "true"),
        (None, None, "blue mug", "name LIKE '% blue'"),
        (Some("big"), None, "blue", "name LIKE '% blue' AND seller_id = 'big'"),
        (None, None, "nothing", "false"),
    ];
    for (seller, category, words, condition) in cases {
        for (sort, column) in [
            (ProductSort::Name, "name"),
            (ProductSort::Stock, "stock"),
            (ProductSort::CreatedAt, "created_at"),
        ] {
            for descending in [false, true] {
                let direction = if descending { "DESC" } else { "ASC" };
                let sql = format!(
                    "SELECT id FROM souk.products WHERE {condition} ORDER BY {column} {direction}, id {direction}"
                );
                let expected: Vec<Uuid> =
                    client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
                let mut query = ProductQuery {
                    seller_id: seller.map(make::seller),
                    category: category.map(|name| souk_domain::Category::new(name).unwrap()),
                    words: query_tokens(words),
                    sort,
                    descending,
                    limit: 2_500,
                    ..ProductQuery::default()
                };
                let mut found = Vec::new();
                loop {
                    let page = catalog.products(&query).await.unwrap();
                    found.extend(page.items.into_iter().map(|product| product.id));
                    query.cursor = page.next;
                    if query.cursor.is_none() {
                        break;
                    }
                }
                let expected: Vec<ProductId> = expected.into_iter().map(ProductId).collect();
                assert!(found == expected, "{query:?}: {} of {}", found.len(), expected.len());
            }
        }
    }
}
