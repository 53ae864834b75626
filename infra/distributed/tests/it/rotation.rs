//! Leaves are left, emptied and come round again, and nothing is lost on the way.

use std::sync::Arc;
use std::time::Duration;

use souk_conformance::{eventually, within};
use souk_distributed::RelayConfig;
use uuid::Uuid;

use crate::bed::{Database, Running, TestSessions, config, insert, insert_into, rotation};
use crate::memory_sink::{MemoryLog, MemorySinks};

async fn started(database: &Arc<Database>, rows: u64) -> (Running, Arc<MemoryLog>) {
    let log = Arc::new(MemoryLog::default());
    let config = RelayConfig { rotation: rotation(rows), ..config() };
    let relay = Running::start(config, TestSessions::new(database), Arc::new(MemorySinks(log.clone())));
    relay.leads().await;
    (relay, log)
}

/// Returns the number of rows in each leaf.
async fn rows(client: &tokio_postgres::Client) -> [i64; 4] {
    let mut rows = [0; 4];
    for (leaf, rows) in rows.iter_mut().enumerate() {
        let sql = format!("SELECT count(*) FROM souk.outbox_{leaf}");
        *rows = client.query_one(&sql, &[]).await.unwrap().get(0);
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_leaves_rotate_under_load() {
    const WRITERS: usize = 4;
    const VERSIONS: u64 = 400;
    let database = Database::create().await;
    let (relay, log) = started(&database, 20).await;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let client = database.client().await;
        writers.push(tokio::spawn(async move {
            let product = Uuid::now_v7();
            for version in 1..=VERSIONS {
                client.batch_execute("BEGIN").await.unwrap();
                insert(&client, product, version).await;
                // Some commit when the leaf that they wrote to was left long ago.
                tokio::time::sleep(Duration::from_millis((version * 7 + writer as u64) % 5)).await;
                client.batch_execute("COMMIT").await.unwrap();
            }
            product
        }));
    }
    let mut products = Vec::new();
    for writer in writers {
        products.push(within("a writer", writer).await.unwrap());
    }
    let (client, last) = (database.client().await, Uuid::now_v7());
    insert(&client, last, 1).await;
    eventually("the last row", || async { log.versions(last).contains(&1).then_some(()) }).await;
    for product in products {
        assert_eq!(log.versions(product), (1..=VERSIONS).collect::<Vec<_>>());
    }
    assert!(relay.relay.status().truncations_total >= 5, "{:?}", relay.relay.status());
    eventually("an idle outbox to be empty", || async { (rows(&client).await == [0; 4]).then_some(()) })
        .await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaf_that_somebody_writes_to_or_reads_is_left_alone() {
    let database = Database::create().await;
    let (open, reader, writer) = (database.client().await, database.client().await, database.client().await);
    let (product, held) = (Uuid::now_v7(), Uuid::now_v7());
    open.batch_execute("BEGIN").await.unwrap();
    insert_into(&open, 0, held, 1).await;
    reader.batch_execute("BEGIN; SELECT count(*) FROM souk.outbox_1").await.unwrap();
    let (relay, log) = started(&database, 1).await;
    let mut last = 0;
    let come_round = async {
        loop {
            last += 1;
            insert(&writer, product, last).await;
            let sql = "SELECT epoch FROM souk.outbox_epoch";
            if writer.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) >= 9 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within("leaves to come round while two are held", come_round).await;
    open.batch_execute("COMMIT").await.unwrap();
    reader.batch_execute("COMMIT").await.unwrap();
    eventually("all to be published", || async {
        (log.versions(product).last() == Some(&last) && log.versions(held) == [1]).then_some(())
    })
    .await;
    assert_eq!(log.versions(product), (1..=last).collect::<Vec<_>>());
    eventually("the held leaves to be emptied", || async { (rows(&writer).await == [0; 4]).then_some(()) })
        .await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaf_is_kept_until_the_search_index_has_read_it() {
    let database = Database::create().await;
    let client = database.client().await;
    let behind =
        "INSERT INTO souk.outbox_readers (name, position) VALUES ('search', pg_current_snapshot()::text)";
    client.batch_execute(behind).await.unwrap();
    let (relay, log) = started(&database, 1).await;
    let product = Uuid::now_v7();
    for version in 1..=3 {
        insert(&client, product, version).await;
        eventually("it to be published", || async {
            (log.versions(product).len() as u64 == version).then_some(())
        })
        .await;
    }
    let epoch = async || -> i64 {
        client.query_one("SELECT epoch FROM souk.outbox_epoch", &[]).await.unwrap().get(0)
    };
    eventually("the leaf to be left", || async { (epoch().await > 0).then_some(()) }).await;
    assert_eq!(rows(&client).await.iter().sum::<i64>(), 3);
    assert_eq!(relay.relay.status().truncations_total, 0);
    let read = "UPDATE souk.outbox_readers SET position = pg_current_snapshot()::text";
    client.batch_execute(read).await.unwrap();
    eventually("the outbox to be emptied", || async { (rows(&client).await == [0; 4]).then_some(()) }).await;
    relay.stop().await;
}
