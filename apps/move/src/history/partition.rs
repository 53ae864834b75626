//! One partition: from the log where it holds what comes next, else from the archived object that does.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::ops::Range;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::ObjectStore;
use object_store::path::Path;
use souk_analytics::archive::{log_prefix, object_key};
use souk_audit::open_object;
use souk_domain::Timestamp;
use souk_events::Envelope;
use souk_ports::{EventLog, MovedEvent, Offset, Partition, ReadLimit, fault};

/// Records read at once: enough to hide a round trip, for every partition at the same time.
const PAGE: ReadLimit = ReadLimit { records: 4_096, bytes: 1 << 20 };
/// Memory for the rows of an object while they are sorted; the rest goes to temporary files.
const SORTING_BYTES: usize = 4 << 20;
/// No event lies before: the embedded log counts from 1, and in Kafka the first start of a producer takes offset 0. Of any
/// other offset that the log has let go, the archive alone can tell that nothing was there.
const FIRST: Offset = 1;
const HOUR_MS: i64 = 3_600_000;

/// Reads one partition.
pub(super) struct PartitionReader<'a> {
    log: &'a dyn EventLog,
    archive: &'a dyn ObjectStore,
    partition: Partition,
    /// Everything before was taken.
    taken: Offset,
    /// Everything before was read.
    read: Offset,
    end: Offset,
    /// The log holds what is at or after.
    earliest: Offset,
    /// Records that were read, those that are no events among them.
    batch: VecDeque<(Offset, Option<MovedEvent>)>,
    unreadable: u64,
    /// Where archived objects begin, and in which hour, when they were asked for.
    objects: Option<Vec<(Offset, i64)>>,
    spool: Option<Spool>,
}

/// The rest of an object, in the order of offsets.
struct Spool {
    rows: BufReader<File>,
    left: u64,
    /// Where the object ends.
    end: Offset,
}

impl<'a> PartitionReader<'a> {
    pub fn new(
        log: &'a dyn EventLog,
        archive: &'a dyn ObjectStore,
        partition: Partition,
        range: Range<Offset>,
        earliest: Offset,
    ) -> Self {
        Self {
            log,
            archive,
            partition,
            taken: range.start,
            read: range.start,
            end: range.end,
            earliest,
            batch: VecDeque::new(),
            unreadable: 0,
            objects: None,
            spool: None,
        }
    }

    /// Returns the time of the next event; `None` at the end.
    pub async fn peek(&mut self) -> Result<Option<Timestamp>> {
        loop {
            match self.batch.front() {
                Some((_, Some(event))) => return Ok(Some(event.envelope.time)),
                // Whoever met it has set it aside.
                Some((offset, None)) => {
                    (self.taken, self.unreadable) = (offset + 1, self.unreadable + 1);
                    self.batch.pop_front();
                }
                None if self.read < self.end || self.spool.is_some() => self.fill().await?,
                None => {
                    self.taken = self.end;
                    return Ok(None);
                }
            }
        }
    }

    /// Takes the event that was peeked at.
    pub fn take(&mut self) -> MovedEvent {
        let (offset, event) = self.batch.pop_front().expect("there was one to peek at");
        self.taken = offset + 1;
        event.expect("what was peeked at is an event")
    }

    /// Returns where to read on after what was taken.
    pub fn next(&self) -> Offset {
        self.taken
    }

    /// Returns how many records were met that are no events, and begins to count anew.
    pub fn take_unreadable(&mut self) -> u64 {
        std::mem::take(&mut self.unreadable)
    }

    async fn fill(&mut self) -> Result<()> {
        if let Some(spool) = &mut self.spool {
            let (rows, end) = (spool.read()?, spool.end);
            if rows.is_empty() {
                self.read = self.read.max(end);
                self.spool = None;
            }
            for (offset, payload) in rows {
                self.keep(offset, payload);
            }
            return Ok(());
        }
        if self.is_forgotten() {
            return self.open_object().await;
        }
        let records = self.log.read(self.partition, self.read, PAGE).await?;
        let first = records.first().map_or(self.end, |record| record.offset);
        if first > self.read {
            // A hole, or something that the log has forgotten just now.
            let bounds = self.log.bounds().await?;
            self.earliest = bounds.get(self.partition as usize).map_or(self.earliest, |b| b.earliest);
            if self.is_forgotten() {
                return Ok(());
            }
        }
        if records.is_empty() {
            self.read = self.end;
        }
        for record in records {
            self.read = record.offset + 1;
            if record.offset < self.end {
                self.keep(record.offset, record.payload);
            }
        }
        Ok(())
    }

    /// Tells whether the log has let go of what comes next.
    fn is_forgotten(&self) -> bool {
        let next = if fault::planted("move-skips-an-offset") { self.read + 1 } else { self.read.max(FIRST) };
        next < self.earliest
    }

    fn keep(&mut self, offset: Offset, payload: Bytes) {
        let envelope = Envelope::read(&payload).ok();
        self.batch.push_back((offset, envelope.map(|envelope| MovedEvent { envelope, payload })));
    }

