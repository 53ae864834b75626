//! The open file of each partition: records in memory until they are enough, old enough, or of another hour.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use souk_domain::Timestamp;
use souk_ports::{LogRecord, Offset, Partition};

/// What a record costs in memory beside its payload.
const RECORD_OVERHEAD: usize = size_of::<LogRecord>();

/// When files are closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Most bytes in memory over all open files; a single one has half of them.
    pub bytes: usize,
    /// Most records in a file.
    pub rows: usize,
    /// How long a file stays open.
    pub age: Duration,
}

/// Size of the pieces of memory that payloads are copied into: the first ones of a file are smaller, as most files of a
/// shop with many partitions are.
const BLOCK: RangeInclusive<usize> = 4 << 10..=64 << 10;

/// A partition's records that are not archived yet.
///
/// Payloads are copied into memory of its own: those of a delivery share one piece with records of other partitions,
/// which would be kept until the last of these is archived. Blocks of one size leave no holes in the heap, which one
/// piece that grows and moves would.
struct OpenFile {
    records: Vec<LogRecord>,
    /// What is left of the newest block.
    block: BytesMut,
    bytes: usize,
    opened_at: Instant,
}

impl OpenFile {
    fn new(opened_at: Instant) -> Self {
        Self { records: Vec::new(), block: BytesMut::new(), bytes: 0, opened_at }
    }

    fn push(&mut self, mut record: LogRecord) {
        if self.block.capacity() < record.payload.len() {
            let size = self.bytes.clamp(*BLOCK.start(), *BLOCK.end());
            self.block = BytesMut::with_capacity(size.max(record.payload.len()));
        }
        self.bytes += cost(&record);
        self.block.extend_from_slice(&record.payload);
        record.payload = self.block.split().freeze();
        self.records.push(record);
    }
}

/// A partition that is ours.
struct Slot {
    /// Where the next object begins: the committed position.
    position: Offset,
    /// What is read next.
    read: Offset,
    open: Option<OpenFile>,
}

/// A file that is to become an object.
pub(super) struct ClosedFile {
    /// Where it begins: the end of the object before.
    pub first_offset: Offset,
    /// Where the next begins.
    pub next_offset: Offset,
    /// When its first record was appended: the key's hour.
    pub first_appended_at: Timestamp,
    /// Never empty.
    pub records: Vec<LogRecord>,
}

/// All open files.
pub(super) struct Writer {
    limits: Limits,
    slots: BTreeMap<Partition, Slot>,
    bytes: usize,
}

impl Writer {
    pub fn new(limits: Limits) -> Self {
        Self { limits, slots: BTreeMap::new(), bytes: 0 }
    }

    /// Takes `partition` over, or begins it anew, at its committed position.
    pub fn assign(&mut self, partition: Partition, position: Offset) {
        self.revoke(partition);
        self.slots.insert(partition, Slot { position, read: position, open: None });
    }

    /// Forgets `partition`.
    pub fn revoke(&mut self, partition: Partition) {
        if let Some(Slot { open: Some(file), .. }) = self.slots.remove(&partition) {
            self.bytes -= file.bytes;
        }
    }

    /// Returns the partitions that are ours.
    pub fn partitions(&self) -> Vec<Partition> {
        self.slots.keys().copied().collect()
    }

    /// Returns what is read next of `partition`; `None` when it is not ours.
    pub fn read_position(&self, partition: Partition) -> Option<Offset> {
        self.slots.get(&partition).map(|slot| slot.read)
    }

    /// Tells whether `partition` has records that are not archived.
    pub fn is_open(&self, partition: Partition) -> bool {
        self.slots.get(&partition).is_some_and(|slot| slot.open.is_some())
    }

    /// Returns the partition whose file has to be closed before `record` can be taken.
    pub fn closes_before(&self, record: &LogRecord) -> Option<Partition> {
        let file = self.slots.get(&record.partition)?.open.as_ref();
        let full = file.is_some_and(|file| self.is_full(file) || hour(record) > hour(&file.records[0]));
        if full {
            return Some(record.partition);
        }
        if self.bytes + cost(record) > self.limits.bytes {
            let open = self
                .slots
                .iter()
                .filter_map(|(partition, slot)| Some((slot.open.as_ref()?.bytes, *partition)));
            return open.max().map(|(_, partition)| partition);
        }
        None
    }

    /// Takes a record; one that was read before is left out.
    pub fn push(&mut self, record: LogRecord, now: Instant) {
        let Some(slot) = self.slots.get_mut(&record.partition).filter(|slot| record.offset >= slot.read)
        else {
            return;
        };
        self.bytes += cost(&record);
        slot.read = record.offset + 1;
        slot.open.get_or_insert_with(|| OpenFile::new(now)).push(record);
    }

