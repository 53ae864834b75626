//! Databases and positions that do not belong together: the relay stops and says how to go on, and that way works.

use std::sync::Arc;
use std::time::Duration;

use souk_conformance::eventually;
use souk_distributed::{Position, RelayConfig, RelayState};
use uuid::Uuid;

use crate::bed::{Database, Running, TestSessions, config, insert};
use crate::memory_sink::{MemoryLog, MemorySinks};

pub fn start(database: &Arc<Database>, log: &Arc<MemoryLog>, accept: Option<String>) -> Running {
    let config = RelayConfig { accept, ..config() };
    Running::start(config, TestSessions::new(database), Arc::new(MemorySinks(log.clone())))
}

/// Publishes versions 1 to 10 of a product, and adds 3 more that wait.
async fn ten_published_three_waiting(database: &Arc<Database>, log: &Arc<MemoryLog>) -> Uuid {
    let (client, product) = (database.client().await, Uuid::now_v7());
    let relay = start(database, log, None);
    for version in 1..=10 {
        insert(&client, product, version).await;
    }
    published(log, product, 10).await;
    relay.stop().await;
    for version in 11..=13 {
        insert(&client, product, version).await;
    }
    product
}

pub async fn published(log: &MemoryLog, product: Uuid, version: u64) {
    eventually("an event to be published", || async {
        log.versions(product).contains(&version).then_some(())
    })
    .await;
}

/// Makes a database from which version 1 of a product was published.
pub async fn published_from() -> (Arc<Database>, Arc<MemoryLog>, Uuid) {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let (client, product) = (database.client().await, Uuid::now_v7());
    let relay = start(&database, &log, None);
    insert(&client, product, 1).await;
    published(&log, product, 1).await;
    relay.stop().await;
    // Its session ends a moment later, and what it found with it.
    eventually("the relay's session to end", || async {
        const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM \
                             pg_database WHERE datname = current_database())";
        (client.query_one(LOCKS, &[]).await.unwrap().get::<_, i64>(0) == 0).then_some(())
    })
    .await;
    (database, log, product)
}

/// Waits until the relay stops, for a reason with `word`, and returns the word that settles it.
async fn stops(relay: Running, word: &str) -> String {
    let state = relay.until("it to stop", |state| matches!(state, RelayState::Stopped(_))).await;
    let token = token_in(&state);
    let RelayState::Stopped(reason) = state else { unreachable!("it was waited for") };
    assert!(reason.contains(word) && reason.contains("nothing is published"), "{reason}");
    relay.stop().await;
    token
}

/// Returns the word that a relay which stopped names.
pub fn token_in(state: &RelayState) -> String {
    let RelayState::Stopped(reason) = state else { panic!("it goes on: {state:?}") };
    let (_, rest) = reason.split_once("RELAY_ACCEPT=").expect("the remedy is named");
    rest[..8].to_owned()
}

/// Changes the position that the log has.
pub fn tamper(log: &MemoryLog, change: impl FnOnce(&mut Position)) {
    let mut position = Position::from_record(&log.position().unwrap()).unwrap();
    change(&mut position);
    log.set_position(Some(position.to_record()));
}

