//! The embedded backend: one folder with SQLite files and an archive, nothing else installed.
//!
//! | file | holds | when lost |
//! |---|---|---|
//! | `souk.db` | catalog and event log | restore a copy |
//! | `analytics.db` | aggregates, consumer positions | made up for from the log and the archive at the next start; what was set aside is lost |
//! | `search.db` | words of products | rebuilt from the catalog at the next start |
//! | `archive/` | Parquet objects | restore a copy |
//! | `souk.lock` | nothing; held by the process that writes | made anew |
//! | `souk.door` | nothing; the socket by which a migration's steps write beside it (`door`) | made anew |
//!
//! One thread writes (`committer`), readers have connections of their own and never wait for it.

mod answers;
mod at_rest;
mod backup;
mod batch;
mod catalog;
mod checkpoint;
mod commit;
mod committer;
pub mod doctor;
mod door;
#[cfg(test)]
mod durability;
mod error;
mod event_store;
mod filling;
mod keeper;
mod list;
mod log;
mod moving;
mod readers;
mod retention;
mod rows;
mod search;
mod sqlite;

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use souk_domain::Stock;
use souk_events::LogId;
use souk_ports::{Catalog, Clock, EventLog, EventStore, IdGenerator, PortError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use crate::backup::{BackupError, back_up};
use crate::catalog::{EmbeddedCatalog, Writer};
use crate::checkpoint::Checkpoints;
use crate::committer::{Committer, CommitterParts};
use crate::door::{Door, DoorClient};
pub use crate::error::OpenError;
pub use crate::event_store::{AnalyticsDb, EmbeddedEventStore};
use crate::log::{EmbeddedEventLog, LogState};
pub use crate::moving::{EmbeddedMoveSource, EmbeddedMoveTarget};
use crate::readers::Readers;
use crate::retention::Retention;
use crate::search::Indexer;
use crate::sqlite::{Durability, Schema};

const SCHEMA: Schema = Schema {
    name: "souk.db",
    scripts: &[concat!(include_str!("schema/souk_1.sql"), include_str!("schema/lists_1.sql"))],
};
/// The committer's page cache in KiB: the upper levels of all indexes of a million products.
const WRITER_CACHE_KIB: i64 = 32 * 1024;

/// How to open the embedded backend.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// The folder; made when absent.
    pub data_dir: PathBuf,
    /// The threshold of products that have none of their own.
    pub low_stock_threshold: Stock,
    /// Age from which events may leave the log, once consumed and archived.
    pub log_retention: Duration,
    /// How long recent events can be asked for.
    pub recent_retention: Duration,
    /// Most bytes that `souk.db` may take; `None`: as many as the disk has.
    pub max_bytes: Option<u64>,
    /// Opens a folder in spite of a move into it that is not finished: for the move itself.
    pub moving: bool,
}

impl EmbeddedConfig {
    /// The defaults over `data_dir`: threshold 5, seven days each, no cap.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let week = Duration::from_secs(7 * 86_400);
        Self {
            data_dir: data_dir.into(),
            low_stock_threshold: Stock::new(5).expect("5 is a stock"),
            log_retention: week,
            recent_retention: week,
            max_bytes: None,
            moving: false,
        }
    }
}

/// The embedded backend, opened.
pub struct Embedded {
    catalog: Arc<EmbeddedCatalog>,
    log: EmbeddedEventLog,
    event_store: Arc<EmbeddedEventStore>,
    data_dir: PathBuf,
    writing: Option<Writing>,
}

/// What only the process that writes has.
struct Writing {
    committer: Arc<Committer>,
    checkpoints: Arc<Checkpoints>,
    checkpointer: std::thread::JoinHandle<()>,
    retention: Arc<Retention>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// `None` where the system lets none be made: a migration then wants the folder for itself.
    door: Option<Door>,
    /// Held until the process ends.
    _lock: File,
}

