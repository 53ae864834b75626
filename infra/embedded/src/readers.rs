//! Connections that read beside the writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use souk_ports::{ErrorKind, PortError};
use tokio::sync::Semaphore;

use crate::sqlite;

/// Reads at the same time: a read takes well under a millisecond, so a few hide each other's disk waits.
const MAX_READERS: usize = 4;

/// A pool of read-only connections; more calls than connections wait their turn without holding a thread.
#[derive(Clone)]
pub(crate) struct Readers {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    attach: Option<PathBuf>,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Readers {
    /// Makes a pool over `path`; `attach` is reachable as the schema `search`.
    pub fn new(path: &Path, attach: Option<&Path>) -> Self {
        Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                attach: attach.map(Path::to_owned),
                idle: Mutex::new(Vec::new()),
                permits: Semaphore::new(MAX_READERS),
            }),
        }
    }

    /// Runs `work` on a connection, away from the async threads.
    pub async fn read<T, F>(&self, work: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    {
        let _permit = self.inner.permits.acquire().await.expect("the semaphore is never closed");
        let inner = self.inner.clone();
        let task = tokio::task::spawn_blocking(move || inner.with(work));
        task.await.map_err(|e| PortError::new(ErrorKind::Internal, "a read was cut off").with_source(e))?
    }

    /// Closes idle connections.
    pub fn close(&self) {
        self.inner.idle.lock().clear();
    }
}

impl Inner {
    fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, ReadError>) -> Result<T, PortError> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open().map_err(sqlite::port_error)?,
        };
        let result = work(&connection);
        self.idle.lock().push(connection);
        result.map_err(|error| match error {
            ReadError::Sqlite(error) => sqlite::port_error(error),
            ReadError::Port(error) => error,
        })
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = sqlite::open_reader(&self.path)?;
        // Enough for the upper levels of every index; the rest is the operating system's to cache.
        connection.pragma_update(None, "cache_size", -2048)?;
        if let Some(path) = &self.attach {
            sqlite::attach(&connection, path, "search")?;
        }
        Ok(connection)
    }
}

/// A read that failed: in SQLite, or for a reason of its own.
#[derive(Debug)]
pub(crate) enum ReadError {
    Sqlite(rusqlite::Error),
    Port(PortError),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<PortError> for ReadError {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}
