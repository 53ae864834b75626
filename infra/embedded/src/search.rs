//! The search index: words of products in a file of its own, fed from the log.
//!
//! It trails writes by a tick of [`TICK`]. Words and position are one transaction: after a power cut, which may take the
//! last ones, it goes on from the log where it was. It can be lost or damaged: it is then rebuilt from the catalog.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};
use souk_domain::{EventType, ProductId, Sku, tokens};
use souk_events::LogId;
use souk_ports::{EventLog as _, LogRecord, Offset, PortError, ReadLimit};
use tokio_util::sync::CancellationToken;

use crate::list::Clauses;
use crate::log::{self, EmbeddedEventLog};
use crate::sqlite::{self, Durability, Schema};
use crate::{OpenError, rows};

pub(crate) const SCHEMA: Schema =
    Schema { name: "search.db", scripts: &[include_str!("schema/search_1.sql")] };

/// How long changes gather before they are indexed: many are then one transaction, and a second is promised.
const TICK: Duration = Duration::from_millis(100);
/// A word with fewer products than this is looked up and sorted; with more, the list is walked in its order and
/// filtered, since a match is then never far. Both ends cost about as much.
const RARE: i64 = 4096;

/// How to find the products with all words.
pub(crate) enum Plan {
    /// There are no words.
    None,
    /// Start from the rarest word.
    Rare {
        /// Which one.
        upper: RareWord,
    },
    /// Every word is frequent: walk the list.
    Common,
}

/// The rarest word of a query and where its range of terms ends.
pub(crate) struct RareWord {
    pub word: usize,
    pub bound: String,
}

/// Chooses by how many products the rarest word has; counts no further than [`RARE`].
pub(crate) fn plan(connection: &Connection, words: &[String]) -> rusqlite::Result<Plan> {
    if words.is_empty() {
        return Ok(Plan::None);
    }
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM search.terms WHERE token >= ?1 AND token < ?2 LIMIT ?3)",
    )?;
    let mut rarest = (RARE, None);
    for (index, word) in words.iter().enumerate() {
        let count =
            statement.query_row(params![word, upper_bound(word), rarest.0], |row| row.get::<_, i64>(0))?;
        if count < rarest.0 {
            rarest = (count, Some(index));
        }
    }
    Ok(match rarest.1 {
        Some(word) => Plan::Rare { upper: RareWord { word, bound: upper_bound(&words[word]) } },
        None => Plan::Common,
    })
}

/// Requires each word to begin a word of the joined document `d`.
pub(crate) fn require_words(clauses: &mut Clauses, words: &[String]) {
    for word in words {
        clauses.add("instr(d.tokens, ?) > 0", Value::Text(format!(" {word}")));
    }
}

