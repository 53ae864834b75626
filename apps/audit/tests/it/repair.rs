//! What log and archive can rebuild is put right, when nobody counts meanwhile.

use souk_audit::{Check, audit, repair};
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_ports::{Measures, RandomIds, SystemClock};
use std::sync::Arc;

use crate::installation::{Running, Standing, config};
use crate::support::World;

async fn world() -> World {
    let world = World::new(3);
    world.trade(50);
    world.relay(4);
    world.consume().await;
    world.archive(30).await;
    world
}

#[tokio::test]
async fn every_kind_of_damage_to_aggregates_is_repaired() {
    let world = world().await;
    let right = world.store.items.lock().unwrap().clone();
    {
        let mut items = world.store.items.lock().unwrap();
        for (n, row) in items.values_mut().enumerate() {
            match n % 4 {
                0 => row.measures.units_sold += 5,
                1 => row.counted += 1,
                2 => row.measures = Measures::default(),
                _ => {}
            }
        }
        let (mut place, mut row) = items.first_key_value().map(|(k, v)| (k.clone(), v.clone())).unwrap();
        place.0.key = "nobody".into();
        row.key.key = "nobody".into();
        items.insert(place, row);
        items.pop_last();
    }
    let report = repair(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert!(report.ok, "{report}");
    let done = report.repair.as_ref().unwrap();
    assert_eq!(done.items_removed, 1, "{report}");
    assert!(done.items_replaced > 3 && done.differences_before > 3, "{report}");
    assert_eq!(*world.store.items.lock().unwrap(), right);
    assert!(report.to_string().contains("audited again"), "{report}");
    assert_eq!(serde_json::to_value(&report).unwrap()["repair"]["itemsRemoved"], 1);
}

#[tokio::test]
async fn recent_events_are_put_back_from_the_log_and_from_the_archive() {
    let world = world().await;
    let right = world.store.recent.lock().unwrap().clone();
    world.trim(5);
    world.store.recent.lock().unwrap().clear();
    let report = repair(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!(report.repair.unwrap().recent_events_put, right.len() as u64);
    assert_eq!(*world.store.recent.lock().unwrap(), right);
}

#[tokio::test]
async fn aggregates_are_not_counted_anew_from_events_that_are_not_whole() {
    let world = world().await;
    let before = {
        let mut items = world.store.items.lock().unwrap();
        items.first_entry().unwrap().get_mut().measures.units_sold += 1;
        items.clone()
    };
    {
        let key = {
            use futures_util::TryStreamExt as _;
            use object_store::ObjectStore as _;
            let found: Vec<_> = world.archive.list(None).try_collect().await.unwrap();
            found[0].location.clone()
        };
        use object_store::ObjectStoreExt as _;
        world.archive.delete(&key).await.unwrap();
    }
    let report = repair(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert!(!report.ok);
    let done = report.repair.unwrap();
    assert_eq!((done.items_replaced, done.items_removed), (0, 0));
    assert!(done.left.iter().any(|left| left.starts_with("aggregates, since the events")), "{:?}", done.left);
    assert_eq!(*world.store.items.lock().unwrap(), before);
}

#[tokio::test]
async fn a_whole_installation_needs_no_repair() {
    let world = world().await;
    let report = repair(&world.deps(), &world.config(), |_| {}).await.unwrap();
    assert!(report.ok);
    assert_eq!(report.repair.unwrap(), souk_audit::Repair::default());
}

#[tokio::test]
async fn a_repair_beside_a_running_consumer_is_refused() {
    let world = world().await;
    world.log.state.lock().unwrap().members = 2;
    let error = repair(&world.deps(), &world.config(), |_| {}).await.unwrap_err().to_string();
    assert!(error.contains("has 2 members: stop every `souk analytics`"), "{error}");
    // Members that a log cannot see give themselves away by their positions.
    world.log.state.lock().unwrap().members = 0;
    world.log.state.lock().unwrap().restless = true;
    world.store.items.lock().unwrap().pop_first();
    let error = repair(&world.deps(), &world.config(), |_| {}).await.unwrap_err().to_string();
    assert!(error.contains("stop every `souk analytics`"), "{error}");
}

#[tokio::test]
async fn an_embedded_installation_is_repaired_under_its_lock() {
    let standing = Standing::new();
    standing.analytics_sql("UPDATE items SET counted = counted + 3 WHERE series % 16 = 12");
    standing.analytics_sql("DELETE FROM product_items");
    assert!(standing.audit().await.differences_of(Check::Aggregates) > 3);
    let running = Running::open(standing.folder.path());
    // While it runs, the folder is not to be had.
    let second = Embedded::open(
        &EmbeddedConfig::new(standing.folder.path()),
        Arc::new(SystemClock),
        Arc::new(RandomIds),
    );
    assert!(second.is_err(), "two may not write");
    running.close().await;
    standing.analytics_sql("DELETE FROM items WHERE series % 16 = 13");
    let embedded = EmbeddedConfig::new(standing.folder.path());
    let store = Embedded::open(&embedded, Arc::new(SystemClock), Arc::new(RandomIds)).unwrap();
    let deps = crate::installation::deps(&store);
    let report = repair(&deps, &config(), |_| {}).await.unwrap();
    assert!(report.ok, "{report}");
    assert!(report.repair.unwrap().items_replaced > 3);
    drop(deps);
    store.close().await;
    // The consumer goes on from there without counting anything twice.
    let running = Running::open(standing.folder.path());
    running.counted().await;
    let report = audit(&running.deps(), &config(), |_| {}).await.unwrap();
    assert!(report.ok, "{report}");
    running.close().await;
}
