//! Offsets without a record at the ends of quiet partitions: ids pass them, and no record with them.

use std::time::Duration;

use souk_events::{Cursor, LogId};

use crate::NotificationsConfig;
use crate::testing::{FakeLog, Instance};

/// As many looks as surely pass what was there before: one that has begun, one that notes, one that passes.
const LOOKS: usize = 4;

async fn looking(log: &FakeLog, planted_bug: Option<&'static str>) -> Instance {
    let look_interval = Duration::from_millis(1);
    Instance::start(log, NotificationsConfig { look_interval, planted_bug, ..Default::default() }).await
}

/// Waits until the only instance has looked at all that is in the log now.
async fn looked(instance: &Instance) {
    let asked = instance.log.bounds_asked() + LOOKS;
    instance.until(|instance| instance.log.bounds_asked() >= asked).await;
}

/// Lets the tail fail once, and waits until that is noticed.
async fn fail_once(instance: &Instance) {
    let failures = instance.hub.metrics.pump_failures.get();
    instance.log.fail(u32::MAX);
    instance.until(|instance| instance.hub.metrics.pump_failures.get() > failures).await;
    instance.log.fail(0);
}

fn id(next: &[u64]) -> String {
    Cursor { log: LogId(7), next: next.to_vec() }.to_string()
}

/// Lets go of a partition with an event and two markers, and returns the reasons of the gaps that a reader was told of
/// which had the event: where it is, and at an instance that begins then.
async fn gaps_after_retention(planted_bug: Option<&'static str>) -> [Vec<String>; 2] {
    let log = FakeLog::new(7, 2);
    let old = looking(&log, planted_bug).await;
    let mut client = old.open("", None).await;
    log.append(0, "a", "ProductUpdated");
    log.append(1, "a", "ProductUpdated");
    client.events(2).await;
    assert!(client.now(), "it waits for more");
    log.skip(1, 2);
    looked(&old).await;
    // A heartbeat is due.
    old.hub.tick_at(15_000);
    client.now();
    let handed_out = client.parser.last_event_id().into_owned();
    log.trim(1, 3);
    fail_once(&old).await;
    log.append(0, "a", "ProductUpdated");
    client.events(3).await;
    let fresh = Instance::with_ring(&log, 1 << 20).await;
    let mut moved = fresh.open("", Some(&handed_out)).await;
    moved.events(1).await;
    [client.gaps(), moved.gaps()].map(|gaps| gaps.into_iter().map(|(reason, ..)| reason).collect())
}

#[tokio::test]
async fn markers_that_the_log_lets_go_are_no_gap() {
    assert_eq!(gaps_after_retention(None).await, [const { Vec::<String>::new() }; 2]);
}

#[tokio::test]
async fn ids_that_stay_before_markers_would_be_noticed() {
    let gaps = gaps_after_retention(Some("ids-stay-before-markers")).await;
    assert_eq!(gaps, [["too-slow"], ["expired"]]);
}

#[tokio::test]
async fn what_the_tail_has_not_brought_yet_is_passed_by_no_look() {
    let log = FakeLog::new(7, 2);
    let instance = looking(&log, None).await;
    let mut client = instance.open("", None).await;
    log.hold_tails(true);
    log.skip(0, 2);
    log.skip(1, 1);
    let late = log.append(1, "a", "ProductUpdated");
    log.skip(1, 1);
    looked(&instance).await;
    assert_eq!(instance.head(), id(&[2, 0]), "only the partition without a record goes on");
    log.hold_tails(false);
    client.events(1).await;
    assert_eq!(client.places(), [late]);
    assert_eq!(client.gaps(), []);
    looked(&instance).await;
    assert_eq!(instance.head(), id(&[2, 3]));
}

#[tokio::test]
async fn an_event_that_the_log_let_go_before_it_came_stays_a_gap() {
    let log = FakeLog::new(7, 2);
    let instance = looking(&log, None).await;
    let mut client = instance.open("", None).await;
    client.now();
    log.hold_tails(true);
    log.append(1, "a", "ProductUpdated");
    log.skip(1, 1);
    looked(&instance).await;
    log.trim(1, 2);
    looked(&instance).await;
    assert_eq!(instance.head(), id(&[0, 0]));
    fail_once(&instance).await;
    log.hold_tails(false);
    log.append(0, "a", "ProductUpdated");
    client.events(1).await;
    assert_eq!(client.gaps(), [("too-slow".into(), id(&[0, 0]), id(&[0, 2]))]);
}

#[tokio::test]
async fn a_quiet_partition_costs_one_read() {
    let log = FakeLog::new(7, 2);
    let instance = looking(&log, None).await;
    log.skip(0, 2);
    looked(&instance).await;
    let reads = log.reads();
    assert_eq!((instance.head(), reads), (id(&[2, 0]), 1));
    looked(&instance).await;
    assert_eq!(log.reads(), reads);
}
