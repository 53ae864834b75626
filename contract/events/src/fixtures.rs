//! The golden fixtures: a product's life, one event a file. Tests hold the encoder to them, and the contracts show them
//! as examples.

use souk_domain::EventType;

/// A product is created, sold below its threshold, restocked and deleted; compact JSON, as on the wire.
pub const FIXTURES: [&str; 6] = [
    include_str!("../fixtures/1-product-created.json"),
    include_str!("../fixtures/2-product-updated-sale.json"),
    include_str!("../fixtures/3-low-stock-warning.json"),
    include_str!("../fixtures/4-product-updated-restock.json"),
    include_str!("../fixtures/5-stock-replenished.json"),
    include_str!("../fixtures/6-product-deleted.json"),
];

/// A product that comes from another system, and a change of it there.
pub const MIGRATED: [&str; 2] = [
    include_str!("../fixtures/7-product-created-migrated.json"),
    include_str!("../fixtures/8-product-updated-migrated.json"),
];

/// Returns the first fixture of a type, without its line end.
pub fn fixture(kind: EventType) -> &'static str {
    let [created, updated, warning, _, replenished, deleted] = FIXTURES;
    match kind {
        EventType::ProductCreated => created,
        EventType::ProductUpdated => updated,
        EventType::ProductDeleted => deleted,
        EventType::LowStockWarning => warning,
        EventType::StockReplenished => replenished,
    }
    .trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Envelope;

    #[test]
    fn each_type_has_its_own() {
        for kind in EventType::ALL {
            assert_eq!(Envelope::read(fixture(kind).as_bytes()).unwrap().event_type, kind);
        }
    }
}
