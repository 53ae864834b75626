//! The copy: whole, exact, repeatable, and able to go on from wherever it was broken off.

use souk_domain::{EventType, Phase, Timestamp, Version};
use souk_migrate::{CopyRecord, MigrateError};
use souk_ports::Source as _;

use crate::bed::Bed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_arrives_with_its_id_and_times_and_says_where_it_comes_from() {
    let bed = Bed::monolith(10_000).await;
    let mapping = bed.mapping("").await;
    let copied = bed.copy(&mapping).await.unwrap();
    assert_eq!((copied.rows, copied.changed, copied.same, copied.deleted), (10_000, 10_000, 0, 0));
    assert!(copied.comparison.ok, "{}", copied.comparison);
    let products = bed.products().await;
    let rows = bed
        .sql
        .query(
            "SELECT id, sellerid, name, description, price::text, quantity, category, \
             (extract(epoch FROM createdat) * 1000)::int8, (extract(epoch FROM updatedat) * 1000)::int8 FROM products",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(products.len(), rows.len());
    for row in &rows {
        let product = &products[&souk_domain::ProductId(row.get(0))];
        assert_eq!(product.seller_id.as_str(), row.get::<_, &str>(1));
        assert_eq!(product.name.as_str(), row.get::<_, &str>(2));
        assert_eq!(product.description.as_ref().map(|text| text.as_str()), row.get::<_, Option<&str>>(3));
        assert_eq!(
            product.price,
            row.get::<_, &str>(4).trim_end_matches('0').trim_end_matches('.').parse().unwrap()
        );
        assert_eq!(product.stock.get(), i64::from(row.get::<_, i32>(5)));
        assert_eq!(product.category.as_str(), row.get::<_, &str>(6));
        assert_eq!((product.created_at.millis(), product.updated_at.millis()), (row.get(7), row.get(8)));
        assert_eq!(product.low_stock, product.stock.get() < 5);
        assert_eq!(product.version, Version(1));
    }
    let events = bed.events().await;
    assert_eq!(events.len(), 10_000, "nobody is told of what was low before");
    for event in &events {
        assert_eq!(event.event_type(), EventType::ProductCreated);
        let origin = event.origin.as_deref().unwrap();
        assert_eq!((origin.migration.source.as_str(), origin.migration.phase), ("app.products", Phase::Copy));
        assert_eq!(origin.occurred_at, Some(event.product.created_at));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_changes_nothing_and_a_third_takes_what_changed() {
    let bed = Bed::monolith(5_000).await;
    let mapping = bed.mapping("").await;
    bed.copy(&mapping).await.unwrap();
    let (products, events) = (bed.products().await, bed.events().await);
    let again = bed.copy(&mapping).await.unwrap();
    assert_eq!((again.rows, again.changed, again.same, again.deleted), (5_000, 0, 5_000, 0));
    assert_eq!((bed.products().await, bed.events().await.len()), (products, events.len()));
    bed.run(
        "UPDATE products SET quantity = quantity + 1, updatedat = '2025-01-01' WHERE name = 'Product 7'; \
         DELETE FROM products WHERE name = 'Product 8'; \
         UPDATE products SET updatedat = '2025-01-01' WHERE name = 'Product 9'; \
         UPDATE products SET sellerid = 'somebody' WHERE name = 'Product 10'",
    )
    .await;
    let third = bed.copy(&mapping).await.unwrap();
    assert_eq!((third.changed, third.deleted), (2, 1), "a touch alone is no change");
    assert!(third.comparison.ok, "{}", third.comparison);
    let products = bed.products().await;
    let of = |name: &str| products.values().find(|product| product.name.as_str() == name).unwrap();
    assert_eq!(of("Product 7").updated_at, "2025-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    assert_eq!((of("Product 7").version, of("Product 9").version), (Version(2), Version(1)));
    assert_eq!(of("Product 10").version, Version(3), "another seller's product is another product");
    assert!(!products.values().any(|product| product.name.as_str() == "Product 8"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_goes_on_from_its_record() {
    let bed = Bed::monolith(9_000).await;
    let mapping = bed.mapping("").await;
    let nth = bed
        .sql
        .query_one("SELECT id::text FROM products ORDER BY id OFFSET 5000 LIMIT 1", &[])
        .await
        .unwrap();
    bed.copy(&mapping).await.unwrap();
    // As a process leaves it that ended there.
    let mut record = bed.folder.record().unwrap();
    let after: String = nth.get(0);
    record.copy = Some(CopyRecord {
        mapping: mapping.digest(),
        after: Some(after.clone()),
        rows: 5_001,
        complete: false,
    });
    bed.folder.keep(&record).unwrap();
    let resumed = bed.copy(&mapping).await.unwrap();
    assert_eq!((resumed.rows, resumed.resumed_after.as_ref()), (3_999, Some(&after)));
    // Another mapping may make everything another.
    bed.folder.keep(&record).unwrap();
    let mut other = mapping.clone();
    other.fields.insert("category".into(), "upper(t.category)".into());
    let anew = bed.copy(&other).await.unwrap();
    assert_eq!((anew.rows, anew.changed, anew.resumed_after), (9_000, 9_000, None));
    assert!(anew.comparison.ok, "{}", anew.comparison);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_without_a_policy_stops_it_and_it_goes_on_once_decided() {
    let bed = Bed::monolith(6_000).await;
    bed.run(
        "UPDATE products SET price = -1 WHERE id = (SELECT id FROM products ORDER BY id OFFSET 5000 LIMIT 1)",
    )
    .await;
    let Err(MigrateError::Found(text)) = bed.copy(&bed.mapping("").await).await else {
        panic!("not stopped")
    };
    assert!(text.contains("price.negative (-1)") && text.contains("[policies]"), "{text}");
    let partly = bed.products().await.len();
    assert!(partly > 0 && partly < 6_000, "what was copied until then is kept: {partly}");
    let copied = bed.copy(&bed.mapping("\"price.negative\" = \"skip\"").await).await.unwrap();
    assert_eq!((copied.skipped, bed.products().await.len()), (1, 5_999));
    assert!(copied.comparison.ok, "{}", copied.comparison);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_change_behind_its_back_are_put_right_at_the_end() {
    let bed = Bed::monolith(5_000).await;
    let mapping = bed.mapping("").await;
    // Once a page is copied, the copy stands still until rows of it have changed, come and gone.
    let (send, wanted) = std::sync::mpsc::channel::<()>();
    let (done, changed) = std::sync::mpsc::channel::<()>();
    let shop = bed.session().await;
    let writing = tokio::task::spawn_blocking(move || {
        wanted.recv().unwrap();
        let statements = "UPDATE products SET quantity = quantity + 1000 WHERE id IN (SELECT id FROM products ORDER BY id \
             LIMIT 50); DELETE FROM products WHERE id IN (SELECT id FROM products ORDER BY id OFFSET 50 LIMIT 30); \
             INSERT INTO products VALUES ('00000000-0000-4000-8000-000000000001', 's', 'new', NULL, 1, 50, 'c')";
        tokio::runtime::Handle::current().block_on(shop.batch_execute(statements)).unwrap();
        done.send(()).unwrap();
    });
    let mut touched = false;
    let copied = souk_migrate::copy(&bed.deps, &mapping, &bed.folder, move |_| {
        if !std::mem::replace(&mut touched, true) {
            send.send(()).unwrap();
            changed.recv().unwrap();
        }
    })
    .await;
    writing.await.unwrap();
    let copied = copied.unwrap();
    assert!(copied.comparison.ok, "{}", copied.comparison);
    assert_eq!((copied.deleted, bed.products().await.len()), (30, 4_971));
}

#[tokio::test]
async fn a_catalog_with_products_of_its_own_is_left_alone() {
    let bed = Bed::monolith(10).await;
    let mapping = bed.mapping("").await;
    bed.copy(&mapping).await.unwrap();
    std::fs::remove_file(bed.folder.file("state.json")).unwrap();
    let Err(MigrateError::Found(text)) = bed.copy(&mapping).await else { panic!("not refused") };
    assert!(text.contains("has products already") && text.contains("--state"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skus_that_change_hands_between_two_runs_end_up_where_they_belong() {
    let bed = Bed::new(
        "CREATE TABLE products (id INT PRIMARY KEY, seller TEXT, name TEXT, price INT, stock INT, sku TEXT); \
         INSERT INTO products SELECT n, 'a', 'p' || n, 1, 9, 'S' || n FROM generate_series(1, 300) AS n",
    )
    .await;
    let mapping = bed.mapping("").await;
    bed.copy(&mapping).await.unwrap();
    bed.run("UPDATE products SET sku = 'S' || 301 - id").await;
    let copied = bed.copy(&mapping).await.unwrap();
    assert!(copied.comparison.ok, "{}", copied.comparison);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_lost_in_the_middle_is_replaced() {
    let bed = Bed::monolith(20_000).await;
    let mapping = bed.mapping("").await;
    assert!(bed.deps.source.lock().await.unwrap());
    let (send, mut wanted) = tokio::sync::mpsc::channel::<()>(64);
    let mut kills = 0;
    let copying = souk_migrate::copy(&bed.deps, &mapping, &bed.folder, move |_| {
        kills += 1;
        if kills % 2 == 1 {
            send.try_send(()).unwrap();
        }
    });
    let killing = async {
        let mut killed = 0;
        while wanted.recv().await.is_some() {
            let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
                        AND pid <> pg_backend_pid()";
            killed += bed.sql.query_one(kill, &[]).await.unwrap().get::<_, i64>(0);
        }
        killed
    };
    let (copied, killed) = tokio::join!(copying, killing);
    assert!(killed >= 2, "only {killed} sessions were lost");
    let copied = copied.unwrap();
    assert_eq!(bed.products().await.len(), 20_000);
    assert!(copied.comparison.ok, "{}", copied.comparison);
    // The last session may be among the lost ones: the next question makes a new one.
    bed.deps.source.identity().await.unwrap();
    assert!(!bed.another().await.lock().await.unwrap(), "the new session has the operator's lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_is_busy_meanwhile_loses_nothing() {
    let bed = Bed::monolith(12_000).await;
    let mapping = bed.mapping("").await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let writing = async {
        let mut turns = 0;
        while stopped.try_recv().is_err() {
            turns += 1;
            bed.run(&format!(
                "UPDATE products SET quantity = quantity + 1 WHERE name LIKE '%{}'; DELETE FROM products WHERE name = \
                 'Product {turns}'; INSERT INTO products SELECT gen_random_uuid(), 's', 'New {turns}', NULL, 1, 50, 'c'",
                turns % 100
            ))
            .await;
        }
        turns
    };
    let copying = async {
        let copied = bed.copy(&mapping).await;
        stop.send(()).unwrap();
        copied
    };
    let (copied, turns) = tokio::join!(copying, writing);
    copied.unwrap();
    assert!(turns > 3, "the shop was not busy");
    // What changed in the last moments comes with the next run, once the shop stands still.
    let last = bed.copy(&mapping).await.unwrap();
    assert!(last.comparison.ok, "{}", last.comparison);
    let rows: i64 = bed.sql.query_one("SELECT count(*) FROM products", &[]).await.unwrap().get(0);
    assert_eq!(bed.products().await.len() as i64, rows);
}
