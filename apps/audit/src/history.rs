//! The history of one product: each event has to follow from the state that those before it leave.

use souk_domain::{EventType, Phase, ProductId, Stock, Timestamp};
use souk_ports::Partition;

use crate::report::{Check, Report};
use crate::step::{Stand, Step};

/// A product's row in the catalog.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub version: u64,
    /// `None` when deleted.
    pub product: Option<Stand>,
    /// Whether the event of its version was met.
    pub met: bool,
}

/// A product as its events so far leave it.
pub(crate) struct History {
    pub id: ProductId,
    pub version: u64,
    /// The last version that was in the log before the catalog was read; 0 when there was none.
    pub early_version: u64,
    /// Where its events are.
    partition: Partition,
    /// Whether events before the first one met were left out, so that nothing is known of the state before it.
    begins_later: bool,
    /// `None` when deleted.
    pub alive: Option<Alive>,
    /// The crossing that has to be told next.
    pub crossing_due: Option<EventType>,
}

pub(crate) struct Alive {
    product: Stand,
    /// The stock before the last event, for the crossing that may follow it.
    previous_stock: Option<Stock>,
}

impl Row {
    fn compare(&mut self, id: ProductId, step: &Step, report: &mut Report) {
        if step.version != self.version {
            return;
        }
        self.met = true;
        let deleted = step.event_type == EventType::ProductDeleted;
        let (expected, found) = match (&self.product, deleted) {
            (None, true) => return,
            (Some(row), false) if *row == step.product => return,
            (Some(_), false) => ("the product as the event has it", "a row that differs"),
            (Some(_), true) => ("a tombstone", "a row"),
            (None, false) => ("a row", "a tombstone"),
        };
        report.differs(Check::Catalog, step.name(id), expected, found);
    }
}

impl History {
    /// Begins with the first event met, `step`; `whole` when none before it was left out.
    pub fn begin(id: ProductId, step: &Step, whole: bool) -> Self {
        let begins_later = !whole && (step.version != 1 || !step.event_type.takes_version());
        Self {
            id,
            version: 0,
            early_version: 0,
            partition: step.place.partition,
            begins_later,
            alive: None,
            crossing_due: None,
        }
    }

    /// Takes in the next event.
    pub fn step(&mut self, step: &Step, row: Option<&mut Row>, report: &mut Report) {
        report.compared(Check::Versions, 1);
        report.compared(Check::Changes, 1);
        let partition = step.place.partition;
        if self.partition != partition {
            let expected = format!("partition {}, where product {} began", self.partition, self.id);
            report.differs(Check::Versions, step.name(self.id), expected, format!("partition {partition}"));
        }
        if step.event_type.takes_version() {
            self.versioned(step, report);
            if let Some(row) = row {
                row.compare(self.id, step, report);
            }
        } else if !self.begins_later {
            self.crossing(step, report);
        }
    }

    fn versioned(&mut self, step: &Step, report: &mut Report) {
        if let Some(due) = self.crossing_due.take() {
            report.compared(Check::Crossings, 1);
            let expected = format!("a {} of version {} before it", due.as_str(), self.version);
            report.differs(Check::Crossings, step.name(self.id), expected, "none");
        }
        let (expected, version) = (self.version + 1, step.version);
        if step.place.early {
            self.early_version = self.early_version.max(version);
        }
        if std::mem::take(&mut self.begins_later) {
            // Whatever was before it is taken for right.
        } else if version != expected {
            let expected = format!("version {expected}");
            report.differs(Check::Versions, step.name(self.id), expected, format!("version {version}"));
            if version <= self.version {
                // One that was there before, or one out of its order.
                return;
            }
        } else if let Some((expected, found)) = self.contradiction(step) {
            report.differs(Check::Changes, step.name(self.id), expected, found);
        }
        self.version = version;
        if step.event_type == EventType::ProductDeleted {
            self.alive = None;
            return;
        }
        self.crossing_due = match (step.was_low, step.low_stock) {
            // A copy tells nobody of what was low before.
            _ if step.migrated == Some(Phase::Copy) => None,
            (false, true) => Some(EventType::LowStockWarning),
            (true, false) => Some(EventType::StockReplenished),
            _ => None,
        };
        self.alive = Some(Alive { product: step.product, previous_stock: step.stock_before });
    }

    /// Tells what in `step` does not follow from this state: what should be, and what is.
    fn contradiction(&self, step: &Step) -> Option<(String, String)> {
        let differs = |expected: &str, found: &str| Some((expected.to_owned(), found.to_owned()));
        match (step.event_type, &self.alive) {
            (EventType::ProductCreated, Some(_)) => return differs("no product of this id", "a product"),
            (EventType::ProductUpdated | EventType::ProductDeleted, None) => {
                return differs("a product", "none");
            }
            (EventType::ProductDeleted, Some(alive)) => {
                let same = step.product == Stand { version: self.version, ..alive.product };
                return if same { None } else { differs("the product as it was last", "another state") };
            }
            (EventType::ProductUpdated, Some(alive)) => match step.before {
                None => return differs("changes that lead to the product", "changes that do not"),
                Some(before) if before != alive.product.core => {
                    return differs("changes from the state before", "changes from another state");
                }
                Some(_) => {}
            },
            _ => {}
        }
        let Stand { version, updated_at, .. } = step.product;
        if version != step.version || updated_at != step.time && step.migrated.is_none() {
            let told = |version: u64, time: Timestamp| format!("version {version}, changed at {time}");
            let expected = format!("a product of {}", told(step.version, step.time));
            return Some((expected, told(version, updated_at)));
        }
        None
    }

    fn crossing(&mut self, step: &Step, report: &mut Report) {
        report.compared(Check::Crossings, 1);
        let told = step.event_type;
        let due = self.crossing_due.take();
        if due != Some(told) {
            let expected = due.map_or("none", EventType::as_str);
            report.differs(Check::Crossings, step.name(self.id), expected, told.as_str());
            return;
        }
        if step.version != self.version {
            let expected = format!("version {}, that of the event before it", self.version);
            let found = format!("version {}", step.version);
            report.differs(Check::Versions, step.name(self.id), expected, found);
            return;
        }
        let fits = self.alive.as_ref().is_some_and(|alive| {
            step.product.core == alive.product.core
                && step.product.version == self.version
                && step.stock_before == alive.previous_stock
                && step.below == (told == EventType::LowStockWarning)
        });
        if !fits {
            let expected = "the product, stock and threshold of the event before it";
            report.differs(Check::Crossings, step.name(self.id), expected, "others");
        }
    }
}
