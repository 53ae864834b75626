//! Every product that the catalog or the log knows: rows and events sorted by product, then compared one by one.

use std::collections::HashMap;

use anyhow::Result;
use souk_domain::{Event, ProductId, Timestamp};
use souk_ports::CatalogRow;

use crate::history::{History, Row};
use crate::record::{Fields, Put};
use crate::report::{Check, Report};
use crate::sorter::Sorter;
use crate::step::{Place, Stand, Step};

/// Products kept in mind while their events are waited for, some megabytes of them; the rest is looked for again
/// when these are in.
const AWAITED: usize = 50_000;

/// Kinds of records, in the order in which a product's are read.
const ROW: u8 = 0;
const EVENT: u8 = 1;

/// Rows and events of all products.
pub(crate) struct Products {
    sorter: Sorter,
    record: Vec<u8>,
    /// Events so far, to keep their order.
    events: u64,
    /// Rows that did not change since are not looked for in the events; `None`: all events are read.
    since: Option<Timestamp>,
}

/// Products whose rows are ahead of the events read so far.
#[derive(Default)]
pub(crate) struct Ahead {
    /// The version that each row has.
    pub versions: HashMap<ProductId, u64>,
    /// Whether there are more than those.
    pub more: bool,
}

impl Ahead {
    /// Takes note of an event that was waited for.
    pub fn event(&mut self, event: &Event) {
        let id = event.product.id;
        if self.versions.get(&id).is_some_and(|version| event.version.0 >= *version) {
            self.versions.remove(&id);
        }
    }
}

impl Products {
    /// Makes one that keeps about `memory` bytes; with `since`, events before may be missing.
    pub fn new(memory: usize, since: Option<Timestamp>) -> Self {
        Self { sorter: Sorter::new(memory), record: Vec::new(), events: 0, since }
    }

    /// Takes in a row of the catalog.
    pub fn row(&mut self, row: &CatalogRow, report: &mut Report) -> Result<()> {
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
        let record = &mut self.record;
        record.clear();
        record.put_uuid(row.id.0);
        record.put_u8(ROW);
        record.put_u64(row.version.0);
        record.put_u8(u8::from(row.product.is_some()));
        if let Some(product) = &row.product {
            Stand::of(product).put(record);
        }
        self.sorter.push(record)
    }

    /// Takes in the next event of the log.
    pub fn event(&mut self, place: Place, event: &Event) -> Result<()> {
        self.events += 1;
        let record = &mut self.record;
        record.clear();
        record.put_uuid(event.product.id.0);
        record.put_u8(EVENT);
        record.put_u64(self.events);
        Step::of(place, event).put(record);
        self.sorter.push(record)
    }

    /// Returns the products whose rows have a version that no event had yet: their events may be on their way.
    pub fn ahead(&mut self) -> Result<Ahead> {
        let mut ahead = Ahead::default();
        let since = self.since;
        let mut note = |current: Option<(ProductId, Option<Row>, u64)>| {
            let Some((id, Some(row), seen)) = current else { return };
            if row.version > seen && (seen > 0 || expected_since(&row, since)) {
                if ahead.versions.len() < AWAITED {
                    ahead.versions.insert(id, row.version);
                } else {
                    ahead.more = true;
                }
            }
        };
        let mut current: Option<(ProductId, Option<Row>, u64)> = None;
        let mut sorted = self.sorter.sorted()?;
        while let Some(record) = sorted.next()? {
            let mut fields = Fields(record);
            let id = ProductId(fields.uuid());
            if current.as_ref().is_none_or(|(current, ..)| *current != id) {
                note(current.take());
            }
            let (_, row, seen) = current.get_or_insert((id, None, 0));
            match fields.u8() {
                ROW => *row = Some(read_row(&mut fields)),
                _ => {
                    let _ = fields.u64();
                    let step = Step::read(&mut fields);
                    if step.event_type.takes_version() {
                        *seen = step.version.max(*seen);
                    }
                }
            }
        }
        note(current);
        Ok(ahead)
    }

    /// Compares everything when all rows and events are in.
    pub fn finish(mut self, report: &mut Report) -> Result<()> {
        let (since, mut row, mut history) = (self.since, None::<Row>, None::<History>);
        let mut current = None;
        let mut sorted = self.sorter.sorted()?;
        while let Some(record) = sorted.next()? {
            let mut fields = Fields(record);
            let id = ProductId(fields.uuid());
            if let Some(before) = current.replace(id)
                && before != id
            {
                compare(before, row.take(), history.take(), since, report);
            }
            if fields.u8() == ROW {
                if row.replace(read_row(&mut fields)).is_some() {
                    report.differs(Check::Catalog, format!("product {id}"), "one row", "two");
                }
                continue;
            }
            let _ = fields.u64();
            let step = Step::read(&mut fields);
            history.get_or_insert_with(|| History::begin(id, &step, since.is_none())).step(
                &step,
                row.as_mut(),
                report,
            );
        }
        if let Some(last) = current {
            compare(last, row, history, since, report);
        }
        Ok(())
    }
}

fn read_row(fields: &mut Fields<'_>) -> Row {
    let version = fields.u64();
    let product = (fields.u8() == 1).then(|| Stand::read(fields));
    Row { version, product, met: false }
}

/// Tells whether a row without an event is one whose event has to be among those read.
fn expected_since(row: &Row, since: Option<Timestamp>) -> bool {
    match (since, &row.product) {
        (None, _) => true,
        // When a product was deleted, its tombstone does not say.
        (Some(_), None) => false,
        (Some(since), Some(product)) => product.updated_at >= since,
    }
}

/// Compares a product's row with where its events end.
fn compare(
    id: ProductId,
    row: Option<Row>,
    history: Option<History>,
    since: Option<Timestamp>,
    report: &mut Report,
) {
    let key = format!("product {id}");
    let last = history.as_ref().map_or(0, |history| history.version);
    match (&row, &history) {
        (Some(row), _) if row.version > last => {
            if last == 0 && !expected_since(row, since) {
                report.unchecked_products += 1;
                return;
            }
            report.differs(
                Check::Catalog,
                key.clone(),
                format!("an event of version {}, which the catalog has", row.version),
                if last == 0 { "no event".to_owned() } else { format!("a last event of version {last}") },
            );
        }
        (Some(row), Some(history)) if row.version < history.early_version => report.differs(
            Check::Catalog,
            key.clone(),
            format!("version {}, which the log had before the catalog was read", history.early_version),
            format!("a row of version {}", row.version),
        ),
        // Its version was passed over, and that is a difference of its own.
        (Some(row), Some(_)) if !row.met => report.differs(
            Check::Catalog,
            key.clone(),
            format!("an event of version {}, which the catalog has", row.version),
            "no event of that version".to_owned(),
        ),
        (None, Some(history)) if history.early_version > 0 => report.differs(
            Check::Catalog,
            key.clone(),
            match &history.alive {
                Some(_) => format!("a row of version {}", history.version),
                None => format!("a tombstone of version {}", history.version),
            },
            "no row".to_owned(),
        ),
        _ => {}
    }
    if let Some(due) = history.and_then(|history| history.crossing_due) {
        report.differs(Check::Crossings, key, format!("a {} at its end", due.as_str()), "none");
    }
}
