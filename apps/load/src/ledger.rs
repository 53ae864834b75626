//! What was acknowledged, and what was seen of it: a few bits for each version of each product.
//!
//! Every acknowledged write has one version and one event of that version; a write that crosses the product's
//! threshold has one more. What the stream and the recent events deliver is marked beside it, so that a lost event
//! is a mark that is missing and a doubled one is a mark that is there already.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use souk_domain::{EventType, Timestamp};
use souk_events::Cursor;
use uuid::Uuid;

use crate::offsets::Offsets;
use crate::requests::{AdjustmentAnswer, ProductAnswer};
use crate::verdict::{Fault, FaultKind};

/// Examples kept of each kind of fault: enough to begin a search with.
const EXAMPLES: usize = 5;
/// Furthest that a version may be beyond a product's first: bounds what a made-up event can make us allocate.
const MAX_VERSIONS: u64 = 1 << 26;

/// The ledger, shared by writers, the stream reader and the proof.
pub(crate) type SharedLedger = Arc<Mutex<Ledger>>;

/// Where an event was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The event stream.
    Stream,
    /// The recent events.
    Recent,
}

impl Source {
    fn shift(self) -> u32 {
        match self {
            Self::Stream => 3,
            Self::Recent => 6,
        }
    }
}

/// The event of the write itself, of a crossing downwards, and of one upwards. Wanted ones are the lowest three
/// bits of a mark, those seen lie above, by [`Source::shift`].
const WRITE: u16 = 1;
const LOW: u16 = 2;
const HIGH: u16 = 4;
const EVENTS: u16 = WRITE | LOW | HIGH;

/// A product's part of the ledger.
struct Account {
    id: Uuid,
    /// The version of the first mark.
    base: u64,
    /// Whether that version is a create.
    created: bool,
    /// The next version to be acknowledged.
    next: u64,
    stock: i64,
    low: bool,
    marks: Vec<u16>,
    /// When each version was written, by the server's clock.
    times: Vec<Timestamp>,
}

/// The state that a product must have at the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub id: Uuid,
    pub stock: i64,
    pub low_stock: bool,
    pub version: u64,
}

/// See the module's documentation.
pub(crate) struct Ledger {
    accounts: Vec<Account>,
    by_id: HashMap<Uuid, usize>,
    /// Events of ids that are not known yet, while products are created.
    early: Option<Vec<(Uuid, u64, EventType)>>,
    /// When the first acknowledged write happened.
    pub earliest: Option<Timestamp>,
    /// Events that the stream delivered.
    pub events: u64,
    /// How often the stream was resumed.
    pub resumed: u64,
    /// The offsets that the stream delivered; `None` once an id was no position, or one of another log.
    pub offsets: Option<Offsets>,
    /// Where the stream is.
    pub position: Option<Cursor>,
    faults: BTreeMap<FaultKind, Fault>,
}

impl Ledger {
    /// Makes an empty ledger that keeps events of unknown products until [`Ledger::seal`].
    pub fn new() -> Self {
        Self {
            accounts: Vec::new(),
            by_id: HashMap::new(),
            early: Some(Vec::new()),
            earliest: None,
            events: 0,
            resumed: 0,
            offsets: Some(Offsets::default()),
            position: None,
            faults: BTreeMap::new(),
        }
    }

    /// Records a fault.
    pub fn fault(&mut self, kind: FaultKind, example: impl FnOnce() -> String) {
        let fault = self.faults.entry(kind).or_insert(Fault { kind, count: 0, examples: Vec::new() });
        fault.count += 1;
        if fault.examples.len() < EXAMPLES {
            fault.examples.push(example());
        }
    }

    /// Opens a product's account, created just now or found; returns its number.
    pub fn open(&mut self, product: &ProductAnswer, created: bool) -> usize {
        let number = self.accounts.len();
        self.by_id.insert(product.id, number);
        self.accounts.push(Account {
            id: product.id,
            base: if created { product.version } else { product.version + 1 },
            created,
            next: product.version + 1,
            stock: product.stock,
            low: product.low_stock,
            marks: Vec::new(),
            times: Vec::new(),
        });
        if created {
            let crossing = if product.low_stock { LOW } else { 0 };
            self.acknowledge(number, product.version, crossing, product.updated_at);
        }
        number
    }

    /// Records the answer to an adjustment of `delta` pieces.
    pub fn adjusted(&mut self, number: usize, delta: i64, answer: &AdjustmentAnswer) {
        let AdjustmentAnswer { product, previous_stock } = answer;
        let account = &mut self.accounts[number];
        let expected = (account.id, account.next, account.stock, account.stock + delta);
        let answered = (product.id, product.version, *previous_stock, product.stock);
        let crossing = match (account.low, product.low_stock) {
            (false, true) => LOW,
            (true, false) => HIGH,
            _ => 0,
        };
        account.stock += delta;
        account.low = product.low_stock;
        account.next = product.version + 1;
        if expected != answered {
            self.fault(FaultKind::AnswerDiffers, || {
                format!(
                    "product {}: expected version {} and stock {} -> {}, answered {} version {} and {} -> {}",
                    expected.0,
                    expected.1,
                    expected.2,
                    expected.3,
                    answered.0,
                    answered.1,
                    answered.2,
                    answered.3
                )
            });
        }
        self.acknowledge(number, product.version, crossing, product.updated_at);
    }

    fn acknowledge(&mut self, number: usize, version: u64, crossing: u16, time: Timestamp) {
        self.earliest = Some(self.earliest.map_or(time, |earliest| earliest.min(time)));
        let Some(index) = self.accounts[number].index(version) else { return };
        let account = &mut self.accounts[number];
        account.marks[index] |= WRITE | crossing;
        account.times[index] = time;
    }