/// Returns a text after every word that begins with `prefix`.
fn upper_bound(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

/// Feeds the index.
pub(crate) struct Indexer {
    connection: Connection,
    log: EmbeddedEventLog,
    next: Offset,
    /// Where damage is noted for the next start.
    mark: PathBuf,
}

impl Indexer {
    /// Opens the index; `catalog` is read beside it for a rebuild, also of one that is damaged. `end` is the log's.
    pub fn open(
        path: &Path,
        catalog: &Path,
        identity: LogId,
        log: &EmbeddedEventLog,
        end: Offset,
    ) -> Result<Self, OpenError> {
        if damage_mark(path).exists() {
            discard(path).map_err(|e| OpenError::folder(path, e))?;
        }
        match Self::over(path, catalog, identity, log, end) {
            Err(OpenError::Sqlite { source, .. }) if sqlite::is_damage(&source) => {
                tracing::warn!(error = %source, "search.db is damaged and is built anew from the catalog");
                discard(path).map_err(|e| OpenError::folder(path, e))?;
                Self::over(path, catalog, identity, log, end)
            }
            opened => opened,
        }
    }

    fn over(
        path: &Path,
        catalog: &Path,
        identity: LogId,
        log: &EmbeddedEventLog,
        end: Offset,
    ) -> Result<Self, OpenError> {
        let error = |e| OpenError::sqlite(path, e);
        let connection = sqlite::open_writer(path, &SCHEMA, Durability::Normal)?;
        connection.pragma_update(None, "cache_size", -4096).map_err(error)?;
        let meta = |name: &str| -> rusqlite::Result<Option<i64>> {
            connection
                .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
                .optional()
        };
        let same_log = meta("log").map_err(error)? == Some(identity.0.cast_signed());
        let next = if same_log { meta("next").map_err(error)?.map(log::unsigned) } else { None };
        connection.execute("ATTACH ?1 AS catalog", [catalog.to_string_lossy()]).map_err(error)?;
        let mut indexer =
            Self { connection, log: log.clone(), next: next.unwrap_or(0), mark: damage_mark(path) };
        // Beyond the log's end it knows of products that an older souk.db, put back, has never heard of.
        let is_ahead = next.is_some_and(|next| next > end);
        if next.is_none() || is_ahead || indexer.is_behind_the_log().map_err(error)? {
            indexer.rebuild(identity).map_err(error)?;
        }
        Ok(indexer)
    }

    /// Returns the position up to which everything is indexed.
    pub fn position(&self) -> Offset {
        self.next
    }

    /// Lets a test look at the connection that writes.
    #[cfg(test)]
    pub(crate) fn with_writer<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
        look(&self.connection)
    }

    fn is_behind_the_log(&self) -> rusqlite::Result<bool> {
        let earliest: Option<i64> =
            self.connection.query_row("SELECT min(\"offset\") FROM catalog.events", [], |row| row.get(0))?;
        // One above the position would already be a hole.
        Ok(earliest.is_some_and(|earliest| log::unsigned(earliest) > self.next.max(1)))
    }

    fn rebuild(&mut self, identity: LogId) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch("DELETE FROM terms; DELETE FROM documents;")?;
        let next: i64 = transaction.query_row(
            "SELECT coalesce(max(\"offset\"), 0) + 1 FROM catalog.events",
            [],
            |row| row.get(0),
        )?;
        {
            let mut products =
                transaction.prepare("SELECT id, name, sku FROM catalog.products ORDER BY id")?;
            let mut rows = products.query([])?;
            while let Some(row) = rows.next()? {
                let (name, sku): (String, Option<String>) = (row.get(1)?, row.get(2)?);
                let words = words_of(&name, sku.as_deref());
                put(&transaction, ProductId(rows::id(row, 0)?), &words)?;
            }
        }
        remember(&transaction, "log", identity.0.cast_signed())?;
        remember(&transaction, "next", next)?;
        transaction.commit()?;
        self.next = log::unsigned(next);
        Ok(())
    }

    /// Follows the log until `stop`; tells `passed` how far it is.
    pub async fn run(mut self, stop: CancellationToken, passed: Arc<AtomicU64>) {
        let log = self.log.clone();
        loop {
            let next = self.next;
            passed.store(next, Ordering::Release);
            let records = tokio::select! {
                () = stop.cancelled() => return,
                records = gather(&log, next) => records,
            };
            let result = match records {
                Ok(records) => {
                    let work = tokio::task::spawn_blocking(move || {
                        let result = self.index(&records);
                        if result.as_ref().is_err_and(sqlite::is_damage) {
                            self.note_damage();
                        }
                        (self, result.map_err(sqlite::port_error))
                    });
                    let Ok((indexer, result)) = work.await else { return };
                    self = indexer;
                    result
                }
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                tracing::warn!(error = %error, "the search index could not be fed and will be retried");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        }
    }

    /// Has the next start build the index anew: readers have the damaged file open.
    fn note_damage(&self) {
        if !self.mark.exists() && std::fs::write(&self.mark, "").is_ok() {
            tracing::error!("search.db is damaged: restart souk, which builds it anew from the catalog");
        }
    }

    fn index(&mut self, records: &[LogRecord]) -> rusqlite::Result<()> {
        let Some(last) = records.last() else { return Ok(()) };
        let transaction = self.connection.transaction()?;
        for record in records {
            let Ok(event) = souk_events::decode(&record.payload) else { continue };
            let product = &event.product;
            let renamed = match &event.kind {
                souk_domain::EventKind::Updated { changes, .. } => {
                    changes.name.is_some() || changes.sku.is_some()
                }
                _ => matches!(event.event_type(), EventType::ProductCreated | EventType::ProductDeleted),
            };
            if !renamed {
                continue;
            }
            let words = match event.event_type() {
                EventType::ProductDeleted => Vec::new(),
                _ => words_of(product.name.as_str(), product.sku.as_ref().map(Sku::as_str)),
            };
            put(&transaction, product.id, &words)?;
        }
        let next = last.offset + 1;
        remember(&transaction, "next", i64::try_from(next).expect("offsets stay below 2^63"))?;
        transaction.commit()?;
        self.next = next;
        Ok(())
    }
}

