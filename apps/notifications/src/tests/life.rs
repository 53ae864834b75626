//! Heartbeats, drain, refusals, and a pump that does not give up.

use std::sync::Arc;
use std::time::Duration;

use souk_http::{HealthCheck as _, Status};
use souk_ports::EventLog;

use crate::NotificationsConfig;
use crate::health::StreamHealth;
use crate::pump::PumpState;
use crate::testing::{DEADLINE, FakeLog, Instance, assert_exactly};

async fn with_heartbeat(log: &FakeLog, millis: u64) -> Instance {
    let heartbeat = Duration::from_millis(millis);
    Instance::start(log, NotificationsConfig { heartbeat, ..Default::default() }).await
}

/// Ticks until the condition holds.
async fn tick_until(instance: &Instance, mut condition: impl FnMut() -> bool) {
    instance
        .until(|instance| {
            instance.hub.tick();
            condition()
        })
        .await;
}

#[tokio::test]
async fn a_silent_stream_gets_comments() {
    let log = FakeLog::new(1, 1);
    let instance = with_heartbeat(&log, 5).await;
    let mut client = instance.open("", None).await;
    tick_until(&instance, || {
        client.now();
        client.comments >= 3
    })
    .await;
    assert_eq!(client.got.len(), 1, "comments are no events, and the position has not moved");
}

/// Sends a reader an event every 5 s of the hub's clock, and returns how many comments it had got at each.
async fn comments_between_events(query: &str, bug: Option<&'static str>) -> Vec<usize> {
    let log = FakeLog::new(1, 1);
    let config = NotificationsConfig { planted_bug: bug, ..Default::default() };
    assert_eq!(config.heartbeat, Duration::from_secs(15));
    let instance = Instance::start(&log, config).await;
    let mut client = instance.open(query, None).await;
    let mut comments = Vec::new();
    for event in 1..=9 {
        client.now();
        instance.hub.tick_at(event * 5000);
        log.append(0, "a", "ProductCreated");
        client.events(event as usize).await;
        comments.push(client.comments);
    }
    comments
}

#[tokio::test]
async fn a_busy_stream_gets_a_comment_every_15_s() {
    for query in ["", "named=1", "sellerId=a"] {
        assert_eq!(comments_between_events(query, None).await, [0, 0, 1, 1, 1, 2, 2, 2, 3], "{query}");
    }
}

#[tokio::test]
async fn a_stream_that_comments_only_when_quiet_is_found_out() {
    assert_eq!(comments_between_events("", Some("comment-when-quiet")).await, [0; 9]);
}

#[tokio::test]
async fn a_reader_in_the_log_gets_its_comments() {
    let log = FakeLog::new(1, 1);
    for _ in 0..200 {
        log.append(0, "a", "ProductCreated");
    }
    let instance = Instance::with_ring(&log, 1 << 10).await;
    let mut client = instance.open("lastEventId=earliest", None).await;
    assert!(client.reader.is_behind());
    instance.hub.tick_at(15_000);
    client.events(200).await;
    assert_eq!(client.comments, 1);
}

#[tokio::test]
async fn a_heartbeat_wakes_a_reader_that_waits() {
    let log = FakeLog::new(1, 1);
    let instance = with_heartbeat(&log, 5).await;
    let mut client = instance.open("", None).await;
    client.now();
    tick_until(&instance, || client.wakes() == 1).await;
    client.now();
    assert_eq!(client.comments, 1);
    // It waits again, and events still reach it.
    log.append(0, "a", "ProductCreated");
    client.events(1).await;
}

#[tokio::test]
async fn a_quiet_filter_gets_its_id_moved() {
    let log = FakeLog::new(1, 2);
    let instance = with_heartbeat(&log, 5).await;
    let mut client = instance.open("sellerId=quiet", None).await;
    client.now();
    log.append(0, "busy", "ProductCreated");
    log.append(1, "busy", "ProductCreated");
    instance.caught_up().await;
    assert_eq!(client.wakes(), 0);
    tick_until(&instance, || {
        client.now();
        !client.named("cursor").is_empty()
    })
    .await;
    let cursor = client.named("cursor")[0].clone();
    assert_eq!((cursor.id.as_str(), cursor.data.as_str()), (instance.head().as_str(), ""));
    assert_eq!(client.comments, 1, "a moved id takes no heartbeat away");
    // Nothing has moved since: comments from now on.
    tick_until(&instance, || {
        client.now();
        client.comments >= 2
    })
    .await;
    assert_eq!(client.named("cursor").len(), 1);
    let mut resumed = instance.open("sellerId=quiet", Some(&cursor.id)).await;
    let next = log.append(0, "quiet", "ProductCreated");
    resumed.events(1).await;
    client.events(1).await;
    assert_eq!((resumed.places(), client.places()), (vec![next], vec![next]));
    assert_eq!(resumed.gaps(), []);
}

#[tokio::test]
async fn an_id_that_was_moved_does_not_expire() {
    let log = FakeLog::new(1, 1);
    let instance = with_heartbeat(&log, 5).await;
    let mut client = instance.open("sellerId=quiet", None).await;
    client.now();
    for _ in 0..50 {
        log.append(0, "busy", "ProductCreated");
    }
    instance.caught_up().await;
    tick_until(&instance, || {
        client.now();
        !client.named("cursor").is_empty()
    })
    .await;
    log.trim(0, 50);
    let id = client.parser.last_event_id().into_owned();
    let mut resumed = instance.open("sellerId=quiet", Some(&id)).await;
    resumed.now();
    assert_eq!(resumed.gaps(), []);
}