    /// Says that all products are known: events of others are of no interest from here on.
    pub fn seal(&mut self) {
        for (id, version, kind) in self.early.take().unwrap_or_default() {
            self.observe(Source::Stream, id, version, kind);
        }
    }

    /// Marks an event as seen; tells whether it is of one of the shop's products, as far as is known yet.
    pub fn observe(&mut self, source: Source, id: Uuid, version: u64, kind: EventType) -> bool {
        let Some(number) = self.by_id.get(&id) else {
            if source == Source::Stream
                && let Some(early) = &mut self.early
            {
                early.push((id, version, kind));
                return true;
            }
            return false;
        };
        let account = &mut self.accounts[*number];
        // Before the run, or beyond all reason: none of ours.
        let Some(index) = account.index(version) else { return true };
        let event = match kind {
            EventType::LowStockWarning => LOW,
            EventType::StockReplenished => HIGH,
            EventType::ProductCreated | EventType::ProductUpdated | EventType::ProductDeleted => WRITE,
        };
        let created = account.created && index == 0;
        let right = if created { EventType::ProductCreated } else { EventType::ProductUpdated };
        let bit = event << source.shift();
        let doubled = account.marks[index] & bit != 0;
        account.marks[index] |= bit;
        if kind.takes_version() && kind != right {
            self.fault(FaultKind::WrongType, || {
                format!("product {id} version {version}: {} instead of {}", kind.as_str(), right.as_str())
            });
        }
        if doubled {
            let fault = match source {
                Source::Stream => FaultKind::DoubledInStream,
                Source::Recent => FaultKind::DoubledInRecent,
            };
            self.fault(fault, || format!("product {id} version {version}: {}", kind.as_str()));
        }
        true
    }

    /// Forgets what was seen in `source`, to look again.
    pub fn forget(&mut self, source: Source) {
        let keep = !(EVENTS << source.shift());
        self.accounts.iter_mut().flat_map(|account| &mut account.marks).for_each(|mark| *mark &= keep);
        if source == Source::Recent {
            self.faults.remove(&FaultKind::DoubledInRecent);
        }
    }

    /// Counts the events that acknowledged writes made and that `source` has not shown.
    pub fn outstanding(&self, source: Source) -> usize {
        let missing = |mark: &u16| ((*mark & EVENTS) & !(*mark >> source.shift())).count_ones() as usize;
        self.accounts.iter().flat_map(|account| &account.marks).map(missing).sum()
    }

    /// Counts the acknowledged writes.
    pub fn acknowledged(&self) -> usize {
        self.count(WRITE)
    }

    /// Counts the crossings that acknowledged writes made.
    pub fn crossings(&self) -> usize {
        self.count(LOW | HIGH)
    }

    fn count(&self, bits: u16) -> usize {
        let marks = self.accounts.iter().flat_map(|account| &account.marks);
        marks.map(|mark| (mark & bits).count_ones() as usize).sum()
    }

    /// Returns how every product must be at the end.
    pub fn expected(&self) -> Vec<Expected> {
        let expected = |account: &Account| Expected {
            id: account.id,
            stock: account.stock,
            low_stock: account.low,
            version: account.next - 1,
        };
        self.accounts.iter().map(expected).collect()
    }

    /// Turns what is missing, and what nobody acknowledged, into faults. Recent events count from `recent_from`,
    /// the time of the oldest one held: what is older has left them and is the archive's, if that was `archive_compared`.
    pub fn settle(&mut self, recent_from: Option<Timestamp>, archive_compared: bool) {
        let accounts = std::mem::take(&mut self.accounts);
        for account in &accounts {
            let versions = (account.base..).zip(account.marks.iter().zip(&account.times));
            for (version, (mark, time)) in versions {
                let place = |events: u16| {
                    let names = [(WRITE, "the write"), (LOW, "the warning"), (HIGH, "the replenishment")];
                    let named: Vec<_> =
                        names.iter().filter(|(bit, _)| events & bit != 0).map(|(_, name)| *name).collect();
                    format!("product {} version {version}: {}", account.id, named.join(" and "))
                };
                let wanted = mark & EVENTS;
                let (streamed, recent) =
                    (mark >> Source::Stream.shift() & EVENTS, mark >> Source::Recent.shift() & EVENTS);
                let lost = wanted & !streamed;
                if lost != 0 {
                    self.fault(FaultKind::LostInStream, || place(lost));
                }
                let lost = wanted & !recent;
                if lost != 0 && recent_from.is_none_or(|from| *time >= from) {
                    self.fault(FaultKind::LostInRecent, || place(lost));
                } else if lost != 0 && !archive_compared {
                    self.fault(FaultKind::NotProven, || {
                        format!(
                            "{}: not among the recent events, and the stream's ids did not tell how many rows the \
                             archive has to have; `souk audit` compares every event with it",
                            place(lost)
                        )
                    });
                }
                let unknown = (streamed | recent) & !wanted;
                if unknown != 0 {
                    self.fault(FaultKind::NeverAcknowledged, || place(unknown));
                }
            }
        }
        self.accounts = accounts;
    }

    /// Returns the faults by kind.
    pub fn take_faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults).into_values().collect()
    }
}

impl Account {
    /// Returns where the marks of `version` are, making room; `None` before the run or beyond all reason.
    fn index(&mut self, version: u64) -> Option<usize> {
        let distance = version.checked_sub(self.base).filter(|distance| *distance < MAX_VERSIONS)?;
        let index = usize::try_from(distance).ok()?;
        if self.marks.len() <= index {
            self.marks.resize(index + 1, 0);
            self.times.resize(index + 1, Timestamp::default());
        }
        Some(index)
    }
}

#[cfg(test)]
mod tests;
