//! Recent events that are copies: each is looked for.

use std::time::Duration;

use bytes::Bytes;
use souk_audit::{Check, Report, audit};

use crate::support::World;

async fn traded() -> World {
    let world = World::new(3);
    world.trade(50);
    world.relay(4);
    world.consume().await;
    world.archive(30).await;
    world
}

async fn report(world: &World) -> Report {
    audit(&world.deps(), &world.config(), |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_recent_event_that_is_gone_is_missed() {
    let world = traded().await;
    let (_, gone) = world.store.recent.lock().unwrap().pop_first().unwrap();
    let report = report(&world).await;
    assert_eq!((report.differences_of(Check::RecentEvents), report.differences_total), (1, 1), "{report}");
    let id = souk_events::decode(&gone).unwrap().id;
    assert!(report.differences[0].key.contains(&id.to_string()), "{report}");
}

#[tokio::test]
async fn a_recent_event_with_other_bytes_is_named() {
    let world = traded().await;
    for payload in world.store.recent.lock().unwrap().values_mut().take(1) {
        let text = String::from_utf8(payload.to_vec()).unwrap();
        *payload = Bytes::from(text.replace("a product", "another"));
    }
    let report = report(&world).await;
    assert_eq!((report.differences_of(Check::RecentEvents), report.differences_total), (1, 1), "{report}");
    assert_eq!(report.differences[0].found, "other bytes");
}

#[tokio::test]
async fn a_recent_event_that_nobody_published_is_named() {
    let world = traded().await;
    let removed = {
        let mut state = world.log.state.lock().unwrap();
        let records = &mut state.partitions[0];
        let at = records.len() - 1;
        records.remove(at)
    };
    let event = souk_events::decode(&removed.payload).unwrap();
    // The archive has it too, so that it is taken from there as well.
    let found = audit(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert_eq!(found.differences_of(Check::RecentEvents), 0, "the archive has it: {found}");
    let world = World::new(1);
    world.trade(5);
    world.relay(1);
    world.consume().await;
    world.store.recent.lock().unwrap().insert((event.time, event.id), removed.payload);
    let found = report(&world).await;
    assert_eq!(found.differences_of(Check::RecentEvents), 1, "{found}");
}

#[tokio::test]
async fn recent_events_of_a_log_before_this_one_are_no_difference() {
    let before = traded().await;
    let world = World::new(2);
    world.clock.advance(Duration::from_secs(3600));
    for _ in 0..1000 {
        // Ids of its own: no two installations share one.
        let _ = souk_ports::IdGenerator::next_id(&world.ids);
    }
    world.trade(5);
    world.relay(1);
    world.consume().await;
    let older = before.store.recent.lock().unwrap().clone();
    let count = older.len() as u64;
    world.store.recent.lock().unwrap().extend(older);
    let report = report(&world).await;
    assert!(report.ok, "{report}");
    assert_eq!(report.foreign_recent_events, count);
}

#[tokio::test]
async fn recent_events_past_their_retention_are_not_missed() {
    let world = traded().await;
    world.clock.advance(Duration::from_secs(8 * 86_400));
    world.store.recent.lock().unwrap().clear();
    let report = report(&world).await;
    assert!(report.ok, "{report}");
}
