//! Reads the outbox: every committed row once, in an order that keeps each product's.
//!
//! A batch is what one snapshot sees and the one before it did not, ordered by `seq`. That loses nothing, because a
//! row that becomes visible late is in the difference in which it becomes visible; and it re-orders nothing within a product,
//! because whoever wrote a product's next version waited for the row lock until the version before was visible to
//! every later snapshot, and drew its `seq` after that.
//!
//! Few rows are read at once and sorted here. Many (a relay that comes back to a million) are not sorted at all: one
//! pass over the index counts them by ranges of `seq`, and each chunk then reads one range, by the transactions that
//! it has. So a chunk costs the same however many wait, no index serves this alone, and no transaction stays open.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use souk_domain::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};
use uuid::Uuid;

use crate::attributes::Attributes;
use crate::position::{Anchor, OpenBatch, Position};
use crate::sink::Outgoing;
use crate::snapshot::{Snapshot, SnapshotError, Xid};
use crate::sql::{self, LEAVES};

/// Most rows of a chunk, which is a transaction in Kafka: beyond 5,000 events its fixed cost no longer shows.
pub const CHUNK_ROWS: usize = 8_192;
/// Most bytes of a chunk, give or take a range: three chunks are in memory at a time.
pub const CHUNK_BYTES: usize = 8 << 20;
/// Rows are counted by ranges of 2^9 places: fine enough that a range of the largest events is no burden.
const RANGE_BITS: i32 = 9;

