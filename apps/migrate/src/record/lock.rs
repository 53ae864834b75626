//! One step at a time in a folder: a lock that goes with its process, and says whose it is. A follower, which goes on for
//! ever, makes way for a step that turns: that one puts a file there, and the follower waits until it is gone.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use souk_domain::Timestamp;
use souk_ports::{Clock as _, SystemClock};

use crate::error::MigrateError;

/// Steps that a follower makes way for.
const TURNS: [&str; 2] = ["cutover", "rollback"];
/// How long somebody who only looks may have the lock.
const GLANCE: Duration = Duration::from_millis(200);
/// How long a follower may take to make way: it ends what it is at.
const MAKING_WAY: Duration = Duration::from_secs(30);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// A step that is at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AtWork {
    /// Its name.
    pub step: String,
    /// Its process.
    pub process: u32,
    /// Since when.
    pub since: Timestamp,
}

impl fmt::Display for AtWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, process {}, since {}", self.step, self.process, self.since)
    }
}

/// The lock, with the request that it was taken by.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    asked: Option<PathBuf>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(asked) = &self.asked {
            // Whoever waits for it looks at the lock, too.
            let _ = std::fs::remove_file(asked);
        }
    }
}

impl Lock {
    /// Takes it for a step.
    pub fn take(folder: &Path, step: &str) -> Result<Self, MigrateError> {
        let unusable = |error: std::io::Error| {
            MigrateError::Unreachable(format!("the folder {} cannot be used: {error}", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let open = || File::options().create(true).truncate(false).write(true).open(folder.join("lock"));
        let mut file = open().map_err(unusable)?;
        let (began, mut asked) = (Instant::now(), None);
        while let Err(error) = file.try_lock() {
            match error {
                TryLockError::Error(error) => return Err(unusable(error)),
                TryLockError::WouldBlock => {}
            }
            let holder = read(folder);
            let makes_way = TURNS.contains(&step) && holder.as_ref().is_some_and(|it| it.step == "follow");
            if makes_way && asked.is_none() {
                let path = request(folder);
                std::fs::write(&path, b"").map_err(unusable)?;
                asked = Some(path);
            }
            let patience = if asked.is_some() { MAKING_WAY } else { GLANCE };
            if began.elapsed() > patience {
                if let Some(asked) = asked {
                    let _ = std::fs::remove_file(asked);
                }
                let who = holder.map(|holder| format!(": {holder}")).unwrap_or_default();
                return Err(MigrateError::Unreachable(format!(
                    "another `souk migrate` is at work in {}{who}; wait for its end",
                    folder.display()
                )));
            }
            std::thread::sleep(PAUSE);
        }
        let me = AtWork { step: step.to_owned(), process: std::process::id(), since: SystemClock.now() };
        file.set_len(0).map_err(unusable)?;
        file.write_all(&serde_json::to_vec(&me).expect("texts and numbers")).map_err(unusable)?;
        Ok(Self { _file: file, asked })
    }
}

fn request(folder: &Path) -> PathBuf {
    folder.join("lock.asked")
}

fn read(folder: &Path) -> Option<AtWork> {
    serde_json::from_slice(&std::fs::read(folder.join("lock")).ok()?).ok()
}

fn is_held(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join("lock")) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Tells who has it.
pub(super) fn at_work(folder: &Path) -> Option<AtWork> {
    if is_held(folder) { read(folder) } else { None }
}

/// Tells whether somebody wants it who need not wait for a follower.
pub(super) fn is_asked_for(folder: &Path) -> bool {
    request(folder).exists()
}

/// Tells whether whoever asked for it has still to come to his end. One that was killed has left his request: when nobody has
/// taken the lock for a while, it is of nobody.
pub(super) fn is_awaited(folder: &Path) -> bool {
    if is_held(folder) {
        return true;
    }
    let asked = request(folder).metadata().and_then(|file| file.modified());
    match asked.ok().and_then(|at| at.elapsed().ok()) {
        Some(age) if age > MAKING_WAY => {
            let _ = std::fs::remove_file(request(folder));
            false
        }
        Some(_) => true,
        None => false,
    }
}