impl Embedded {
    /// Opens the folder for writing and starts its housekeeping. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`]: the folder cannot be made or written, is in use, or belongs to a newer version.
    pub fn open(
        config: &EmbeddedConfig,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Result<Self, OpenError> {
        let dir = &config.data_dir;
        std::fs::create_dir_all(dir.join("archive")).map_err(|e| OpenError::folder(dir, e))?;
        let lock = lock(dir)?;
        let path = dir.join("souk.db");
        let error = |e| OpenError::sqlite(&path, e);
        let connection = sqlite::open_writer(&path, &SCHEMA, Durability::Full)?;
        if !config.moving && moving::is_unfinished(&connection).map_err(error)? {
            return Err(OpenError::HalfMoved { path: dir.clone() });
        }
        prepare_writer(&connection, config.max_bytes).map_err(error)?;
        let identity = identity(&connection, &*ids).map_err(error)?;
        let state = LogState::load(&connection).map_err(error)?;
        let analytics = AnalyticsDb::open(&dir.join("analytics.db"), None)?;
        analytics.check_positions(identity, state.next_offset())?;
        let readers = Readers::new(&path, Some(&dir.join("search.db")));
        let log = EmbeddedEventLog::new(identity, readers.clone(), Some(state.clone()), analytics.clone());
        let indexer = Indexer::open(&dir.join("search.db"), &path, identity, &log, state.next_offset())?;
        let checkpoints = Checkpoints::new(&path);
        let parts = CommitterParts {
            connection,
            log: state,
            checkpoints: checkpoints.clone(),
            clock: clock.clone(),
            ids,
            default_threshold: config.low_stock_threshold,
        };
        let committer = Arc::new(Committer::start(parts).map_err(error)?);
        let checkpointer = {
            let (checkpoints, path) = (checkpoints.clone(), path.clone());
            std::thread::Builder::new()
                .name("souk-checkpoint".into())
                .spawn(move || checkpoints.run(&path))
                .map_err(|e| OpenError::folder(dir, e))?
        };
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let indexed = Arc::new(AtomicU64::new(indexer.position()));
        tasks.spawn(indexer.run(stop.clone(), indexed.clone()));
        let retention = Arc::new(Retention {
            committer: committer.clone(),
            positions: analytics.clone(),
            identity,
            keep: config.log_retention.max(config.recent_retention),
            clock: clock.clone(),
            indexed,
        });
        tasks.spawn(retention.clone().run(stop.clone()));
        let event_store = Arc::new(EmbeddedEventStore::new(analytics, &path, clock, config.recent_retention));
        let catalog = Arc::new(EmbeddedCatalog {
            readers,
            writer: Writer::Own(committer.clone()),
            checkpoints: Some(checkpoints.clone()),
            default_threshold: Some(config.low_stock_threshold),
            detail: format!("SQLite at {}", path.display()),
        });
        let door = match Door::open(dir, committer.clone(), &stop, &tasks) {
            Ok(door) => Some(door),
            Err(error) => {
                tracing::warn!(error = %error, "a migration has to stop this souk first: no socket can be made in DATA_DIR");
                None
            }
        };
        let writing =
            Writing { committer, checkpoints, checkpointer, retention, stop, tasks, door, _lock: lock };
        Ok(Self { catalog, log, event_store, data_dir: dir.clone(), writing: Some(writing) })
    }

    /// Opens the folder for reading, beside a process that writes or without one. A folder that cannot be written is
    /// read as it lies when it was closed in order.
    ///
    /// # Errors
    /// [`OpenError`]: there is no data, or it belongs to another version.
    pub fn open_read_only(
        data_dir: &Path,
        recent_retention: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        Self::look(data_dir, recent_retention, clock, Writer::Nobody)
    }

    /// Opens the folder beside a process that has it open: reads from the files, imports through its door. `None` when
    /// there is nobody behind the door.
    ///
    /// # Errors
    /// As [`Embedded::open_read_only`].
    pub fn open_beside(
        data_dir: &Path,
        recent_retention: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, OpenError> {
        let Ok(door) = DoorClient::find(data_dir) else { return Ok(None) };
        Self::look(data_dir, recent_retention, clock, Writer::Beside(door)).map(Some)
    }

    fn look(
        data_dir: &Path,
        recent_retention: Duration,
        clock: Arc<dyn Clock>,
        writer: Writer,
    ) -> Result<Self, OpenError> {
        let path = data_dir.join("souk.db");
        if !path.is_file() {
            return Err(OpenError::Absent { path: data_dir.to_owned() });
        }
        let connection = sqlite::open_reader(&path).map_err(|e| OpenError::reading(&path, e))?;
        sqlite::check_version(&connection, &path, &SCHEMA)?;
        let identity = stored_identity(&connection)
            .map_err(|e| OpenError::sqlite(&path, e))?
            .ok_or_else(|| OpenError::Absent { path: data_dir.to_owned() })?;
        let analytics = AnalyticsDb::open_read_only(&data_dir.join("analytics.db"))?;
        let search = data_dir.join("search.db");
        let readers = Readers::new(&path, search.is_file().then_some(&*search));
        let log = EmbeddedEventLog::new(identity, readers.clone(), None, analytics.clone());
        let event_store = Arc::new(EmbeddedEventStore::new(analytics, &path, clock, recent_retention));
        let detail = format!("SQLite at {} (reading only)", path.display());
        let catalog =
            Arc::new(EmbeddedCatalog { readers, writer, checkpoints: None, default_threshold: None, detail });
        Ok(Self { catalog, log, event_store, data_dir: data_dir.to_owned(), writing: None })
    }

    /// Returns the catalog.
    pub fn catalog(&self) -> Arc<dyn Catalog> {
        self.catalog.clone()
    }

    /// Returns the event log.
    pub fn log(&self) -> Arc<dyn EventLog> {
        Arc::new(self.log.clone())
    }

    /// Returns the event store.
    pub fn event_store(&self) -> Arc<dyn EventStore> {
        self.event_store.clone()
    }

    /// Returns the folder of the archive.
    pub fn archive_dir(&self) -> PathBuf {
        self.data_dir.join("archive")
    }

    /// Trims what is old now, as housekeeping does from time to time.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn sweep(&self) -> Result<(), PortError> {
        match &self.writing {
            Some(writing) => writing.retention.sweep().await,
            None => Ok(()),
        }
    }

    /// Changes the cap on the size of `souk.db`, for an operator who made room.
    ///
    /// # Errors
    /// When the store is closed.
    pub async fn set_max_bytes(&self, max_bytes: Option<u64>) -> Result<(), PortError> {
        match &self.writing {
            Some(writing) => writing
                .committer
                .maintain(move |connection| set_max_bytes(connection, max_bytes))
                .await?
                .map_err(sqlite::port_error),
            None => Ok(()),
        }
    }

    /// Lets what is queued commit, stops housekeeping and closes the files.
    pub async fn close(mut self) {
        if let Some(mut writing) = self.writing.take() {
            drop(writing.door.take());
            writing.stop.cancel();
            writing.tasks.close();
            writing.tasks.wait().await;
            let work = tokio::task::spawn_blocking(move || writing.end());
            let _ = work.await;
        }
        self.catalog.readers.close();
        self.event_store.close();
    }
}

impl Writing {
    fn end(self) {
        self.checkpoints.stop();
        let _ = self.checkpointer.join();
        self.committer.close();
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(writing) = self.writing.take() {
            writing.stop.cancel();
            writing.end();
        }
    }
}

/// Takes the folder's lock: one process writes.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("souk.lock");
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|e| OpenError::folder(dir, e))?;
    match file.try_lock() {
        Ok(()) => {
            let _ = file
                .set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| write!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            Err(OpenError::InUse { path: dir.to_owned(), holder })
        }
        Err(TryLockError::Error(e)) => Err(OpenError::folder(dir, e)),
    }
}

