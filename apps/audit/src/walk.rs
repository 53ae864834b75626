//! Every event once, in order: from the archive's objects, then from the log, held against each other where both
//! have it.

use std::collections::VecDeque;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use object_store::ObjectStore;
use souk_analytics::archive::{Contents, ReadError, read_object};
use souk_ports::{EventLog, LogRecord, Offset, Partition, ReadLimit};

use crate::Progress;
use crate::archive::{Listed, list};
use crate::products::{Place, Products};
use crate::recount::Recount;
use crate::report::{Check, Report};

/// Events between two reports of progress.
const STEP: u64 = 10_000;

/// A walk over all events, and what looks at each.
pub(crate) struct Walk<'a> {
    pub log: &'a dyn EventLog,
    pub archive: &'a dyn ObjectStore,
    /// Where the log ended before the catalog was read, by partition.
    pub early: Vec<Offset>,
    /// What the archive had committed then, by partition.
    pub archived: Vec<Offset>,
    pub products: Products,
    pub recount: Recount,
    pub report: Report,
    /// The low halves of the events' ids.
    pub ids: Vec<u64>,
    /// Where each partition is to be read on.
    pub next: Vec<Offset>,
    /// Events to read, about.
    pub total: u64,
    pub progress: &'a mut (dyn FnMut(Progress) + Send),
}

/// One partition of the log, read on as it is asked for.
struct LogReader<'a> {
    log: &'a dyn EventLog,
    partition: Partition,
    next: Offset,
    end: Offset,
    batch: VecDeque<LogRecord>,
}

impl LogReader<'_> {
    async fn peek(&mut self) -> Result<Option<&LogRecord>> {
        if self.batch.is_empty() && self.next < self.end {
            let records =
                self.log.read(self.partition, self.next, ReadLimit::default()).await.with_context(|| {
                    format!("partition {} cannot be read at {}", self.partition, self.next)
                })?;
            self.next = records.last().map_or(self.end, |last| last.offset + 1);
            self.batch.extend(records.into_iter().filter(|record| record.offset < self.end));
        }
        Ok(self.batch.front())
    }

    /// Takes the next record if it lies before `end`.
    async fn take_before(&mut self, end: Offset) -> Result<Option<LogRecord>> {
        let before = self.peek().await?.is_some_and(|record| record.offset < end);
        Ok(if before { self.batch.pop_front() } else { None })
    }
}

impl<'a> Walk<'a> {
    /// Walks over everything up to the log's present end.
    pub async fn archive_and_log(&mut self) -> Result<()> {
        let mut objects = list(self.archive, self.log.identity(), &mut self.report).await?;
        let bounds = self.log.bounds().await.context("the log's bounds cannot be read")?;
        let archived = self.archived.len();
        let partitions =
            bounds.len().max(objects.keys().last().map_or(0, |last| *last as usize + 1)).max(archived);
        for (partition, bounds) in (0..).zip(&bounds) {
            let first = objects.get(&partition).and_then(|objects| objects.first());
            let first = first.map_or(bounds.earliest, |object| object.first_offset.min(bounds.earliest));
            self.total += bounds.next.saturating_sub(first);
        }
        for partition in (0..).take(partitions) {
            let objects = objects.remove(&partition).unwrap_or_default();
            let end = bounds.get(partition as usize).map_or(0, |bounds| bounds.next);
            self.partition(partition, objects, end).await?;
            self.next.push(end);
        }
        // Holes are known now.
        self.total = self.report.events;
        self.tell();
        Ok(())
    }

    /// Reads what has come since; tells whether there was anything.
    pub async fn rest_of_log(&mut self) -> Result<bool> {
        let bounds = self.log.bounds().await.context("the log's bounds cannot be read")?;
        let mut moved = false;
        for (partition, bounds) in (0..).zip(&bounds) {
            let next = self.next[partition as usize];
            if next < bounds.next {
                moved = true;
                self.total += bounds.next - next;
                let mut reader = self.reader(partition, next, bounds.next);
                while let Some(record) = reader.take_before(Offset::MAX).await? {
                    self.visit_logged(&record);
                }
                self.next[partition as usize] = bounds.next;
            }
        }
        Ok(moved)
    }