    /// Returns a partition whose file is full or old.
    pub fn due(&self, now: Instant) -> Option<Partition> {
        self.slots.iter().find_map(|(partition, slot)| {
            let file = slot.open.as_ref()?;
            let old = now.saturating_duration_since(file.opened_at) >= self.limits.age;
            (old || self.is_full(file) || self.bytes >= self.limits.bytes).then_some(*partition)
        })
    }

    fn is_full(&self, file: &OpenFile) -> bool {
        file.records.len() >= self.limits.rows || file.bytes >= self.limits.bytes / 2
    }

    /// Returns in what time the oldest file is due.
    pub fn due_in(&self, now: Instant) -> Option<Duration> {
        let oldest = self.slots.values().filter_map(|slot| Some(slot.open.as_ref()?.opened_at)).min()?;
        Some(self.limits.age.saturating_sub(now.saturating_duration_since(oldest)))
    }

    /// Closes the file of `partition`.
    pub fn close(&mut self, partition: Partition) -> Option<ClosedFile> {
        let slot = self.slots.get_mut(&partition)?;
        let file = slot.open.take()?;
        self.bytes -= file.bytes;
        Some(ClosedFile {
            first_offset: slot.position,
            next_offset: slot.read,
            first_appended_at: file.records.first()?.appended_at,
            records: file.records,
        })
    }

    /// Notes that `partition` is archived up to `next`.
    pub fn archived(&mut self, partition: Partition, next: Offset) {
        if let Some(slot) = self.slots.get_mut(&partition) {
            slot.position = next;
        }
    }
}

fn cost(record: &LogRecord) -> usize {
    record.payload.len() + RECORD_OVERHEAD
}

fn hour(record: &LogRecord) -> i64 {
    record.appended_at.millis().div_euclid(3_600_000)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const LIMITS: Limits = Limits { bytes: 10_000, rows: 5, age: Duration::from_secs(60) };

    fn record(partition: Partition, offset: Offset, appended_at: i64, size: usize) -> LogRecord {
        let payload = Bytes::from(vec![b'x'; size]);
        LogRecord { partition, offset, appended_at: Timestamp::from_millis(appended_at), payload }
    }

    fn writer() -> (Writer, Instant) {
        let mut writer = Writer::new(LIMITS);
        writer.assign(0, 7);
        writer.assign(1, 0);
        (writer, Instant::now())
    }

    #[test]
    fn a_file_chains_to_the_one_before_whatever_the_offsets() {
        let (mut writer, now) = writer();
        writer.push(record(0, 9, 0, 1), now);
        writer.push(record(0, 12, 0, 1), now);
        let file = writer.close(0).unwrap();
        assert_eq!((file.first_offset, file.next_offset, file.records.len()), (7, 13, 2));
        writer.archived(0, 13);
        writer.push(record(0, 12, 0, 1), now);
        assert!(!writer.is_open(0), "a record that was read before is left out");
        writer.push(record(0, 20, 0, 1), now);
        assert_eq!(writer.close(0).unwrap().first_offset, 13);
        assert!(writer.close(0).is_none());
    }

    #[test]
    fn a_file_is_closed_by_rows_and_age() {
        let (mut writer, now) = writer();
        for offset in 0..5 {
            writer.push(record(1, offset, 0, 1), now);
        }
        assert_eq!(writer.due(now), Some(1));
        assert_eq!(writer.closes_before(&record(1, 5, 0, 1)), Some(1));
        assert_eq!(writer.closes_before(&record(0, 9, 0, 1)), None);
        writer.close(1);
        writer.push(record(0, 9, 0, 1), now);
        assert_eq!((writer.due(now), writer.due_in(now)), (None, Some(LIMITS.age)));
        assert_eq!(writer.due(now + LIMITS.age), Some(0));
    }

    #[test]
    fn a_file_holds_one_hour_of_the_logs_time() {
        let (mut writer, now) = writer();
        writer.push(record(0, 9, 3_599_999, 1), now);
        assert_eq!(writer.closes_before(&record(0, 10, 3_599_999, 1)), None);
        assert_eq!(writer.closes_before(&record(0, 10, 3_600_000, 1)), Some(0));
        // A log whose clock goes back does not make a file for each turn.
        assert_eq!(writer.closes_before(&record(0, 10, 0, 1)), None);
    }

    #[test]
    fn all_files_together_keep_to_the_limit() {
        let (mut writer, now) = writer();
        writer.push(record(0, 9, 0, 6000), now);
        writer.push(record(1, 0, 0, 3000), now);
        assert_eq!(writer.closes_before(&record(1, 1, 0, 3000)), Some(0), "the largest goes first");
        writer.close(0);
        assert_eq!(writer.closes_before(&record(1, 1, 0, 3000)), None);
        writer.revoke(1);
        assert_eq!(writer.bytes, 0);
    }
}
