//! A folder for servers' data that is gone afterwards.

use std::fs::{DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::memory;

/// Where it can lie. Every user may pass through both, which Postgres needs: it refuses to run as root.
const MEMORY: &str = "/dev/shm";
/// Unlike `/tmp` on many systems.
const DISK: &str = "/var/tmp";
const PREFIX: &str = "souk-scratch-";
/// Held locked as long as the folder is in use.
const LOCK: &str = "lock";

/// A folder that is removed with this value; what a killed process left is removed by the next one.
#[derive(Debug)]
pub struct Scratch {
    folder: tempfile::TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes a folder; `name` is part of its name, for people. It is in memory where there is plenty of it: a tenth of all
    /// that Postgres computes in tests goes into files that are made and removed again, if these are on a disk.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        Self::below(if memory::has_plenty(Path::new(MEMORY)) { MEMORY } else { DISK }, name)
    }

    /// As [`Scratch::new`], on a disk: for what is measured.
    ///
    /// # Errors
    /// When `/var/tmp` cannot be written.
    pub fn on_disk(name: &str) -> anyhow::Result<Self> {
        Self::below(DISK, name)
    }

    fn below(parent: &str, name: &str) -> anyhow::Result<Self> {
        remove_stale(MEMORY);
        remove_stale(DISK);
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{name}-"))
            .permissions(Permissions::from_mode(0o711))
            .tempdir_in(parent)
            .with_context(|| format!("cannot make a folder in {parent}"))?;
        let lock = File::create(folder.path().join(LOCK)).context("cannot write into a new folder")?;
        lock.lock().context("cannot lock a new file")?;
        Ok(Self { folder, _lock: lock })
    }

    /// Returns the path of the folder itself.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the path of a folder in it, for a server; it need not exist yet.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Makes a folder that other users may pass through, with those above it.
pub fn passable(folder: &Path) -> anyhow::Result<()> {
    if !folder.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    Ok(())
}

/// Lets other users look into a folder that was made for one alone.
pub fn open_to_others(folder: &Path) -> anyhow::Result<()> {
    std::fs::set_permissions(folder, Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {} to others", folder.display()))
}

/// Removes folders whose processes ended without doing so; what cannot be removed stays.
fn remove_stale(parent: &str) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) || !is_old(&path) {
            continue;
        }
        // Whoever still uses it holds the lock; one that is removed halfway may have lost its lock already.
        let free = match File::open(path.join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if free {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

/// One that is being made has no lock for a moment; a minute is long enough for that.
fn is_old(path: &Path) -> bool {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return false };
    let changed = metadata.modified().ok().and_then(|at| at.elapsed().ok());
    metadata.is_dir() && metadata.nlink() > 0 && changed.is_some_and(|age| age.as_secs() > 60)
}

#[cfg(test)]
mod tests {
    use super::Scratch;

    #[test]
    fn is_gone_afterwards() {
        let scratch = Scratch::new("test").expect("a folder");
        let path = scratch.path().to_owned();
        std::fs::create_dir(scratch.folder("inner")).expect("it can be written");
        assert!(path.is_dir());
        drop(scratch);
        assert!(!path.exists());
    }
}
