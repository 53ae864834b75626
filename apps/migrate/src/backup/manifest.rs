//! What a backup has in it, and the proof that its files are as they were written.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use souk_domain::Timestamp;
use souk_ports::Dumped;

use crate::MigrateError;

/// The manifest's name.
pub(super) const MANIFEST: &str = "manifest.json";
/// The form of a backup that this version writes and reads.
pub(super) const FORMAT: u32 = 1;
/// Bytes read at once.
const BLOCK: usize = 1 << 20;

/// What a backup has in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The form of the folder.
    pub format: u32,
    /// When it was begun; the source's dump is of a moment after.
    pub began: Timestamp,
    /// When it was whole.
    pub ended: Timestamp,
    /// The file with the source.
    pub source_dump: String,
    /// What is in it.
    pub source: Dumped,
    /// The file with souk's schema, where souk is on servers.
    pub own_dump: Option<String>,
    /// What is in it.
    pub own: Option<Dumped>,
    /// The folder with souk's files, where souk is a folder.
    pub own_folder: Option<String>,
    /// What was not copied.
    pub left_out: Vec<LeftOut>,
    /// Every file but the manifest.
    pub files: Vec<StoredFile>,
}

impl Default for Manifest {
    fn default() -> Self {
        let zero = Timestamp::from_millis(0);
        Self {
            format: FORMAT,
            began: zero,
            ended: zero,
            source_dump: String::new(),
            source: Dumped::default(),
            own_dump: None,
            own: None,
            own_folder: None,
            left_out: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// Something that was not copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What.
    pub what: String,
    /// Why it is no loss, or who keeps it.
    pub why: String,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredFile {
    /// Its path in the folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

impl StoredFile {
    /// Measures a file.
    pub(super) fn of(path: &Path, name: String) -> std::io::Result<Self> {
        let (mut file, mut sha, mut bytes) = (File::open(path)?, Sha256::new(), 0);
        let mut block = vec![0; BLOCK];
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                break;
            }
            sha.update(&block[..read]);
            bytes += read as u64;
        }
        let sha256 = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { name, bytes, sha256 })
    }
}

impl Manifest {
    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// `Usage` when the folder is no backup of ours, or one that is not whole.
    pub fn read(folder: &Path) -> Result<Self, MigrateError> {
        let path = folder.join(MANIFEST);
        let usage = |what: &str| MigrateError::Usage(format!("{} {what}", path.display()));
        let json = std::fs::read(&path).map_err(|error| {
            usage(&format!("cannot be read ({error}): name a folder that `souk migrate backup` has made"))
        })?;
        let manifest: Self = serde_json::from_slice(&json).map_err(|error| {
            usage(&format!("is no manifest of a backup ({error}): take a copy that is whole"))
        })?;
        if manifest.format != FORMAT {
            return Err(usage(&format!(
                "is of format {}, this souk reads {FORMAT}: take the version that wrote it",
                manifest.format
            )));
        }
        let names = manifest.files.iter().map(|file| &file.name);
        let names =
            names.chain([&manifest.source_dump]).chain(&manifest.own_dump).chain(&manifest.own_folder);
        for name in names {
            if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(usage(&format!("names a file outside of the folder: {name}")));
            }
        }
        Ok(manifest)
    }

    /// Returns which files are not as they were written, each with what is wrong.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub(super) fn damage(&self, folder: &Path, mut told: impl FnMut(u64)) -> Vec<String> {
        let mut damage = Vec::new();
        for (n, file) in self.files.iter().enumerate() {
            match StoredFile::of(&folder.join(&file.name), file.name.clone()) {
                Err(error) => damage.push(format!("{} cannot be read: {error}", file.name)),
                Ok(found) if found.bytes != file.bytes => damage.push(format!(
                    "{} has {} bytes, it was written with {}",
                    file.name, found.bytes, file.bytes
                )),
                Ok(found) if found.sha256 != file.sha256 => {
                    damage.push(format!("{} is not what was written: its checksum differs", file.name));
                }
                Ok(_) => {}
            }
            told(n as u64 + 1);
        }
        damage
    }

    /// Returns the rows of all tables of a dump.
    pub(super) fn rows(dumped: &Dumped) -> u64 {
        dumped.tables.iter().map(|table| table.rows).sum()
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: u64 = self.files.iter().map(|file| file.bytes).sum();
        let (tables, rows) = (self.source.tables.len(), Self::rows(&self.source));
        write!(f, "{tables} tables with {rows} rows of {}", self.source.place)?;
        match (&self.own, &self.own_folder) {
            (Some(own), _) => {
                write!(f, "; {} tables of souk with {} rows", own.tables.len(), Self::rows(own))?
            }
            (None, Some(_)) => write!(f, "; souk's own files")?,
            (None, None) => write!(f, "; souk has nothing yet")?,
        }
        write!(f, "; {} files, {bytes} bytes", self.files.len())
    }
}

/// Returns the paths of all files below a folder, in order.
pub(super) fn files_below(folder: &Path) -> std::io::Result<Vec<String>> {
    let (mut found, mut folders): (Vec<String>, Vec<PathBuf>) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(folder).expect("it was found there");
                found.push(below.to_string_lossy().into_owned());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_named_and_nothing_outside_is_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "one").unwrap();
        std::fs::write(folder.path().join("b"), "two").unwrap();
        let names = files_below(folder.path()).unwrap();
        let files = names.into_iter().map(|name| StoredFile::of(&folder.path().join(&name), name).unwrap());
        let mut manifest =
            Manifest { files: files.collect(), source_dump: "a".into(), ..Manifest::default() };
        assert_eq!(manifest.damage(folder.path(), |_| {}), Vec::<String>::new());
        std::fs::write(folder.path().join("a"), "eno").unwrap();
        std::fs::remove_file(folder.path().join("b")).unwrap();
        let damage = manifest.damage(folder.path(), |_| {});
        assert!(damage[0].contains("checksum differs") && damage[1].contains("cannot be read"), "{damage:?}");
        manifest.files[0].name = "../a".into();
        std::fs::write(folder.path().join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
        let error = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("outside of the folder"), "{error}");
    }
}
