//! The archive's objects in the order in which they follow each other, and the rows of one in the order of offsets.

use std::fs::File;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt as _};
use souk_analytics::archive::{Footer, ObjectFile, ReadError, RecordDigest, log_prefix};
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{Offset, Partition};

use crate::record::{Fields, Put};
use crate::report::{Check, Report};
use crate::sorter::{Sorted, Sorter};

/// Memory for keys while they are sorted: some ten thousand.
const LISTING_BYTES: usize = 1 << 20;

/// An object as its key names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub key: String,
    pub partition: Partition,
    pub first_offset: Offset,
}

impl Listed {
    /// Tells whether the object begins in the hour of `time` or before.
    pub fn begins_by(&self, time: Timestamp) -> bool {
        let time = time.to_string();
        let hour = format!("date={}/hour={}", &time[..10], &time[11..13]);
        let begins = self.key.find("date=").map_or("", |at| &self.key[at..]);
        begins.get(..hour.len()).is_some_and(|begins| begins <= hour.as_str())
    }
}

/// The objects of a log.
pub(crate) struct Listing(Sorter);

/// Objects by partition and offset.
pub(crate) struct Objects<'a> {
    sorted: Sorted<'a>,
    next: Option<Listed>,
}

/// Lists the objects of `log`. A key that is not souk's is a difference.
///
/// Objects are listed by key alone, so that one with a damaged footer is named instead of stopping the audit.
pub(crate) async fn list(store: &dyn ObjectStore, log: LogId, report: &mut Report) -> Result<Listing> {
    let prefix = Path::from(log_prefix(log));
    let mut sorter = Sorter::new(LISTING_BYTES);
    let mut found = store.list(Some(&prefix));
    let mut record = Vec::new();
    while let Some(meta) = found.try_next().await.context("the archive cannot be listed")? {
        let key = meta.location.as_ref();
        match parse(key) {
            Some((partition, first_offset)) => {
                record.clear();
                record.put_u32(partition);
                record.put_u64(first_offset);
                record.put_text(key);
                sorter.push(&record)?;
            }
            None => {
                let expected = "a key that ends in p=<partition>/o=<first offset>.parquet";
                report.differs(Check::ArchiveObjects, format!("object {key}"), expected, "another");
            }
        }
    }
    Ok(Listing(sorter))
}

impl Listing {
    /// Returns the objects by partition, each partition's by offset.
    pub fn objects(&mut self) -> Result<Objects<'_>> {
        let mut objects = Objects { sorted: self.0.sorted()?, next: None };
        objects.advance()?;
        Ok(objects)
    }
}

impl Objects<'_> {
    fn advance(&mut self) -> Result<Option<Listed>> {
        let next = self.sorted.next()?.map(|record| {
            let mut fields = Fields(record);
            let (partition, first_offset) = (fields.u32(), fields.u64());
            Listed { partition, first_offset, key: fields.text().to_owned() }
        });
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Returns the next object.
    pub fn next(&mut self) -> Result<Option<Listed>> {
        self.advance()
    }

    /// Returns the next object if it is one of `partition`; those of partitions before it are passed over.
    pub fn next_of(&mut self, partition: Partition) -> Result<Option<Listed>> {
        while self.next.as_ref().is_some_and(|next| next.partition < partition) {
            self.advance()?;
        }
        if self.next.as_ref().is_some_and(|next| next.partition == partition) {
            self.advance()
        } else {
            Ok(None)
        }
    }

    /// Returns the last object that begins at or before `offset` of `partition`, if it was not passed yet.
    pub fn last_before(&mut self, partition: Partition, offset: Offset) -> Result<Option<Listed>> {
        let mut found = None;
        while self
            .next
            .as_ref()
            .is_some_and(|next| (next.partition, next.first_offset) <= (partition, offset))
        {
            found = self.advance()?;
        }
        Ok(found.filter(|found| found.partition == partition))
    }
}

