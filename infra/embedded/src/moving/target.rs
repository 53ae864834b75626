//! The folder that a shop comes to.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{
    CatalogRow, ErrorKind, Holds, IdGenerator, Milestone, MoveTarget, MovedEvent, PortError, StoredAnswer,
};

use super::{TABLE, store, stored};
use crate::filling::{self, Filling};
use crate::sqlite::Durability;
use crate::{EmbeddedConfig, OpenError, SCHEMA, identity, lock, rows, set_max_bytes, sqlite};

/// The page cache in KiB: rows come in the order of ids, and most indexes have another.
const CACHE_KIB: i64 = 64 * 1024;

/// A folder that takes a shop in; its lock is held.
pub struct EmbeddedMoveTarget {
    connection: Arc<Mutex<Connection>>,
    log: LogId,
    place: PathBuf,
    _lock: File,
}

impl EmbeddedMoveTarget {
    /// Opens the folder, makes it when absent.
    ///
    /// # Errors
    /// [`OpenError`]: it cannot be written, is in use, or belongs to a newer version.
    pub fn open(config: &EmbeddedConfig, ids: &dyn IdGenerator) -> Result<Self, OpenError> {
        let dir = &config.data_dir;
        std::fs::create_dir_all(dir.join("archive")).map_err(|e| OpenError::folder(dir, e))?;
        let lock = lock(dir)?;
        let path = dir.join("souk.db");
        let connection = sqlite::open_writer(&path, &SCHEMA, Durability::Full)?;
        let prepare = || -> rusqlite::Result<LogId> {
            connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
            set_max_bytes(&connection, config.max_bytes)?;
            identity(&connection, ids)
        };
        let log = prepare().map_err(|e| OpenError::sqlite(&path, e))?;
        let connection = Arc::new(Mutex::new(connection));
        Ok(Self { connection, log, place: dir.clone(), _lock: lock })
    }

    /// Tells what the folder at `data_dir` holds, changing nothing.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot be read.
    pub fn look(data_dir: &Path) -> Result<Holds, OpenError> {
        let path = data_dir.join("souk.db");
        if !path.is_file() {
            return Ok(Holds::Nothing);
        }
        let connection = sqlite::open_reader(&path).map_err(|e| OpenError::reading(&path, e))?;
        sqlite::check_version(&connection, &path, &SCHEMA)?;
        held(&connection, data_dir).map_err(|e| OpenError::sqlite(&path, e))
    }

    /// Runs `work` in one transaction, which also says how far the move is.
    async fn write<F>(&self, milestone: &Milestone, finished: bool, work: F) -> Result<(), PortError>
    where
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static,
    {
        let milestone = milestone.clone();
        self.aside(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute_batch(TABLE)?;
            work(&transaction)?;
            store(&transaction, &milestone, finished)?;
            transaction.commit()
        })
        .await
    }

    /// Lets a test look at the connection that writes.
    #[cfg(test)]
    pub(crate) fn with_writer<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
        look(&self.connection.lock())
    }

    /// Runs `work` where it may take its time.
    async fn aside<F>(&self, work: F) -> Result<(), PortError>
    where
        F: FnOnce(&mut Connection) -> rusqlite::Result<()> + Send + 'static,
    {
        let connection = self.connection.clone();
        let task = tokio::task::spawn_blocking(move || work(&mut connection.lock()));
        let done = task.await.map_err(|error| cut_off().with_source(error))?;
        done.map_err(sqlite::port_error)
    }
}

fn cut_off() -> PortError {
    PortError::new(ErrorKind::Internal, "a write was cut off")
}

fn held(connection: &Connection, place: &Path) -> rusqlite::Result<Holds> {
    if let Some(stored) = stored(connection)? {
        return Ok(if stored.finished {
            Holds::Moved(stored.record)
        } else {
            Holds::Beginning(stored.record)
        });
    }
    for (table, what) in
        [("products", "products"), ("tombstones", "traces of deleted products"), ("events", "events")]
    {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table})");
        if connection.query_row(&sql, [], |row| row.get::<_, bool>(0))? {
            let place = place.display();
            return Ok(Holds::Shop(format!(
                "DATA_DIR {place} holds {what} already: move it out of the way (mv {place} {place}.before), or name \
                 another folder"
            )));
        }
    }
    Ok(Holds::Nothing)
}

