//! Aggregates counted anew, event by event, without the batches and roll-ups that production counts by.
//!
//! Events before the committed position have to be in every item of theirs: they are summed up in memory as far as
//! they fit, and the sums are sorted by item. Events between that position and the last offset that any item has
//! counted are kept one by one, since each item says which of them it has. Later ones count nowhere yet.

use std::collections::HashMap;

use anyhow::Result;
use souk_analytics::aggregates::Fact;
use souk_domain::{Amount, Timestamp};
use souk_ports::{AggregateKey, Dimension, ItemRow, Measures, Offset, Partition, Window};

use crate::record::{Fields, Put};
use crate::repair::Fixes;
use crate::report::{Check, Report};
use crate::sorter::Sorter;

/// What a sum in memory costs beside its key: itself, its place in the map, and the allocator's share.
const SUM_BYTES: usize = 240;

/// Kinds of records, in the order in which an item's are read.
const STORED: u8 = 0;
const SUM: u8 = 1;
const LATER: u8 = 2;

/// Every stored item beside what its events come to.
pub(crate) struct Recount {
    /// What the aggregates had committed before their items were read, by partition.
    committed: Vec<Offset>,
    /// The last offset that any item has counted, by partition.
    counted: Vec<Offset>,
    /// Items whose buckets begin before are left out: not all of their events are read.
    from: Option<Timestamp>,
    sums: HashMap<Box<[u8]>, Sum>,
    sums_bytes: usize,
    memory: usize,
    sorter: Sorter,
    record: Vec<u8>,
}

/// What events come to.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    measures: Measures,
    /// The first and the last of them; `None` when there are none.
    span: Option<(Offset, Offset)>,
}

impl Sum {
    fn merge(&mut self, measures: &Measures, first: Offset, last: Offset) {
        self.measures.merge(measures);
        let (begin, end) = self.span.unwrap_or((first, last));
        self.span = Some((begin.min(first), end.max(last)));
    }
}

impl Recount {
    /// Makes a recount that keeps about `memory` bytes; `committed` are the aggregates' positions as they were before
    /// the first item was read.
    pub fn new(committed: Vec<Offset>, from: Option<Timestamp>, memory: usize) -> Self {
        Self {
            committed,
            counted: Vec::new(),
            from,
            sums: HashMap::new(),
            sums_bytes: 0,
            memory: memory / 2,
            sorter: Sorter::new(memory / 2),
            record: Vec::new(),
        }
    }

    fn leaves_out(&self, bucket: Option<Timestamp>) -> bool {
        self.from.is_some_and(|from| bucket.is_none_or(|bucket| bucket < from))
    }

    /// Takes in a stored item; all of them come before the first event.
    pub fn item(&mut self, row: &ItemRow, report: &mut Report) -> Result<()> {
        report.items += 1;
        let ItemRow { key, partition, counted, measures } = row;
        let at = *partition as usize;
        if self.counted.len() <= at {
            self.counted.resize(at + 1, 0);
        }
        self.counted[at] = self.counted[at].max(*counted);
        if self.leaves_out(key.bucket) {
            report.unchecked_items += 1;
            return Ok(());
        }
        put_item(&mut self.record, *partition, key.window, key.by, key.bucket, &key.key);
        self.record.put_u8(STORED);
        put_sum(&mut self.record, *counted, *counted, measures);
        self.sorter.push(&self.record)
    }

