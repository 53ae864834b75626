//! Aggregates in SQLite: adding with the offset guard, and the two ways of reading.

use std::sync::Arc;

use rusqlite::types::FromSqlError;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Transaction, params};
use souk_domain::Timestamp;
use souk_ports::{
    Aggregate, AggregateKey, AggregatePage, AggregateQuery, Dimension, ItemDelta, ItemRow, Measures, Offset,
    Partition, RefusedItem, Window, fault,
};

use super::codec::{StoredKey, decode_measures, encode_measures, series, series_of, series_range};

/// Returns the table that holds items of `by`.
fn table(by: Dimension) -> &'static str {
    if by == Dimension::Product { "product_items" } else { "items" }
}

/// The statements that add to one table.
struct Adder<'c> {
    select: CachedStatement<'c>,
    insert: CachedStatement<'c>,
    update: CachedStatement<'c>,
    /// Whether the next item is likely new, as the one before it was: then inserting first saves a look-up.
    expect_new: bool,
}

impl<'c> Adder<'c> {
    fn prepare(connection: &'c Connection, table: &str) -> rusqlite::Result<Self> {
        let at = "series = ?1 AND bucket = ?2 AND key = ?3 AND partition = ?4";
        Ok(Self {
            select: connection
                .prepare_cached(&format!("SELECT counted, measures FROM {table} WHERE {at}"))?,
            insert: connection.prepare_cached(&format!(
                "INSERT INTO {table} (series, bucket, key, partition, counted, measures)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING"
            ))?,
            update: connection
                .prepare_cached(&format!("UPDATE {table} SET counted = ?5, measures = ?6 WHERE {at}"))?,
            expect_new: false,
        })
    }

    /// Adds `delta`; returns the last offset counted when that is not before it.
    fn add(
        &mut self,
        log: i64,
        partition: Partition,
        delta: &ItemDelta,
        blob: &mut Vec<u8>,
    ) -> rusqlite::Result<Option<Offset>> {
        let AggregateKey { window, by, bucket, key } = &delta.key;
        let (series, bucket) = (series(log, *window, *by), bucket.map_or(0, Timestamp::millis));
        let key = StoredKey::new(*by, key);
        let last = delta.last.cast_signed();
        let insert = |this: &mut Self, blob: &mut Vec<u8>| {
            encode_measures(&delta.measures, blob);
            this.insert.execute(params![series, bucket, key, partition, last, &*blob])
        };
        if self.expect_new && insert(self, blob)? == 1 {
            return Ok(None);
        }
        let stored = self
            .select
            .query_row(params![series, bucket, key, partition], |row| {
                Ok((row.get::<_, i64>(0)?.cast_unsigned(), read_measures(row, 1)?))
            })
            .optional()?;
        self.expect_new = stored.is_none();
        let Some((counted, mut measures)) = stored else {
            insert(self, blob)?;
            return Ok(None);
        };
        if counted >= delta.first && !fault::planted("count-without-guard") {
            return Ok(Some(counted));
        }
        measures.merge(&delta.measures);
        encode_measures(&measures, blob);
        self.update.execute(params![series, bucket, key, partition, last, &*blob])?;
        Ok(None)
    }
}

/// Adds each delta to its item unless the item has counted some of its offsets; returns those.
pub(super) fn add(
    transaction: &Transaction<'_>,
    log: i64,
    partition: Partition,
    deltas: &[ItemDelta],
) -> rusqlite::Result<Vec<RefusedItem>> {
    let mut items = Adder::prepare(transaction, table(Dimension::Total))?;
    let mut products = Adder::prepare(transaction, table(Dimension::Product))?;
    let (mut refused, mut blob) = (Vec::new(), Vec::with_capacity(64));
    for (index, delta) in deltas.iter().enumerate() {
        let adder = if delta.key.by == Dimension::Product { &mut products } else { &mut items };
        if let Some(counted) = adder.add(log, partition, delta, &mut blob)? {
            refused.push(RefusedItem { index, counted });
        }
    }
    Ok(refused)
}

