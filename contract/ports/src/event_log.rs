//! The log of all events.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use souk_domain::Timestamp;
use souk_events::LogId;

use crate::PortError;

/// A partition's number, from 0.
pub type Partition = u32;
/// A record's position in its partition; grows, may have holes.
pub type Offset = u64;

/// Every committed event, exactly once, in order per product.
///
/// Promises: a record is readable only once its unit of work is committed; offsets grow in commit order within a
/// partition, and all events of a product are in one partition; what a group did not commit is delivered again; a
/// tail from any position misses nothing that the log holds.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Returns the log's identity.
    fn identity(&self) -> LogId;

    /// Returns what each partition holds, by partition number.
    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError>;

    /// Returns the first records of `partition` at or after `from`, in offset order, at least one if there is any;
    /// empty when caught up. Fewer than the limit allows do not say that no more follow; only an empty answer does. Does
    /// not wait. Records before the partition's earliest are gone: compare with `bounds`.
    ///
    /// # Errors
    /// `Unavailable` when the log cannot be reached; retrying is safe.
    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError>;

    /// Follows all partitions from the given next offsets (by partition number; missing ones from 0).
    async fn tail(&self, from: &[Offset]) -> Result<Box<dyn Tail>, PortError>;

    /// Joins the consumer group `group`.
    async fn consumer(&self, group: &str) -> Result<Box<dyn GroupConsumer>, PortError>;

    /// Returns the next offset that `group` committed, by partition number; 0 where it committed none.
    async fn committed(&self, group: &str) -> Result<Vec<Offset>, PortError>;

    /// Returns how far `group` is known to have missed nothing, by partition number: its committed position, or beyond it
    /// where only offsets without a record follow. A log that begins no later than there has let go of nothing that the
    /// group did not have.
    async fn looked(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        self.committed(group).await
    }

    /// Sets aside a record that cannot be read, with the reason and where it was, durably; the caller goes on after
    /// it. Idempotent as far as a reader is concerned: a record set aside twice carries the same partition and offset.
    async fn dead_letter(&self, record: &LogRecord, reason: &str) -> Result<(), PortError>;

    /// Returns at most `limit` records of this log that were set aside, each at least once. For audits.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let _ = limit;
        Ok(Vec::new())
    }

    /// Returns how many members `group` has now; `None` where a log cannot tell, because only one process can write.
    async fn members(&self, group: &str) -> Result<Option<usize>, PortError> {
        let _ = group;
        Ok(None)
    }
}

/// What a partition holds: offsets from `earliest`, the next one to be written being `next`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionBounds {
    /// Offset of the oldest record held; `next` when it holds none.
    pub earliest: Offset,
    /// Offset that the next record will have at least.
    pub next: Offset,
    /// When the last record was appended; `None` when that is not known.
    pub last_appended_at: Option<Timestamp>,
}

/// How much to read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// Most records.
    pub records: usize,
    /// Stops after the record that passes this many payload bytes.
    pub bytes: usize,
}

impl Default for ReadLimit {
    /// 1,024 records or 1 MiB: large enough to hide a round trip, small enough to hold a few of them.
    fn default() -> Self {
        Self { records: 1024, bytes: 1 << 20 }
    }
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// The partition.
    pub partition: Partition,
    /// The offset.
    pub offset: Offset,
    /// When the log took it in.
    pub appended_at: Timestamp,
    /// The event as it was published, structured JSON.
    pub payload: Bytes,
}

/// A record that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The partition that it is in.
    pub partition: Partition,
    /// Its offset there.
    pub offset: Offset,
    /// Why it cannot be read.
    pub reason: String,
}

/// Follows the log.
#[async_trait]
pub trait Tail: Send {
    /// Waits for the next records, in offset order within each partition; never empty. Cancel-safe: a call that is
    /// dropped loses nothing.
    async fn next(&mut self) -> Result<Vec<LogRecord>, PortError>;
}

/// A member of a consumer group.
#[async_trait]
pub trait GroupConsumer: Send {
    /// Waits at most `max_wait` for something to do. Cancel-safe.
    async fn next(&mut self, max_wait: Duration) -> Result<Delivery, PortError>;

    /// Notes that everything of `partition` before `next` is done with, durably.
    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError>;

    /// Goes on with `partition` at `next`, without committing it: the next record of it to come is the first one from
    /// there on, also when a call of [`GroupConsumer::next`] was given up before.
    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError>;
}

/// What a group's member gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// These partitions are its own from now on, each from its committed next offset, 0 where it committed none. The
    /// first delivery. Where the log begins after that, records come from its beginning on, and nobody else says that
    /// some are missing: compare with `bounds`.
    Assigned(Vec<(Partition, Offset)>),
    /// These partitions go to another member at the next call: finish and commit first.
    Revoking(Vec<Partition>),
    /// Records, in offset order within each partition; never empty.
    Records(Vec<LogRecord>),
    /// Nothing came in time.
    Idle,
}
