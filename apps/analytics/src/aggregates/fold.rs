//! Folds a batch of one partition's records into what it adds to each item.
//!
//! An event counts in fourteen items. Folding happens at the finest grain alone (minutes by total, seller and
//! category, days by product) and is then rolled up to the longer windows, since sums and offsets roll up exactly;
//! names are interned, so that an event costs four look-ups by number and no allocation.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use souk_domain::Timestamp;
use souk_ports::{AggregateKey, Dimension, ItemDelta, LogRecord, Measures, Offset, Window};
use uuid::Uuid;

use super::measure::Fact;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A batch of records, read once: what they say, with names as numbers.
#[derive(Default)]
pub struct Batch {
    facts: Vec<Row>,
    sellers: Names<Arc<str>>,
    categories: Names<Arc<str>>,
    products: Names<Uuid>,
    last: Option<Offset>,
    /// Records that are no events of ours: they count nowhere.
    pub unreadable: Vec<Unreadable>,
}

/// A record that is no event of ours.
#[derive(Debug)]
pub struct Unreadable {
    /// The record.
    pub record: LogRecord,
    /// Why it cannot be read.
    pub reason: String,
}

struct Row {
    offset: Offset,
    at: i64,
    seller: u32,
    category: u32,
    product: u32,
    measures: Measures,
}

/// An item within a batch: window, dimension, start of the bucket (0 for all time), name.
type Key = (Window, Dimension, i64, u32);

/// What a run of events adds to an item.
#[derive(Clone, Copy)]
struct Sum {
    first: Offset,
    last: Offset,
    measures: Measures,
}

impl Sum {
    fn of(row: &Row) -> Self {
        Self { first: row.offset, last: row.offset, measures: row.measures }
    }

    fn merge(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.measures.merge(&other.measures);
    }
}

/// Sums of one window and dimension, by start of the bucket and name.
type Level = HashMap<(i64, u32), Sum>;

fn add<K: Eq + Hash>(sums: &mut HashMap<K, Sum>, key: K, sum: Sum) {
    sums.entry(key).and_modify(|have| have.merge(&sum)).or_insert(sum);
}

/// Names by number, in the order of their first use.
struct Names<T> {
    numbers: HashMap<T, u32>,
    names: Vec<T>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), names: Vec::new() }
    }
}

impl<T: Eq + Hash + Ord + Clone> Names<T> {
    fn number<Q>(&mut self, name: &Q, own: impl FnOnce(&Q) -> T) -> u32
    where
        T: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("a batch has fewer names than records");
        let name = own(name);
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    /// Returns each name's place in the order of names.
    fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..).take(self.names.len()).collect();
        order.sort_unstable_by(|a, b| self.names[*a as usize].cmp(&self.names[*b as usize]));
        let mut ranks = vec![0; order.len()];
        for (rank, number) in (0..).zip(order) {
            ranks[number as usize] = rank;
        }
        ranks
    }
}

impl Batch {
    /// Reads `records`, which are of one partition.
    pub fn read(records: &[LogRecord]) -> Self {
        let mut batch = Self::default();
        batch.facts.reserve(records.len());
        for record in records {
            batch.push(record);
        }
        batch
    }

    /// Reads the next record of the partition; what the figures do not need of it is not kept.
    pub fn push(&mut self, record: &LogRecord) {
        self.last = Some(record.offset);
        let fact = match Fact::read(&record.payload) {
            Ok(fact) => fact,
            Err(error) => {
                self.unreadable.push(Unreadable { record: record.clone(), reason: error.to_string() });
                return;
            }
        };
        self.facts.push(Row {
            offset: record.offset,
            at: fact.at.millis(),
            seller: self.sellers.number(&*fact.seller, |name| Arc::from(name)),
            category: self.categories.number(&*fact.category, |name| Arc::from(name)),
            product: self.products.number(&fact.product.0, |id| *id),
            measures: fact.measures,
        });
    }

    /// Returns the number of records read.
    pub fn len(&self) -> usize {
        self.facts.len() + self.unreadable.len()
    }

    /// Tells whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the offset of the last record read.
    pub fn last(&self) -> Option<Offset> {
        self.last
    }

    /// Returns what the batch adds to each item, in the order of keys.
    pub fn fold(&self) -> Vec<ItemDelta> {
        let mut total = HashMap::new();
        let mut sellers = HashMap::new();
        let mut categories = HashMap::new();
        let mut products = HashMap::with_capacity(self.products.names.len());
        for row in &self.facts {
            let (minute, sum) = (floor(row.at, MINUTE), Sum::of(row));
            add(&mut total, (minute, 0), sum);
            add(&mut sellers, (minute, row.seller), sum);
            add(&mut categories, (minute, row.category), sum);
            add(&mut products, (floor(row.at, DAY), row.product), sum);
        }
        let mut sums = Vec::new();
        for (by, minutes) in
            [(Dimension::Total, total), (Dimension::Seller, sellers), (Dimension::Category, categories)]
        {
            let hours = roll_up(&minutes, |bucket| floor(bucket, HOUR));
            let days = roll_up(&hours, |bucket| floor(bucket, DAY));
            let all = roll_up(&days, |_| 0);
            for (window, level) in
                [(Window::Minute, minutes), (Window::Hour, hours), (Window::Day, days), (Window::All, all)]
            {
                sums.push((window, by, level));
            }
        }
        let all = roll_up(&products, |_| 0);
        sums.push((Window::Day, Dimension::Product, products));
        sums.push((Window::All, Dimension::Product, all));
        self.deltas(sums)
    }

