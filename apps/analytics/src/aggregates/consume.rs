//! The `aggregates` consumer: folds what has arrived, adds it, and counts each offset once whatever is replayed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::ObjectStore;
use souk_events::LogId;
use souk_ports::{EventLog, EventStore, GroupConsumer, ItemDelta, LogRecord, Offset, Partition, fault};

use super::Batch;
use crate::archive::{is_envelope, replay};
use crate::consumer::{Commits, ConsumeError, ConsumerState, Force, Hole, Sink};

/// Below this many records reading and folding take less than handing them to another thread.
const INLINE_RECORDS: usize = 64;

/// When to add.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// At most so often; when it is quiet, at once.
    pub interval: Duration,
    /// Or when so many events wait.
    pub events: usize,
}

/// What the sink works with.
pub(crate) struct AggregateParts {
    pub log: Arc<dyn EventLog>,
    pub store: Arc<dyn EventStore>,
    pub archive: Arc<dyn ObjectStore>,
    pub state: Arc<ConsumerState>,
    pub pace: Pace,
    pub commit_interval: Duration,
}

/// Adds records to the store's items.
pub(crate) struct AggregateSink {
    parts: AggregateParts,
    log_id: LogId,
    inbox: Vec<LogRecord>,
    /// What was read, by partition: figures alone, a fraction of the records' size.
    waiting: BTreeMap<Partition, Waiting>,
    last_add: Option<Instant>,
    commits: Commits,
}

/// Records of a partition that wait to be added.
#[derive(Default)]
struct Waiting {
    batch: Batch,
    /// What they add, once it is folded; an attempt that failed has it still.
    deltas: Option<Vec<ItemDelta>>,
    /// Unreadable records that are set aside already.
    set_aside: usize,
}

impl AggregateSink {
    pub fn new(parts: AggregateParts) -> Self {
        let (log_id, commits) = (parts.log.identity(), Commits::new(parts.commit_interval));
        Self { parts, log_id, inbox: Vec::new(), waiting: BTreeMap::new(), last_add: None, commits }
    }

    fn waits(&self) -> usize {
        self.waiting.values().map(|waiting| waiting.batch.len()).sum()
    }

    fn add_due_in(&self, now: Instant) -> Option<Duration> {
        match self.waits() {
            0 => None,
            many if many >= self.parts.pace.events => Some(Duration::ZERO),
            _ => {
                let interval = self.parts.pace.interval;
                let passed = self.last_add.map_or(interval, |last| now.saturating_duration_since(last));
                Some(interval.saturating_sub(passed))
            }
        }
    }

    /// Reads what has arrived.
    async fn take_in(&mut self) -> Result<(), ConsumeError> {
        if self.inbox.is_empty() {
            return Ok(());
        }
        let records = std::mem::take(&mut self.inbox);
        let mut waiting = std::mem::take(&mut self.waiting);
        self.waiting = away(records.len(), move || {
            for record in &records {
                let waiting = waiting.entry(record.partition).or_default();
                waiting.batch.push(record);
                waiting.deltas = None;
            }
            waiting
        })
        .await?;
        Ok(())
    }

    /// Adds what waits for `partition`.
    async fn add(&mut self, partition: Partition) -> Result<(), ConsumeError> {
        let Some(mut waiting) = self.waiting.remove(&partition) else { return Ok(()) };
        if waiting.deltas.is_none() {
            waiting = away(waiting.batch.len(), move || {
                waiting.deltas = Some(waiting.batch.fold());
                waiting
            })
            .await?;
        }
        let result = self.store(partition, &mut waiting).await;
        match (&result, waiting.batch.last()) {
            (Ok(()), Some(last)) => {
                self.commits.reached(partition, last + 1);
                self.parts.state.reached(partition, last + 1);
            }
            // The next attempt goes on with it.
            _ => drop(self.waiting.insert(partition, waiting)),
        }
        result
    }

    async fn store(&self, partition: Partition, waiting: &mut Waiting) -> Result<(), ConsumeError> {
        let deltas = waiting.deltas.as_deref().unwrap_or_default();
        add_once(&*self.parts.store, self.log_id, partition, &waiting.batch, deltas).await?;
        fault::crash_point("aggregates.stored");
        for record in &waiting.batch.unreadable[waiting.set_aside..] {
            let (offset, reason) = (record.record.offset, &record.reason);
            // What has no envelope either is set aside by the consumer of recent events.
            if is_envelope(&record.record.payload) {
                self.parts.state.set_aside(&*self.parts.log, &record.record, reason).await?;
            } else {
                self.parts.state.unreadable.inc();
            }
            tracing::error!(
                messaging.destination.partition.id = partition,
                messaging.kafka.offset = offset,
                "a record is no event and counts nowhere: {reason}"
            );
            waiting.set_aside += 1;
        }
        Ok(())
    }
}

/// Does `work` over so many records, on another thread when there are many.
async fn away<T: Send + 'static>(
    records: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ConsumeError> {
    if records <= INLINE_RECORDS {
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
    deltas: &[ItemDelta],
) -> Result<(), ConsumeError> {
    if deltas.is_empty() {
        return Ok(());
    }
    let mut refused = store.add(log, partition, deltas).await?;
    let mut wanted = deltas.to_vec();
    // Each round drops what is counted, and what an item has counted only grows: this ends.
    while !refused.is_empty() {
        let guards: HashMap<_, Offset> =
            refused.iter().map(|item| (wanted[item.index].key.clone(), item.counted)).collect();
        wanted = batch.fold_after(&guards);
        if wanted.is_empty() {
            break;
        }
        refused = store.add(log, partition, &wanted).await?;
    }
    Ok(())
}

impl Sink for AggregateSink {
    fn reset(&mut self) {
        self.inbox.clear();
        self.waiting.clear();
        self.commits.clear();
    }

    fn assign(&mut self, _partitions: &[(Partition, Offset)]) {}

    fn revoke(&mut self, partitions: &[Partition]) {
        self.inbox.retain(|record| !partitions.contains(&record.partition));
        self.waiting.retain(|partition, _| !partitions.contains(partition));
        self.commits.forget(partitions);
    }

    fn accept(&mut self, records: Vec<LogRecord>) {
        self.inbox.extend(records);
    }

    /// Counts what the log no longer holds from the archive; what was counted before is counted once all the same.
    async fn fill(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        hole: Hole,
    ) -> Result<Offset, ConsumeError> {
        let mut next = hole.position;
        while next < hole.earliest {
            let found = replay(&*self.parts.archive, self.log_id, hole.partition, next).await?;
            let Some((records, end)) = found else { break };
            let batch = away(records.len(), move || Batch::read(&records)).await?;
            add_once(&*self.parts.store, self.log_id, hole.partition, &batch, &batch.fold()).await?;
            consumer.commit(hole.partition, end).await?;
            next = end;
        }
        if hole.is_left(next) { Err(hole.lost(&self.parts.state.group, next)) } else { Ok(next) }
    }

    async fn drive(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        force: Force<'_>,
    ) -> Result<(), ConsumeError> {
        self.take_in().await?;
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
