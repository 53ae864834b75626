//! The folder that a shop leaves.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Row, params};
use souk_domain::Timestamp;
use souk_ports::{Answer, MoveSource, PortError, StoredAnswer};

use super::is_unfinished;
use crate::readers::Readers;
use crate::{OpenError, lock, sqlite};

/// A folder that nobody writes to as long as this is held.
pub struct EmbeddedMoveSource {
    readers: Readers,
    _lock: File,
}

impl EmbeddedMoveSource {
    /// Takes the folder's lock.
    ///
    /// # Errors
    /// [`OpenError`]: there is no data, or a souk is at work there.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let path = data_dir.join("souk.db");
        if !path.is_file() {
            return Err(OpenError::Absent { path: data_dir.to_owned() });
        }
        let lock = lock(data_dir)?;
        let connection = sqlite::open_reader(&path).map_err(|e| OpenError::reading(&path, e))?;
        if is_unfinished(&connection).map_err(|e| OpenError::sqlite(&path, e))? {
            return Err(OpenError::HalfMoved { path: data_dir.to_owned() });
        }
        Ok(Self { readers: Readers::new(&path, None), _lock: lock })
    }
}

#[async_trait]
impl MoveSource for EmbeddedMoveSource {
    /// The lock keeps everybody out.
    async fn unrest(&self) -> Result<Option<String>, PortError> {
        Ok(None)
    }

    async fn answers(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredAnswer>, PortError> {
        // Keys are never empty.
        let after = after.unwrap_or_default().to_owned();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT key, fingerprint, status, etag, location, body, stored_at FROM idempotency \
                     WHERE key > ?1 ORDER BY key LIMIT ?2",
                )?;
                let rows = statement.query_map(params![after, limit], answer)?;
                Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
            })
            .await
    }
}

fn answer(row: &Row<'_>) -> rusqlite::Result<StoredAnswer> {
    Ok(StoredAnswer {
        key: Arc::from(row.get_ref(0)?.as_str()?),
        fingerprint: row.get(1)?,
        answer: Answer {
            status: row.get(2)?,
            etag: row.get(3)?,
            location: row.get(4)?,
            body: Bytes::from(row.get::<_, Vec<u8>>(5)?),
        },
        stored_at: Timestamp::from_millis(row.get(6)?),
    })
}
