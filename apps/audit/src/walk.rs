//! Every event once, in order: from the archive's objects, then from the log, held against each other where both
//! have it. One page of the log and a part of one object are held at a time.

use std::cmp::Ordering;

use anyhow::{Context as _, Result};
use object_store::ObjectStore;
use souk_analytics::archive::ReadError;
use souk_domain::Timestamp;
use souk_ports::{EventLog, LogRecord, Offset, Partition, PartitionBounds};

use crate::archive::{self, Listed, Objects, Opened};
use crate::log_reader::{LogReader, bounds, first_since};
use crate::report::{Check, Report};
use crate::visit::Visit;

/// A walk over all events, and what looks at each.
pub(crate) struct Walk<'a> {
    pub log: &'a dyn EventLog,
    pub archive: &'a dyn ObjectStore,
    /// What the archive had committed before the walk began, by partition.
    pub archived: Vec<Offset>,
    /// Leaves out what lies before, as far as whole objects and pages can be left out.
    pub since: Option<Timestamp>,
    /// Memory for the rows of an object.
    pub memory: usize,
    pub visit: Visit<'a>,
    /// Where each partition is to be read on.
    pub next: Vec<Offset>,
}

impl Walk<'_> {
    /// Walks over everything up to the log's present end.
    pub async fn archive_and_log(&mut self) -> Result<()> {
        let mut listing = archive::list(self.archive, self.log.identity(), &mut self.visit.report).await?;
        let bounds = bounds(self.log).await?;
        let starts = self.starts(&mut listing.objects()?, &bounds).await?;
        for (start, bounds) in starts.iter().zip(&bounds) {
            self.visit.total += bounds.next.saturating_sub(start.unwrap_or(bounds.earliest));
        }
        let mut objects = listing.objects()?;
        for (partition, start) in (0..).zip(starts) {
            let end = bounds.get(partition as usize).map_or(0, |bounds| bounds.next);
            self.partition(partition, start, &mut objects, end).await?;
            self.next.push(end);
        }
        // Holes are known now.
        self.visit.total = self.visit.report.events;
        self.visit.tell();
        Ok(())
    }

    /// Returns where each partition is read from: the first object, or the one that `since` lies in; without objects,
    /// `since` in the log, or its beginning (`None`).
    async fn starts(
        &self,
        objects: &mut Objects<'_>,
        bounds: &[PartitionBounds],
    ) -> Result<Vec<Option<Offset>>> {
        let mut starts: Vec<Option<Offset>> = vec![None; bounds.len().max(self.archived.len())];
        while let Some(listed) = objects.next()? {
            let at = listed.partition as usize;
            if starts.len() <= at {
                starts.resize(at + 1, None);
            }
            if starts[at].is_none() || self.since.is_some_and(|since| listed.begins_by(since)) {
                starts[at] = Some(listed.first_offset);
            }
        }
        if let Some(since) = self.since {
            for ((partition, start), bounds) in (0..).zip(&mut starts).zip(bounds) {
                if start.is_none() {
                    *start = Some(first_since(self.log, partition, *bounds, since).await?);
                }
            }
        }
        Ok(starts)
    }

    /// Reads what has come since; tells whether there was anything.
    pub async fn rest_of_log(&mut self) -> Result<bool> {
        let bounds = bounds(self.log).await?;
        let mut moved = false;
        self.next.resize(bounds.len().max(self.next.len()), 0);
        for (partition, bounds) in (0..).zip(&bounds) {
            let next = self.next[partition as usize];
            if next < bounds.next {
                moved = true;
                self.visit.total += bounds.next - next;
                let mut reader = LogReader::new(self.log, partition, next, bounds.next);
                while let Some(record) = reader.take_before(Offset::MAX).await? {
                    self.visit.logged(&record)?;
                }
                self.next[partition as usize] = bounds.next;
            }
        }
        Ok(moved)
    }

    /// Walks over one partition up to `end`.
    async fn partition(
        &mut self,
        partition: Partition,
        start: Option<Offset>,
        objects: &mut Objects<'_>,
        end: Offset,
    ) -> Result<()> {
        // Only since a certain time is the log read from anywhere but its beginning.
        let begin = if self.since.is_some() { start.unwrap_or(0) } else { 0 };
        let mut reader = LogReader::new(self.log, partition, begin, end);
        let mut chain = Chain { holes: false, end: ChainEnd::Begins };
        while let Some(listed) = objects.next_of(partition)? {
            if listed.first_offset >= begin {
                self.object(&listed, &mut chain, &mut reader).await?;
            }
        }
        while let ChainEnd::At(at) = chain.end {
            let earliest = self.earliest(partition).await?;
            if earliest <= at {
                break;
            }
            // Retention may have moved on meanwhile: then what it took was archived first.
            let mut ignored = Report::new(String::new());
            let mut later = archive::list(self.archive, self.log.identity(), &mut ignored).await?;
            let (mut later, mut found) = (later.objects()?, false);
            while let Some(listed) = later.next_of(partition)? {
                if listed.first_offset >= at {
                    found = true;
                    self.object(&listed, &mut chain, &mut reader).await?;
                }
            }
            if found {
                continue;
            }
            let name = format!("partition {partition}");
            if chain.holes {
                self.visit.report.note(format!(
                    "{name}: the log begins at {earliest}, the archive ends at {at}; offsets between are holes, \
                     unless versions are missing"
                ));
            } else {
                let expected = format!("a log that holds offset {at}, where the archive ends");
                let found = format!("a log that begins at {earliest}");
                self.visit.report.differs(Check::ArchiveChain, name, expected, found);
            }
            break;
        }
        self.committed(partition, &chain, begin, &mut reader).await?;
        while let Some(record) = reader.take_before(Offset::MAX).await? {
            self.visit.logged(&record)?;
        }
        Ok(())
    }

    /// Holds the end of the objects against what the archive has committed.
    async fn committed(
        &mut self,
        partition: Partition,
        chain: &Chain,
        begin: Offset,
        reader: &mut LogReader<'_>,
    ) -> Result<()> {
        let archived = self.archived.get(partition as usize).copied().unwrap_or(0);
        let at = match chain.end {
            ChainEnd::Begins => begin,
            ChainEnd::At(at) => at,
            ChainEnd::Broken => return Ok(()),
        };
        if at >= archived {
            return Ok(());
        }
        // Where the log has nothing in between, these are holes, or gone from both.
        let unarchived = reader.peek().await?.is_some_and(|record| record.offset < archived);
        if unarchived || !chain.holes && begin == 0 {
            let expected = format!("objects up to offset {archived}, which the archive has committed");
            let found = format!("objects up to {at}");
            self.visit.report.differs(Check::ArchiveChain, format!("partition {partition}"), expected, found);
        }
        Ok(())
    }

    async fn earliest(&self, partition: Partition) -> Result<Offset> {
        Ok(bounds(self.log).await?.get(partition as usize).map_or(0, |bounds| bounds.earliest))
    }

    /// Reads one object and what the log has beside it, and moves `chain` to where the next object has to begin.
    async fn object(&mut self, listed: &Listed, chain: &mut Chain, reader: &mut LogReader<'_>) -> Result<()> {
        let key = format!("object {}", listed.key);
        let report = &mut self.visit.report;
        report.objects += 1;
        report.compared(Check::ArchiveObjects, 1);
        let Some(mut opened) = self.open(listed, &key).await? else {
            chain.end = ChainEnd::Broken;
            return Ok(());
        };
        let (begins, ends) = (opened.footer.first_offset, opened.footer.next_offset);
        self.link(&key, begins, chain, reader).await?;
        // What lies between two objects is missing as a whole, and was named so.
        while let Some(record) = reader.take_before(begins).await? {
            self.visit.logged(&record)?;
        }
        let seen = if let ChainEnd::At(at) = chain.end { at } else { 0 };
        let partition = listed.partition;
        let (mut held_from, mut follows) = (None, begins);
        let mut rows = opened.rows()?;
        while let Some((offset, payload)) = rows.next()? {
            self.visit.report.archived_events += 1;
            // Whether offsets begin at 0 or 1 says nothing about holes.
            chain.holes |= follows > 0 && offset > follows;
            follows = offset + 1;
            if offset < seen {
                continue;
            }
            while let Some(record) = reader.take_before(offset).await? {
                self.unarchived(&key, &record)?;
            }
            let place = || format!("offset {partition}/{offset} of {key}");
            if let Some(record) = reader.take_before(offset + 1).await? {
                self.visit.report.compared(Check::ArchiveLog, 1);
                if record.payload != payload {
                    self.visit.report.differs(Check::ArchiveLog, place(), "what the log has", "other bytes");
                }
                self.visit.logged(&record)?;
                continue;
            }
            // Not in the log: trimmed, or lost. The log only ever moves on, so that one look at it does for all
            // that lies before.
            if held_from.is_none_or(|held_from| offset >= held_from) {
                held_from = Some(self.earliest(partition).await?);
            }
            if held_from.is_some_and(|held_from| offset >= held_from) {
                self.visit.report.differs(Check::ArchiveLog, place(), "the same record in the log", "none");
            }
            self.visit.archived(partition, offset, payload)?;
        }
        while let Some(record) = reader.take_before(ends).await? {
            self.unarchived(&key, &record)?;
        }
        chain.end = ChainEnd::At(ends.max(seen));
        Ok(())
    }

    /// Opens an object; `None` when it is not what its key says, which is a difference.
    async fn open(&mut self, listed: &Listed, key: &str) -> Result<Option<Opened>> {
        let opened = match archive::open(self.archive, &listed.key, self.memory).await {
            Ok(opened) => opened,
            Err(error) => {
                let error = match error.downcast::<ReadError>() {
                    Ok(ReadError::Store(error)) if !matches!(error, object_store::Error::NotFound { .. }) => {
                        return Err(error).context(format!("{key} cannot be read"));
                    }
                    Ok(error) => error,
                    Err(error) => return Err(error),
                };
                let expected = "an object that can be read";
                self.visit.report.differs(Check::ArchiveObjects, key, expected, error.to_string());
                return Ok(None);
            }
        };
        let told =
            |log, partition, offset| format!("log {log}, partition {partition}, first offset {offset}");
        let expected = told(self.log.identity(), listed.partition, listed.first_offset);
        let found = told(opened.footer.log, opened.footer.partition, opened.footer.first_offset);
        if expected != found {
            self.visit.report.differs(Check::ArchiveObjects, key, expected, found);
            return Ok(None);
        }
        Ok(Some(opened))
    }

    /// Holds an object's beginning against the end of the one before it.
    async fn link(
        &mut self,
        key: &str,
        begins: Offset,
        chain: &Chain,
        reader: &mut LogReader<'_>,
    ) -> Result<()> {
        let report = &mut self.visit.report;
        report.compared(Check::ArchiveChain, 1);
        let expected = match chain.end {
            ChainEnd::At(at) if at.cmp(&begins) != Ordering::Equal => {
                format!("first offset {at}, where the object before ends")
            }
            ChainEnd::Begins => {
                let first = reader.peek().await?.map(|record| record.offset);
                let Some(first) = first.filter(|first| *first < begins) else { return Ok(()) };
                format!("an archive from offset {first}, which the log has")
            }
            ChainEnd::At(_) | ChainEnd::Broken => return Ok(()),
        };
        report.differs(Check::ArchiveChain, key, expected, format!("first offset {begins}"));
        Ok(())
    }

    fn unarchived(&mut self, key: &str, record: &LogRecord) -> Result<()> {
        // What is no text cannot be archived; whether it was set aside is looked at with all that is no event.
        if std::str::from_utf8(&record.payload).is_ok() {
            let place = format!("offset {}/{}", record.partition, record.offset);
            let expected = format!("the record in {key}, which spans it");
            self.visit.report.differs(Check::ArchiveLog, place, expected, "none");
        }
        self.visit.logged(record)
    }
}

/// The chain of objects, as far as it was followed.
struct Chain {
    /// Whether offsets have holes here, as with a log that marks transactions.
    holes: bool,
    end: ChainEnd,
}

/// How far the chain reaches.
#[derive(Clone, Copy)]
enum ChainEnd {
    /// No object yet.
    Begins,
    /// The next object begins here.
    At(Offset),
    /// The last object could not be read, so that nobody knows.
    Broken,
}
