//! The file that analytics keeps: aggregates and the positions of consumer groups.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use souk_events::LogId;
use souk_ports::{DeadLetter, ErrorKind, LogRecord, Offset, Partition, PortError, StoreHealth};

use crate::OpenError;
use crate::readers::{ReadError, Readers};
use crate::sqlite::{self, Durability, Schema};

/// The file's schema.
pub(crate) const SCHEMA: Schema =
    Schema { name: "analytics.db", scripts: &[include_str!("analytics_1.sql")] };

/// Pages that the writer keeps: the upper levels of the tables and the ends that grow, 8 MiB.
const CACHE_KIB: i64 = 8192;

/// Statements of `add` for two tables, positions and the log's number.
const STATEMENTS: usize = 32;

/// The embedded store of aggregates and positions, one SQLite file with one writer.
pub struct AnalyticsDb {
    path: PathBuf,
    /// `None` when opened for reading only.
    writer: Option<Mutex<Connection>>,
    readers: Readers,
    /// Numbers of the logs seen so far.
    logs: Mutex<HashMap<LogId, i64>>,
    /// What the last write failed with, until one succeeds.
    trouble: Mutex<Option<String>>,
}

impl AnalyticsDb {
    /// Opens the file at `path`, creates or migrates it. With `max_bytes` the file does not grow beyond.
    ///
    /// # Errors
    /// [`OpenError`] when the file cannot be opened, or belongs to a newer version.
    pub fn open(path: &Path, max_bytes: Option<u64>) -> Result<Arc<Self>, OpenError> {
        let connection = sqlite::open_writer(path, &SCHEMA, Durability::Full)?;
        let setup = || -> rusqlite::Result<()> {
            connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            if let Some(bytes) = max_bytes {
                let page_size: u64 = connection
                    .pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?
                    .cast_unsigned();
                let pages = i64::try_from((bytes / page_size).max(1)).unwrap_or(i64::MAX);
                connection.pragma_update(None, "max_page_count", pages)?;
            }
            Ok(())
        };
        setup().map_err(|e| OpenError::sqlite(path, e))?;
        Ok(Arc::new(Self::new(path, Some(Mutex::new(connection)))))
    }

    /// Opens the file at `path` beside the process that writes it.
    ///
    /// # Errors
    /// [`OpenError`] when the file cannot be opened, or has another version's schema.
    pub fn open_read_only(path: &Path) -> Result<Arc<Self>, OpenError> {
        let connection = sqlite::open_reader(path).map_err(|e| OpenError::reading(path, e))?;
        sqlite::check_version(&connection, path, &SCHEMA)?;
        Ok(Arc::new(Self::new(path, None)))
    }