    fn reader(&self, partition: Partition, next: Offset, end: Offset) -> LogReader<'a> {
        LogReader { log: self.log, partition, next, end, batch: VecDeque::new() }
    }

    /// Walks over one partition up to `end`.
    async fn partition(&mut self, partition: Partition, objects: Vec<Listed>, end: Offset) -> Result<()> {
        let mut reader = self.reader(partition, 0, end);
        let mut objects = VecDeque::from(objects);
        let mut chain = Chain::Begins;
        loop {
            while let Some(listed) = objects.pop_front() {
                chain = self.object(partition, &listed, chain, &mut reader).await?;
            }
            let Chain::At(at) = chain else { break };
            let earliest = self.earliest(partition).await?;
            if earliest <= at {
                break;
            }
            // Retention may have moved on meanwhile: then what it took was archived first.
            let mut later = list(self.archive, self.log.identity(), &mut Report::new(String::new())).await?;
            objects = later.remove(&partition).unwrap_or_default().into();
            objects.retain(|object| object.first_offset >= at);
            if objects.is_empty() {
                let expected = format!("a log that holds offset {at}, where the archive ends");
                let found = format!("a log that begins at {earliest}");
                self.report.differs(Check::ArchiveChain, format!("partition {partition}"), expected, found);
                break;
            }
        }
        let archived = self.archived.get(partition as usize).copied().unwrap_or(0);
        let at = match chain {
            Chain::Begins => Some(0),
            Chain::At(at) => Some(at),
            Chain::Broken => None,
        };
        if at.is_some_and(|at| at < archived) {
            let expected = format!("objects up to offset {archived}, which the archive has committed");
            let found = format!("objects up to {}", at.unwrap_or(0));
            self.report.differs(Check::ArchiveChain, format!("partition {partition}"), expected, found);
        }
        while let Some(record) = reader.take_before(Offset::MAX).await? {
            self.visit_logged(&record);
        }
        Ok(())
    }

    async fn earliest(&self, partition: Partition) -> Result<Offset> {
        let bounds = self.log.bounds().await.context("the log's bounds cannot be read")?;
        Ok(bounds.get(partition as usize).map_or(0, |bounds| bounds.earliest))
    }

    /// Reads one object and what the log has beside it; returns where the next object has to begin.
    async fn object(
        &mut self,
        partition: Partition,
        listed: &Listed,
        chain: Chain,
        reader: &mut LogReader<'_>,
    ) -> Result<Chain> {
        let key = format!("object {}", listed.key);
        self.report.objects += 1;
        self.report.compared(Check::ArchiveObjects, 1);
        let Contents { object, events, .. } = match read_object(self.archive, &listed.key).await {
            Ok(contents) => contents,
            Err(ReadError::Store(error)) if !matches!(error, object_store::Error::NotFound { .. }) => {
                return Err(error).context(format!("{key} cannot be read"));
            }
            Err(error) => {
                self.report.differs(
                    Check::ArchiveObjects,
                    key,
                    "an object that can be read",
                    error.to_string(),
                );
                return Ok(Chain::Broken);
            }
        };
        let footer = object.footer;
        if (footer.log, footer.partition, footer.first_offset)
            != (self.log.identity(), partition, listed.first_offset)
        {
            let expected = format!(
                "log {}, partition {partition}, first offset {}",
                self.log.identity(),
                listed.first_offset
            );
            let found = format!(
                "log {}, partition {}, first offset {}",
                footer.log, footer.partition, footer.first_offset
            );
            self.report.differs(Check::ArchiveObjects, key, expected, found);
            return Ok(Chain::Broken);
        }
        let begins = footer.first_offset;
        self.report.compared(Check::ArchiveChain, 1);
        match chain {
            Chain::At(at) if at != begins => {
                let expected = format!("first offset {at}, where the object before ends");
                self.report.differs(
                    Check::ArchiveChain,
                    key.clone(),
                    expected,
                    format!("first offset {begins}"),
                );
            }
            Chain::Begins => {
                if let Some(first) =
                    reader.peek().await?.map(|record| record.offset).filter(|first| *first < begins)
                {
                    let expected = format!("an archive from offset {first}, which the log has");
                    self.report.differs(
                        Check::ArchiveChain,
                        key.clone(),
                        expected,
                        format!("first offset {begins}"),
                    );
                }
            }
            Chain::At(_) | Chain::Broken => {}
        }
        // What lies between two objects is missing as a whole, and was named so.
        while let Some(record) = reader.take_before(begins).await? {
            self.visit_logged(&record);
        }
        let seen = if let Chain::At(at) = chain { at } else { 0 };
        let mut held_from = None;
        for event in events {
            self.report.archived_events += 1;
            if event.offset < seen {
                continue;
            }
            while let Some(record) = reader.take_before(event.offset).await? {
                self.unarchived(&key, &record);
            }
            if let Some(record) = reader.take_before(event.offset + 1).await? {
                self.report.compared(Check::ArchiveLog, 1);
                if record.payload != event.payload {
                    let place = format!("offset {partition}/{} of {key}", event.offset);
                    self.report.differs(Check::ArchiveLog, place, "what the log has", "other bytes");
                }
                self.visit_logged(&record);
                continue;
            }
            // Not in the log: trimmed, or lost. The log only ever moves on, so that one look at it does for all
            // that lies before.
            if held_from.is_none_or(|held_from| event.offset >= held_from) {
                held_from = Some(self.earliest(partition).await?);
            }
            if held_from.is_some_and(|held_from| event.offset >= held_from) {
                let place = format!("offset {partition}/{} of {key}", event.offset);
                self.report.differs(Check::ArchiveLog, place, "the same record in the log", "none");
            }
            self.visit(partition, event.offset, &event.payload);
        }
        while let Some(record) = reader.take_before(footer.next_offset).await? {
            self.unarchived(&key, &record);
        }
        Ok(Chain::At(footer.next_offset.max(seen)))
    }

    fn unarchived(&mut self, key: &str, record: &LogRecord) {
        let place = format!("offset {}/{}", record.partition, record.offset);
        self.report.differs(Check::ArchiveLog, place, format!("the record in {key}, which spans it"), "none");
        self.visit_logged(record);
    }

    fn visit_logged(&mut self, record: &LogRecord) {
        self.report.logged_events += 1;
        self.visit(record.partition, record.offset, &record.payload);
    }

    /// Shows one event to all who look at it.
    fn visit(&mut self, partition: Partition, offset: Offset, payload: &Bytes) {
        let report = &mut self.report;
        report.events += 1;
        report.compared(Check::Events, 1);
        self.recount.event(partition, offset, payload, report);
        match souk_events::decode(payload) {
            Ok(event) => {
                self.ids.push(event.id.as_u64_pair().1);
                let early = self.early.get(partition as usize).is_some_and(|next| offset < *next);
                self.products.event(Place { partition, offset, early }, &event, report);
            }
            Err(error) => {
                report.differs(
                    Check::Events,
                    format!("offset {partition}/{offset}"),
                    "an event",
                    error.to_string(),
                );
            }
        }
        if report.events.is_multiple_of(STEP) {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let events = self.report.events;
        (self.progress)(Progress { events, total: self.total.max(events) });
    }
}

/// How far the chain of objects reaches.
#[derive(Clone, Copy)]
enum Chain {
    /// No object yet.
    Begins,
    /// The next object begins here.
    At(Offset),
    /// The last object could not be read, so that nobody knows.
    Broken,
}
