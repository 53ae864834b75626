//! The `aggregates` consumer: folds what has arrived, adds it, and counts each offset once whatever is replayed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_events::LogId;
use souk_ports::{EventStore, GroupConsumer, ItemDelta, LogRecord, Offset, Partition};

use super::Batch;
use crate::consumer::{Commits, ConsumeError, ConsumerState, Force, Sink};

/// Below this many records folding takes less than handing it to another thread.
const INLINE_RECORDS: usize = 64;

/// When to add.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// At most so often; when it is quiet, at once.
    pub interval: Duration,
    /// Or when so many events wait.
    pub events: usize,
}

/// Adds records to the store's items.
pub(crate) struct AggregateSink {
    log: LogId,
    store: Arc<dyn EventStore>,
    state: Arc<ConsumerState>,
    pace: Pace,
    waiting: BTreeMap<Partition, Vec<LogRecord>>,
    last_add: Option<Instant>,
    commits: Commits,
}

impl AggregateSink {
    pub fn new(
        log: LogId,
        store: Arc<dyn EventStore>,
        state: Arc<ConsumerState>,
        pace: Pace,
        commit_interval: Duration,
    ) -> Self {
        let commits = Commits::new(commit_interval);
        Self { log, store, state, pace, waiting: BTreeMap::new(), last_add: None, commits }
    }

    fn add_due_in(&self, now: Instant) -> Option<Duration> {
        let waiting: usize = self.waiting.values().map(Vec::len).sum();
        match waiting {
            0 => None,
            many if many >= self.pace.events => Some(Duration::ZERO),
            _ => {
                let passed =
                    self.last_add.map_or(self.pace.interval, |last| now.saturating_duration_since(last));
                Some(self.pace.interval.saturating_sub(passed))
            }
        }
    }

    /// Adds what waits for `partition`.
    async fn add(&mut self, partition: Partition) -> Result<(), ConsumeError> {
        let Some(waiting) = self.waiting.get_mut(&partition) else { return Ok(()) };
        let Some(last) = waiting.last() else { return Ok(()) };
        let next = last.offset + 1;
        // Records are shared buffers; this copies handles, so that a failed attempt has them still.
        let records = waiting.clone();
        let (batch, deltas) = fold(records).await?;
        add_once(&*self.store, self.log, partition, &batch, deltas).await?;
        for record in &batch.unreadable {
            self.state.unreadable.inc();
            tracing::error!(
                messaging.destination.partition.id = partition,
                messaging.kafka.offset = record.offset,
                "a record is no event and counts nowhere: {}",
                record.reason
            );
        }
        self.waiting.remove(&partition);
        self.commits.reached(partition, next);
        self.state.reached(partition, next);
        Ok(())
    }
}

async fn fold(records: Vec<LogRecord>) -> Result<(Batch, Vec<ItemDelta>), ConsumeError> {
    let few = records.len() <= INLINE_RECORDS;
    let work = move || {
        let batch = Batch::read(&records);
        let deltas = batch.fold();
        (batch, deltas)
    };
    if few {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| ConsumeError::Restart(format!("folding was cut off: {e}")))
}

/// Adds the batch's deltas; for items that have counted some of its offsets, only what is after them.
pub(crate) async fn add_once(
    store: &dyn EventStore,
    log: LogId,
    partition: Partition,
    batch: &Batch,
    mut deltas: Vec<ItemDelta>,
) -> Result<(), ConsumeError> {
    while !deltas.is_empty() {
        let refused = store.add(log, partition, &deltas).await?;
        // Each round drops what is counted, and what an item has counted only grows: this ends.
        let guards: std::collections::HashMap<_, Offset> =
            refused.iter().map(|item| (deltas[item.index].key.clone(), item.counted)).collect();
        deltas = if guards.is_empty() { Vec::new() } else { batch.fold_after(&guards) };
    }
    Ok(())
}

impl Sink for AggregateSink {
    fn reset(&mut self) {
        self.waiting.clear();
        self.commits.clear();
    }

    fn assign(&mut self, _partitions: &[(Partition, Offset)]) {}

    fn revoke(&mut self, partitions: &[Partition]) {
        self.waiting.retain(|partition, _| !partitions.contains(partition));
    }

    fn accept(&mut self, records: Vec<LogRecord>) {
        for record in records {
            self.waiting.entry(record.partition).or_default().push(record);
        }
    }

    async fn drive(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        force: Force<'_>,
    ) -> Result<(), ConsumeError> {
        let due = self.add_due_in(Instant::now()).is_some_and(|due| due.is_zero());
        let partitions: Vec<Partition> =
            self.waiting.keys().copied().filter(|partition| due || force.covers(*partition)).collect();
        for partition in partitions {
            self.add(partition).await?;
            self.last_add = Some(Instant::now());
        }
        self.commits.commit(consumer, force).await
    }

    fn due_in(&self, now: Instant) -> Option<Duration> {
        let (add, commit) = (self.add_due_in(now), self.commits.due_in(now));
        add.into_iter().chain(commit).min()
    }
}