#[async_trait]
impl MoveTarget for EmbeddedMoveTarget {
    fn log(&self) -> LogId {
        self.log
    }

    /// The lock keeps everybody out.
    async fn unrest(&mut self) -> Result<Option<String>, PortError> {
        Ok(None)
    }

    async fn holds(&mut self) -> Result<Holds, PortError> {
        held(&self.connection.lock(), &self.place).map_err(sqlite::port_error)
    }

    async fn note(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.write(milestone, false, |_| Ok(())).await
    }

    async fn put_events(&mut self, events: Vec<MovedEvent>, milestone: &Milestone) -> Result<(), PortError> {
        self.write(milestone, false, move |transaction| append(transaction, &events)).await
    }

    async fn clear_rows(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        let sql = "DELETE FROM products; DELETE FROM tombstones; DELETE FROM idempotency";
        self.write(milestone, false, move |transaction| transaction.execute_batch(sql)).await
    }

    async fn put_rows(&mut self, rows: &[CatalogRow], milestone: &Milestone) -> Result<(), PortError> {
        let rows = rows.to_vec();
        self.write(milestone, false, move |transaction| {
            let sql = "SELECT coalesce(max(seq), 0) FROM products";
            let last: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
            if last == 0 {
                // They are built when all rows are there.
                transaction.execute_batch(&filling::drops())?;
            }
            let mut seq = last;
            for row in &rows {
                match &row.product {
                    Some(product) => {
                        seq += 1;
                        rows::insert(transaction, seq, product)?;
                    }
                    None => rows::bury(transaction, row.id, row.version)?,
                }
            }
            Ok(())
        })
        .await
    }

    async fn put_answers(
        &mut self,
        answers: &[StoredAnswer],
        milestone: &Milestone,
    ) -> Result<(), PortError> {
        let answers = answers.to_vec();
        self.write(milestone, false, move |transaction| {
            let mut statement = transaction.prepare_cached(
                "INSERT INTO idempotency (key, fingerprint, status, etag, location, body, stored_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for StoredAnswer { key, fingerprint, answer, stored_at } in &answers {
                let (etag, location) = (&answer.etag, &answer.location);
                statement.execute(params![
                    &**key,
                    fingerprint,
                    answer.status,
                    etag,
                    location,
                    &*answer.body,
                    stored_at.millis()
                ])?;
            }
            Ok(())
        })
        .await
    }

    /// Keys expire in the order of their storing, and are swept in the order of their rows: what has come by key is put
    /// into that order. Rows and log are one file. The lists' indexes come first, each in a transaction of its own: a
    /// settling that ends between two goes on from there.
    async fn settle(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.aside(|connection| Filling::load(connection)?.build_all(connection)).await?;
        self.write(milestone, false, |transaction| {
            transaction.execute_batch(
                "CREATE TEMP TABLE ordered AS SELECT key, fingerprint, status, etag, location, body, stored_at \
                 FROM idempotency ORDER BY stored_at, seq; DELETE FROM idempotency; \
                 INSERT INTO idempotency (key, fingerprint, status, etag, location, body, stored_at) \
                 SELECT * FROM ordered ORDER BY rowid; DROP TABLE ordered",
            )
        })
        .await
    }

    async fn finish(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.write(milestone, true, |_| Ok(())).await
    }

    async fn close(self: Box<Self>) {
        let close = tokio::task::spawn_blocking(move || drop(self));
        // A panic while closing leaves the file to the next one who opens it.
        let _ = close.await;
    }
}

/// Appends events, each at the next offset. The time of a row never decreases, by which recent events are found.
fn append(transaction: &Transaction<'_>, events: &[MovedEvent]) -> rusqlite::Result<()> {
    let last: Option<(i64, i64)> = transaction
        .prepare_cached("SELECT \"offset\", time FROM events ORDER BY \"offset\" DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (mut offset, mut time) = last.unwrap_or((0, Timestamp::MIN.millis()));
    let mut statement = transaction.prepare_cached(
        "INSERT INTO events (\"offset\", seller_id, product_id, type, time, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for MovedEvent { envelope, payload } in events {
        offset += 1;
        time = time.max(envelope.time.millis());
        statement.execute(params![
            offset,
            envelope.seller_id.as_str(),
            envelope.subject.0.as_bytes(),
            i64::try_from(envelope.event_type.index()).expect("five types"),
            time,
            &payload[..],
        ])?;
    }
    Ok(())
}
