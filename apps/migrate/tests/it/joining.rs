//! A mapping over several tables: what changes in the others arrives, and a cut-over shuts their writers out, too.

use std::future::pending;

use souk_migrate::{MigrateError, Turn, cut_over, finish};
use souk_ports::Capture as _;

use crate::bed::{Bed, TURN};
use crate::turning::agreeing;

const SHOP: &str = "CREATE SCHEMA shop; CREATE TABLE shop.goods (no INT PRIMARY KEY, cents INT, pieces INT, kind INT); \
     CREATE TABLE shop.texts (goods INT, language TEXT, title TEXT); CREATE TABLE shop.kinds (id INT, name TEXT) \
     PARTITION BY RANGE (id); CREATE TABLE shop.kinds_1 PARTITION OF shop.kinds FOR VALUES FROM (0) TO (100); \
     CREATE VIEW shop.english AS SELECT * FROM shop.texts WHERE language = 'en'; \
     INSERT INTO shop.kinds VALUES (1, 'one'), (2, 'two'); \
     INSERT INTO shop.goods SELECT n, n * 100, n, n % 2 + 1 FROM generate_series(1, 40) AS n; \
     INSERT INTO shop.texts SELECT n, 'en', 'Product ' || n FROM generate_series(1, 40) AS n";

const MAPPING: &str = "name = 'shop.goods'\n\
     from = 'shop.goods AS g LEFT JOIN shop.english AS x ON x.goods = g.no'\nkey = 'g.no'\n[fields]\nsellerId = \"'house'\"\n\
     name = 'x.title'\nprice = 'g.cents / 100.0'\nstock = 'g.pieces'\n\
     category = '(SELECT k.name FROM shop.kinds AS k WHERE k.id = g.kind)'\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_behind_views_joins_and_subqueries_are_named_fenced_and_compared() {
    let bed = Bed::new(SHOP).await;
    let mapping = souk_migrate::Mapping::parse(MAPPING).unwrap();
    let plan = bed.plan(&mapping).await.unwrap();
    assert_eq!(plan.others, ["shop.goods", "shop.kinds", "shop.kinds_1", "shop.texts"]);
    assert!(plan.to_string().contains("by a comparison that it sets off"), "{plan}");
    let others: Vec<String> =
        bed.way(&mapping).others().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(others, ["shop.kinds", "shop.kinds_1", "shop.texts"]);
    let work = async {
        bed.settled(&mapping).await;
        bed.run("UPDATE shop.texts SET title = 'beside' WHERE goods = 3").await;
        bed.named("beside", true).await;
        bed.run(
            "TRUNCATE shop.texts; INSERT INTO shop.texts SELECT no, 'en', 'Again ' || no FROM shop.goods",
        )
        .await;
        bed.named("Again 40", true).await;
    };
    let following = bed.follow_while(&mapping, work).await.1.unwrap();
    // By the comparisons that they set off: the one that comes anyway would call them differences.
    assert_eq!(following.differences.in_all, 0, "{:?}", following.differences);
    let Err(MigrateError::Found(text)) = bed.cut_over(&mapping).await else { panic!("not refused") };
    assert!(text.contains("--one-way"), "{text}");

    // Nobody tells of this one.
    bed.run("UPDATE shop.kinds SET name = 'first' WHERE id = 1").await;
    let turn = Turn { one_way: true, ..TURN };
    let turned = cut_over(&bed.way(&mapping), turn, pending(), |_| {}).await.unwrap();
    assert!(turned.ok, "{turned}");
    let products = bed.products().await;
    assert_eq!(products.values().filter(|product| product.category.as_str() == "first").count(), 20);
    for statement in [
        "UPDATE shop.texts SET title = 'late' WHERE goods = 3",
        "INSERT INTO shop.kinds VALUES (3, 'three')",
        "DELETE FROM shop.kinds_1",
        "TRUNCATE shop.goods",
    ] {
        let error = bed.sql.batch_execute(statement).await.unwrap_err();
        let text = error.as_db_error().unwrap().message();
        assert!(text.contains("souk keeps the products now"), "{statement}: {text}");
    }
    assert!(finish(&bed.way(&mapping), false, agreeing, |_| {}).await.unwrap().ok);
    bed.run("UPDATE shop.texts SET title = 'late' WHERE goods = 3; DELETE FROM shop.kinds").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_no_fence_can_go_around_is_named_before_anybody_is_shut_out() {
    let bed = Bed::new(SHOP).await;
    let mapping = souk_migrate::Mapping::parse(MAPPING).unwrap();
    bed.copy(&mapping).await.unwrap();
    let role = format!("souk_test_{}", uuid::Uuid::now_v7().simple());
    bed.run(&format!(
        "CREATE ROLE {role}; GRANT ALL ON SCHEMA shop TO {role}; GRANT SELECT, TRIGGER ON shop.goods TO {role}; \
         GRANT SELECT ON shop.texts, shop.english, shop.kinds, shop.kinds_1 TO {role}"
    ))
    .await;
    let mut way = bed.way(&mapping);
    way.old = bed.outpost_as(&role);
    // The same for what tells of changes: it goes without.
    bed.run(&format!(
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {role}', current_database()); END $$"
    ))
    .await;
    let (capture, others) = (bed.outpost_as(&role), way.others().await.unwrap());
    let goods = capture.find("shop.goods", "no").await.unwrap();
    capture.install(&goods, &others).await.unwrap();
    assert!(capture.is_installed(&goods, &others).await.unwrap());
    assert!(
        !bed.outpost().is_installed(&goods, &others).await.unwrap(),
        "somebody with rights would do more"
    );
    let before = capture.position().await.unwrap();
    bed.run("UPDATE shop.goods SET pieces = 8 WHERE no = 8; UPDATE shop.texts SET title = 'untold'").await;
    let told = capture.changes(&before, 10).await.unwrap();
    assert_eq!((told.keys.len(), told.beside), (1, false));
    way.old.remove().await.unwrap();
    let turn = Turn { one_way: true, ..TURN };
    let Err(MigrateError::Found(text)) = cut_over(&way, turn, pending(), |_| {}).await else {
        panic!("not refused")
    };
    assert!(text.contains("GRANT TRIGGER ON \"shop\".\"kinds\" is missing"), "{text}");
    bed.run(&format!("UPDATE shop.goods SET pieces = 7; DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
