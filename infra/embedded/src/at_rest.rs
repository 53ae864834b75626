//! Reading files that nobody writes, in a folder that cannot be written: a copy on a read-only medium, or the folder
//! of another user. SQLite reads a WAL file there only when it is told that nothing changes.

use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Tells whether an error of a reader may come from a folder that cannot be written.
pub(crate) fn is_unwritable(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
    )
}

/// Returns the URI under which SQLite reads the file at `path` as it lies; `None` when that would be wrong: it is not
/// there, a process writes it, or its last changes are still beside it.
pub(crate) fn uri(path: &Path) -> Option<String> {
    (path.is_file() && !has_changes_beside(path) && !has_writer(path)).then(|| immutable(path))
}

/// Tells whether changes wait beside the file that SQLite would have to bring in.
pub(crate) fn has_changes_beside(path: &Path) -> bool {
    std::fs::metadata(beside(path)).is_ok_and(|wal| wal.len() > 0)
}

/// Returns the path of the file's write-ahead log.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

/// Tells whether a process writes the file.
pub(crate) fn has_writer(path: &Path) -> bool {
    // A folder without a lock file has never been written, or was copied without it.
    File::open(path.with_file_name("souk.lock"))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri.push_str("?immutable=1");
    uri
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, OpenFlags};

    use super::*;

    /// A file with one row, closed; its name needs escapes.
    fn file() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a ?#%b.db");
        write(&path);
        (dir, path)
    }

    fn write(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1)").unwrap();
        connection
    }

    #[test]
    fn a_file_at_rest_is_read_and_nothing_is_left_beside_it() {
        let (dir, path) = file();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(uri(&path).unwrap(), flags).unwrap();
        let rows: i64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_whose_changes_are_beside_it_is_not_at_rest() {
        let (_dir, path) = file();
        let writer = write(&path);
        assert_eq!(uri(&path), None);
        drop(writer);
        assert!(uri(&path).is_some());
    }

    #[test]
    fn a_file_whose_folder_is_locked_is_not_at_rest() {
        let (dir, path) = file();
        let lock = File::create(dir.path().join("souk.lock")).unwrap();
        lock.try_lock().unwrap();
        assert_eq!(uri(&path), None);
        drop(lock);
        assert!(uri(&path).is_some());
        assert_eq!(uri(&dir.path().join("absent.db")), None);
    }
}