/// How the index compares with the catalog.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Products of the catalog.
    pub products: i64,
    /// Events that the index has not come to: with any, the other figures say nothing.
    pub trails: i64,
    /// Products with words that the index has not got.
    pub lacking: i64,
    /// Products in the index that the catalog has not got.
    pub surplus: i64,
}

/// Compares the counts, and row by row only where they differ: a name without a word is in no index. `connection` reads
/// the catalog, with the index as `search`.
pub(crate) fn coverage(connection: &Connection) -> rusqlite::Result<Coverage> {
    // One moment for each file; the index's first, so that the catalog is not the one behind.
    let transaction = connection.unchecked_transaction()?;
    let number = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
    let next = number("SELECT value FROM search.meta WHERE name = 'next'")?;
    let documents = number("SELECT count(*) FROM search.documents")?;
    let products = number("SELECT count(*) FROM main.products")?;
    let end = transaction.query_row("SELECT max(\"offset\") + 1 FROM main.events", [], |row| {
        Ok(row.get::<_, Option<i64>>(0)?.unwrap_or(next))
    })?;
    let (mut absent, mut lacking) = (0, 0);
    if documents != products {
        let mut rows = transaction.prepare(
            "SELECT name, sku FROM main.products WHERE NOT EXISTS \
             (SELECT 1 FROM search.documents WHERE documents.product = products.id)",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let (name, sku): (String, Option<String>) = (row.get(0)?, row.get(1)?);
            absent += 1;
            lacking += i64::from(!words_of(&name, sku.as_deref()).is_empty());
        }
    }
    Ok(Coverage { products, trails: (end - next).max(0), lacking, surplus: documents - (products - absent) })
}

/// Returns the words by which a product is found.
fn words_of(name: &str, sku: Option<&str>) -> Vec<String> {
    tokens([name].into_iter().chain(sku))
}

/// Returns the file that says that the index at `path` is damaged.
fn damage_mark(path: &Path) -> PathBuf {
    path.with_extension("db-damaged")
}

/// Removes the index at `path` with all that belongs to it; the mark goes last.
fn discard(path: &Path) -> std::io::Result<()> {
    let [wal, shm] = ["db-wal", "db-shm"].map(|extension| path.with_extension(extension));
    for file in [path.to_owned(), wal, shm, damage_mark(path)] {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Waits for the first record from `next` on, then a tick for more to come.
async fn gather(log: &EmbeddedEventLog, next: Offset) -> Result<Vec<LogRecord>, PortError> {
    log.tail(&[next]).await?.next().await?;
    tokio::time::sleep(TICK).await;
    log.read(log::PARTITION, next, ReadLimit { records: 8192, bytes: 8 << 20 }).await
}

/// Makes `words` the words of a product. Doing it twice is doing it once.
fn put(connection: &Connection, product: ProductId, words: &[String]) -> rusqlite::Result<()> {
    let id = product.0.as_bytes();
    let old: Option<String> = connection
        .prepare_cached("SELECT tokens FROM documents WHERE product = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let new: String = words.iter().flat_map(|word| [" ", word.as_str()]).collect();
    if old.as_deref() == Some(&new) || old.is_none() && words.is_empty() {
        return Ok(());
    }
    if let Some(old) = old {
        let mut remove = connection.prepare_cached("DELETE FROM terms WHERE token = ?1 AND product = ?2")?;
        for word in old.split_whitespace() {
            remove.execute(params![word, id])?;
        }
    }
    if words.is_empty() {
        connection.prepare_cached("DELETE FROM documents WHERE product = ?1")?.execute([id])?;
        return Ok(());
    }
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO terms (token, product) VALUES (?1, ?2)")?;
    for word in words {
        insert.execute(params![word, id])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO documents (product, tokens) VALUES (?1, ?2) \
             ON CONFLICT DO UPDATE SET tokens = excluded.tokens",
        )?
        .execute(params![id, new])?;
    Ok(())
}

fn remember(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
        .execute(params![name, value])?;
    Ok(())
}
