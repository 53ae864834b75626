//! Audits from a certain time on.

use std::time::Duration;

use souk_audit::{AuditConfig, Check, Report, audit};
use souk_conformance::make;
use souk_domain::Timestamp;
use souk_ports::Clock as _;

use crate::support::World;

/// An old part and, two days later, a new one; returns a time between them.
async fn two_parts() -> (World, Timestamp) {
    let world = World::new(3);
    let old = world.trade(40);
    world.relay(4);
    world.consume().await;
    world.archive(20).await;
    world.clock.advance(Duration::from_secs(86_400));
    let since = world.clock.now();
    world.clock.advance(Duration::from_secs(86_400));
    world.trade(40);
    for id in old.iter().skip(1).take(5) {
        world.execute(&make::rename(*id, "renamed later"));
    }
    world.relay(4);
    world.consume().await;
    (world, since)
}

async fn report(world: &World, since: Timestamp) -> Report {
    let config = AuditConfig { since: Some(since), ..world.config() };
    audit(&world.deps(), &config, |_| {}).await.unwrap()
}

#[tokio::test]
async fn an_audit_since_a_time_reads_a_part_and_says_what_it_left_out() {
    let (world, since) = two_parts().await;
    let whole = audit(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert!(whole.ok, "{whole}");
    let part = report(&world, since).await;
    assert!(part.ok, "{part}");
    assert!(part.events < whole.events, "{part}");
    assert!(part.unchecked_products > 0 && part.unchecked_items > 0, "{part}");
    let checked = |report: &Report, check: Check| {
        report.checks.iter().find(|result| result.check == check).unwrap().compared
    };
    for check in [Check::Versions, Check::Aggregates, Check::RecentEvents, Check::Catalog] {
        assert!(checked(&part, check) > 0, "{check:?}");
    }
    assert!(part.to_string().contains("not looked at"), "{part}");
    assert_eq!(serde_json::to_value(&part).unwrap()["since"]["time"], since.to_string());
}

#[tokio::test]
async fn damage_after_the_time_is_found_and_damage_before_is_not() {
    let (world, since) = two_parts().await;
    world.archive(20).await;
    {
        let mut state = world.log.state.lock().unwrap();
        // The last of a partition is new, the first is old.
        state.partitions[0].remove(0);
    }
    assert!(report(&world, since).await.ok);
    {
        let mut items = world.store.items.lock().unwrap();
        let new = items.iter_mut().rfind(|((key, _), _)| key.bucket.is_some_and(|bucket| bucket > since));
        new.unwrap().1.measures.units_sold += 1;
    }
    assert_eq!(report(&world, since).await.differences_of(Check::Aggregates), 1);
    {
        let mut rows = world.catalog.rows.lock().unwrap();
        let product = rows.values_mut().rev().find_map(|row| row.product.as_mut()).unwrap();
        product.stock = make::stock(77);
    }
    assert_eq!(report(&world, since).await.differences_of(Check::Catalog), 1);
    let events = report(&world, since).await.events;
    {
        let mut state = world.log.state.lock().unwrap();
        let records = &mut state.partitions[1];
        let at = records.len() - 3;
        records.remove(at);
    }
    let lost = report(&world, since).await;
    assert_eq!(lost.differences_of(Check::ArchiveLog), 1, "{lost}");
    assert_eq!(lost.events, events, "the archive's copy stands in for it");
}

#[tokio::test]
async fn a_time_before_everything_looks_at_everything() {
    let (world, _) = two_parts().await;
    let whole = audit(&world.deps(), &world.config(), |_| {}).await.unwrap();
    let all = report(&world, Timestamp::from_millis(0)).await;
    assert!(all.ok, "{all}");
    assert_eq!((all.events, all.unchecked_products), (whole.events, 0));
}