    fn new(path: &Path, writer: Option<Mutex<Connection>>) -> Self {
        Self {
            path: path.to_owned(),
            writer,
            readers: Readers::new(path, None),
            logs: Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// Lets a test look at the connection that writes.
    #[cfg(test)]
    pub(crate) fn with_writer<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
        look(&self.writer.as_ref().expect("it is open for writing").lock())
    }

    /// Refuses positions beyond the log's end: events that come later would be taken for counted ones.
    ///
    /// # Errors
    /// [`OpenError::Ahead`] when a group is beyond `end`.
    pub fn check_positions(&self, log: LogId, end: Offset) -> Result<(), OpenError> {
        let error = |e| OpenError::sqlite(&self.path, e);
        let connection = sqlite::open_reader(&self.path).map_err(error)?;
        let furthest: Option<i64> = connection
            .query_row(
                "SELECT max(next) FROM consumer_positions WHERE log = (SELECT id FROM logs WHERE log = ?1)",
                [signed(log)],
                |row| row.get(0),
            )
            .map_err(error)?;
        match furthest.map(i64::cast_unsigned) {
            Some(position) if position > end => {
                Err(OpenError::Ahead { path: self.path.clone(), position, end })
            }
            _ => Ok(()),
        }
    }

    /// Notes that `group` is done with everything of `partition` before `next`; durable when it returns.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be written now.
    pub async fn commit_position(
        self: &Arc<Self>,
        log: LogId,
        group: &str,
        partition: Partition,
        next: Offset,
    ) -> Result<(), PortError> {
        let group = group.to_owned();
        self.write(log, move |transaction, log| {
            let mut statement = transaction.prepare_cached(
                "INSERT INTO consumer_positions (log, grp, partition, next) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (log, grp, partition) DO UPDATE SET next = excluded.next",
            )?;
            statement
                .execute(params![log, group, partition, next.cast_signed()])
                .map(drop)
                .map_err(Into::into)
        })
        .await
    }

    /// Sets a record aside with the reason; once, however often it is called.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be written now.
    pub async fn set_aside(
        self: &Arc<Self>,
        log: LogId,
        record: &LogRecord,
        reason: &str,
    ) -> Result<(), PortError> {
        let (record, reason) = (record.clone(), reason.to_owned());
        self.write(log, move |transaction, log| {
            let mut statement = transaction.prepare_cached(
                "INSERT OR IGNORE INTO dead_letters (log, partition, \"offset\", reason, payload)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let (partition, offset) = (record.partition, record.offset.cast_signed());
            statement
                .execute(params![log, partition, offset, reason, &*record.payload])
                .map(drop)
                .map_err(Into::into)
        })
        .await
    }

    /// Returns at most `limit` records that were set aside.
    pub async fn dead_letters(
        self: &Arc<Self>,
        log: LogId,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, PortError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(log, move |connection, log| {
            let Some(log) = log else { return Ok(Vec::new()) };
            let mut statement = connection.prepare_cached(
                "SELECT partition, \"offset\", reason FROM dead_letters WHERE log = ?1
                 ORDER BY partition, \"offset\" LIMIT ?2",
            )?;
            let rows = statement.query_map([log, limit], |row| {
                let offset = row.get::<_, i64>(1)?.cast_unsigned();
                Ok(DeadLetter { partition: row.get(0)?, offset, reason: row.get(2)? })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>().map_err(Into::into)
        })
        .await
    }

    /// Returns the next offset of each partition that `group` committed.
    pub async fn positions(
        self: &Arc<Self>,
        log: LogId,
        group: &str,
    ) -> Result<Vec<(Partition, Offset)>, PortError> {
        let group = group.to_owned();
        let all = self.all_positions(log).await?;
        Ok(all
            .into_iter()
            .filter(|(g, ..)| *g == group)
            .map(|(_, partition, next)| (partition, next))
            .collect())
    }

    /// Returns group, partition and next offset of every position committed for `log`.
    pub async fn all_positions(
        self: &Arc<Self>,
        log: LogId,
    ) -> Result<Vec<(String, Partition, Offset)>, PortError> {
        self.read(log, |connection, log| {
            let Some(log) = log else { return Ok(Vec::new()) };
            let mut statement = connection.prepare_cached(
                "SELECT grp, partition, next FROM consumer_positions WHERE log = ?1 ORDER BY grp, partition",
            )?;
            let rows = statement.query_map([log], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned()))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>().map_err(Into::into)
        })
        .await
    }

    /// Tells how the file is doing.
    pub fn health(&self) -> StoreHealth {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len().cast_signed());
        let wal = PathBuf::from(format!("{}-wal", self.path.display()));
        StoreHealth {
            problem: self.trouble.lock().clone(),
            detail: format!("SQLite at {}", self.path.display()),
            figures: vec![("fileBytes", size(&self.path)), ("walBytes", size(&wal))],
        }
    }

    /// Closes idle readers, so that the writer's end tidies the file up.
    pub fn close_readers(&self) {
        self.readers.close();
    }

    /// Runs `work` in one durable transaction, away from the async threads; `work` gets the log's number.
    pub(super) async fn write<T, F>(self: &Arc<Self>, log: LogId, work: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>, i64) -> Result<T, ReadError> + Send + 'static,
    {
        let this = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let result = this.write_blocking(log, work).map_err(|error| match error {
                ReadError::Sqlite(error) => sqlite::port_error(error),
                ReadError::Port(error) => error,
            });
            *this.trouble.lock() = result.as_ref().err().map(ToString::to_string);
            result
        });
        task.await.map_err(|e| PortError::new(ErrorKind::Internal, "a write was cut off").with_source(e))?
    }

    fn write_blocking<T>(
        &self,
        log: LogId,
        work: impl FnOnce(&Transaction<'_>, i64) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let Some(writer) = &self.writer else {
            let message = format!("{} is open for reading only", self.path.display());
            return Err(PortError::new(ErrorKind::Internal, message).into());
        };
        let known = self.logs.lock().get(&log).copied();
        let mut connection = writer.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id = match known {
            Some(id) => id,
            None => {
                transaction
                    .execute("INSERT INTO logs (log) VALUES (?1) ON CONFLICT DO NOTHING", [signed(log)])?;
                transaction
                    .query_row("SELECT id FROM logs WHERE log = ?1", [signed(log)], |row| row.get(0))?
            }
        };
        let result = work(&transaction, id)?;
        transaction.commit()?;
        if known.is_none() {
            self.logs.lock().insert(log, id);
        }
        Ok(result)
    }

    /// Runs `work` on a reader; it gets the log's number, `None` when nothing of that log was stored.
    pub(super) async fn read<T, F>(self: &Arc<Self>, log: LogId, work: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, Option<i64>) -> Result<T, ReadError> + Send + 'static,
    {
        let this = self.clone();
        self.readers
            .read(move |connection| {
                let known = this.logs.lock().get(&log).copied();
                let id = match known {
                    Some(id) => Some(id),
                    None => connection
                        .prepare_cached("SELECT id FROM logs WHERE log = ?1")?
                        .query_row([signed(log)], |row| row.get(0))
                        .optional()?,
                };
                work(connection, id)
            })
            .await
    }
}

/// SQLite's integers are signed; the bits are what counts.
fn signed(log: LogId) -> i64 {
    log.0.cast_signed()
}
