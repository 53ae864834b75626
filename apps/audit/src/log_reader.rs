//! One partition of the log, read on as it is asked for.

use std::collections::VecDeque;

use anyhow::{Context as _, Result};
use souk_domain::Timestamp;
use souk_ports::{EventLog, LogRecord, Offset, Partition, PartitionBounds, ReadLimit};

/// Reads one partition up to an end; a page is held at a time.
pub(crate) struct LogReader<'a> {
    log: &'a dyn EventLog,
    partition: Partition,
    next: Offset,
    end: Offset,
    batch: VecDeque<LogRecord>,
}

impl<'a> LogReader<'a> {
    pub fn new(log: &'a dyn EventLog, partition: Partition, next: Offset, end: Offset) -> Self {
        Self { log, partition, next, end, batch: VecDeque::new() }
    }

    pub async fn peek(&mut self) -> Result<Option<&LogRecord>> {
        if self.batch.is_empty() && self.next < self.end {
            let records = read(self.log, self.partition, self.next, ReadLimit::default()).await?;
            self.next = records.last().map_or(self.end, |last| last.offset + 1);
            self.batch.extend(records.into_iter().filter(|record| record.offset < self.end));
        }
        Ok(self.batch.front())
    }

    /// Takes the next record if it lies before `end`.
    pub async fn take_before(&mut self, end: Offset) -> Result<Option<LogRecord>> {
        let before = self.peek().await?.is_some_and(|record| record.offset < end);
        Ok(if before { self.batch.pop_front() } else { None })
    }
}

pub(crate) async fn read(
    log: &dyn EventLog,
    partition: Partition,
    from: Offset,
    limit: ReadLimit,
) -> Result<Vec<LogRecord>> {
    let records = log.read(partition, from, limit).await;
    records.with_context(|| format!("partition {partition} of the log cannot be read at {from}"))
}

pub(crate) async fn bounds(log: &dyn EventLog) -> Result<Vec<PartitionBounds>> {
    log.bounds().await.context("the log's bounds cannot be read")
}

/// Returns the first offset at or after `time`, as the log took its records in.
pub(crate) async fn first_since(
    log: &dyn EventLog,
    partition: Partition,
    bounds: PartitionBounds,
    time: Timestamp,
) -> Result<Offset> {
    let (mut low, mut high) = (bounds.earliest, bounds.next);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = read(log, partition, middle, ReadLimit { records: 1, bytes: 1 }).await?;
        match found.first() {
            Some(record) if record.appended_at < time => low = record.offset + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
