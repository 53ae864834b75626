//! When a database takes writes: once the relay has judged it, or when Kafka cannot be asked and nothing speaks against it.

use std::sync::Arc;

use souk_distributed::{Position, RelayState, RelayStatus};
use uuid::Uuid;

use crate::bed::{Database, Running};
use crate::memory_sink::MemoryLog;
use crate::restore::{published_from, start, tamper, token_in};

async fn until(relay: &Running, what: &str, is: impl Fn(&RelayStatus) -> bool) -> RelayStatus {
    let mut watch = relay.relay.watch();
    souk_conformance::within(what, watch.wait_for(|status| is(status))).await.unwrap().clone()
}

async fn takes_writes(relay: &Running) -> RelayStatus {
    until(relay, "it to take writes", |status| status.takes_writes).await
}

/// Waits until the relay waits for a reason with `word`.
async fn waits(relay: &Running, word: &str) -> RelayStatus {
    let is = |status: &RelayStatus| matches!(&status.state, RelayState::Waiting(why) if why.contains(word));
    until(relay, word, is).await
}

/// Makes the database remember the same of another timeline, as a promoted standby does.
async fn promote(database: &Database, log: &MemoryLog) {
    tamper(log, |position| position.database.timeline += 1);
    let client = database.client().await;
    let hint = client.query_one("SELECT position FROM souk.relay_hint", &[]).await.unwrap();
    let mut hint = Position::from_record(hint.get::<_, &str>(0).as_bytes()).unwrap();
    hint.database.timeline += 1;
    let hint = String::from_utf8(hint.to_record().to_vec()).unwrap();
    client.execute("UPDATE souk.relay_hint SET position = $1", &[&hint]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_with_kafka_takes_writes_wherever_a_relay_stands_by() {
    let (database, log, _) = published_from().await;
    let leader = start(&database, &log, None);
    takes_writes(&leader).await;
    leader.leads().await;
    let other = start(&database, &log, None);
    assert_eq!(takes_writes(&other).await.state, RelayState::Standby);
    leader.stop().await;
    other.leads().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_kafka_writes_go_on_where_nothing_speaks_against_them() {
    for (database, log, _) in
        [(Database::create().await, Arc::new(MemoryLog::default()), Uuid::now_v7()), published_from().await]
    {
        log.set_unreachable(true);
        let leader = start(&database, &log, None);
        takes_writes(&leader).await;
        let other = start(&database, &log, None);
        assert_eq!(takes_writes(&other).await.state, RelayState::Standby);
        waits(&leader, "KAFKA_BROKERS").await;
        other.stop().await;
        leader.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_go_with_kafka_takes_no_write_before_it_is_accepted() {
    let (database, log, _) = published_from().await;
    tamper(&log, |position| position.snapshot = "4000000000:4000000000:".parse().unwrap());
    let relay = start(&database, &log, None);
    let is_stopped = |status: &RelayStatus| matches!(status.state, RelayState::Stopped(_));
    let stopped = until(&relay, "it to stop", is_stopped).await;
    assert!(!stopped.takes_writes, "it took writes before it was judged");
    // As long as nobody settles that, another one is no further.
    let other = start(&database, &log, None);
    until(&other, "it to be second", |status| {
        status.state == RelayState::Standby || matches!(status.state, RelayState::Stopped(_))
    })
    .await;
    assert!(!other.relay.status().takes_writes);
    other.stop().await;
    relay.stop().await;
    let relay = start(&database, &log, Some(token_in(&stopped.state)));
    takes_writes(&relay).await;
    relay.leads().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_kafka_a_restored_database_waits_for_it_and_says_so() {
    let (database, log, _) = published_from().await;
    promote(&database, &log).await;
    log.set_unreachable(true);
    let relay = start(&database, &log, None);
    let waiting = waits(&relay, "KAFKA_BROKERS").await;
    let says = |word: &str| matches!(&waiting.state, RelayState::Waiting(why) if why.contains(word));
    assert!(says("this database seems restored") && says("takes no write"), "{waiting:?}");
    assert!(!waiting.takes_writes, "{waiting:?}");
    let other = start(&database, &log, None);
    other.until("the other to stand by", |state| *state == RelayState::Standby).await;
    assert!(!other.relay.status().takes_writes);
    other.stop().await;
    log.set_unreachable(false);
    let stopped = until(&relay, "it to stop", |status| matches!(status.state, RelayState::Stopped(_))).await;
    assert!(!stopped.takes_writes, "{stopped:?}");
    relay.stop().await;
    // Accepted once, it is a database like others, also when Kafka is away again.
    let relay = start(&database, &log, Some(token_in(&stopped.state)));
    relay.leads().await;
    relay.stop().await;
    log.set_unreachable(true);
    let relay = start(&database, &log, None);
    takes_writes(&relay).await;
    relay.stop().await;
}
