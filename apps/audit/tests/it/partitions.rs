//! Several partitions whose offsets have holes, and a log that trails its catalog.

use std::sync::Arc;
use std::time::Duration;

use souk_audit::{AuditConfig, Check, audit};
use souk_conformance::make;
use souk_domain::ProductId;
use souk_ports::IdGenerator as _;

use crate::support::World;

#[tokio::test]
async fn partitions_with_holes_have_no_difference() {
    let world = World::new(5);
    world.trade(60);
    world.relay(7);
    world.consume().await;
    world.archive(20).await;
    world.trade(20);
    world.relay(7);
    world.consume().await;
    world.trade(10);
    world.relay(1);
    let report = audit(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!(report.products + report.deleted_products, 90);
    for result in &report.checks {
        assert!(result.compared > 0, "{:?} compared nothing", result.check);
    }
}

#[tokio::test]
async fn a_log_that_was_trimmed_up_to_a_marker_has_no_difference() {
    let world = World::new(2);
    world.trade(30);
    world.relay(3);
    world.consume().await;
    world.archive(10).await;
    world.trim(0);
    let report = audit(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!(report.logged_events, 0);
}

/// Audits beside a relay that publishes the last events after so long.
async fn audited_beside_a_relay(world: World, config: AuditConfig, waits: Duration) {
    let world = Arc::new(world);
    world.trade(40);
    world.relay(5);
    world.trade(40);
    let relay = {
        let world = world.clone();
        tokio::spawn(async move {
            tokio::time::sleep(waits).await;
            world.relay(5);
        })
    };
    let report = audit(&world.deps(), &config, |_| {}).await.unwrap();
    relay.await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!(report.products + report.deleted_products, 80);
}

#[tokio::test]
async fn events_that_the_relay_has_not_published_yet_are_waited_for() {
    let world = World::new(3);
    let config = world.config();
    audited_beside_a_relay(world, config, Duration::from_millis(200)).await;
}

/// The clock stands, and jumps to the next thing that is waited for.
#[tokio::test(start_paused = true)]
async fn events_that_wait_for_another_relay_to_lead_are_waited_for() {
    // The lease of one that died (10 s), and what the next one does before it publishes.
    const CHANGE: Duration = Duration::from_secs(12);
    let world = World::new(3);
    let config = AuditConfig { standstill: AuditConfig::default().standstill, ..world.config() };
    audited_beside_a_relay(world, config, CHANGE).await;
}

#[tokio::test(start_paused = true)]
async fn events_that_no_relay_publishes_are_missed_by_default_too() {
    let world = World::new(3);
    world.trade(40);
    world.relay(5);
    world.execute(&make::create(ProductId(world.ids.next_id()), "never told", 10));
    let config = AuditConfig { standstill: AuditConfig::default().standstill, ..world.config() };
    let report = audit(&world.deps(), &config, |_| {}).await.unwrap();
    assert_eq!((report.differences_of(Check::Catalog), report.differences_total), (1, 1), "{report}");
}

#[tokio::test]
async fn events_that_are_never_published_are_missed() {
    let world = World::new(3);
    world.trade(40);
    world.relay(5);
    world.execute(&make::create(ProductId(world.ids.next_id()), "never told", 10));
    let report = audit(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert_eq!(report.differences_of(Check::Catalog), 1, "{report}");
    assert_eq!(report.differences_total, 1, "{report}");
}

#[tokio::test]
async fn an_event_in_another_partition_is_named() {
    let world = World::new(2);
    world.trade(20);
    world.relay(1);
    {
        let mut state = world.log.state.lock().unwrap();
        let mut record = state.partitions[0].pop().unwrap();
        record.partition = 1;
        record.offset = state.next[1];
        state.next[1] += 1;
        state.partitions[1].push(record);
    }
    let report = audit(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert!(report.differences.iter().any(|found| found.expected.starts_with("partition 0")), "{report}");
}
