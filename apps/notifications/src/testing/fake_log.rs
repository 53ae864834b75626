//! A log of several partitions, in memory, that does what tests tell it to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{
    ErrorKind, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds, PortError, ReadLimit,
    Tail,
};
use tokio::sync::watch;

use super::Place;

/// A log in memory; clones are the same log.
#[derive(Clone)]
pub(crate) struct FakeLog {
    id: LogId,
    state: Arc<Mutex<State>>,
    appends: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    partitions: Vec<Part>,
    /// Calls that fail from now on.
    failures: u32,
    reads: usize,
    /// How often it was asked what it holds.
    bounds: usize,
    /// Records that a read returns at most.
    most_per_read: usize,
    /// Tails bring nothing.
    holds_tails: bool,
}

#[derive(Default, Clone)]
struct Part {
    records: BTreeMap<Offset, LogRecord>,
    earliest: Offset,
    next: Offset,
}

impl FakeLog {
    pub(crate) fn new(id: u64, partitions: usize) -> Self {
        let partitions = vec![Part::default(); partitions];
        let state = State { partitions, most_per_read: usize::MAX, ..State::default() };
        Self { id: LogId(id), state: Arc::new(Mutex::new(state)), appends: watch::Sender::new(0) }
    }

    /// Appends an event of `seller` and returns its place.
    pub(crate) fn append(&self, partition: Partition, seller: &str, kind: &str) -> Place {
        let offset = self.state.lock().partitions[partition as usize].next;
        self.append_raw(partition, event(partition, offset, seller, kind))
    }

    pub(crate) fn append_raw(&self, partition: Partition, payload: String) -> Place {
        let offset = {
            let mut state = self.state.lock();
            let part = &mut state.partitions[partition as usize];
            let offset = part.next;
            let appended_at = Timestamp::from_millis(0);
            let record = LogRecord { partition, offset, appended_at, payload: Bytes::from(payload) };
            part.records.insert(offset, record);
            part.next += 1;
            offset
        };
        self.appends.send_modify(|count| *count += 1);
        (partition, offset)
    }

    /// Leaves a hole, as a transaction marker does.
    pub(crate) fn skip(&self, partition: Partition, offsets: u64) {
        self.state.lock().partitions[partition as usize].next += offsets;
    }

    /// Lets go of everything before `earliest`.
    pub(crate) fn trim(&self, partition: Partition, earliest: Offset) {
        let mut state = self.state.lock();
        let part = &mut state.partitions[partition as usize];
        part.records = part.records.split_off(&earliest);
        part.earliest = earliest;
    }

    pub(crate) fn add_partition(&self) {
        self.state.lock().partitions.push(Part::default());
    }

    /// Lets the next calls fail.
    pub(crate) fn fail(&self, calls: u32) {
        self.state.lock().failures = calls;
        self.appends.send_modify(|count| *count += 1);
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.state.lock().failures > 0
    }

    pub(crate) fn reads(&self) -> usize {
        self.state.lock().reads
    }

    /// Returns how often it was asked what it holds.
    pub(crate) fn bounds_asked(&self) -> usize {
        self.state.lock().bounds
    }

    /// Lets reads come back short of their limits, with so many records at most.
    pub(crate) fn read_at_most(&self, records: usize) {
        self.state.lock().most_per_read = records;
    }

    /// Lets tails bring nothing, or go on.
    pub(crate) fn hold_tails(&self, hold: bool) {
        self.state.lock().holds_tails = hold;
        self.appends.send_modify(|count| *count += 1);
    }

    fn try_call(&self) -> Result<(), PortError> {
        let mut state = self.state.lock();
        if state.failures == 0 {
            return Ok(());
        }
        state.failures -= 1;
        Err(PortError::new(ErrorKind::Unavailable, "the log was told to fail"))
    }
}

/// Returns an event that tells its place in the log.
pub(crate) fn event(partition: Partition, offset: Offset, seller: &str, kind: &str) -> String {
    let product = product_of(offset);
    format!(
        r#"{{"specversion":"1.0","id":"00000000-0000-0000-0000-000000000001","source":"/souk/api","type":"{kind}","subject":"{product}","time":"2026-11-22T18:00:00.123Z","datacontenttype":"application/json","sellerid":"{seller}","data":{{"version":1,"place":[{partition},{offset}]}}}}"#
    )
}

/// Returns the product of the event at `offset`: one of seven.
pub(crate) fn product_of(offset: Offset) -> uuid::Uuid {
    uuid::Uuid::from_u128(u128::from(offset % 7))
}

#[async_trait]
impl EventLog for FakeLog {
    fn identity(&self) -> LogId {
        self.id
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        self.try_call()?;
        let mut state = self.state.lock();
        state.bounds += 1;
        let bounds = |part: &Part| PartitionBounds {
            earliest: part.earliest,
            next: part.next,
            last_appended_at: None,
        };
        Ok(state.partitions.iter().map(bounds).collect())
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        self.try_call()?;
        // Others get a turn, as with a real log.
        tokio::task::yield_now().await;
        let mut state = self.state.lock();
        state.reads += 1;
        let mut bytes = 0;
        let records = state.partitions[partition as usize].records.range(from..).map(|(_, record)| record);
        let take = records.take(limit.records.min(state.most_per_read)).take_while(|record| {
            let goes_on = bytes < limit.bytes;
            bytes += record.payload.len();
            goes_on
        });
        Ok(take.cloned().collect())
    }

    async fn tail(&self, from: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        self.try_call()?;
        let mut next = from.to_vec();
        next.resize(self.state.lock().partitions.len().max(next.len()), 0);
        // Another tail merges the partitions in another order.
        let turn = TAILS.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(FakeTail { next, turn, appends: self.appends.subscribe(), log: self.clone() }))
    }

    async fn consumer(&self, _group: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        Err(PortError::new(ErrorKind::Internal, "not needed here"))
    }

    async fn committed(&self, _group: &str) -> Result<Vec<Offset>, PortError> {
        Err(PortError::new(ErrorKind::Internal, "not needed here"))
    }

    async fn dead_letter(&self, _record: &LogRecord, _reason: &str) -> Result<(), PortError> {
        Err(PortError::new(ErrorKind::Internal, "not needed here"))
    }
}

static TAILS: AtomicUsize = AtomicUsize::new(0);

struct FakeTail {
    log: FakeLog,
    next: Vec<Offset>,
    turn: usize,
    appends: watch::Receiver<u64>,
}

#[async_trait]
impl Tail for FakeTail {
    async fn next(&mut self) -> Result<Vec<LogRecord>, PortError> {
        loop {
            self.appends.borrow_and_update();
            self.log.try_call()?;
            let records = self.take();
            if !records.is_empty() {
                return Ok(records);
            }
            let _ = self.appends.changed().await;
        }
    }
}

impl FakeTail {
    /// Takes a few records from the partitions in turn.
    fn take(&mut self) -> Vec<LogRecord> {
        let state = self.log.state.lock();
        self.next.resize(state.partitions.len(), 0);
        let mut taken = Vec::new();
        if state.holds_tails {
            return taken;
        }
        for _ in 0..state.partitions.len() {
            self.turn += 1;
            let partition = self.turn % state.partitions.len();
            let next = &mut self.next[partition];
            for (offset, record) in state.partitions[partition].records.range(*next..).take(1 + self.turn % 5)
            {
                taken.push(record.clone());
                *next = offset + 1;
            }
        }
        taken
    }
}
