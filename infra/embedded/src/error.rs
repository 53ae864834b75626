//! Why a data folder cannot be opened.

use std::path::{Path, PathBuf};

use crate::at_rest;

/// A data folder that cannot be opened; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made, read or written.
    #[error("DATA_DIR {} cannot be used: {source}; make it writable for this user or choose another folder", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process writes there.
    #[error("DATA_DIR {} is in use by another souk (process {holder}); stop that one or choose another folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Its process id.
        holder: String,
    },
    /// A newer version wrote the file.
    #[error("{} has schema {version}, this souk knows up to {known}: a newer souk wrote it; use that version or choose another DATA_DIR", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        version: i64,
        /// The newest that is known.
        known: i64,
    },
    /// An older version wrote the file, and it is open for reading only.
    #[error("{} has schema {version}, this souk reads {known}: run `souk up` once to bring it up to date", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        version: i64,
        /// The one that is needed.
        known: i64,
    },
    /// There is no data.
    #[error("there is no data in {}: run `souk up` first or name the folder with --data-dir", path.display())]
    Absent {
        /// The folder.
        path: PathBuf,
    },
    /// A shop is on its way into the folder.
    #[error("DATA_DIR {} holds a part of a shop that is moving there: run `souk move --to embedded` again until it is done, or choose another folder", path.display())]
    HalfMoved {
        /// The folder.
        path: PathBuf,
    },
    /// A copy of one file was put beside a younger copy of another.
    #[error("{} was consumed up to {position}, but the log ends at {end}: an older souk.db was put beside it; restore all files of DATA_DIR from the same copy", path.display())]
    Ahead {
        /// The file that is ahead.
        path: PathBuf,
        /// The position that it holds.
        position: u64,
        /// Where the log ends.
        end: u64,
    },
    /// Its last changes cannot be brought in where nothing can be written.
    #[error("{} was not closed in order and cannot be read where nothing can be written ({source}): its last changes are in {}; make the folder writable, or copy all of it to one that is and name that with --data-dir", path.display(), crate::at_rest::beside(path).display())]
    Unsettled {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file system is one on which SQLite keeps no write-ahead log.
    #[error("{} cannot be kept in WAL mode (SQLite chose '{mode}'): put DATA_DIR on a local disk", path.display())]
    NoWal {
        /// The file.
        path: PathBuf,
        /// The journal mode instead.
        mode: String,
    },
    /// SQLite cannot open the file.
    #[error("{} cannot be opened: {source}{}", path.display(), crate::sqlite::remedy(source))]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl OpenError {
    pub(crate) fn folder(path: &Path, source: std::io::Error) -> Self {
        Self::Folder { path: path.to_owned(), source }
    }

    /// A file that cannot be opened for reading.
    pub(crate) fn reading(path: &Path, source: rusqlite::Error) -> Self {
        if at_rest::is_unwritable(&source) && at_rest::has_changes_beside(path) {
            return Self::Unsettled { path: path.to_owned(), source };
        }
        Self::sqlite(path, source)
    }

    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        Self::Sqlite { path: path.to_owned(), source }
    }
}
