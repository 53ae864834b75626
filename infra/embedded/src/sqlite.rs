//! Opening SQLite files and translating its errors.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use souk_ports::{ErrorKind, PortError, fault};

use crate::{OpenError, at_rest};

/// How long a statement waits for another process's lock, such as that of a shell opened on the file.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// One file's migrations: script number n brings it to version n + 1.
pub(crate) struct Schema {
    /// What the file is called in messages.
    pub name: &'static str,
    /// The scripts, in order.
    pub scripts: &'static [&'static str],
}

/// What a power cut may take of a file in WAL mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing that was committed.
    Full,
    /// The last commits, each as a whole: for a file that tells how far it is and catches up from another.
    Normal,
}

impl Durability {
    /// Returns the value of `PRAGMA synchronous`.
    pub(crate) fn synchronous(self) -> i64 {
        match self {
            Self::Normal => 1,
            Self::Full => 2,
        }
    }
}

/// Opens `path` for writing, creates or migrates it, in WAL mode.
///
/// # Errors
/// [`OpenError`]; `NoWal` where the file system has no WAL: what a power cut leaves is promised of that alone.
pub(crate) fn open_writer(
    path: &Path,
    schema: &Schema,
    durability: Durability,
) -> Result<Connection, OpenError> {
    let mut connection = Connection::open(path).map_err(|e| OpenError::sqlite(path, e))?;
    let setup = |connection: &mut Connection| -> rusqlite::Result<i64> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_query_value(None, "user_version", |row| row.get(0))
    };
    let version = setup(&mut connection).map_err(|e| OpenError::sqlite(path, e))?;
    let known = i64::try_from(schema.scripts.len()).expect("a handful of scripts");
    if version > known {
        return Err(OpenError::Newer { path: path.to_owned(), version, known });
    }
    let mode = write_ahead(&connection, durability).map_err(|e| OpenError::sqlite(path, e))?;
    if mode != "wal" {
        return Err(OpenError::NoWal { path: path.to_owned(), mode });
    }
    migrate(&mut connection, schema, version).map_err(|e| OpenError::sqlite(path, e))?;
    Ok(connection)
}

/// Asks for WAL mode and durability; returns the mode that SQLite chose.
fn write_ahead(connection: &Connection, durability: Durability) -> rusqlite::Result<String> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    let synchronous = if fault::planted("write-without-sync") { 0 } else { durability.synchronous() };
    connection.pragma_update(None, "synchronous", synchronous)?;
    Ok(mode)
}

fn migrate(connection: &mut Connection, schema: &Schema, version: i64) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    for (done, script) in schema.scripts.iter().enumerate().skip(usize::try_from(version).unwrap_or(0)) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(script)?;
        transaction.pragma_update(
            None,
            "user_version",
            i64::try_from(done + 1).expect("a handful of scripts"),
        )?;
        transaction.commit()?;
        tracing::debug!("brought {} to schema {}", schema.name, done + 1);
    }
    Ok(())
}

/// Opens `path` for reading beside a writer, or as it lies in a folder that cannot be written.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    // Read-write flags although nothing is written: a reader of a WAL file has to be able to recover its index.
    reader(path, OpenFlags::SQLITE_OPEN_READ_WRITE).or_else(|error| {
        if !at_rest::is_unwritable(&error) {
            return Err(error);
        }
        // What another user's process has open can be read through the index that it keeps.
        reader(path, OpenFlags::SQLITE_OPEN_READ_ONLY).or_else(|_| match at_rest::uri(path) {
            Some(uri) => reader(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY),
            None => Err(error),
        })
    })
}

fn reader(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    // SQLite finds out at the first read only that it cannot.
    connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

/// Attaches the file at `path` to a reader as `name`.
pub(crate) fn attach(connection: &Connection, path: &Path, name: &str) -> rusqlite::Result<()> {
    let attach = |file: &str| connection.execute(&format!("ATTACH ?1 AS {name}"), [file]).map(drop);
    attach(&path.to_string_lossy()).or_else(|error| match at_rest::uri(path) {
        Some(uri) if at_rest::is_unwritable(&error) => attach(&uri),
        _ => Err(error),
    })
}

/// Checks that a file opened for reading has the schema that this version knows.
pub(crate) fn check_version(connection: &Connection, path: &Path, schema: &Schema) -> Result<(), OpenError> {
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|e| OpenError::sqlite(path, e))?;
    let known = i64::try_from(schema.scripts.len()).expect("a handful of scripts");
    match version {
        _ if version > known => Err(OpenError::Newer { path: path.to_owned(), version, known }),
        _ if version < known => Err(OpenError::Older { path: path.to_owned(), version, known }),
        _ => Ok(()),
    }
}

/// Translates an error of SQLite.
pub(crate) fn port_error(error: rusqlite::Error) -> PortError {
    let (kind, message) = match cause(&error) {
        Some(cause) => (ErrorKind::Unavailable, cause),
        None => (ErrorKind::Internal, "the embedded store failed"),
    };
    PortError::new(kind, message).with_source(error)
}

/// Tells whether a file is not what was written.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Returns what to do about a file that cannot be opened, for messages that end with it.
pub(crate) fn remedy(error: &rusqlite::Error) -> String {
    let damage = "it is damaged: put back all files of DATA_DIR from the same copy, or choose another folder";
    let remedy = if is_damage(error) { Some(damage) } else { cause(error) };
    remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default()
}

/// Returns what stands in the way and what to do, for errors that pass by themselves or by an operator's hand.
pub(crate) fn cause(error: &rusqlite::Error) -> Option<&'static str> {
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some("the disk is full (or DATA_MAX_BYTES is reached): make room in DATA_DIR"),
        ErrorCode::SystemIoFailure => Some("DATA_DIR cannot be read or written: check the disk"),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            Some("DATA_DIR cannot be written: check its permissions")
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Some("another process holds a lock on the files in DATA_DIR: close it")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_wal_is_refused() {
        let nowhere = Schema { name: "memory", scripts: &[] };
        let error = open_writer(Path::new(":memory:"), &nowhere, Durability::Full).unwrap_err();
        assert!(matches!(&error, OpenError::NoWal { mode, .. } if mode == "memory"), "{error}");
        assert!(error.to_string().contains("local disk"), "{error}");
    }
}