/// Puts items as they are given.
pub(super) fn replace(transaction: &Transaction<'_>, log: i64, items: &[ItemRow]) -> rusqlite::Result<()> {
    let mut blob = Vec::with_capacity(64);
    for ItemRow { key: AggregateKey { window, by, bucket, key }, partition, counted, measures } in items {
        let mut statement = transaction.prepare_cached(&format!(
            "INSERT OR REPLACE INTO {} (series, bucket, key, partition, counted, measures)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            table(*by)
        ))?;
        encode_measures(measures, &mut blob);
        let (series, bucket) = (series(log, *window, *by), bucket.map_or(0, Timestamp::millis));
        let counted = counted.cast_signed();
        statement.execute(params![series, bucket, StoredKey::new(*by, key), partition, counted, &*blob])?;
    }
    Ok(())
}

/// Removes items.
pub(super) fn remove(transaction: &Transaction<'_>, log: i64, items: &[ItemRow]) -> rusqlite::Result<()> {
    for ItemRow { key: AggregateKey { window, by, bucket, key }, partition, .. } in items {
        let mut statement = transaction.prepare_cached(&format!(
            "DELETE FROM {} WHERE series = ?1 AND bucket = ?2 AND key = ?3 AND partition = ?4",
            table(*by)
        ))?;
        let (series, bucket) = (series(log, *window, *by), bucket.map_or(0, Timestamp::millis));
        statement.execute(params![series, bucket, StoredKey::new(*by, key), partition])?;
    }
    Ok(())
}

/// Reads a page of aggregates, summed over partitions.
pub(super) fn aggregates(
    connection: &Connection,
    log: i64,
    query: &AggregateQuery,
) -> rusqlite::Result<AggregatePage> {
    let mut page = Page { query, items: Vec::new() };
    let range = Range::new(query);
    let series = series(log, query.window, query.by);
    match &query.key {
        None => {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT bucket, key, measures FROM {} WHERE series = ?1
                 AND (bucket, key) > (?2, ?3) AND bucket < ?4 ORDER BY bucket, key, partition",
                table(query.by)
            ))?;
            let after = range.key.as_deref().map_or(StoredKey::Lowest, |key| StoredKey::new(query.by, key));
            let mut rows = statement.query(params![series, range.bucket, after, range.end])?;
            while !page.is_full()
                && let Some(row) = rows.next()?
            {
                page.take(row)?;
            }
        }
        Some(key) => {
            let stored = StoredKey::new(query.by, key);
            // Of the bucket where the page before ended, this key has been given.
            let given = range.key.as_deref().is_some_and(|after| after >= &**key);
            let first = if given { range.bucket.saturating_add(1) } else { range.bucket };
            if query.by == Dimension::Product {
                product_buckets(connection, series, &stored, (first, range.end), &mut page)?;
            } else {
                let mut statement = connection.prepare_cached(
                    "SELECT bucket, key, measures FROM items INDEXED BY items_by_key
                     WHERE series = ?1 AND key = ?2 AND bucket >= ?3 AND bucket < ?4
                     ORDER BY bucket, partition",
                )?;
                let mut rows = statement.query(params![series, stored, first, range.end])?;
                while !page.is_full()
                    && let Some(row) = rows.next()?
                {
                    page.take(row)?;
                }
            }
        }
    }
    let more = page.is_full();
    page.items.truncate(query.limit);
    Ok(AggregatePage { items: page.items, more })
}

/// Visits the buckets from `from` to before `end` one by one and takes the product's row of each: a product has
/// at most one bucket a day, and the table is in the order of buckets.
fn product_buckets(
    connection: &Connection,
    series: i64,
    key: &StoredKey<'_>,
    (mut from, end): (i64, i64),
    page: &mut Page<'_>,
) -> rusqlite::Result<()> {
    let mut next = connection.prepare_cached(
        "SELECT bucket FROM product_items WHERE series = ?1 AND bucket >= ?2 AND bucket < ?3
         ORDER BY bucket LIMIT 1",
    )?;
    let mut at = connection.prepare_cached(
        "SELECT bucket, key, measures FROM product_items
         WHERE series = ?1 AND bucket = ?2 AND key = ?3 ORDER BY partition",
    )?;
    while !page.is_full() {
        let bucket: Option<i64> = next.query_row(params![series, from, end], |row| row.get(0)).optional()?;
        let Some(bucket) = bucket else { break };
        let mut rows = at.query(params![series, bucket, key])?;
        while let Some(row) = rows.next()? {
            page.take(row)?;
        }
        from = bucket.saturating_add(1);
    }
    Ok(())
}

