//! Recent events, read from the log's own table through its indexes.
//!
//! Every index ends in the offset, and time never decreases with the offset. So a time range becomes a range of
//! offsets by bisection, and several filters together are a leapfrog: each index is asked for its newest offset at
//! or below the others' until all agree. The indexes of seller and product are cut into blocks of offsets, which
//! keeps writes cheap: a value that is rare costs a look at each block of the range, some 850 for seven million events.

use bytes::Bytes;
use rusqlite::types::ToSqlOutput;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use souk_domain::Timestamp;
use souk_ports::{ErrorKind, PortError, RecentPage, RecentQuery};

use crate::readers::ReadError;

/// Reads a page, newest first, leaving out what is older than `oldest`.
pub(super) fn recent(
    connection: &Connection,
    query: &RecentQuery,
    oldest: Timestamp,
) -> Result<RecentPage, ReadError> {
    let before = match &query.cursor {
        Some(cursor) => parse_cursor(cursor)?,
        None => i64::MAX,
    };
    // One snapshot for all the look-ups.
    let snapshot = connection.unchecked_transaction()?;
    // Blocks are visited from the newest that there is.
    let before = before.min(end(&snapshot)?);
    let from = query.from.map_or(oldest, |from| from.max(oldest));
    let low = first_at_or_after(&snapshot, from)?;
    let high = match query.to {
        Some(to) => before.min(first_at_or_after(&snapshot, to)?),
        None => before,
    };
    let mut filters = Vec::new();
    if let Some(product) = query.product_id {
        filters.push(Filter::new(&snapshot, "product_id", product.0.as_bytes().to_vec())?);
    }
    if let Some(seller) = &query.seller_id {
        filters.push(Filter::new(&snapshot, "seller_id", seller.as_str().to_owned())?);
    }
    if let Some(event_type) = query.event_type {
        let index = i64::try_from(event_type.index()).expect("five types");
        filters.push(Filter::new(&snapshot, "type", index)?);
    }
    if filters.is_empty() {
        filters.push(Filter::all(&snapshot)?);
    }
    let mut payload = snapshot.prepare_cached("SELECT payload FROM events WHERE \"offset\" = ?1")?;
    let (mut items, mut next, mut last) = (Vec::new(), high, None);
    while let Some(offset) = newest_before(&mut filters, low, next)? {
        if items.len() == query.limit {
            return Ok(RecentPage { items, next: last.map(cursor_text) });
        }
        let bytes = payload.query_row([offset], |row| {
            row.get_ref(0)?.as_blob().map(Bytes::copy_from_slice).map_err(Into::into)
        })?;
        items.push(bytes);
        (next, last) = (offset, Some(offset));
    }
    Ok(RecentPage { items, next: None })
}

/// A column that has to hold a value, with the statement that finds its newest row in a range of offsets.
struct Filter<'c> {
    statement: CachedStatement<'c>,
    value: Option<ToSqlOutput<'static>>,
    /// Whether the index is cut into blocks.
    blocks: bool,
}

/// Bits of an offset within a block of an index: see the schema.
const BLOCK_BITS: i64 = 13;

