//! Folds the log back into the state that it came from.

use std::collections::HashMap;

use souk_domain::{Changes, EventKind, EventType, Phase, Product, ProductId, Version};

use crate::Logged;

/// What the events of one product lead to.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    /// The last version.
    pub version: u64,
    /// The product; `None` when deleted.
    pub product: Option<Product>,
    /// Number of events, warnings included.
    pub events: usize,
}

/// Folds a log, checking on the way what every history has to keep: versions are dense, a product stays in its
/// partition, each event follows from the state before it, and each crossing is told once.
///
/// # Panics
/// When the log is not a history.
pub fn fold_log(logged: &[Logged]) -> HashMap<ProductId, Fold> {
    let mut folds: HashMap<ProductId, Fold> = HashMap::new();
    let mut partitions = HashMap::new();
    let mut ids = std::collections::HashSet::new();
    let mut expected_crossing: HashMap<ProductId, EventType> = HashMap::new();
    for Logged { record, event } in logged {
        let id = event.product.id;
        assert!(ids.insert(event.id), "event {} is in the log twice", event.id);
        let home = *partitions.entry(id).or_insert(record.partition);
        assert_eq!(home, record.partition, "all events of product {id} are in one partition");
        let fold = folds.entry(id).or_default();
        fold.events += 1;
        if !event.event_type().takes_version() {
            assert_eq!(
                expected_crossing.remove(&id),
                Some(event.event_type()),
                "a crossing of {id} is told once"
            );
            assert_eq!(event.version.0, fold.version, "a warning shares the version of the event before it");
            assert_eq!(Some(&*event.product), fold.product.as_ref());
            continue;
        }
        assert_eq!(expected_crossing.remove(&id), None, "a crossing of {id} was not told");
        assert_eq!(event.version, Version(fold.version + 1), "versions of {id} are dense");
        fold.version = event.version.0;
        let before = fold.product.take();
        let was_low = before.as_ref().is_some_and(|product| product.low_stock);
        match &event.kind {
            EventKind::Created => assert!(before.is_none(), "{id} is created where it was"),
            EventKind::Updated { changes, .. } => {
                let before = before.unwrap_or_else(|| panic!("{id} is updated where it was not"));
                assert_eq!(Changes::between(&before, &event.product).as_ref(), Some(&**changes));
            }
            EventKind::Deleted => {
                assert_eq!(before.as_ref(), Some(&*event.product), "{id} is deleted as it was last");
                continue;
            }
            EventKind::LowStockWarning(_) | EventKind::StockReplenished(_) => {
                unreachable!("these take no version")
            }
        }
        assert_eq!(event.product.version, event.version);
        let copied = event.origin.as_ref().is_some_and(|origin| origin.migration.phase == Phase::Copy);
        match (was_low, event.product.low_stock) {
            _ if copied => {}
            (false, true) => drop(expected_crossing.insert(id, EventType::LowStockWarning)),
            (true, false) => drop(expected_crossing.insert(id, EventType::StockReplenished)),
            _ => {}
        }
        fold.product = Some((*event.product).clone());
    }
    assert!(expected_crossing.is_empty(), "crossings were not told: {expected_crossing:?}");
    folds
}