/// Where a query begins (after this bucket and key, or at this bucket) and ends (before this bucket).
struct Range {
    bucket: i64,
    key: Option<Arc<str>>,
    end: i64,
}

impl Range {
    fn new(query: &AggregateQuery) -> Self {
        let from = query.from.map_or(i64::MIN, Timestamp::millis);
        let end = query.to.map_or(i64::MAX, Timestamp::millis);
        match &query.after {
            Some((bucket, key)) => {
                let bucket = bucket.map_or(0, Timestamp::millis);
                // A cursor from before `from` cannot widen the range.
                if bucket >= from {
                    return Self { bucket, key: Some(key.clone()), end };
                }
                Self { bucket: from, key: None, end }
            }
            None => Self { bucket: from, key: None, end },
        }
    }
}

/// A page as it fills up, with one item more than wanted to tell whether there are more.
struct Page<'q> {
    query: &'q AggregateQuery,
    items: Vec<Aggregate>,
}

impl Page<'_> {
    fn is_full(&self) -> bool {
        self.items.len() > self.query.limit
    }

    fn take(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let bucket = read_bucket(self.query.window, row.get(0)?);
        let (key, measures) = (read_key(row, 1)?, read_measures(row, 2)?);
        match self.items.last_mut() {
            Some(last) if last.key.bucket == bucket && last.key.key == key => last.measures.merge(&measures),
            _ => {
                let key = AggregateKey { window: self.query.window, by: self.query.by, bucket, key };
                self.items.push(Aggregate { key, measures });
            }
        }
        Ok(())
    }
}

/// Reads stored items in the order of their tables.
pub(super) fn scan(
    connection: &Connection,
    log: i64,
    after: Option<&ItemRow>,
    limit: usize,
) -> rusqlite::Result<Vec<ItemRow>> {
    let mut found = Vec::new();
    for by in [Dimension::Total, Dimension::Product] {
        let after_here = after.filter(|row| table(row.key.by) == table(by));
        let passed = after.is_some_and(|row| row.key.by == Dimension::Product) && by == Dimension::Total;
        if passed || found.len() >= limit {
            continue;
        }
        let mut statement = connection.prepare_cached(&format!(
            "SELECT series, bucket, key, partition, counted, measures FROM {}
             WHERE (series, bucket, key, partition) > (?1, ?2, ?3, ?4) AND series < ?5
             ORDER BY series, bucket, key, partition LIMIT ?6",
            table(by)
        ))?;
        let limit = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
        let (first, end) = series_range(log);
        let read = |row: &Row<'_>| read_item(row, log);
        let rows = match after_here {
            None => statement.query_map(params![first, i64::MIN, StoredKey::Lowest, 0, end, limit], read)?,
            Some(ItemRow { key: AggregateKey { window, by, bucket, key }, partition, .. }) => {
                let bucket = bucket.map_or(0, Timestamp::millis);
                let after = params![
                    series(log, *window, *by),
                    bucket,
                    StoredKey::new(*by, key),
                    partition,
                    end,
                    limit
                ];
                statement.query_map(after, read)?
            }
        };
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}

fn read_item(row: &Row<'_>, log: i64) -> rusqlite::Result<ItemRow> {
    let (window, by) = series_of(log, row.get(0)?).ok_or_else(|| unreadable(0))?;
    let bucket = read_bucket(window, row.get(1)?);
    Ok(ItemRow {
        key: AggregateKey { window, by, bucket, key: read_key(row, 2)? },
        partition: row.get(3)?,
        counted: row.get::<_, i64>(4)?.cast_unsigned(),
        measures: read_measures(row, 5)?,
    })
}

fn read_bucket(window: Window, millis: i64) -> Option<Timestamp> {
    (window != Window::All).then(|| Timestamp::from_millis(millis))
}

fn read_key(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<str>> {
    let value = row.get_ref(column)?;
    StoredKey::read(value)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, value.data_type(), Box::new(e)))
}

fn read_measures(row: &Row<'_>, column: usize) -> rusqlite::Result<Measures> {
    decode_measures(row.get_ref(column)?.as_blob()?).ok_or_else(|| unreadable(column))
}

fn unreadable(column: usize) -> rusqlite::Error {
    let error = Box::new(FromSqlError::InvalidType);
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, error)
}
