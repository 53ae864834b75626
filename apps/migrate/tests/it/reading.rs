//! Reading a source: pages, types, joins, and what is wrong with a query.

use souk_migrate::{Mapping, MigrateError};
use souk_ports::Source as _;

use crate::bed::Bed;

const GOODS: &str = "CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT NOT NULL); \
     INSERT INTO categories VALUES (1, 'light'), (2, 'sound'); \
     CREATE TABLE goods (no SERIAL PRIMARY KEY, \"Title\" TEXT, unit_price REAL, qty SMALLINT, vendor_id INTEGER, \
         category_id INTEGER REFERENCES categories (id), reorder_level INTEGER, created TIMESTAMPTZ DEFAULT now()); \
     INSERT INTO goods (\"Title\", unit_price, qty, vendor_id, category_id, reorder_level) VALUES \
         ('Lamp', 19.99, 7, 40, 1, 3), ('Radio', 5, 2, 41, 2, NULL), ('Left over', 0.5, 1, 41, NULL, 0)";

#[tokio::test]
async fn any_shops_table_is_read_with_names_from_other_tables() {
    let bed = Bed::new(GOODS).await;
    let mapping = bed.mapping("").await;
    let copied = bed.copy(&mapping).await.unwrap();
    assert!(copied.comparison.ok, "{}", copied.comparison);
    let products = bed.products().await;
    let of =
        |sku: &str| products.values().find(|p| p.sku.as_ref().is_some_and(|s| s.as_str() == sku)).unwrap();
    let lamp = of("1");
    assert_eq!(
        (lamp.name.as_str(), lamp.category.as_str(), lamp.seller_id.as_str()),
        ("Lamp", "light", "40")
    );
    assert_eq!((lamp.price.to_string(), lamp.stock.get()), ("19.99".to_owned(), 7));
    assert_eq!(lamp.low_stock_threshold.unwrap().get(), 3);
    assert!(!lamp.low_stock && of("2").low_stock);
    assert_eq!(of("3").category.as_str(), "general");
    assert_eq!(lamp.id.0.get_version_num(), 5, "a key that is no UUID has an id made of it");
}

#[tokio::test]
async fn moments_may_be_numbers_of_seconds_or_milliseconds() {
    let bed = Bed::new(
        "CREATE TABLE goods (id UUID PRIMARY KEY, seller TEXT, name TEXT, price INT, stock INT, created BIGINT, \
         modified DOUBLE PRECISION); INSERT INTO goods VALUES \
         (gen_random_uuid(), 's', 'seconds', 1, 9, 1577836800, 1577836801.5), \
         (gen_random_uuid(), 's', 'millis', 1, 9, 1577836800123, 1577836801500), \
         (gen_random_uuid(), 's', 'nothing', 1, 9, NULL, 'infinity')",
    )
    .await;
    let copied = bed.copy(&bed.mapping("").await).await.unwrap();
    assert!(copied.comparison.ok, "{}", copied.comparison);
    let products = bed.products().await;
    let times = |name: &str| {
        let product = products.values().find(|product| product.name.as_str() == name).unwrap();
        (product.created_at.millis(), product.updated_at.millis())
    };
    assert_eq!(times("seconds"), (1_577_836_800_000, 1_577_836_801_500));
    assert_eq!(times("millis"), (1_577_836_800_123, 1_577_836_801_500));
    assert_eq!(times("nothing").0, 0, "without a time, the beginning of time");
}

#[tokio::test]
async fn pages_hold_every_row_once_in_the_order_of_the_key() {
    let bed = Bed::new(
        "CREATE TABLE t (k TEXT PRIMARY KEY); INSERT INTO t SELECT n::text FROM generate_series(1, 999) AS n",
    )
    .await;
    let mapping = Mapping::parse(
        "name = 'x'\nfrom = 't'\nkey = 'k'\n[fields]\nsellerId = \"'s'\"\nname = 'k'\nprice = '1'\nstock = '1'",
    )
    .unwrap();
    let mut query = mapping.query();
    query.key_type = bed.deps.source.check(&query).await.unwrap().name;
    let (mut keys, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = bed.deps.source.page(&query, after.as_deref(), 100).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        keys.extend(page.into_iter().map(|row| row.key));
    }
    let expected = bed.sql.query("SELECT k FROM t ORDER BY k", &[]).await.unwrap();
    assert_eq!(keys, expected.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>());
    let some = bed.deps.source.rows(&query, &["7".into(), "no".into()]).await.unwrap();
    assert_eq!(some.iter().map(|row| &*row.key).collect::<Vec<_>>(), ["7"]);
}

#[tokio::test]
async fn what_the_source_does_not_understand_is_told_in_its_words() {
    let bed = Bed::monolith(1).await;
    let mut mapping = bed.mapping("").await;
    mapping.fields.insert("stock".into(), "t.quantitie".into());
    let Err(MigrateError::Found(text)) = bed.plan(&mapping).await else { panic!("not refused") };
    assert!(text.contains("quantitie") && text.contains("does not exist"), "{text}");
}

#[tokio::test]
async fn a_join_that_multiplies_rows_is_refused() {
    let bed = Bed::new(
        "CREATE TABLE p (id INT PRIMARY KEY, q INT); CREATE TABLE n (p INT, name TEXT); \
         INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO n VALUES (1, 'a'), (2, 'b'), (2, 'c')",
    )
    .await;
    let mapping = Mapping::parse(
        "name = 'x'\nfrom = 'p JOIN n ON n.p = p.id'\nkey = 'p.id'\n[fields]\nsellerId = \"'s'\"\nname = 'n.name'\n\
         price = '1'\nstock = 'p.q'",
    )
    .unwrap();
    let Err(MigrateError::Found(text)) = bed.plan(&mapping).await else { panic!("not refused") };
    assert!(text.contains("the key 2 comes twice"), "{text}");
}

#[tokio::test]
async fn odd_values_arrive_as_they_are() {
    let bed = Bed::new(
        "CREATE TABLE products (id INT PRIMARY KEY, sellerid TEXT, name TEXT, price FLOAT8, stock NUMERIC, \
         createdat TIMESTAMP); INSERT INTO products VALUES (1, 's', 'é ☃ ''quoted''', 0.1, 3, 'infinity'), \
         (2, 's', E'tab\\tand\\nline', 1e-3, 4, '0044-03-15 BC')",
    )
    .await;
    let mapping = bed.mapping("").await;
    let copied = bed.copy(&mapping).await.unwrap();
    assert!(copied.comparison.ok, "{}", copied.comparison);
    let mut prices: Vec<String> = bed.products().await.values().map(|p| p.price.to_string()).collect();
    prices.sort();
    assert_eq!(prices, ["0.001", "0.1"]);
}

#[tokio::test]
async fn two_operators_are_told_apart_wherever_their_folders_are() {
    let bed = Bed::monolith(1).await;
    assert!(bed.deps.source.lock().await.unwrap());
    let another = bed.another().await;
    assert!(!another.lock().await.unwrap());
    assert_eq!(another.identity().await.unwrap(), bed.deps.source.identity().await.unwrap());
    assert!(!another.identity().await.unwrap().place.contains("password"));
}
