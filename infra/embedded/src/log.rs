//! The event log: the events table itself, one partition, with the newest records at hand in memory.
//!
//! A record becomes visible when its transaction is committed. Consumers that keep up are served from memory, so
//! that three of them do not read the file three times; the others read the file.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{
    DeadLetter, Delivery, ErrorKind, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds,
    PortError, ReadLimit, Tail,
};
use tokio::sync::watch;

use crate::event_store::AnalyticsDb;
use crate::readers::Readers;

/// The only partition.
pub(crate) const PARTITION: Partition = 0;
/// Payload bytes kept in memory: a second of events at full speed is about 20 MB, and consumers are milliseconds
/// behind.
const RECENT_BYTES: usize = 8 << 20;

/// What the committer publishes to and consumers read from.
pub(crate) struct LogState {
    recent: Mutex<Recent>,
    /// The next offset; readers wait on it.
    end: watch::Sender<Offset>,
}

struct Recent {
    records: VecDeque<LogRecord>,
    bytes: usize,
    last_appended_at: Option<Timestamp>,
}

impl LogState {
    pub fn load(connection: &Connection) -> rusqlite::Result<Arc<Self>> {
        let last = last_row(connection)?;
        let next = last.map_or(1, |(offset, _)| offset + 1);
        let recent =
            Recent { records: VecDeque::new(), bytes: 0, last_appended_at: last.map(|(_, time)| time) };
        Ok(Arc::new(Self { recent: Mutex::new(recent), end: watch::Sender::new(next) }))
    }

    /// Returns the offset that the next record gets.
    pub fn next_offset(&self) -> Offset {
        *self.end.borrow()
    }

    /// Makes committed records visible.
    pub fn publish(&self, records: Vec<LogRecord>) {
        let Some(last) = records.last() else { return };
        let next = last.offset + 1;
        {
            let mut recent = self.recent.lock();
            recent.last_appended_at = Some(last.appended_at);
            recent.bytes += records.iter().map(|record| record.payload.len()).sum::<usize>();
            recent.records.extend(records);
            while recent.bytes > RECENT_BYTES {
                let Some(oldest) = recent.records.pop_front() else { break };
                recent.bytes -= oldest.payload.len();
            }
        }
        self.end.send_replace(next);
    }

    /// Returns records from memory; `None` when `from` is older than what is there.
    fn recent(&self, from: Offset, limit: ReadLimit) -> Option<Vec<LogRecord>> {
        let recent = self.recent.lock();
        if from >= self.next_offset() {
            return Some(Vec::new());
        }
        let first = recent.records.front()?.offset;
        let start = usize::try_from(from.checked_sub(first)?).ok()?;
        Some(take_limited(recent.records.range(start..).cloned(), limit))
    }
}

/// Takes records up to and including the one that passes the limit.
fn take_limited(records: impl Iterator<Item = LogRecord>, limit: ReadLimit) -> Vec<LogRecord> {
    let mut taken = Vec::new();
    let mut bytes = 0;
    for record in records.take(limit.records.max(1)) {
        bytes += record.payload.len();
        taken.push(record);
        if bytes >= limit.bytes {
            break;
        }
    }
    taken
}

/// The embedded log; cheap to clone.
#[derive(Clone)]
pub(crate) struct EmbeddedEventLog {
    identity: LogId,
    readers: Readers,
    /// `None` when another process writes: then the file alone tells what there is.
    state: Option<Arc<LogState>>,
    positions: Arc<AnalyticsDb>,
}

impl EmbeddedEventLog {
    pub fn new(
        identity: LogId,
        readers: Readers,
        state: Option<Arc<LogState>>,
        positions: Arc<AnalyticsDb>,
    ) -> Self {
        Self { identity, readers, state, positions }
    }