#[tokio::test]
async fn a_drain_gives_each_reader_its_own_time_to_come_back() {
    let log = FakeLog::new(1, 1);
    let config = NotificationsConfig { reconnects_per_second: 10, ..Default::default() };
    let instance = Instance::start(&log, config).await;
    let mut clients = Vec::new();
    for n in 0..40 {
        let mut client = instance.open(if n % 2 == 0 { "" } else { "sellerId=a" }, None).await;
        client.now();
        clients.push(client);
    }
    let hub = instance.hub.clone();
    let drain = tokio::spawn(async move { hub.drain().await });
    instance.until(|instance| instance.hub.is_draining()).await;
    let mut retries: Vec<u64> = Vec::new();
    for mut client in clients {
        assert_eq!(client.wakes(), 1, "a reader that waits is woken");
        assert!(!client.now() && client.ended);
        retries.push(client.parser.retry().unwrap());
    }
    retries.sort_unstable();
    let expected: Vec<u64> = (0..40).map(|n| 2000 + n * 100).collect();
    assert_eq!(retries, expected);
    tokio::time::timeout(DEADLINE, drain).await.expect("the drain ends with its last reader").unwrap();
    assert!(!instance.hub.is_open());
    assert!(instance.hub.refusal_retry() >= 2000);
}

#[tokio::test]
async fn a_reader_that_looks_while_the_drain_begins_is_not_forgotten() {
    let log = FakeLog::new(1, 1);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut client = instance.open("", None).await;
    // Not waiting in the hub: nobody can wake it, so it must notice by itself.
    let hub = instance.hub.clone();
    let drain = tokio::spawn(async move { hub.drain().await });
    instance.until(|instance| instance.hub.is_draining()).await;
    assert!(!client.now() && client.ended);
    drop(client);
    tokio::time::timeout(DEADLINE, drain).await.expect("the drain ends").unwrap();
}

#[tokio::test]
async fn there_are_no_more_readers_than_allowed() {
    let log = FakeLog::new(1, 1);
    let instance = Instance::start(&log, NotificationsConfig { max_readers: 2, ..Default::default() }).await;
    let first = instance.open("", None).await;
    let _second = instance.open("", None).await;
    let open = || crate::reader::Reader::open(&instance.hub, Default::default(), Default::default());
    assert!(open().is_none());
    drop(first);
    assert!(open().is_some());
}

#[tokio::test]
async fn the_pump_survives_a_log_that_fails() {
    let log = FakeLog::new(1, 2);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut client = instance.open("", None).await;
    let mut all = vec![log.append(0, "a", "ProductCreated")];
    client.events(1).await;
    log.fail(3);
    instance.until(|instance| *instance.pump.lock() != PumpState::Following).await;
    all.push(log.append(1, "a", "ProductCreated"));
    all.push(log.append(0, "a", "ProductCreated"));
    client.events(3).await;
    assert_exactly(&client.places(), &all);
    instance.until(|instance| *instance.pump.lock() == PumpState::Following).await;
    assert!(instance.hub.metrics.pump_failures.get() >= 3);
}

#[tokio::test]
async fn a_log_that_goes_away_degrades_the_stream_and_readers_stay() {
    let log = FakeLog::new(1, 2);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut client = instance.open("", None).await;
    log.fail(1_000_000);
    instance.until(|instance| matches!(*instance.pump.lock(), PumpState::Failing(_))).await;
    let port: Arc<dyn EventLog> = Arc::new(log.clone());
    let health = StreamHealth { hub: instance.hub.clone(), log: port, pump: instance.pump.clone() };
    let away = health.check().await;
    assert_eq!((away.status(), away.ready), (Status::Degraded, true), "{away:?}");
    log.fail(0);
    let place = log.append(0, "a", "ProductCreated");
    client.events(1).await;
    assert_exactly(&client.places(), &[place]);
    assert_eq!(health.check().await.status(), Status::Ok);
}

#[tokio::test]
async fn a_record_that_is_no_event_is_passed_over_and_counted() {
    let log = FakeLog::new(1, 1);
    let mut all = vec![log.append(0, "a", "ProductCreated")];
    log.append_raw(0, "not JSON".into());
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut early = instance.open("lastEventId=earliest", None).await;
    let mut live = instance.open("", None).await;
    log.append_raw(0, r#"{"type":"Unknown"}"#.into());
    all.push(log.append(0, "a", "ProductCreated"));
    log.append_raw(0, "\u{0}".into());
    instance.caught_up().await;
    early.events(2).await;
    live.events(1).await;
    assert_exactly(&early.places(), &all);
    assert_exactly(&live.places(), &all[1..]);
    assert_eq!(instance.hub.metrics.unreadable.get(), 2);
    let mut resumed = instance.open("", Some(&instance.head())).await;
    let next = log.append(0, "a", "ProductCreated");
    resumed.events(1).await;
    assert_eq!(resumed.places(), [next]);
}

#[tokio::test]
async fn a_reader_takes_few_bytes() {
    // Ten thousand idle readers are ten thousand of these.
    assert!(size_of::<crate::reader::Reader>() <= 128, "{} bytes", size_of::<crate::reader::Reader>());
}
