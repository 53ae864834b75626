//! A copy of a folder beside the process that writes there: what a crash at some moment would have left.
//!
//! Analytics' file is copied first, then the log, so that no position is beyond the log's end; then the archive's objects up
//! to the position that was copied: what is archived later is in the copied log. Events that were archived and trimmed
//! between the two copies would be in neither: then both are made again. A start on the copy goes on from there.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};
use souk_events::LogId;
use souk_ports::{Offset, fault};

use crate::log::unsigned;
use crate::{OpenError, sqlite, stored_identity};

/// How often the databases are copied at most. Housekeeping trims every thirty seconds, and has to come each time after
/// analytics' file was read and before the log is.
const TRIES: usize = 5;

/// A folder that cannot be copied; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no data, it cannot be read, or the copy cannot be written.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// The log did not stay long enough as it was.
    #[error("the log in {} was trimmed each time that it was copied: raise LOG_RETENTION, or stop souk for the time of the backup", path.display())]
    Trimmed {
        /// The folder.
        path: PathBuf,
    },
}

/// Copies the folder `data_dir` into `to`, which is made. `group` is the consumers' group that writes the archive.
///
/// # Errors
/// There is no data, it cannot be read, `to` cannot be written, or the log is trimmed too often.
pub fn back_up(
    data_dir: &Path,
    to: &Path,
    group: &str,
    mut told: impl FnMut(&Path),
) -> Result<(), BackupError> {
    if !data_dir.join("souk.db").is_file() {
        return Err(OpenError::Absent { path: data_dir.to_owned() }.into());
    }
    std::fs::create_dir_all(to.join("archive")).map_err(|e| OpenError::folder(to, e))?;
    let archived = copy_databases(data_dir, to, group, &mut told)?;
    Ok(copy_archive(&archived, data_dir, to, &mut told)?)
}

/// Copies both databases such that every event that has left the copied log is archived by the copied position.
fn copy_databases(
    data_dir: &Path,
    to: &Path,
    group: &str,
    told: &mut impl FnMut(&Path),
) -> Result<Archived, BackupError> {
    let files = ["analytics.db", "souk.db"];
    for _ in 0..TRIES {
        let log = data_dir.join("souk.db");
        let before = sqlite::open_reader(&log).and_then(|log| earliest(&log));
        let before = before.map_err(|e| OpenError::reading(&log, e))?;
        for name in files {
            copy_database(&data_dir.join(name), &to.join(name))?;
            told(&to.join(name));
        }
        let archived = archived(to, group)?;
        // What had left the log before, no copy can bring back.
        if archived.earliest <= archived.next.max(before) || fault::planted("backup-takes-the-first-copy") {
            return Ok(archived);
        }
        for name in files {
            std::fs::remove_file(to.join(name)).map_err(|e| OpenError::folder(to, e))?;
        }
    }
    Err(BackupError::Trimmed { path: data_dir.to_owned() })
}

/// Copies what of the archive belongs to the copied databases.
fn copy_archive(
    archived: &Archived,
    data_dir: &Path,
    to: &Path,
    told: &mut impl FnMut(&Path),
) -> Result<(), OpenError> {
    let place = |e| OpenError::folder(to, e);
    let archive = data_dir.join("archive");
    let mut folders = vec![archive.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| OpenError::folder(&folder, e))? {
            let from = entry.map_err(|e| OpenError::folder(&folder, e))?.path();
            if from.is_dir() {
                folders.push(from);
            } else if archived.has(&from) {
                let below = from.strip_prefix(&archive).expect("it was found there");
                let copy = to.join("archive").join(below);
                std::fs::create_dir_all(copy.parent().expect("it has a folder")).map_err(place)?;
                std::fs::copy(&from, &copy).and_then(|_| File::open(&copy)?.sync_all()).map_err(place)?;
                told(&copy);
            }
        }
    }
    Ok(())
}

/// Copies a database as it is in one moment; whoever writes it is not held up.
fn copy_database(from: &Path, to: &Path) -> Result<(), OpenError> {
    let connection = sqlite::open_reader(from).map_err(|e| OpenError::reading(from, e))?;
    let copy = || {
        // The copy is what is written.
        connection.pragma_update(None, "query_only", false)?;
        connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map(drop)
    };
    copy().map_err(|e| OpenError::sqlite(from, e))?;
    File::open(to).and_then(|file| file.sync_all()).map_err(|e| OpenError::folder(to, e))
}

/// Up to where the archive is part of the copy.
struct Archived {
    log: Option<LogId>,
    next: Offset,
    /// Where the copied log begins.
    earliest: Offset,
}

/// Returns where a log begins.
fn earliest(log: &Connection) -> rusqlite::Result<Offset> {
    let first: Option<i64> = log.query_row("SELECT min(\"offset\") FROM events", [], |row| row.get(0))?;
    Ok(first.map_or(1, unsigned))
}

fn archived(copy: &Path, group: &str) -> Result<Archived, OpenError> {
    let (log, analytics): (PathBuf, PathBuf) = (copy.join("souk.db"), copy.join("analytics.db"));
    let error = |path: &Path| {
        let path = path.to_owned();
        move |e| OpenError::sqlite(&path, e)
    };
    let log_db = sqlite::open_reader(&log).map_err(error(&log))?;
    let identity = stored_identity(&log_db).map_err(error(&log))?;
    let earliest = earliest(&log_db).map_err(error(&log))?;
    let positions = sqlite::open_reader(&analytics).map_err(error(&analytics))?;
    let next: Option<i64> = match identity {
        None => None,
        Some(identity) => positions
            .query_row(
                "SELECT next FROM consumer_positions WHERE grp = ?1 AND log = (SELECT id FROM logs WHERE log = ?2)",
                (group, identity.0.cast_signed()),
                |row| row.get(0),
            )
            .optional()
            .map_err(error(&analytics))?,
    };
    Ok(Archived { log: identity, next: next.unwrap_or_default().cast_unsigned(), earliest })
}

impl Archived {
    /// Tells whether a file of the archive is part of the copy: whatever is no object of this log is. Where a position had
    /// been lost, a start goes on from what the archive has before the log.
    fn has(&self, path: &Path) -> bool {
        let Some(log) = self.log else { return true };
        let of_this_log = format!("log={log}");
        if !path.components().any(|part| part.as_os_str() == of_this_log.as_str()) {
            return true;
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let offset = name.strip_prefix("o=").and_then(|name| name.strip_suffix(".parquet"));
        offset
            .and_then(|offset| offset.parse::<Offset>().ok())
            .is_some_and(|offset| offset < self.next.max(self.earliest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_that_the_copied_positions_stand_for_are_copied() {
        let archived = Archived { log: Some(LogId(1)), next: 7, earliest: 3 };
        let without_position = Archived { log: Some(LogId(1)), next: 0, earliest: 3 };
        let key = |log: LogId, offset: u64| {
            PathBuf::from(format!("a/product-events/log={log}/date=x/p=00000/o={offset:020}.parquet"))
        };
        assert!(archived.has(&key(LogId(1), 6)) && !archived.has(&key(LogId(1), 7)));
        assert!(without_position.has(&key(LogId(1), 2)) && !without_position.has(&key(LogId(1), 3)));
        assert!(archived.has(&key(LogId(2), 7)), "another log's are history");
        let unfinished = key(LogId(1), 6).with_extension("parquet#1");
        assert!(!archived.has(&unfinished), "what is being written is none");
    }
}