    /// Opens the object that holds what comes next, or the one that comes next; without one, goes on where the log begins:
    /// what lies before is a hole, or an audit names it.
    async fn open_object(&mut self) -> Result<()> {
        if self.objects.is_none() {
            self.objects = Some(self.list().await?);
        }
        let objects = self.objects.as_ref().expect("it was listed just now");
        let after = objects.partition_point(|(first, _)| *first <= self.read);
        for (first, hour) in objects[after.saturating_sub(1)..].iter().copied().take(2) {
            if first >= self.earliest {
                break;
            }
            let time = Timestamp::from_millis(hour * HOUR_MS);
            let key = object_key(self.log.identity(), self.partition, time, first);
            let mut opened = open_object(self.archive, &key, SORTING_BYTES)
                .await
                .with_context(|| format!("object {key} of the archive cannot be read"))?;
            let end = opened.footer.next_offset;
            if end > self.read {
                let mut spool = Spool::fill(end)?;
                let mut rows = opened.rows()?;
                while let Some((offset, event)) = rows.next()? {
                    if offset >= self.read && offset < self.end {
                        spool.write(offset, event)?;
                    }
                }
                self.spool = Some(spool.begin()?);
                return Ok(());
            }
        }
        self.read = self.earliest;
        Ok(())
    }

    /// Lists where the partition's objects begin: sixteen bytes for each.
    async fn list(&self) -> Result<Vec<(Offset, i64)>> {
        let prefix = Path::from(log_prefix(self.log.identity()));
        let folder = format!("p={:05}", self.partition);
        let mut found: Vec<(Offset, i64)> = self
            .archive
            .list(Some(&prefix))
            .try_filter_map(|meta| std::future::ready(Ok(parse(meta.location.as_ref(), &folder))))
            .try_collect()
            .await
            .context("the archive cannot be listed")?;
        found.sort_unstable();
        Ok(found)
    }
}

/// Returns where an object of the partition in `folder` begins, and the hour since 1970 in its key.
fn parse(key: &str, folder: &str) -> Option<(Offset, i64)> {
    let mut parts = key.rsplit('/');
    let first = parts.next()?.strip_prefix("o=")?.strip_suffix(".parquet")?.parse().ok()?;
    (parts.next()? == folder).then_some(())?;
    let (hour, date) = (parts.next()?.strip_prefix("hour=")?, parts.next()?.strip_prefix("date=")?);
    let time: Timestamp = format!("{date}T{hour}:00:00Z").parse().ok()?;
    Some((first, time.millis() / HOUR_MS))
}

impl Spool {
    /// Begins one for an object that ends at `end`.
    fn fill(end: Offset) -> Result<SpoolWriter> {
        let file = tempfile::tempfile().context("no temporary file: set TMPDIR to a folder")?;
        Ok(SpoolWriter { rows: BufWriter::new(file), count: 0, end })
    }

    /// Reads the next rows; none at the end.
    fn read(&mut self) -> Result<Vec<(Offset, Bytes)>> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while self.left > 0 && rows.len() < PAGE.records && bytes < PAGE.bytes {
            let (mut offset, mut length) = ([0; 8], [0; 4]);
            self.rows.read_exact(&mut offset)?;
            self.rows.read_exact(&mut length)?;
            let mut payload = vec![0; u32::from_le_bytes(length) as usize];
            self.rows.read_exact(&mut payload)?;
            bytes += payload.len();
            rows.push((Offset::from_le_bytes(offset), Bytes::from(payload)));
            self.left -= 1;
        }
        Ok(rows)
    }
}

/// A spool that is being filled.
struct SpoolWriter {
    rows: BufWriter<File>,
    count: u64,
    end: Offset,
}

impl SpoolWriter {
    fn write(&mut self, offset: Offset, event: &[u8]) -> Result<()> {
        let length = u32::try_from(event.len()).context("an event of 4 GiB")?;
        let write = |rows: &mut BufWriter<File>| {
            rows.write_all(&offset.to_le_bytes())?;
            rows.write_all(&length.to_le_bytes())?;
            rows.write_all(event)
        };
        write(&mut self.rows).context("a temporary file cannot be written: set TMPDIR to a folder")?;
        self.count += 1;
        Ok(())
    }

    fn begin(self) -> Result<Spool> {
        let mut file = self
            .rows
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .context("a temporary file cannot be written: set TMPDIR to a folder")?;
        file.rewind()?;
        Ok(Spool { rows: BufReader::new(file), left: self.count, end: self.end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_where_and_when_an_object_begins() {
        let key = "product-events/log=A/date=1970-01-02/hour=03/p=00007/o=00000000000000000042.parquet";
        assert_eq!(parse(key, "p=00007"), Some((42, 27)));
        assert_eq!(parse(key, "p=00001"), None);
        assert_eq!(parse("product-events/readme.txt", "p=00007"), None);
    }
}