    /// Waits until the log has a record at or after `from`.
    async fn wait(&self, from: Offset) {
        match &self.state {
            Some(state) => {
                let mut end = state.end.subscribe();
                // The sender lives as long as the state that this holds.
                let _ = end.wait_for(|next| *next > from).await;
            }
            // Another process writes: nothing tells us but the file.
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }

    async fn next_batch(&self, from: Offset) -> Result<Vec<LogRecord>, PortError> {
        loop {
            let records = self.read(PARTITION, from, ReadLimit::default()).await?;
            if !records.is_empty() {
                return Ok(records);
            }
            self.wait(from).await;
        }
    }
}

#[async_trait]
impl EventLog for EmbeddedEventLog {
    fn identity(&self) -> LogId {
        self.identity
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        let state = self.state.clone();
        let (first, last) = self
            .readers
            .read(|connection| {
                let mut statement = connection.prepare_cached("SELECT min(\"offset\") FROM events")?;
                let first: Option<i64> = statement.query_row([], |row| row.get(0))?;
                Ok((first, last_row(connection)?))
            })
            .await?;
        // The state may be ahead of what the reader saw, never behind.
        let (next, last_appended_at) = match state {
            Some(state) => (state.next_offset(), state.recent.lock().last_appended_at),
            None => (last.map_or(1, |(offset, _)| offset + 1), last.map(|(_, time)| time)),
        };
        // Trimming leaves the newest row: a file without one never had any, and a record that has come meanwhile is
        // not taken for one that is gone.
        let earliest = first.map_or(1, unsigned);
        Ok(vec![PartitionBounds { earliest, next, last_appended_at }])
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        if partition != PARTITION {
            return Err(PortError::new(ErrorKind::InvalidData, format!("there is no partition {partition}")));
        }
        if let Some(records) = self.state.as_ref().and_then(|state| state.recent(from, limit)) {
            return Ok(records);
        }
        self.readers.read(move |connection| Ok(read_records(connection, from, limit)?)).await
    }

    async fn tail(&self, from: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        Ok(Box::new(EmbeddedTail { log: self.clone(), next: from.first().copied().unwrap_or(0) }))
    }

    async fn consumer(&self, group: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        Ok(Box::new(EmbeddedConsumer { log: self.clone(), group: group.into(), next: None }))
    }

    async fn committed(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        let stored = self.positions.positions(self.identity, group).await?;
        Ok(vec![
            stored.into_iter().find(|(partition, _)| *partition == PARTITION).map_or(0, |(_, next)| next),
        ])
    }

    async fn dead_letter(&self, record: &LogRecord, reason: &str) -> Result<(), PortError> {
        self.positions.set_aside(self.identity, record, reason).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        self.positions.dead_letters(self.identity, limit).await
    }
}

struct EmbeddedTail {
    log: EmbeddedEventLog,
    next: Offset,
}

#[async_trait]
impl Tail for EmbeddedTail {
    async fn next(&mut self) -> Result<Vec<LogRecord>, PortError> {
        let records = self.log.next_batch(self.next).await?;
        self.next = records.last().expect("a batch is never empty").offset + 1;
        Ok(records)
    }
}

struct EmbeddedConsumer {
    log: EmbeddedEventLog,
    group: Arc<str>,
    /// `None` before the partition was assigned.
    next: Option<Offset>,
}

#[async_trait]
impl GroupConsumer for EmbeddedConsumer {
    async fn next(&mut self, max_wait: Duration) -> Result<Delivery, PortError> {
        let Some(next) = self.next else {
            let next = self.log.committed(&self.group).await?[0];
            self.next = Some(next);
            return Ok(Delivery::Assigned(vec![(PARTITION, next)]));
        };
        match tokio::time::timeout(max_wait, self.log.next_batch(next)).await {
            Ok(records) => {
                let records = records?;
                self.next = Some(records.last().expect("a batch is never empty").offset + 1);
                Ok(Delivery::Records(records))
            }
            Err(_) => Ok(Delivery::Idle),
        }
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        self.log.positions.commit_position(self.log.identity, &self.group, partition, next).await
    }

    async fn seek(&mut self, _partition: Partition, next: Offset) -> Result<(), PortError> {
        self.next = Some(next);
        Ok(())
    }
}

/// Reads records from the file.
pub(crate) fn read_records(
    connection: &Connection,
    from: Offset,
    limit: ReadLimit,
) -> rusqlite::Result<Vec<LogRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT \"offset\", time, payload FROM events WHERE \"offset\" >= ?1 ORDER BY \"offset\" LIMIT ?2",
    )?;
    let most = i64::try_from(limit.records.max(1)).unwrap_or(i64::MAX);
    let mut rows = statement.query([i64::try_from(from).unwrap_or(i64::MAX), most])?;
    let mut records = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let payload = Bytes::copy_from_slice(row.get_ref(2)?.as_blob()?);
        bytes += payload.len();
        let appended_at = Timestamp::from_millis(row.get(1)?);
        records.push(LogRecord { partition: PARTITION, offset: unsigned(row.get(0)?), appended_at, payload });
        if bytes >= limit.bytes {
            break;
        }
    }
    Ok(records)
}

/// Returns offset and time of the newest row.
fn last_row(connection: &Connection) -> rusqlite::Result<Option<(Offset, Timestamp)>> {
    connection
        .prepare_cached("SELECT \"offset\", time FROM events ORDER BY \"offset\" DESC LIMIT 1")?
        .query_row([], |row| Ok((unsigned(row.get(0)?), Timestamp::from_millis(row.get(1)?))))
        .optional()
}

pub(crate) fn unsigned(offset: i64) -> Offset {
    u64::try_from(offset).unwrap_or(0)
}