fn prepare_writer(connection: &Connection, max_bytes: Option<u64>) -> rusqlite::Result<()> {
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // The checkpoint thread does it, away from the writes.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.set_prepared_statement_cache_capacity(64);
    set_max_bytes(connection, max_bytes)
}

fn set_max_bytes(connection: &Connection, max_bytes: Option<u64>) -> rusqlite::Result<()> {
    let page_size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    // SQLite's own upper limit when there is none of ours.
    let pages = max_bytes.map_or(4_294_967_294, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX) / page_size);
    connection.pragma_update(None, "max_page_count", pages.max(1))
}

fn stored_identity(connection: &Connection) -> rusqlite::Result<Option<LogId>> {
    connection
        .query_row("SELECT value FROM meta WHERE name = 'log'", [], |row| row.get::<_, i64>(0))
        .optional()
        .map(|value| value.map(|value| LogId(value.cast_unsigned())))
}

/// Returns the log's identity, made with the file.
fn identity(connection: &Connection, ids: &dyn IdGenerator) -> rusqlite::Result<LogId> {
    if let Some(identity) = stored_identity(connection)? {
        return Ok(identity);
    }
    // The low half of a version 7 UUID is random.
    let identity = LogId(ids.next_id().as_u64_pair().1);
    connection.execute("INSERT INTO meta (name, value) VALUES ('log', ?1)", [identity.0.cast_signed()])?;
    Ok(identity)
}
