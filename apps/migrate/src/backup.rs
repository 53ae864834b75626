//! The backup before a step that writes: the source's database, the settings, the mapping, and what souk has of its own, in a
//! folder whose manifest says what is in it.
//!
//! It is written beside and renamed when all of it is on disk: a folder with a manifest is whole.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use souk_domain::Timestamp;
use souk_ports::{DatabaseDump, PortError, fault};

use crate::record::Folder;
use crate::{MigrateError, Progress};

mod manifest;
mod restore;

pub use manifest::{LeftOut, Manifest, StoredFile};
pub use restore::{DatabaseProof, Judgement, Proof, TableProof, restore};

use manifest::{FORMAT, MANIFEST, files_below};

/// Marks a folder of ours that is not whole: a later run may remove it.
const UNFINISHED: &str = "unfinished-souk-backup";
/// The dump of the source.
const SOURCE: &str = "source.dump";
/// The dump of souk's schema.
const OWN_DUMP: &str = "souk.dump";
/// The folder of souk's files.
const OWN_FOLDER: &str = "souk";

/// How the files of a folder are copied.
pub type CopyFiles = Box<dyn FnOnce(&Path) -> Result<(), PortError> + Send>;

/// What souk has of its own.
pub enum Own {
    /// Nothing yet.
    Nothing,
    /// Files, copied as of one moment.
    Files(CopyFiles),
    /// A schema in a database.
    Database(Arc<dyn DatabaseDump>),
}

/// What is backed up.
pub struct Backup {
    /// The source.
    pub source: Arc<dyn DatabaseDump>,
    /// souk.
    pub own: Own,
    /// The settings as they may be shown, as JSON.
    pub settings: Vec<u8>,
    /// The mapping file, where there is one.
    pub mapping: Option<PathBuf>,
    /// What is not copied.
    pub left_out: Vec<LeftOut>,
}

/// Backs up into `into`, which is not there yet. The record says so.
///
/// # Errors
/// `Usage` when the folder is there, `Found` when a tool refuses, `Unreachable` when something cannot be read or written.
pub async fn back_up(
    backup: Backup,
    folder: &Folder,
    into: &Path,
    now: impl Fn() -> Timestamp,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Manifest, MigrateError> {
    let mut record = folder.record()?;
    record.at(&backup.source.place());
    record.begin("backup", now());
    folder.keep(&record)?;
    let outcome = write(backup, into, &now, &mut progress).await;
    let mut record = folder.record()?;
    let told = match &outcome {
        Ok(manifest) => format!("{manifest}, in {}", into.display()),
        Err(error) => error.to_string(),
    };
    record.end("backup", now(), told);
    folder.keep(&record)?;
    outcome
}

/// Tells whether a backup could go into `into`.
///
/// # Errors
/// `Usage` when something is there.
pub fn check_free(into: &Path) -> Result<(), MigrateError> {
    if into.symlink_metadata().is_ok() {
        return Err(MigrateError::Usage(format!(
            "{} is there already, and a backup is never overwritten: name another folder by --into",
            into.display()
        )));
    }
    Ok(())
}

async fn write(
    backup: Backup,
    into: &Path,
    now: &impl Fn() -> Timestamp,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<Manifest, MigrateError> {
    check_free(into)?;
    let part = begin(into)?;
    let mut manifest = Manifest { format: FORMAT, began: now(), ..Manifest::default() };
    let mut told = |done| progress(Progress { doing: "bytes of the source dumped:", done, total: None });
    manifest.source = backup.source.dump(&part.join(SOURCE), &mut told).await?;
    manifest.source_dump = SOURCE.to_owned();
    fault::crash_point("migrate.dumped");
    match backup.own {
        Own::Nothing => {}
        Own::Files(copy) => {
            progress(Progress { doing: "files of souk copied:", done: 0, total: None });
            copy(&part.join(OWN_FOLDER))?;
            manifest.own_folder = Some(OWN_FOLDER.to_owned());
        }
        Own::Database(dump) => {
            let mut told = |done| progress(Progress { doing: "bytes of souk dumped:", done, total: None });
            manifest.own = Some(dump.dump(&part.join(OWN_DUMP), &mut told).await?);
            manifest.own_dump = Some(OWN_DUMP.to_owned());
        }
    }
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| unusable(&path, &error)
    };
    let settings = part.join("settings.json");
    std::fs::write(&settings, &backup.settings).map_err(at(&settings))?;
    if let Some(mapping) = backup.mapping.filter(|mapping| mapping.is_file()) {
        std::fs::copy(&mapping, part.join("mapping.toml")).map_err(at(&mapping))?;
    }
    manifest.left_out = backup.left_out;
    for name in files_below(&part).map_err(at(&part))?.into_iter().filter(|name| name != UNFINISHED) {
        let path = part.join(&name);
        let file = StoredFile::of(&path, name).map_err(at(&path))?;
        File::open(&path).and_then(|file| file.sync_all()).map_err(at(&path))?;
        manifest.files.push(file);
        let done = manifest.files.len() as u64;
        progress(Progress { doing: "files sealed:", done, total: None });
    }
    manifest.ended = now();
    let json = serde_json::to_vec_pretty(&manifest).expect("a manifest has text keys");
    let path = part.join(MANIFEST);
    let seal = || {
        let mut file = File::create(&path)?;
        file.write_all(&json)?;
        file.sync_all()?;
        File::open(&part)?.sync_all()?;
        fault::crash_point("migrate.backed-up");
        std::fs::rename(&part, into)?;
        File::open(parent(into))?.sync_all()?;
        std::fs::remove_file(into.join(UNFINISHED))
    };
    seal().map_err(at(into))?;
    Ok(manifest)
}

/// Makes the folder beside, for this user alone: it holds the shop.
fn begin(into: &Path) -> Result<PathBuf, MigrateError> {
    let name = into.file_name().ok_or_else(|| {
        MigrateError::Usage(format!("--into {} names no folder that could be made", into.display()))
    })?;
    let part = parent(into).join(format!(".{}.part", name.to_string_lossy()));
    let make = || {
        std::fs::create_dir_all(parent(into))?;
        // What a run that was killed has left.
        if part.join(UNFINISHED).is_file() {
            std::fs::remove_dir_all(&part)?;
        }
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&part)?;
        std::fs::write(part.join(UNFINISHED), [])
    };
    make().map_err(|error: std::io::Error| unusable(&part, &error))?;
    Ok(part)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unusable(path: &Path, error: &std::io::Error) -> MigrateError {
    MigrateError::Unreachable(format!("{} cannot be used: {error}", path.display()))
}