    /// Returns what the events after an item's guard add to it, for the items in `guards` alone: what is left of a
    /// batch of which these items have counted some offsets before.
    pub fn fold_after(&self, guards: &HashMap<AggregateKey, Offset>) -> Vec<ItemDelta> {
        let guards: HashMap<Key, Offset> = guards
            .iter()
            .filter_map(|(key, counted)| {
                let bucket = key.bucket.map_or(0, Timestamp::millis);
                Some(((key.window, key.by, bucket, self.name_of(key)?), *counted))
            })
            .collect();
        let mut sums: BTreeMap<(Window, Dimension), Level> = BTreeMap::new();
        for row in &self.facts {
            for (window, by, bucket, name) in row.keys() {
                if guards.get(&(window, by, bucket, name)).is_some_and(|counted| row.offset > *counted) {
                    add(sums.entry((window, by)).or_default(), (bucket, name), Sum::of(row));
                }
            }
        }
        self.deltas(sums.into_iter().map(|((window, by), level)| (window, by, level)).collect())
    }

    fn name_of(&self, key: &AggregateKey) -> Option<u32> {
        match key.by {
            Dimension::Total => Some(0),
            Dimension::Seller => self.sellers.numbers.get(&key.key).copied(),
            Dimension::Category => self.categories.numbers.get(&key.key).copied(),
            Dimension::Product => self.products.numbers.get(&Uuid::try_parse(&key.key).ok()?).copied(),
        }
    }

    /// Gives the sums their keys, in order.
    fn deltas(&self, mut sums: Vec<(Window, Dimension, Level)>) -> Vec<ItemDelta> {
        sums.sort_unstable_by_key(|(window, by, _)| (*window, *by));
        let (sellers, categories, products) =
            (self.sellers.ranks(), self.categories.ranks(), self.products.ranks());
        // Both windows of a product share one text.
        let mut product_texts: Vec<Option<Arc<str>>> = vec![None; products.len()];
        let total: Arc<str> = Arc::from("total");
        let mut deltas = Vec::with_capacity(sums.iter().map(|(_, _, level)| level.len()).sum());
        for (window, by, level) in sums {
            let rank = |name: u32| match by {
                Dimension::Total => 0,
                Dimension::Seller => sellers[name as usize],
                Dimension::Category => categories[name as usize],
                Dimension::Product => products[name as usize],
            };
            let mut level: Vec<((i64, u32), Sum)> = level.into_iter().collect();
            level.sort_unstable_by_key(|((bucket, name), _)| (*bucket, rank(*name)));
            deltas.extend(level.into_iter().map(|((bucket, name), Sum { first, last, measures })| {
                let number = name as usize;
                let key = match by {
                    Dimension::Total => total.clone(),
                    Dimension::Seller => self.sellers.names[number].clone(),
                    Dimension::Category => self.categories.names[number].clone(),
                    Dimension::Product => product_texts[number]
                        .get_or_insert_with(|| text_of(self.products.names[number]))
                        .clone(),
                };
                let bucket = (window != Window::All).then(|| Timestamp::from_millis(bucket));
                ItemDelta { key: AggregateKey { window, by, bucket, key }, first, last, measures }
            }));
        }
        deltas
    }
}

impl Row {
    /// Returns the items that the event counts in.
    fn keys(&self) -> impl Iterator<Item = Key> {
        let windows =
            [(Window::Minute, MINUTE), (Window::Hour, HOUR), (Window::Day, DAY), (Window::All, i64::MAX)];
        let names = [
            (Dimension::Total, 0),
            (Dimension::Seller, self.seller),
            (Dimension::Category, self.category),
            (Dimension::Product, self.product),
        ];
        windows.into_iter().flat_map(move |(window, millis)| {
            let bucket = if window == Window::All { 0 } else { floor(self.at, millis) };
            let coarse = matches!(window, Window::Day | Window::All);
            names
                .into_iter()
                .filter(move |(by, _)| coarse || *by != Dimension::Product)
                .map(move |(by, name)| (window, by, bucket, name))
        })
    }
}

fn roll_up(level: &Level, bucket_of: impl Fn(i64) -> i64) -> Level {
    let mut rolled = HashMap::with_capacity(level.len());
    for ((bucket, name), sum) in level {
        add(&mut rolled, (bucket_of(*bucket), *name), *sum);
    }
    rolled
}

fn floor(time: i64, millis: i64) -> i64 {
    time.div_euclid(millis) * millis
}

fn text_of(id: Uuid) -> Arc<str> {
    Arc::from(&*id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()))
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
