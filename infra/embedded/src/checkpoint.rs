//! Keeps the write-ahead log short without holding writers up.
//!
//! A checkpoint copies the log's pages into the main file and syncs it: tens of milliseconds when there is much to
//! copy. A thread of its own does that beside the writer. But while writes go on there is always a little more, and
//! the log only starts over from its beginning when nothing is left; so the committer copies the last few pages
//! itself, between two batches, which is quick.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use crate::sqlite;

/// Pages in the log from which copying begins: 16 MiB of 4 KiB pages, so that hot pages are copied once for many
/// commits.
const START_PAGES: i64 = 4096;
/// Pages that the committer may copy between two batches: about a millisecond.
const FINISH_PAGES: i64 = 512;
/// Commits between two looks at the log's length; so many commands in one commit count as another.
const LOOK_EVERY: u32 = 32;
const LARGE_COMMIT: usize = 128;

/// The state shared by the committer and the checkpoint thread.
pub(crate) struct Checkpoints {
    wanted: Mutex<bool>,
    wake: Condvar,
    finish: AtomicBool,
    stop: AtomicBool,
    commits: AtomicU32,
    wal_path: PathBuf,
}

impl Checkpoints {
    pub fn new(database: &Path) -> Arc<Self> {
        let mut wal_path = database.as_os_str().to_owned();
        wal_path.push("-wal");
        Arc::new(Self {
            wanted: Mutex::new(false),
            wake: Condvar::new(),
            finish: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            commits: AtomicU32::new(0),
            wal_path: wal_path.into(),
        })
    }

    /// Returns the length of the write-ahead log file.
    pub fn wal_bytes(&self) -> i64 {
        std::fs::metadata(&self.wal_path).map_or(0, |meta| i64::try_from(meta.len()).unwrap_or(i64::MAX))
    }

    /// Called by the committer after each batch.
    pub fn between_batches(&self, connection: &Connection, commands: usize) {
        if self.finish.swap(false, Ordering::AcqRel) {
            // Once all is copied the next commit starts the log over; an error here comes back at the next round.
            let _ = checkpoint(connection);
            return;
        }
        let commits = 1 + u32::try_from(commands / LARGE_COMMIT).unwrap_or(LOOK_EVERY);
        if self.commits.fetch_add(commits, Ordering::Relaxed) + commits >= LOOK_EVERY {
            self.commits.store(0, Ordering::Relaxed);
            *self.wanted.lock() = true;
            self.wake.notify_one();
        }
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        *self.wanted.lock() = true;
        self.wake.notify_one();
    }

    /// The thread's work: copies while there is much, then hands the rest to the committer.
    pub fn run(&self, database: &Path) {
        let Ok(connection) = rusqlite::Connection::open(database) else {
            tracing::error!(
                "the checkpoint thread cannot open {}: the write-ahead log will grow",
                database.display()
            );
            return;
        };
        let _ = connection.busy_timeout(Duration::from_secs(5));
        let _ = connection.pragma_update(None, "wal_autocheckpoint", 0);
        // What is copied is synced before the log is written over.
        let _ = connection.pragma_update(None, "synchronous", sqlite::Durability::Full.synchronous());
        loop {
            {
                let mut wanted = self.wanted.lock();
                while !*wanted {
                    self.wake.wait(&mut wanted);
                }
                *wanted = false;
            }
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            if waiting_pages(&connection) < START_PAGES {
                continue;
            }
            // Each round copies what came in during the one before and leaves less.
            for _ in 0..4 {
                match checkpoint(&connection) {
                    Ok((log, copied)) if log - copied <= FINISH_PAGES => {
                        self.finish.store(true, Ordering::Release);
                        break;
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(cause = sqlite::cause(&error), error = %error, "a checkpoint failed and will be retried");
                        break;
                    }
                }
            }
        }
    }
}

/// Returns how many pages of the log are not copied yet, without copying any.
fn waiting_pages(connection: &Connection) -> i64 {
    connection
        .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
        .unwrap_or(0)
}

/// Copies what no reader holds back; returns pages in the log and pages copied.
fn checkpoint(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)))
}
