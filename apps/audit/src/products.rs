//! The history of every product, held against the events and the catalog's rows.
//!
//! What is kept of a product is a version and digests, about 200 bytes, so that a million products fit into
//! 200 MB: the state before an event is checked by taking the event's changes back and comparing digests.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use souk_domain::{
    Change, Changes, Event, EventKind, EventType, Product, ProductId, Stock, Timestamp, Version,
};
use souk_ports::{CatalogRow, Offset, Partition};

use crate::report::{Check, Report};

/// Half a SHA-256: far beyond chance, half the memory.
type Digest = [u8; 16];

/// Where an event lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub partition: Partition,
    pub offset: Offset,
    /// Whether it was in the log before the catalog was read.
    pub early: bool,
}

/// Every product that the catalog or the log knows.
#[derive(Default)]
pub(crate) struct Products {
    entries: HashMap<ProductId, Entry>,
}

#[derive(Default)]
struct Entry {
    row: Option<Row>,
    state: Option<State>,
}

/// A row of the catalog.
struct Row {
    version: u64,
    /// `None` when deleted.
    digest: Option<Digest>,
    /// Whether the event of its version was met.
    met: bool,
}

/// A product as its events so far leave it.
struct State {
    version: u64,
    partition: Partition,
    /// The last version that was in the log before the catalog was read; 0 when there was none.
    early_version: u64,
    /// `None` when deleted.
    alive: Option<Alive>,
    /// The crossing that has to be told next.
    crossing_due: Option<EventType>,
}

struct Alive {
    /// Everything but version and time of change.
    core: Digest,
    updated_at: Timestamp,
    low_stock: bool,
    stock: Stock,
    /// The stock before the last event, for the crossing that may follow it.
    previous_stock: Option<Stock>,
}

fn digest(product: &Product) -> Digest {
    let json = serde_json::to_vec(product).expect("a product has string keys");
    let mut half = Digest::default();
    half.copy_from_slice(&Sha256::digest(&json)[..16]);
    half
}