/// The doubt does not go away by itself, and another word does not settle it; the right one publishes what is missing.
async fn is_settled(database: &Arc<Database>, log: &Arc<MemoryLog>, product: Uuid, word: &str) {
    let token = stops(start(database, log, None), word).await;
    insert(&database.client().await, product, 14).await;
    assert_eq!(stops(start(database, log, Some("00000000".into())), word).await, token);
    let relay = start(database, log, Some(token.clone()));
    relay.leads().await;
    published(log, product, 14).await;
    insert(&database.client().await, product, 15).await;
    published(log, product, 15).await;
    relay.stop().await;
    assert_eq!(log.versions(product), (1..=15).collect::<Vec<_>>(), "each once, in order");
    // The word that was left in the settings does no harm.
    let relay = start(database, log, Some(token));
    relay.leads().await;
    insert(&database.client().await, product, 16).await;
    published(log, product, 16).await;
    relay.stop().await;
    assert_eq!(log.versions(product), (1..=16).collect::<Vec<_>>(), "each once, in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_restored_from_a_dump_is_compared_with_the_topic() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let product = ten_published_three_waiting(&database, &log).await;
    tamper(&log, |position| position.database.system_identifier ^= 1);
    // Transaction ids of a dump are those of the other server: here, far ahead.
    let far = "UPDATE souk.outbox_0 SET xid = (xid::text::numeric + 1000000000000)::text::xid8";
    database.client().await.batch_execute(far).await.unwrap();
    is_settled(&database, &log, product, "another database").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_is_compared_with_the_topic() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let product = ten_published_three_waiting(&database, &log).await;
    tamper(&log, |position| position.database.timeline += 1);
    is_settled(&database, &log, product, "timeline").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_behind_the_position_is_compared_with_the_topic() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let product = ten_published_three_waiting(&database, &log).await;
    tamper(&log, |position| position.snapshot = "4000000000:4000000000:".parse().unwrap());
    is_settled(&database, &log, product, "ahead of the database").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_topic_of_positions_is_noticed() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let product = ten_published_three_waiting(&database, &log).await;
    log.set_position(None);
    is_settled(&database, &log, product, "published before").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_that_fell_back_is_noticed() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let product = ten_published_three_waiting(&database, &log).await;
    tamper(&log, |position| {
        position.snapshot = "3:3:".parse().unwrap();
        position.anchor = None;
    });
    is_settled(&database, &log, product, "behind what the database knows").await;
}

/// The copy was written to before the relay came: its transaction ids have passed the position's again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_that_was_written_to_is_noticed() {
    let (database, log, product) = published_from().await;
    let copy = database.copy().await;
    let client = database.client().await;
    let relay = start(&database, &log, None);
    insert(&client, product, 2).await;
    published(&log, product, 2).await;
    relay.stop().await;
    let other = Uuid::now_v7();
    insert(&copy.client().await, other, 1).await;
    let token = stops(start(&copy, &log, None), "knows nothing of it").await;
    let relay = start(&copy, &log, Some(token));
    published(&log, other, 1).await;
    relay.stop().await;
    assert_eq!(log.versions(product), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comparison_that_is_cut_off_is_resumed_and_nothing_else_is() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let product = ten_published_three_waiting(&database, &log).await;
    let many = Uuid::now_v7();
    crate::bed::insert_many(&database.client().await, 0, many, 20_000).await;
    tamper(&log, |position| position.database.timeline += 1);
    let token = stops(start(&database, &log, None), "timeline").await;
    log.fail([crate::memory_sink::Fault::LostReply]);
    let relay = start(&database, &log, Some(token.clone()));
    eventually("the fault", || async { log.has_failed().then_some(()) }).await;
    relay.kill().await;
    if log.versions(many).len() < 20_000 {
        assert_eq!(stops(start(&database, &log, None), "cut off").await, token);
    }
    let relay = start(&database, &log, Some(token));
    relay.leads().await;
    published(&log, many, 20_000).await;
    relay.stop().await;
    assert_eq!(log.versions(product), (1..=13).collect::<Vec<_>>());
    assert!(log.versions(many) == (1..=20_000).collect::<Vec<_>>(), "each once, in order");
}

/// The lease of two relays that settle the same doubt: the silence of one that is not idle is borne for six of them.
const SHORT_LEASE: Duration = Duration::from_millis(500);

/// Starts two relays with the right word for a database that was promoted.
async fn two_that_settle(database: &Arc<Database>, log: &Arc<MemoryLog>) -> [Running; 2] {
    tamper(log, |position| position.database.timeline += 1);
    let accept = Some(stops(start(database, log, None), "timeline").await);
    let config = RelayConfig { accept, lease: SHORT_LEASE, ..config() };
    [0, 1].map(|_| {
        Running::start(config.clone(), TestSessions::new(database), Arc::new(MemorySinks(log.clone())))
    })
}

/// Or each of the two would end the other's session, for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comparison_that_takes_long_is_left_alone_by_whoever_stands_by() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let product = ten_published_three_waiting(&database, &log).await;
    // Five reads: together they take twice as long as silence is borne, so that whoever is ended has come back in time.
    log.slow_down(SHORT_LEASE * 12 / 5);
    let relays = two_that_settle(&database, &log).await;
    published(&log, product, 13).await;
    for relay in relays {
        relay.stop().await;
    }
    assert_eq!(log.versions(product), (1..=13).collect::<Vec<_>>(), "each once, in order");
}

/// A dump that locks the outbox, or a statement over millions of rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_long_is_left_alone_by_whoever_stands_by() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let product = ten_published_three_waiting(&database, &log).await;
    let dump = database.client().await;
    dump.batch_execute("BEGIN; LOCK TABLE souk.outbox_0 IN ACCESS SHARE MODE").await.unwrap();
    let relays = two_that_settle(&database, &log).await;
    let client = database.client().await;
    eventually("a statement to take longer than any silence is borne", || async {
        const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                               application_name = 'souk-relay' AND wait_event_type = 'Lock' AND \
                               query_start < clock_timestamp() - interval '6 s'";
        (client.query_one(WAITING, &[]).await.unwrap().get::<_, i64>(0) == 1).then_some(())
    })
    .await;
    dump.batch_execute("COMMIT").await.unwrap();
    published(&log, product, 13).await;
    for relay in relays {
        relay.stop().await;
    }
    assert_eq!(log.versions(product), (1..=13).collect::<Vec<_>>(), "each once, in order");
}