/// What went wrong while reading.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The session is gone, or Postgres refuses.
    #[error("postgres: {}", describe(.0))]
    Postgres(#[from] Error),
    /// Postgres said something else than a snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Returns what Postgres said, which the error's own text leaves out.
pub(crate) fn describe(error: &Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// Some rows, to be published in this order.
#[derive(Debug)]
pub struct Chunk {
    /// The events.
    pub events: Vec<Outgoing>,
    /// Where the relay is once they are published.
    pub position: Position,
    /// How many of them are in each leaf.
    pub per_leaf: [u64; LEAVES],
    /// When the first of them was decided.
    pub oldest: Option<Timestamp>,
    /// Rows known to wait behind them.
    pub waiting: u64,
}

/// Rows of a range of places, written by a range of transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    after: i64,
    upto: i64,
    low: Xid,
    high: Xid,
    rows: u64,
    bytes: u64,
}

/// A row as it was read; its event lies in the chunk's buffer.
struct Found {
    seq: i64,
    xid: Xid,
    key: Uuid,
    leaf: usize,
    start: usize,
    end: usize,
}

/// Reads on from a position.
pub struct Outbox {
    waiting: Statement,
    ranges: Statement,
    range: Statement,
    count: Statement,
    oldest: Statement,
    position: Position,
    planned: VecDeque<Range>,
    /// The last place handed out, for the planted bug `relay-seq-cursor`.
    highest: i64,
}

impl Outbox {
    /// Prepares to read on from `position`.
    pub async fn open(client: &Client, position: Position) -> Result<Self, ReadError> {
        Ok(Self {
            waiting: client.prepare(&sql::waiting()).await?,
            ranges: client.prepare(&sql::ranges()).await?,
            range: client.prepare(&sql::range()).await?,
            count: client.prepare(&sql::count()).await?,
            oldest: client.prepare(&sql::oldest()).await?,
            position,
            planned: VecDeque::new(),
            highest: 0,
        })
    }

    /// Returns the next rows; none when nothing waits.
    pub async fn next(&mut self, client: &Client) -> Result<Chunk, ReadError> {
        if self.planned.is_empty() && self.position.open.is_some() {
            self.plan(client).await?;
        }
        if self.planned.is_empty()
            && let Some(chunk) = self.all(client).await?
        {
            return Ok(chunk);
        }
        if self.planned.is_empty() {
            self.plan(client).await?;
        }
        while let Some(range) = self.planned.pop_front() {
            let chunk = self.read_range(client, range).await?;
            if !chunk.events.is_empty() || self.planned.is_empty() {
                return Ok(chunk);
            }
        }
        Ok(self.chunk(Vec::new(), Vec::new()))
    }

    /// Returns how many rows wait, up to `limit`, and when the oldest was decided.
    pub async fn count(&self, client: &Client, limit: u64) -> Result<(u64, Option<Timestamp>), ReadError> {
        let (xmax, running) = (self.position.snapshot.xmax(), self.position.snapshot.running());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let count: i64 = client.query_one(&self.count, &[&xmax, &running, &limit]).await?.get(0);
        let first = client.query_opt(&self.oldest, &[&xmax, &running]).await?;
        let oldest = first.and_then(|row| Some(Attributes::find(row.get(0))?.time));
        Ok((u64::try_from(count).unwrap_or(0), oldest))
    }

    /// Reads everything that waits; `None` when it is more than a chunk.
    async fn all(&mut self, client: &Client) -> Result<Option<Chunk>, ReadError> {
        let (xmax, running) = (self.position.snapshot.xmax(), self.position.snapshot.running());
        let limit = CHUNK_ROWS as i64 + 1;
        let parameters: [&(dyn ToSql + Sync); 3] = [&xmax, &running, &limit];
        let mut rows = Box::pin(client.query_raw(&self.waiting, parameters).await?);
        let (mut found, mut buffer, mut snapshot) = (Vec::new(), Vec::new(), None);
        while let Some(row) = rows.try_next().await? {
            if row.get::<_, i32>(0) < 0 {
                snapshot = Some(Snapshot::from_wire(row.get(4))?);
                continue;
            }
            found.push(take(&row, &mut buffer));
            if found.len() > CHUNK_ROWS || buffer.len() > CHUNK_BYTES {
                return Ok(None);
            }
        }
        let mut snapshot = snapshot.ok_or_else(|| SnapshotError("nothing".into()))?;
        if souk_ports::fault::planted("relay-xmin-horizon") {
            // What popular readers do: nothing that a running transaction could precede, by transaction.
            snapshot = snapshot.horizon();
            found.retain(|row: &Found| snapshot.sees(row.xid));
        }
        self.position.pass(snapshot);
        Ok(Some(self.chunk(found, buffer)))
    }

    /// Counts what waits by ranges, and cuts it into chunks.
    async fn plan(&mut self, client: &Client) -> Result<(), ReadError> {
        let (xmax, running) = (self.position.snapshot.xmax(), self.position.snapshot.running());
        let after = self.position.open.as_ref().map_or(-1, |open| open.last_seq);
        let parameters: [&(dyn ToSql + Sync); 4] = [&xmax, &running, &after, &RANGE_BITS];
        let mut rows = Box::pin(client.query_raw(&self.ranges, parameters).await?);
        let (mut ranges, mut now) = (Vec::new(), None);
        while let Some(row) = rows.try_next().await? {
            let Some(range) = row.get::<_, Option<i64>>(0) else {
                now = Some(Snapshot::from_wire(row.get(5))?);
                continue;
            };
            let [rows, bytes] = [3, 4].map(|column| row.get::<_, i64>(column).unsigned_abs());
            let (after, upto) = ((range << RANGE_BITS) - 1, ((range + 1) << RANGE_BITS) - 1);
            ranges.push(Range { after, upto, low: row.get(1), high: row.get(2), rows, bytes });
        }
        let now = now.ok_or_else(|| SnapshotError("nothing".into()))?;
        let open = self.position.open.get_or_insert(OpenBatch { snapshot: now, last_seq: after });
        ranges.retain(|range| range.low < open.snapshot.xmax());
        self.planned = merge(ranges, open.last_seq);
        if self.planned.is_empty() {
            // All that was left of it is published.
            let snapshot = open.snapshot.clone();
            self.position.pass(snapshot);
        }
        Ok(())
    }

    /// Reads one range of the open batch.
    async fn read_range(&mut self, client: &Client, range: Range) -> Result<Chunk, ReadError> {
        let parameters: [&(dyn ToSql + Sync); 4] = [&range.low, &range.high, &range.after, &range.upto];
        let mut rows = Box::pin(client.query_raw(&self.range, parameters).await?);
        let mut found = Vec::with_capacity(usize::try_from(range.rows).unwrap_or(0).min(2 * CHUNK_ROWS));
        let mut buffer = Vec::with_capacity(usize::try_from(range.bytes).unwrap_or(0).min(2 * CHUNK_BYTES));
        let mut open = self.position.open.take().expect("a range is of an open batch");
        while let Some(row) = rows.try_next().await? {
            let xid = row.get(2);
            if open.snapshot.sees(xid) && !self.position.snapshot.sees(xid) {
                found.push(take(&row, &mut buffer));
            }
        }
        if self.planned.is_empty() {
            self.position.pass(open.snapshot);
        } else {
            open.last_seq = range.upto;
            self.position.open = Some(open);
        }
        Ok(self.chunk(found, buffer))
    }

    /// Orders rows that lead to the position of now.
    fn chunk(&mut self, mut found: Vec<Found>, buffer: Vec<u8>) -> Chunk {
        if souk_ports::fault::planted("relay-seq-cursor") {
            // What tutorials do: nothing at or below the last place.
            found.retain(|row| row.seq > self.highest);
        }
        if souk_ports::fault::planted("relay-xmin-horizon") {
            found.sort_unstable_by_key(|row| (row.xid, row.seq));
        } else {
            found.sort_unstable_by_key(|row| row.seq);
        }
        let attributes = |row: &Found| Attributes::find(&buffer[row.start..row.end]);
        let oldest = found.first().and_then(|row| Some(attributes(row)?.time));
        if let Some((last, event)) = found.last().and_then(|row| Some((row, attributes(row)?.id))) {
            self.highest = self.highest.max(last.seq);
            self.position.anchor = Some(Anchor { xid: last.xid, seq: last.seq, event });
        }
        let mut per_leaf = [0; LEAVES];
        let buffer = Bytes::from(buffer);
        let events = found
            .iter()
            .map(|row| {
                per_leaf[row.leaf] += 1;
                Outgoing { key: row.key, payload: buffer.slice(row.start..row.end) }
            })
            .collect();
        let waiting = self.planned.iter().map(|range| range.rows).sum();
        Chunk { events, position: self.position.clone(), per_leaf, oldest, waiting }
    }
}

/// Takes a row over, its event into `buffer`.
fn take(row: &Row, buffer: &mut Vec<u8>) -> Found {
    let start = buffer.len();
    buffer.extend_from_slice(row.get::<_, &[u8]>(4));
    let leaf = usize::try_from(row.get::<_, i32>(0)).expect("leaves are counted from 0");
    Found { seq: row.get(1), xid: row.get(2), key: row.get(3), leaf, start, end: buffer.len() }
}

/// Joins neighbours as long as they fit a chunk, none of it at or before `after`.
fn merge(mut ranges: Vec<Range>, after: i64) -> VecDeque<Range> {
    ranges.sort_unstable_by_key(|range| range.after);
    let mut merged: VecDeque<Range> = VecDeque::new();
    for mut range in ranges {
        range.after = range.after.max(after);
        match merged.back_mut() {
            Some(last)
                if last.rows + range.rows <= CHUNK_ROWS as u64
                    && last.bytes + range.bytes <= CHUNK_BYTES as u64 =>
            {
                last.upto = range.upto;
                last.low = last.low.min(range.low);
                last.high = last.high.max(range.high);
                last.rows += range.rows;
                last.bytes += range.bytes;
            }
            _ => merged.push_back(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(n: i64, low: u64, high: u64, rows: u64, bytes: u64) -> Range {
        Range { after: n * 512 - 1, upto: (n + 1) * 512 - 1, low: Xid(low), high: Xid(high), rows, bytes }
    }

    #[test]
    fn neighbours_join_until_a_chunk_is_full() {
        let all =
            |bytes| (0..40).rev().map(|n| range(n, 100 + n as u64, 101 + n as u64, 512, bytes)).collect();
        let chunks = merge(all(1_000), 5);
        assert_eq!(chunks.iter().map(|range| range.rows).collect::<Vec<_>>(), [8_192, 8_192, 4_096]);
        assert_eq!(
            chunks[0],
            Range { after: 5, upto: 8_191, low: Xid(100), high: Xid(116), rows: 8_192, bytes: 16_000 }
        );
        assert_eq!(chunks[1].after, 8_191);
        let large = merge(all(3 << 20), -1);
        assert_eq!(large.len(), 20, "two ranges of 3 MiB fit, three do not");
    }
}