impl<'c> Filter<'c> {
    fn new<T>(connection: &'c Connection, column: &str, value: T) -> rusqlite::Result<Self>
    where
        ToSqlOutput<'static>: From<T>,
    {
        let statement = connection.prepare_cached(&filter_sql(column))?;
        Ok(Self { statement, value: Some(ToSqlOutput::from(value)), blocks: in_blocks(column) })
    }

    /// Every row.
    fn all(connection: &'c Connection) -> rusqlite::Result<Self> {
        let statement = connection.prepare_cached(
            "SELECT \"offset\" FROM events WHERE \"offset\" >= ?1 AND \"offset\" < ?2
             ORDER BY \"offset\" DESC LIMIT 1",
        )?;
        Ok(Self { statement, value: None, blocks: false })
    }

    fn newest_before(&mut self, low: i64, high: i64) -> rusqlite::Result<Option<i64>> {
        let Some(value) = &self.value else {
            return self.statement.query_row(params![low, high], |row| row.get(0)).optional();
        };
        if !self.blocks {
            return self.statement.query_row(params![low, high, value], |row| row.get(0)).optional();
        }
        let newest_first = ((low >> BLOCK_BITS)..=(high.saturating_sub(1) >> BLOCK_BITS)).rev();
        for block in newest_first {
            let found = self.statement.query_row(params![low, high, value, block], |row| row.get(0));
            if let Some(offset) = found.optional()? {
                return Ok(Some(offset));
            }
        }
        Ok(None)
    }
}

/// Tells whether the index of `column` is cut into blocks.
fn in_blocks(column: &str) -> bool {
    matches!(column, "seller_id" | "product_id")
}

/// The statement that finds the newest row with a value in `column`, from the column's index alone; for an index in
/// blocks, within the block `?4`.
pub(super) fn filter_sql(column: &str) -> String {
    let block =
        if in_blocks(column) { format!("\"offset\" >> {BLOCK_BITS} = ?4 AND ") } else { String::new() };
    format!(
        "SELECT \"offset\" FROM events WHERE {block}{column} = ?3 AND \"offset\" >= ?1 AND \"offset\" < ?2
         ORDER BY \"offset\" DESC LIMIT 1"
    )
}

/// Returns the newest offset from `low` to before `high` that all filters have.
fn newest_before(filters: &mut [Filter<'_>], low: i64, mut high: i64) -> rusqlite::Result<Option<i64>> {
    loop {
        let mut candidate = None;
        let mut agreed = true;
        for filter in filters.iter_mut() {
            let Some(found) = filter.newest_before(low, high)? else { return Ok(None) };
            agreed &= candidate.is_none_or(|offset| offset == found);
            candidate = Some(found);
            // The next filter has nothing to look for above this one's newest.
            high = found + 1;
        }
        if agreed {
            return Ok(candidate);
        }
    }
}

/// Returns the offset after the newest row's.
fn end(connection: &Connection) -> rusqlite::Result<i64> {
    let newest = connection
        .prepare_cached("SELECT \"offset\" FROM events ORDER BY \"offset\" DESC LIMIT 1")?
        .query_row([], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(newest.map_or(0, |offset| offset + 1))
}

/// Returns the smallest offset from which on every row was decided at or after `time`.
fn first_at_or_after(connection: &Connection, time: Timestamp) -> rusqlite::Result<i64> {
    let bounds: (Option<i64>, Option<i64>) = connection
        .prepare_cached(
            "SELECT (SELECT \"offset\" FROM events ORDER BY \"offset\" LIMIT 1),
                    (SELECT \"offset\" FROM events ORDER BY \"offset\" DESC LIMIT 1)",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(mut low), Some(last)) = bounds else { return Ok(0) };
    let mut high = last + 1;
    let mut probe = connection.prepare_cached(
        "SELECT \"offset\", time FROM events WHERE \"offset\" >= ?1 ORDER BY \"offset\" LIMIT 1",
    )?;
    // Rows before `low` are older than `time`; those from `high` on are not.
    while low < high {
        let middle = low + (high - low) / 2;
        let (offset, found): (i64, i64) =
            probe.query_row(params![middle], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if found >= time.millis() {
            high = middle;
        } else {
            low = offset + 1;
        }
    }
    Ok(low)
}

/// The cursor: the offset of the last event given, as text.
fn cursor_text(offset: i64) -> String {
    format!("r{offset}")
}

fn parse_cursor(text: &str) -> Result<i64, PortError> {
    let digits = text.strip_prefix('r').filter(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|rest| rest.parse().ok()).ok_or_else(|| {
        PortError::new(ErrorKind::InvalidData, format!("cursor \"{text}\" was not given out by this list"))
    })
}