fn parse(key: &str) -> Option<(Partition, Offset)> {
    let (folders, name) = key.rsplit_once('/')?;
    let (_, partition) = folders.rsplit_once("/p=")?;
    let offset = name.strip_prefix("o=")?.strip_suffix(".parquet")?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

/// An object whose rows were proven to be those of its digest.
pub struct Opened {
    /// What it says of itself.
    pub footer: Footer,
    rows: Sorter,
}

/// Reads an object whole, by way of a temporary file, keeping about `memory` bytes.
///
/// # Errors
/// [`ReadError`] where the object is to blame.
pub async fn open(store: &dyn ObjectStore, key: &str, memory: usize) -> Result<Opened> {
    let object = ObjectFile::open(key, fetch(store, key).await?)?;
    let mut rows = Sorter::new(memory);
    let mut record = Vec::new();
    let mut count: u64 = 0;
    object.rows(|offset, event| -> Result<()> {
        count += 1;
        record.clear();
        record.put_u64(offset);
        record.put(event);
        rows.push(&record)
    })?;
    let footer = object.object.footer;
    let mut opened = Opened { footer, rows };
    let damaged = |reason: String| ReadError::Damaged { key: key.to_owned(), reason };
    if count != opened.footer.rows {
        let rows = opened.footer.rows;
        return Err(damaged(format!("it has {count} rows, its footer says {rows}")).into());
    }
    let span = opened.footer.first_offset..opened.footer.next_offset;
    let (mut digest, mut outside) = (RecordDigest::default(), false);
    let mut sorted = opened.rows()?;
    while let Some((offset, event)) = sorted.next()? {
        digest.update(offset, event);
        outside |= !span.contains(&offset);
    }
    if digest.finish() != opened.footer.digest {
        return Err(damaged("its rows do not match its digest".to_owned()).into());
    }
    if outside {
        return Err(damaged("it holds offsets outside its range".to_owned()).into());
    }
    Ok(opened)
}

impl Opened {
    /// Returns the rows in the order of offsets.
    pub fn rows(&mut self) -> Result<Rows<'_>> {
        Ok(Rows(self.rows.sorted()?))
    }
}

/// Rows of an object.
pub struct Rows<'a>(Sorted<'a>);

impl Rows<'_> {
    /// Returns the next offset and its event.
    ///
    /// # Errors
    /// When a temporary file cannot be read.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend what it returns")]
    pub fn next(&mut self) -> Result<Option<(Offset, &[u8])>> {
        Ok(self.0.next()?.map(|record| {
            let mut fields = Fields(record);
            (fields.u64(), fields.0)
        }))
    }
}

/// Returns the object as a local file.
async fn fetch(store: &dyn ObjectStore, key: &str) -> Result<File> {
    let found = store.get(&Path::from(key)).await.map_err(ReadError::Store)?;
    match found.payload {
        GetResultPayload::File(file, _) => Ok(file),
        GetResultPayload::Stream(mut chunks) => {
            let mut file = tempfile::tempfile().context("no temporary file: set TMPDIR to a folder")?;
            while let Some(chunk) = chunks.try_next().await.map_err(ReadError::Store)? {
                file.write_all(&chunk)
                    .context("a temporary file cannot be written: set TMPDIR to a folder")?;
            }
            Ok(file)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_partition_and_start() {
        let key = "product-events/log=A/date=2026-11-22/hour=18/p=00007/o=00000000000000123456.parquet";
        assert_eq!(parse(key), Some((7, 123_456)));
        for other in ["o=1.parquet", "p=1/x", "a/p=x/o=1.parquet", "a/p=1/o=1.tmp", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn keys_say_when_they_begin() {
        let key = "product-events/log=A/date=2026-11-22/hour=18/p=00007/o=00000000000000123456.parquet";
        let listed = Listed { key: key.to_owned(), partition: 7, first_offset: 123_456 };
        for (time, begins) in [
            ("2026-11-22T18:00:00Z", true),
            ("2026-11-23T00:00:00Z", true),
            ("2026-11-22T17:59:59Z", false),
            ("2025-12-31T23:00:00Z", false),
        ] {
            assert_eq!(listed.begins_by(time.parse().unwrap()), begins, "{time}");
        }
    }
}
