//! An event as the history of its product sees it: versions, times and digests, about 130 bytes, so that histories
//! can be sorted by product without the payloads.
//!
//! The state before an event is checked by taking the event's changes back and comparing digests.

use sha2::{Digest as _, Sha256};
use souk_domain::{Change, Changes, Event, EventKind, EventType, Phase, Product, Stock, Timestamp, Version};
use souk_ports::{Offset, Partition};

use crate::record::{Digest, Fields, Put};

/// Where an event lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub partition: Partition,
    pub offset: Offset,
    /// Whether it was in the log before the catalog was read.
    pub early: bool,
}

/// One event of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub place: Place,
    pub event_type: EventType,
    /// The event's version and time.
    pub version: u64,
    pub time: Timestamp,
    /// The product's, after the event.
    pub product: Stand,
    pub stock: Stock,
    pub low_stock: bool,
    /// Whether the product was low before, as far as the event says.
    pub was_low: bool,
    /// An update's state before it; `None` when its changes do not lead to its product.
    pub before: Option<Digest>,
    /// An update's stock before it; a crossing's `previousStock`.
    pub stock_before: Option<Stock>,
    /// A crossing's stock is below its threshold.
    pub below: bool,
    /// The step of a migration that it came in: its product has the times of the other system.
    pub migrated: Option<Phase>,
}

/// A product at one of its versions: two are equal when the products are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stand {
    pub version: u64,
    pub updated_at: Timestamp,
    /// Everything but version and time of change.
    pub core: Digest,
}

impl Stand {
    pub fn of(product: &Product) -> Self {
        Self { version: product.version.0, updated_at: product.updated_at, core: core(product.clone()) }
    }

    pub fn put(&self, record: &mut Vec<u8>) {
        record.put_u64(self.version);
        record.put_i64(self.updated_at.millis());
        record.put(&self.core);
    }

    pub fn read(fields: &mut Fields<'_>) -> Self {
        Self { version: fields.u64(), updated_at: Timestamp::from_millis(fields.i64()), core: fields.take() }
    }
}

/// Digests what of a product does not change by itself with each version.
fn core(product: Product) -> Digest {
    let product = Product { version: Version(0), updated_at: Timestamp::MIN, ..product };
    let json = serde_json::to_vec(&product).expect("a product has string keys");
    let mut half = Digest::default();
    half.copy_from_slice(&Sha256::digest(&json)[..16]);
    half
}

/// Takes changes back; `None` when the product is not what they say that it became.
fn before(product: &Product, changes: &Changes) -> Option<Product> {
    fn take_back<T: Clone + PartialEq>(field: &mut T, change: Option<&Change<T>>) -> bool {
        let Some(change) = change else { return true };
        let fits = change.to == *field && change.from != change.to;
        *field = change.from.clone();
        fits
    }
    let mut before = product.clone();
    let fits = [
        take_back(&mut before.sku, changes.sku.as_ref()),
        take_back(&mut before.name, changes.name.as_ref()),
        take_back(&mut before.description, changes.description.as_ref()),
        take_back(&mut before.category, changes.category.as_ref()),
        take_back(&mut before.price, changes.price.as_ref()),
        take_back(&mut before.stock, changes.stock.as_ref()),
        take_back(&mut before.low_stock_threshold, changes.low_stock_threshold.as_ref()),
        take_back(&mut before.low_stock, changes.low_stock.as_ref()),
    ];
    (*changes != Changes::default() && fits.into_iter().all(|fits| fits)).then_some(before)
}

/// Marks an absent stock in a record.
const NO_STOCK: i64 = -1;

impl Step {
    pub fn of(place: Place, event: &Event) -> Self {
        let product = &*event.product;
        let mut step = Self {
            place,
            event_type: event.event_type(),
            version: event.version.0,
            time: event.time,
            product: Stand::of(product),
            stock: product.stock,
            low_stock: product.low_stock,
            was_low: false,
            before: None,
            stock_before: None,
            below: false,
            migrated: event.origin.as_ref().map(|origin| origin.migration.phase),
        };
        match &event.kind {
            EventKind::Created | EventKind::Deleted => {}
            EventKind::Updated { changes, .. } => {
                step.was_low = changes.low_stock.as_ref().map_or(product.low_stock, |change| change.from);
                step.before = before(product, changes).map(core);
                step.stock_before = Some(changes.stock.as_ref().map_or(product.stock, |change| change.from));
            }
            EventKind::LowStockWarning(crossing) | EventKind::StockReplenished(crossing) => {
                step.stock_before = crossing.previous_stock;
                step.below = product.stock < crossing.threshold;
            }
        }
        step
    }

    pub fn put(&self, record: &mut Vec<u8>) {
        record.put_u32(self.place.partition);
        record.put_u64(self.place.offset);
        let (copied, migrated) = (self.migrated == Some(Phase::Copy), self.migrated.is_some());
        let flags = [
            copied,
            migrated,
            self.place.early,
            self.low_stock,
            self.was_low,
            self.below,
            self.before.is_some(),
        ];
        record.put_u8(flags.iter().fold(0, |bits, flag| bits << 1 | u8::from(*flag)));
        record.put_u8(u8::try_from(self.event_type.index()).expect("there are five types"));
        record.put_u64(self.version);
        record.put_i64(self.time.millis());
        self.product.put(record);
        record.put(&self.before.unwrap_or_default());
        record.put_i64(self.stock.get());
        record.put_i64(self.stock_before.map_or(NO_STOCK, Stock::get));
    }

    pub fn read(fields: &mut Fields<'_>) -> Self {
        let (partition, offset, flags) = (fields.u32(), fields.u64(), fields.u8());
        let flag = |bit: u8| flags >> bit & 1 == 1;
        Self {
            place: Place { partition, offset, early: flag(4) },
            event_type: EventType::ALL[usize::from(fields.u8())],
            version: fields.u64(),
            time: Timestamp::from_millis(fields.i64()),
            product: Stand::read(fields),
            low_stock: flag(3),
            was_low: flag(2),
            below: flag(1),
            before: Some(fields.take()).filter(|_| flag(0)),
            stock: Stock::new(fields.i64()).expect("a stock is written as such"),
            stock_before: Stock::new(fields.i64()),
            migrated: flag(5).then_some(if flag(6) { Phase::Copy } else { Phase::Follow }),
        }
    }

    /// Names the event.
    pub fn name(&self, product: impl std::fmt::Display) -> String {
        let Place { partition, offset, .. } = self.place;
        let (event_type, version) = (self.event_type.as_str(), self.version);
        format!("{event_type} {version} of product {product} at {partition}/{offset}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_survive_their_record() {
        for name in
            ["1-product-created", "2-product-updated-sale", "3-low-stock-warning", "6-product-deleted"]
        {
            let path = format!("{}/../../contract/events/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let event = souk_events::decode(&std::fs::read(path).unwrap()).unwrap();
            for early in [true, false] {
                let step = Step::of(Place { partition: 3, offset: 1 << 40, early }, &event);
                let mut record = Vec::new();
                step.put(&mut record);
                assert_eq!(Step::read(&mut Fields(&record)), step, "{name}");
            }
        }
    }
}
