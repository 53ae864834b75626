//! Aggregates counted anew, event by event, without the batches and roll-ups that production counts by.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use souk_analytics::aggregates::Fact;
use souk_ports::{AggregateKey, Dimension, ItemRow, Measures, Offset, Partition, Window};

use crate::report::{Check, Report};

/// Every stored item beside what its events come to.
pub(crate) struct Recount {
    /// What the aggregates had committed before their items were read, by partition.
    committed: Vec<Offset>,
    items: HashMap<(Partition, AggregateKey), Item>,
    /// Keys share their text.
    names: HashSet<Arc<str>>,
    total: Arc<str>,
}

struct Item {
    counted: Offset,
    stored: Measures,
    recounted: Measures,
    /// The last event at or before `counted`.
    last: Option<Offset>,
}

impl Recount {
    /// Makes a recount; `committed` are the aggregates' positions as they were before the first item was read.
    pub fn new(committed: Vec<Offset>) -> Self {
        Self { committed, items: HashMap::new(), names: HashSet::new(), total: Arc::from("total") }
    }

    /// Takes in a stored item.
    pub fn item(&mut self, row: ItemRow, report: &mut Report) {
        report.items += 1;
        let ItemRow { mut key, partition, counted, measures } = row;
        key.key = intern(&mut self.names, &key.key);
        let item = Item { counted, stored: measures, recounted: Measures::default(), last: None };
        let name = name(partition, &key);
        if self.items.insert((partition, key), item).is_some() {
            report.differs(Check::Aggregates, name, "one item", "two");
        }
    }

    /// Takes in the next event.
    pub fn event(&mut self, partition: Partition, offset: Offset, payload: &[u8], report: &mut Report) {
        // What is no event counts nowhere, and is a difference of its own.
        let Ok(fact) = Fact::read(payload) else { return };
        let committed = self.committed.get(partition as usize).copied().unwrap_or(0);
        let product = fact.product.to_string();
        let keys = [
            (Dimension::Total, self.total.clone()),
            (Dimension::Seller, intern(&mut self.names, &fact.seller)),
            (Dimension::Category, intern(&mut self.names, &fact.category)),
            (Dimension::Product, intern(&mut self.names, &product)),
        ];
        for window in Window::ALL {
            for (by, key) in &keys {
                if *by == Dimension::Product && !matches!(window, Window::Day | Window::All) {
                    continue;
                }
                let bucket = window.bucket(fact.at);
                let place = (partition, AggregateKey { window, by: *by, bucket, key: key.clone() });
                match self.items.get_mut(&place) {
                    Some(item) if offset <= item.counted => {
                        item.recounted.merge(&fact.measures);
                        item.last = Some(offset);
                    }
                    found if offset < committed => {
                        let expected = format!("offset {offset} counted, since {committed} is committed");
                        let found = match found {
                            Some(item) => format!("counted up to {}", item.counted),
                            None => "no item".to_owned(),
                        };
                        report.differs(Check::Aggregates, name(partition, &place.1), expected, found);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Compares each item with its recount.
    pub fn finish(self, report: &mut Report) {
        report.compared(Check::Aggregates, self.items.len() as u64);
        let mut items: Vec<_> = self.items.into_iter().collect();
        items.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for ((partition, key), item) in items {
            if item.stored != item.recounted {
                let (expected, found) = (describe(&item.recounted), describe(&item.stored));
                report.differs(Check::Aggregates, name(partition, &key), expected, found);
            } else if item.last != Some(item.counted) {
                let expected = match item.last {
                    Some(last) => format!("counted up to {last}, its last event"),
                    None => "no item, since it has no events".to_owned(),
                };
                let found = format!("counted up to {}", item.counted);
                report.differs(Check::Aggregates, name(partition, &key), expected, found);
            }
        }
    }
}

fn intern(names: &mut HashSet<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.get(name) {
        return known.clone();
    }
    let name: Arc<str> = Arc::from(name);
    names.insert(name.clone());
    name
}

/// Names an item.
fn name(partition: Partition, key: &AggregateKey) -> String {
    let bucket = key.bucket.map(|bucket| format!(" from {bucket}")).unwrap_or_default();
    format!("{} by {} of {:?}{bucket}, partition {partition}", key.window.as_str(), key.by.as_str(), key.key)
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