    /// Takes in the next event.
    pub fn event(&mut self, partition: Partition, offset: Offset, payload: &[u8]) -> Result<()> {
        // What is no event counts nowhere, and is looked at elsewhere.
        let Ok(fact) = Fact::read(payload) else { return Ok(()) };
        let at = |offsets: &[Offset]| offsets.get(partition as usize).copied().unwrap_or(0);
        let settled = offset < at(&self.committed);
        if !settled && offset > at(&self.counted) {
            return Ok(());
        }
        let product = fact.product.to_string();
        let keys = [
            (Dimension::Total, "total"),
            (Dimension::Seller, &*fact.seller),
            (Dimension::Category, &*fact.category),
            (Dimension::Product, &*product),
        ];
        for window in Window::ALL {
            let bucket = window.bucket(fact.at);
            if self.leaves_out(bucket) {
                continue;
            }
            for (by, key) in keys {
                if by == Dimension::Product && !matches!(window, Window::Day | Window::All) {
                    continue;
                }
                put_item(&mut self.record, partition, window, by, bucket, key);
                if settled {
                    self.sum(&fact.measures, offset)?;
                } else {
                    self.record.put_u8(LATER);
                    put_sum(&mut self.record, offset, offset, &fact.measures);
                    self.sorter.push(&self.record)?;
                }
            }
        }
        Ok(())
    }

    /// Adds to the sum of the item that `record` names.
    fn sum(&mut self, measures: &Measures, offset: Offset) -> Result<()> {
        if let Some(sum) = self.sums.get_mut(&*self.record) {
            sum.merge(measures, offset, offset);
            return Ok(());
        }
        if self.sums_bytes + SUM_BYTES + self.record.len() > self.memory {
            self.spill()?;
        }
        self.sums_bytes += SUM_BYTES + self.record.len();
        let mut sum = Sum::default();
        sum.merge(measures, offset, offset);
        self.sums.insert(self.record.as_slice().into(), sum);
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let mut record = Vec::new();
        for (item, Sum { measures, span }) in self.sums.drain() {
            let (first, last) = span.expect("a sum is of an event at least");
            record.clear();
            record.put(&item);
            record.put_u8(SUM);
            put_sum(&mut record, first, last, &measures);
            self.sorter.push(&record)?;
        }
        self.sums_bytes = 0;
        Ok(())
    }

    /// Compares each item with its recount; `fixes` takes what would put it right.
    pub fn finish(mut self, report: &mut Report, fixes: &mut Fixes) -> Result<()> {
        self.spill()?;
        let Self { committed, mut sorter, .. } = self;
        let mut group: Option<Group> = None;
        let mut sorted = sorter.sorted()?;
        while let Some(record) = sorted.next()? {
            let mut fields = Fields(record);
            let (partition, key) = read_item(&mut fields);
            if group.as_ref().is_none_or(|group| group.partition != partition || group.key != key)
                && let Some(group) = group.replace(Group::new(partition, key))
            {
                group.compare(&committed, report, fixes)?;
            }
            let group = group.as_mut().expect("it was just made");
            let kind = fields.u8();
            let (first, last, measures) = read_sum(&mut fields);
            match kind {
                STORED if group.stored.replace((last, measures)).is_some() => {
                    report.differs(Check::Aggregates, group.name(), "one item", "two");
                }
                STORED => report.compared(Check::Aggregates, 1),
                SUM => group.settled.merge(&measures, first, last),
                _ => {
                    if group.stored.is_some_and(|(counted, _)| last <= counted) {
                        group.later.merge(&measures, first, last);
                    }
                }
            }
        }
        if let Some(group) = group {
            group.compare(&committed, report, fixes)?;
        }
        Ok(())
    }
}

/// One item: what is stored, and what its events come to.
struct Group {
    partition: Partition,
    key: AggregateKey,
    /// The last offset counted, and the figures.
    stored: Option<(Offset, Measures)>,
    /// Events before the committed position.
    settled: Sum,
    /// Events from there on that the item says it has.
    later: Sum,
}

impl Group {
    fn new(partition: Partition, key: AggregateKey) -> Self {
        Self { partition, key, stored: None, settled: Sum::default(), later: Sum::default() }
    }

    fn name(&self) -> String {
        let Self { partition, key: AggregateKey { window, by, bucket, key }, .. } = self;
        let bucket = bucket.map(|bucket| format!(" from {bucket}")).unwrap_or_default();
        format!("{} by {} of {key:?}{bucket}, partition {partition}", window.as_str(), by.as_str())
    }

