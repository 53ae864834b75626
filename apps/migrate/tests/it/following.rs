//! Following: what changes in the source is in souk soon, whatever the order of commits, and whatever ends the follower.

use souk_domain::{Event, EventType, Phase};
use souk_migrate::MigrateError;
use souk_ports::{Capture as _, ExecuteError, KEPT_ELSEWHERE, Keeper, OldTable, UnitOfWork, WayBack as _};

use crate::bed::Bed;

pub fn table() -> OldTable {
    OldTable { schema: "public".into(), name: "products".into(), key: "id".into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inserts_updates_deletes_and_keys_that_move_arrive() {
    let bed = Bed::monolith(500).await;
    let mapping = bed.mapping("").await;
    let work = async {
        bed.settled(&mapping).await;
        let copied = bed.events().await.len();
        bed.run(
            "INSERT INTO products VALUES (gen_random_uuid(), 's', 'new', NULL, 1, 50, 'c'); \
             UPDATE products SET quantity = 1 WHERE name = 'Product 11'; \
             DELETE FROM products WHERE name = 'Product 12'; \
             UPDATE products SET id = gen_random_uuid() WHERE name = 'Product 13'; \
             UPDATE products SET sellerid = 'other' WHERE name = 'Product 14'",
        )
        .await;
        bed.named("new", true).await;
        bed.settled(&mapping).await;
        copied
    };
    let (copied, record) = bed.follow_while(&mapping, work).await;
    assert!(record.unwrap().pace.refused.is_empty());
    let events = bed.events().await;
    let followed = &events[copied..];
    let phase = |event: &souk_domain::Event| event.origin.as_ref().unwrap().migration.phase;
    assert!(followed.iter().all(|event| phase(event) == Phase::Follow));
    let low = followed.iter().filter(|event| event.event_type() == EventType::LowStockWarning).count();
    assert_eq!(low, 1, "what becomes low now is told");
}

/// Postgres shows such a key with its blanks or without them, as it is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_filled_up_with_blanks_are_followed() {
    let bed = Bed::new(
        "CREATE DOMAIN code AS CHAR(8); CREATE TABLE products (code code PRIMARY KEY, seller TEXT, name TEXT, price INT, \
         stock INT); INSERT INTO products SELECT 'P' || n, 's', 'Product ' || n, 1, 9 FROM generate_series(1, 30) AS n",
    )
    .await;
    let mapping = bed.mapping("").await;
    let work = async {
        bed.settled(&mapping).await;
        bed.run(
            "UPDATE products SET name = 'changed' WHERE code = 'P1'; DELETE FROM products WHERE code = 'P2'; \
             UPDATE products SET code = 'Q3' WHERE code = 'P3'",
        )
        .await;
        bed.named("changed", true).await;
        bed.named("Product 2", false).await;
        bed.settled(&mapping).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
    let found = bed.folder.record().unwrap().differences.unwrap_or_default();
    assert_eq!(found.in_all, 0, "told by the capture, not found by comparing: {:?}", found.examples);
    let codes = bed.one::<Vec<String>>("SELECT array_agg(DISTINCT key) FROM souk_capture.changes").await;
    assert!(codes.iter().all(|code| !code.ends_with(' ')), "{codes:?}");
}

/// `json` holds what `jsonb` does not: of a row its key alone is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_cannot_become_jsonb_are_written_by_the_shop_and_followed() {
    let bed = Bed::monolith(30).await;
    bed.run("ALTER TABLE products ADD COLUMN note json").await;
    let mapping = bed.mapping("").await;
    let work = async {
        bed.settled(&mapping).await;
        let copied = bed.events().await.len();
        bed.run(
            r#"UPDATE products SET name = 'changed', note = '{"a":"\u0000"}' WHERE name = 'Product 1';
               UPDATE products SET note = '"\ud800"' WHERE name = 'Product 2';
               DELETE FROM products WHERE name = 'Product 2';
               INSERT INTO products SELECT gen_random_uuid(), sellerid, 'added', description, price, quantity, category,
                   createdat, updatedat, note FROM products WHERE name = 'changed'"#,
        )
        .await;
        bed.named("changed", true).await;
        bed.named("Product 2", false).await;
        bed.named("added", true).await;
        bed.settled(&mapping).await;
        copied
    };
    let (copied, ended) = bed.follow_while(&mapping, work).await;
    assert_eq!(ended.unwrap().differences.in_all, 0);
    let is_followed = |event: &Event| event.origin.as_ref().unwrap().migration.phase == Phase::Follow;
    assert!(bed.events().await[copied..].iter().all(is_followed), "told by their keys, and not copied");
}

/// A session of the shop's goes on with what it has seen of the table before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_gets_another_type_is_told_and_one_that_is_gone_asks_for_a_comparison() {
    let bed = Bed::monolith(20).await;
    let capture = bed.outpost();
    capture.install(&table(), &[]).await.unwrap();
    bed.run("UPDATE products SET quantity = 4").await;
    let before = capture.position().await.unwrap();
    bed.run("ALTER TABLE products ALTER COLUMN id TYPE TEXT").await;
    bed.run("UPDATE products SET quantity = 5 WHERE name = 'Product 1'; DELETE FROM products WHERE name = 'Product 2'").await;
    let changes = capture.changes(&before, 100).await.unwrap();
    assert_eq!((changes.keys.len(), changes.truncated), (2, false));
    bed.run("ALTER TABLE products RENAME COLUMN id TO number; DELETE FROM products WHERE name = 'Product 3'")
        .await;
    assert!(capture.changes(&changes.position, 100).await.unwrap().truncated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_commits_late_is_not_passed_over() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    let slow = bed.session().await;
    let work = async {
        bed.settled(&mapping).await;
        slow.batch_execute("BEGIN; UPDATE products SET name = 'slow' WHERE name = 'Product 1'")
            .await
            .unwrap();
        bed.run("UPDATE products SET name = 'quick' WHERE name = 'Product 2'").await;
        // Whoever waits for the slow one waits in vain.
        bed.named("quick", true).await;
        bed.run("UPDATE products SET name = 'quicker' WHERE name = 'Product 3'").await;
        bed.named("quicker", true).await;
        slow.batch_execute("COMMIT").await.unwrap();
        bed.named("slow", true).await;
        bed.settled(&mapping).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncation_empties_souk_and_what_comes_after_arrives() {
    let bed = Bed::monolith(300).await;
    let mapping = bed.mapping("").await;
    let work = async {
        bed.settled(&mapping).await;
        bed.run("TRUNCATE products; INSERT INTO products VALUES (gen_random_uuid(), 's', 'first', NULL, 1, 50, 'c')").await;
        bed.named("Product 5", false).await;
        bed.named("first", true).await;
        bed.settled(&mapping).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
    assert_eq!(bed.products().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_while_nobody_followed_arrives_afterwards() {
    let bed = Bed::monolith(200).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    bed.run("UPDATE products SET quantity = quantity + 7; DELETE FROM products WHERE name LIKE '%9'").await;
    assert!(!bed.compare(&mapping).await.ok);
    let work = async {
        bed.settled(&mapping).await;
        let began = std::time::Instant::now();
        while bed.one::<i64>("SELECT count(*) FROM souk_capture.changes").await > 0 {
            assert!(began.elapsed().as_secs() < 60, "what was told is forgotten");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let (_, record) = bed.follow_while(&mapping, work).await;
    assert_eq!(record.unwrap().pace.taken, 200 + 200, "each row once, and no copy of the others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_breaks_a_rule_is_named_and_holds_nothing_up() {
    let bed = Bed::monolith(50).await;
    let mapping = bed.mapping("").await;
    let key: String = bed
        .sql
        .query_one("SELECT id::text FROM products WHERE name = 'Product 1'", &[])
        .await
        .unwrap()
        .get(0);
    let work = async {
        bed.settled(&mapping).await;
        bed.run("UPDATE products SET price = -1 WHERE name = 'Product 1'").await;
        bed.run("UPDATE products SET name = 'after' WHERE name = 'Product 2'").await;
        bed.named("after", true).await;
        bed.recorded(|pace| pace.refused.get(&key).is_some_and(|why| why == "price.negative (-1)")).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
    let work = async {
        bed.run("UPDATE products SET price = 2 WHERE name = 'Product 1'").await;
        bed.settled(&mapping).await;
        bed.recorded(|pace| pace.refused.is_empty()).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_are_lost_and_a_capture_that_is_removed_are_got_over() {
    let bed = Bed::monolith(100).await;
    let mapping = bed.mapping("").await;
    let work = async {
        bed.settled(&mapping).await;
        bed.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
             AND pid <> pg_backend_pid()",
        )
        .await;
        bed.run("UPDATE products SET name = 'again' WHERE name = 'Product 1'").await;
        bed.named("again", true).await;
        bed.run("DROP SCHEMA souk_capture CASCADE").await;
        bed.run("UPDATE products SET name = 'untold' WHERE name = 'Product 2'").await;
        bed.named("untold", true).await;
        bed.run("UPDATE products SET name = 'told' WHERE name = 'Product 3'").await;
        bed.named("told", true).await;
        bed.settled(&mapping).await;
    };
    bed.follow_while(&mapping, work).await.1.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_skips_its_own_mark_and_is_removed_whole() {
    let bed = Bed::monolith(20).await;
    let capture = bed.outpost();
    capture.install(&table(), &[]).await.unwrap();
    capture.install(&table(), &[]).await.unwrap();
    let before = capture.position().await.unwrap();
    bed.run("BEGIN; SET LOCAL souk.migration = 'on'; UPDATE products SET quantity = 3; COMMIT").await;
    assert_eq!(capture.changes(&before, 100).await.unwrap().keys.len(), 0);
    bed.run("UPDATE products SET quantity = 4").await;
    let changes = capture.changes(&before, 100).await.unwrap();
    assert_eq!((changes.keys.len(), changes.too_many, changes.truncated), (20, false, false));
    let few = capture.changes(&before, 5).await.unwrap();
    assert_eq!((few.keys.len(), few.too_many), (0, true));
    assert_eq!(capture.changes(&changes.position, 100).await.unwrap().keys.len(), 0);
    // Whoever may write the table needs no rights on what the capture has.
    bed.run(
        "CREATE ROLE souk_test_shop_writer; GRANT UPDATE, SELECT ON products TO souk_test_shop_writer; \
         SET ROLE souk_test_shop_writer; UPDATE products SET quantity = 5 WHERE name = 'Product 1'; RESET ROLE; \
         DROP OWNED BY souk_test_shop_writer; DROP ROLE souk_test_shop_writer",
    )
    .await;
    assert_eq!(capture.changes(&changes.position, 100).await.unwrap().keys.len(), 1);
    capture.remove().await.unwrap();
    capture.remove().await.unwrap();
    assert!(!capture.is_installed(&table(), &[]).await.unwrap());
    let left: i64 = bed
        .sql
        .query_one(
            "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal) + \
             (SELECT count(*) FROM pg_namespace WHERE nspname = 'souk_capture')",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
    bed.run("UPDATE products SET quantity = 6").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_writes_to_souk_meanwhile() {
    let bed = Bed::monolith(20).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    assert_eq!(bed.deps.catalog.keeper().await.unwrap(), Keeper::Source);
    let id = *bed.products().await.keys().next().unwrap();
    let delete = souk_domain::Command::Delete { id, precondition: souk_domain::Precondition::None };
    let unit = UnitOfWork { commands: vec![delete], idempotency: None };
    match bed.deps.catalog.execute(unit).await {
        Err(ExecuteError::Overloaded(why)) => assert_eq!(why, KEPT_ELSEWHERE),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_trigger_changes_are_found_by_comparing() {
    let bed = Bed::monolith(300).await;
    let mapping = bed.mapping("").await;
    let mut way = bed.way(&mapping);
    way.trigger = false;
    let work = async {
        bed.settled(&mapping).await;
        bed.run(
            "UPDATE products SET name = 'found' WHERE name = 'Product 1'; DELETE FROM products WHERE name = 'Product 2'; \
             UPDATE products SET price = -1 WHERE name = 'Product 3'",
        )
        .await;
        bed.named("found", true).await;
        bed.named("Product 2", false).await;
    };
    Bed::follow_with(&way, work).await.1.unwrap();
    assert!(
        bed.products().await.values().any(|product| product.name.as_str() == "Product 3"),
        "it holds nothing up"
    );
    let installed: i64 = bed.one("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal").await;
    assert_eq!(installed, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_changes_stops_the_follower_and_never_the_shop() {
    let bed = Bed::monolith(30).await;
    let mapping = bed.mapping("").await;
    let work = async {
        bed.settled(&mapping).await;
        bed.run("ALTER TABLE products RENAME COLUMN id TO number").await;
        bed.run("UPDATE products SET quantity = 77 WHERE name = 'Product 1'").await;
        // It ends by itself.
        std::future::pending::<()>().await;
    };
    let way = bed.way(&mapping);
    let ended = tokio::select! {
        ended = souk_migrate::follow(&way, std::future::pending(), |_| {}, |_| {}) => ended,
        () = work => unreachable!("it waits for ever"),
    };
    let Err(MigrateError::Found(text)) = ended else { panic!("not stopped: {ended:?}") };
    assert!(text.contains("column t.id does not exist") && text.contains("souk migrate plan"), "{text}");
    let mut changed = mapping.clone();
    changed.key = "t.number".into();
    bed.follow_while(&changed, bed.settled(&changed)).await.1.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_that_is_changed_halfway_is_taken_in() {
    let bed = Bed::monolith(100).await;
    let mapping = bed.mapping("").await;
    bed.follow_while(&mapping, bed.settled(&mapping)).await.1.unwrap();
    let mut other = mapping.clone();
    other.fields.insert("category".into(), "upper(t.category)".into());
    bed.follow_while(&other, bed.settled(&other)).await.1.unwrap();
    assert!(bed.products().await.values().all(|product| product.category.as_str().starts_with('C')));
}

/// The table's own time of change does not move with each change, and a row that is gone has none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_and_deletes_occurred_when_they_were_noted() {
    let bed = Bed::monolith(30).await;
    let mapping = bed.mapping("").await;
    let work = async {
        bed.settled(&mapping).await;
        let (copied, before) = (bed.events().await.len(), bed.deps.clock.now());
        bed.run(
            "UPDATE products SET quantity = 77 WHERE name = 'Product 1'; DELETE FROM products WHERE name = 'Product 2'; \
             UPDATE products SET quantity = 78, updatedat = '2031-01-01' WHERE name = 'Product 3'",
        )
        .await;
        bed.settled(&mapping).await;
        (copied, before)
    };
    let ((copied, before), ended) = bed.follow_while(&mapping, work).await;
    ended.unwrap();
    let events = bed.events().await;
    assert_eq!(events.len() - copied, 3);
    for event in &events[copied..] {
        let at = event.origin.as_ref().unwrap().occurred_at.expect("it was noted");
        let own = event.product.name.as_str() == "Product 3";
        let is_own = at == "2031-01-01T00:00:00Z".parse::<souk_domain::Timestamp>().unwrap();
        assert!(is_own == own && (own || (before <= at && at <= event.time)), "{at}: {event:?}");
    }
}

/// What the capture does not tell of, since it takes it for souk's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_that_nobody_told_of_is_counted_shown_and_put_right() {
    let bed = Bed::monolith(30).await;
    let mapping = bed.mapping("").await;
    let work = async {
        bed.settled(&mapping).await;
        bed.run("BEGIN; SET LOCAL souk.migration = 'on'; UPDATE products SET quantity = 555 WHERE name = 'Product 7'; COMMIT")
            .await;
        bed.settled(&mapping).await;
        bed.recorded(|_| bed.folder.record().unwrap().differences.is_some_and(|it| it.in_all > 0)).await;
    };
    let following = bed.follow_while(&mapping, work).await.1.unwrap();
    let found = &following.differences;
    assert!(found.in_all == 1 && found.examples[0].contains("stock is 555 in the source"), "{found:?}");
    assert!(following.to_string().contains(", 1 in all"), "{following}");
}
