//! Which rows are read, and in which order, while transactions begin and end around them.

use std::sync::Arc;

use souk_conformance::eventually;
use uuid::Uuid;

use crate::bed::{Database, Running, TestSessions, config, insert, insert_into, insert_many};
use crate::memory_sink::{MemoryLog, MemorySinks};

async fn started(database: &Arc<Database>) -> (Running, Arc<MemoryLog>) {
    let log = Arc::new(MemoryLog::default());
    let relay = Running::start(config(), TestSessions::new(database), Arc::new(MemorySinks(log.clone())));
    relay.leads().await;
    (relay, log)
}

async fn published(log: &MemoryLog, product: Uuid, version: u64) {
    eventually("an event to be published", || async {
        log.versions(product).contains(&version).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_commits_late_is_not_lost() {
    let database = Database::create().await;
    let (relay, log) = started(&database).await;
    let (late, early) = (database.client().await, database.client().await);
    let [slow, quick, last] = [0; 3].map(|_| Uuid::now_v7());
    late.batch_execute("BEGIN").await.unwrap();
    insert(&late, slow, 1).await;
    insert(&early, quick, 1).await;
    published(&log, quick, 1).await;
    late.batch_execute("COMMIT").await.unwrap();
    insert(&early, last, 1).await;
    published(&log, last, 1).await;
    assert_eq!(log.events(), [(quick, 1), (slow, 1), (last, 1)]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_left_open_on_another_table_holds_nothing_up() {
    let database = Database::create().await;
    let (relay, log) = started(&database).await;
    let (open, writer) = (database.client().await, database.client().await);
    open.batch_execute("BEGIN; INSERT INTO audit VALUES (1)").await.unwrap();
    let product = Uuid::now_v7();
    for version in 1..=20 {
        insert(&writer, product, version).await;
        published(&log, product, version).await;
    }
    insert(&open, product, 21).await;
    open.batch_execute("COMMIT").await.unwrap();
    published(&log, product, 21).await;
    assert_eq!(log.versions(product), (1..=21).collect::<Vec<_>>());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_commit_out_of_order_keep_a_product_in_order() {
    let database = Database::create().await;
    let (first, second) = (database.client().await, database.client().await);
    let product = Uuid::now_v7();
    first.batch_execute("CREATE TABLE locked (version int); INSERT INTO locked VALUES (0)").await.unwrap();
    // The first draws its transaction id, the second takes the row and commits, then the first takes it.
    first.batch_execute("BEGIN; INSERT INTO audit VALUES (1)").await.unwrap();
    second.batch_execute("BEGIN; UPDATE locked SET version = 1").await.unwrap();
    insert(&second, product, 1).await;
    second.batch_execute("COMMIT").await.unwrap();
    first.batch_execute("UPDATE locked SET version = 2").await.unwrap();
    insert(&first, product, 2).await;
    first.batch_execute("COMMIT").await.unwrap();
    let (relay, log) = started(&database).await;
    published(&log, product, 1).await;
    published(&log, product, 2).await;
    assert_eq!(log.versions(product), [1, 2]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_rolled_back_are_not_published() {
    let database = Database::create().await;
    let (relay, log) = started(&database).await;
    let writer = database.client().await;
    let product = Uuid::now_v7();
    writer.batch_execute("BEGIN").await.unwrap();
    insert(&writer, product, 1).await;
    writer.batch_execute("ROLLBACK").await.unwrap();
    insert(&writer, product, 2).await;
    published(&log, product, 2).await;
    assert_eq!(log.versions(product), [2]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_is_published_in_order_over_all_leaves() {
    let database = Database::create().await;
    let writer = database.client().await;
    let products = [0; 4].map(|_| Uuid::now_v7());
    const ROWS: i64 = 15_000;
    let open = database.client().await;
    open.batch_execute("BEGIN").await.unwrap();
    let late = Uuid::now_v7();
    insert_into(&open, 0, late, 1).await;
    for (leaf, product) in products.into_iter().enumerate() {
        insert_many(&writer, leaf, product, ROWS).await;
    }
    let (relay, log) = started(&database).await;
    eventually("all to be published", || async { (log.events().len() == 4 * ROWS as usize).then_some(()) })
        .await;
    open.batch_execute("COMMIT").await.unwrap();
    published(&log, late, 1).await;
    let expected: Vec<_> = products
        .into_iter()
        .flat_map(|product| (1..=ROWS as u64).map(move |version| (product, version)))
        .chain([(late, 1)])
        .collect();
    assert!(log.events() == expected, "each once, in order");
    let transactions = log.transactions();
    assert!(transactions.len() >= 8 && transactions.iter().all(|rows| *rows <= 8_192), "{transactions:?}");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nudge_or_a_look_finds_what_another_process_wrote() {
    let database = Database::create().await;
    let (relay, log) = started(&database).await;
    // Nobody nudges here: each is found by looking, from busy to idle and back.
    let writer = database.client().await;
    let product = Uuid::now_v7();
    for version in 1..=5 {
        insert(&writer, product, version).await;
        published(&log, product, version).await;
        let mut watch = relay.relay.watch();
        watch.wait_for(|status| status.waiting_events == 0).await.unwrap();
    }
    assert_eq!(relay.relay.status().published_total, 5);
    relay.stop().await;
}