    fn compare(self, committed: &[Offset], report: &mut Report, fixes: &mut Fixes) -> Result<()> {
        let mut all = self.settled;
        if let Some((first, last)) = self.later.span {
            all.merge(&self.later.measures, first, last);
        }
        let last = all.span.map(|(_, last)| last);
        let missed =
            self.settled.span.filter(|(_, last)| self.stored.is_none_or(|(counted, _)| counted < *last));
        let (expected, found) = match (self.stored, missed) {
            (stored, Some((_, missed))) => {
                let committed = committed.get(self.partition as usize).copied().unwrap_or(0);
                let found = match stored {
                    Some((counted, _)) => format!("counted up to {counted}"),
                    None => "no item".to_owned(),
                };
                (format!("offset {missed} counted, since {committed} is committed"), found)
            }
            (Some((_, stored)), None) if stored != all.measures => {
                (describe(&all.measures), describe(&stored))
            }
            (Some((counted, _)), None) if last != Some(counted) => {
                let expected = match last {
                    Some(last) => format!("counted up to {last}, its last event"),
                    None => "no item, since it has no events".to_owned(),
                };
                (expected, format!("counted up to {counted}"))
            }
            _ => return Ok(()),
        };
        report.differs(Check::Aggregates, self.name(), expected, found);
        let Self { partition, key, settled, .. } = self;
        // What comes after the committed position is read again by the consumer, and counted then.
        match settled.span {
            Some((_, counted)) => {
                fixes.replace(&ItemRow { key, partition, counted, measures: settled.measures })
            }
            None => fixes.remove(&ItemRow { key, partition, counted: 0, measures: Measures::default() }),
        }
    }
}

/// Writes an item's key, the same bytes for the same item; `record` holds nothing else then.
pub(crate) fn put_item(
    record: &mut Vec<u8>,
    partition: Partition,
    window: Window,
    by: Dimension,
    bucket: Option<Timestamp>,
    key: &str,
) {
    record.clear();
    record.put_u32(partition);
    record.put_u8(window as u8);
    record.put_u8(by as u8);
    record.put_i64(bucket.map_or(0, Timestamp::millis));
    record.put_text(key);
}

pub(crate) fn read_item(fields: &mut Fields<'_>) -> (Partition, AggregateKey) {
    let partition = fields.u32();
    let window = Window::ALL[usize::from(fields.u8())];
    let by = Dimension::ALL[usize::from(fields.u8())];
    let bucket = fields.i64();
    let bucket = (window != Window::All).then(|| Timestamp::from_millis(bucket));
    (partition, AggregateKey { window, by, bucket, key: fields.text().into() })
}

pub(crate) fn put_sum(record: &mut Vec<u8>, first: Offset, last: Offset, measures: &Measures) {
    record.put_u64(first);
    record.put_u64(last);
    for count in measures.events {
        record.put_u64(count);
    }
    record.put_i64(measures.units_sold);
    record.put_i64(measures.units_returned);
    record.put_i128(measures.revenue.units());
    record.put_i64(measures.stock_delta);
    record.put_i128(measures.stock_value.units());
    record.put_i64(measures.low_stock_products);
}

pub(crate) fn read_sum(fields: &mut Fields<'_>) -> (Offset, Offset, Measures) {
    let (first, last) = (fields.u64(), fields.u64());
    let measures = Measures {
        events: std::array::from_fn(|_| fields.u64()),
        units_sold: fields.i64(),
        units_returned: fields.i64(),
        revenue: Amount::from_units(fields.i128()),
        stock_delta: fields.i64(),
        stock_value: Amount::from_units(fields.i128()),
        low_stock_products: fields.i64(),
    };
    (first, last, measures)
}

fn describe(measures: &Measures) -> String {
    let Measures {
        events,
        units_sold,
        units_returned,
        revenue,
        stock_delta,
        stock_value,
        low_stock_products,
    } = measures;
    format!(
        "events {events:?}, sold {units_sold}, returned {units_returned}, revenue {revenue}, stock {stock_delta}, \
         value {stock_value}, low {low_stock_products}"
    )
}