/// Digests what of a product does not change by itself with each version.
fn core(product: &Product) -> Digest {
    digest(&Product { version: Version(0), updated_at: Timestamp::MIN, ..product.clone() })
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

impl Products {
    /// Takes in a row of the catalog.
    pub fn row(&mut self, row: CatalogRow, report: &mut Report) {
        report.compared(Check::Catalog, 1);
        match &row.product {
            Some(product) => {
                report.products += 1;
                if product.version != row.version || product.id != row.id {
                    let found = format!("product {} at version {}", product.id, product.version);
                    let expected = format!("product {} at version {}", row.id, row.version);
                    report.differs(Check::Catalog, format!("row {}", row.id), expected, found);
                }
            }
            None => report.deleted_products += 1,
        }
        let digest = row.product.as_ref().map(digest);
        self.entries.entry(row.id).or_default().row =
            Some(Row { version: row.version.0, digest, met: false });
    }

    /// Takes in the next event of the log.
    pub fn event(&mut self, place: Place, event: &Event, report: &mut Report) {
        let id = event.product.id;
        let Entry { row, state } = self.entries.entry(id).or_default();
        let state = state.get_or_insert_with(|| State {
            version: 0,
            partition: place.partition,
            early_version: 0,
            alive: None,
            crossing_due: None,
        });
        report.compared(Check::Versions, 1);
        report.compared(Check::Changes, 1);
        if state.partition != place.partition {
            report.differs(
                Check::Versions,
                key(place, event),
                format!("partition {}, where product {id} began", state.partition),
                format!("partition {}", place.partition),
            );
        }
        if event.event_type().takes_version() {
            state.versioned(place, event, report);
            if let Some(row) = row {
                row.compare(place, event, report);
            }
        } else {
            state.crossing(place, event, report);
        }
    }

    /// Returns how many rows have a version that no event had yet: their events may still be on their way.
    pub fn rows_ahead(&self) -> usize {
        let ahead = |entry: &&Entry| {
            let seen = entry.state.as_ref().map_or(0, |state| state.version);
            entry.row.as_ref().is_some_and(|row| row.version > seen)
        };
        self.entries.values().filter(ahead).count()
    }

    /// Compares what is left when all events are in.
    pub fn finish(self, report: &mut Report) {
        let mut entries: Vec<_> = self.entries.into_iter().collect();
        entries.sort_unstable_by_key(|(id, _)| *id);
        for (id, Entry { row, state }) in entries {
            let key = format!("product {id}");
            let last = state.as_ref().map_or(0, |state| state.version);
            match (&row, &state) {
                (Some(row), _) if row.version > last => report.differs(
                    Check::Catalog,
                    key.clone(),
                    format!("an event of version {}, which the catalog has", row.version),
                    if last == 0 { "no event".to_owned() } else { format!("a last event of version {last}") },
                ),
                (Some(row), Some(state)) if row.version < state.early_version => report.differs(
                    Check::Catalog,
                    key.clone(),
                    format!("version {}, which the log had before the catalog was read", state.early_version),
                    format!("a row of version {}", row.version),
                ),
                // Its version was passed over, and that is a difference of its own.
                (Some(row), Some(_)) if !row.met => report.differs(
                    Check::Catalog,
                    key.clone(),
                    format!("an event of version {}, which the catalog has", row.version),
                    "no event of that version".to_owned(),
                ),
                (None, Some(state)) if state.early_version > 0 => report.differs(
                    Check::Catalog,
                    key.clone(),
                    match &state.alive {
                        Some(_) => format!("a row of version {}", state.version),
                        None => format!("a tombstone of version {}", state.version),
                    },
                    "no row".to_owned(),
                ),
                _ => {}
            }
            if let Some(due) = state.and_then(|state| state.crossing_due) {
                report.differs(Check::Crossings, key, format!("a {} at its end", due.as_str()), "none");
            }
        }
    }
}

/// Names an event.
fn key(place: Place, event: &Event) -> String {
    format!(
        "{} {} of product {} at {}/{}",
        event.event_type().as_str(),
        event.version,
        event.product.id,
        place.partition,
        place.offset
    )
}

impl Row {
    fn compare(&mut self, place: Place, event: &Event, report: &mut Report) {
        if event.version.0 != self.version {
            return;
        }
        self.met = true;
        let deleted = matches!(event.kind, EventKind::Deleted);
        let (expected, found) = match (&self.digest, deleted) {
            (None, true) => return,
            (Some(row), false) if *row == digest(&event.product) => return,
            (Some(_), false) => ("the product as the event has it", "a row that differs"),
            (Some(_), true) => ("a tombstone", "a row"),
            (None, false) => ("a row", "a tombstone"),
        };
        report.differs(Check::Catalog, key(place, event), expected, found);
    }
}

impl State {
    fn versioned(&mut self, place: Place, event: &Event, report: &mut Report) {
        if let Some(due) = self.crossing_due.take() {
            report.compared(Check::Crossings, 1);
            let expected = format!("a {} of version {} before it", due.as_str(), self.version);
            report.differs(Check::Crossings, key(place, event), expected, "none");
        }
        let (expected, version) = (self.version + 1, event.version.0);
        if place.early {
            self.early_version = self.early_version.max(version);
        }
        if version != expected {
            let expected = format!("version {expected}");
            let found = format!("version {version}");
            report.differs(Check::Versions, key(place, event), expected, found);
            if version < self.version + 1 {
                // Older than what is known: one that was there before, or one out of its order.
                return;
            }
        } else if let Some((expected, found)) = self.contradiction(event) {
            report.differs(Check::Changes, key(place, event), expected, found);
        }
        self.version = version;
        if matches!(event.kind, EventKind::Deleted) {
            self.alive = None;
            return;
        }
        let product = &event.product;
        let was_low = match &event.kind {
            EventKind::Updated { changes, .. } => {
                changes.low_stock.as_ref().map_or(product.low_stock, |change| change.from)
            }
            _ => false,
        };
        let previous_stock = match (&event.kind, &self.alive) {
            (EventKind::Updated { .. }, Some(alive)) => Some(alive.stock),
            _ => None,
        };
        self.crossing_due = match (was_low, product.low_stock) {
            (false, true) => Some(EventType::LowStockWarning),
            (true, false) => Some(EventType::StockReplenished),
            _ => None,
        };
        self.alive = Some(Alive {
            core: core(product),
            updated_at: product.updated_at,
            low_stock: product.low_stock,
            stock: product.stock,
            previous_stock,
        });
    }

    /// Tells what in `event` does not follow from this state: what should be, and what is.
    fn contradiction(&self, event: &Event) -> Option<(String, String)> {
        let product = &event.product;
        let differs = |expected: &str, found: &str| Some((expected.to_owned(), found.to_owned()));
        match (&event.kind, &self.alive) {
            (EventKind::Created, Some(_)) => return differs("no product of this id", "a product"),
            (EventKind::Updated { .. } | EventKind::Deleted, None) => return differs("a product", "none"),
            (EventKind::Deleted, Some(alive)) => {
                let same = core(product) == alive.core
                    && product.version.0 == self.version
                    && product.updated_at == alive.updated_at;
                return if same { None } else { differs("the product as it was last", "another state") };
            }
            (EventKind::Updated { changes, .. }, Some(alive)) => match before(product, changes) {
                None => return differs("changes that lead to the product", "changes that do not"),
                Some(before) if core(&before) != alive.core || before.low_stock != alive.low_stock => {
                    return differs("changes from the state before", "changes from another state");
                }
                Some(_) => {}
            },
            _ => {}
        }
        if product.version != event.version || product.updated_at != event.time {
            let expected = format!("a product of version {}, changed at {}", event.version, event.time);
            let found = format!("version {}, changed at {}", product.version, product.updated_at);
            return Some((expected, found));
        }
        None
    }

    fn crossing(&mut self, place: Place, event: &Event, report: &mut Report) {
        report.compared(Check::Crossings, 1);
        let told = event.event_type();
        let due = self.crossing_due.take();
        if due != Some(told) {
            let expected = due.map_or("none", EventType::as_str);
            report.differs(Check::Crossings, key(place, event), expected, told.as_str());
            return;
        }
        if event.version.0 != self.version {
            let expected = format!("version {}, that of the event before it", self.version);
            report.differs(
                Check::Versions,
                key(place, event),
                expected,
                format!("version {}", event.version),
            );
            return;
        }
        let (EventKind::LowStockWarning(crossing) | EventKind::StockReplenished(crossing)) = &event.kind
        else {
            unreachable!("only crossings take no version");
        };
        let below = event.product.stock < crossing.threshold;
        let fits = self.alive.as_ref().is_some_and(|alive| {
            core(&event.product) == alive.core
                && event.product.version.0 == self.version
                && crossing.previous_stock == alive.previous_stock
                && below == (told == EventType::LowStockWarning)
        });
        if !fits {
            let expected = "the product, stock and threshold of the event before it";
            report.differs(Check::Crossings, key(place, event), expected, "others");
        }
    }
}
