//! Records that are no events: named and counted, a difference only when nobody set them aside.

use bytes::Bytes;
use souk_audit::{Check, audit};
use souk_ports::{Clock as _, DeadLetter, LogRecord};

use crate::support::World;

/// Puts a record into the log that is no event; returns its offset.
fn poison(world: &World, partition: u32, payload: &'static [u8]) -> u64 {
    let (appended_at, payload) = (world.clock.now(), Bytes::from_static(payload));
    world.log.append(vec![LogRecord { partition, offset: 0, appended_at, payload }]);
    world.log.state.lock().unwrap().partitions[partition as usize].last().unwrap().offset
}

fn letter(partition: u32, offset: u64) -> DeadLetter {
    DeadLetter { partition, offset, reason: "not an event".to_owned() }
}

#[tokio::test]
async fn a_record_that_was_set_aside_is_named_and_no_difference() {
    let world = World::new(2);
    world.trade(20);
    world.relay(3);
    let text = poison(&world, 0, b"{\"no\":\"event\"}");
    let bytes = poison(&world, 1, b"\xff\xfe");
    world.trade(20);
    world.relay(3);
    world.consume().await;
    world.archive(15).await;
    world.log.state.lock().unwrap().letters = vec![letter(0, text), letter(1, bytes), letter(1, bytes)];
    let report = audit(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!(report.dead_letters, 2);
    assert!(report.to_string().contains(&format!("offset 0/{text}: not an event")), "{report}");
}

#[tokio::test]
async fn a_record_that_nobody_set_aside_is_a_difference() {
    let world = World::new(2);
    world.trade(20);
    world.relay(3);
    let offset = poison(&world, 0, b"{}");
    world.log.state.lock().unwrap().letters = vec![letter(1, offset)];
    let report = audit(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert_eq!((report.differences_of(Check::Events), report.differences_total), (1, 1), "{report}");
    assert_eq!(report.differences[0].key, format!("offset 0/{offset}"));
}
