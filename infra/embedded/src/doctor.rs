//! What there is to look at in a data folder, for `souk doctor`: changes nothing, but for a file that is written and
//! removed again.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use souk_ports::{Finding, Findings};

use crate::event_store::AnalyticsDb;
use crate::search::Coverage;
use crate::sqlite::{self, Schema};
use crate::{OpenError, at_rest, search, stored_identity};

/// Room below which the next hour may well end in a full disk.
const LITTLE_BYTES: u64 = 1 << 30;
/// Room below which even a checkpoint may fail.
const NEXT_TO_NOTHING_BYTES: u64 = 64 << 20;
/// A write-ahead log of this size is not being copied into its file.
const LONG_WAL_BYTES: u64 = 1 << 30;
/// Times that a sync is tried; the middle one is told.
const SYNCS: usize = 5;

/// Examines the folder at `folder`.
pub fn examine(folder: &Path, findings: Findings<'_>) {
    let database = folder.join("souk.db");
    if !database.is_file() {
        let detail = format!("there is no data in {}", folder.display());
        findings(Finding::unreachable(
            "folder",
            detail,
            "run `souk up` first, or name the folder with --data-dir",
        ));
        return;
    }
    findings(Finding::ok("folder", folder.display().to_string()));
    findings(lock(folder));
    findings(writable(folder));
    if let Some(finding) = room(folder) {
        findings(finding);
    }
    for (file, schema) in [
        ("souk.db", &crate::SCHEMA),
        ("analytics.db", &crate::event_store::SCHEMA),
        ("search.db", &search::SCHEMA),
    ] {
        findings(version(&folder.join(file), schema));
        findings(wal(&folder.join(file)));
    }
    for finding in [positions(folder), search_index(folder)].into_iter().flatten() {
        findings(finding);
    }
}

fn lock(folder: &Path) -> Finding {
    const NAME: &str = "folder.lock";
    let path = folder.join("souk.lock");
    if !at_rest::has_writer(&folder.join("souk.db")) {
        return Finding::ok(NAME, "nobody writes here now");
    }
    let holder = std::fs::read_to_string(path).unwrap_or_default();
    match holder.trim().parse::<i64>() {
        Ok(process) => Finding::ok(NAME, format!("held by process {process}, which writes here"))
            .with("process", process),
        Err(_) => Finding::ok(NAME, "held by a process that writes here"),
    }
}

/// Writes and syncs a file. How long that takes is told, not judged: a disk is as it is.
fn writable(folder: &Path) -> Finding {
    const NAME: &str = "folder.writable";
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    let tried = || -> std::io::Result<Duration> {
        let mut file = File::create(&path)?;
        let mut times = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            file.write_all(&[0; 4096])?;
            let began = Instant::now();
            file.sync_data()?;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        Ok(times[SYNCS / 2])
    };
    let outcome = tried();
    let _ = std::fs::remove_file(&path);
    match outcome {
        Ok(time) => {
            let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
            Finding::ok(NAME, format!("yes; syncing 4 KiB takes {micros} µs, which every commit waits for"))
                .with("syncMicros", micros)
        }
        Err(error) => {
            let remedy = format!("make {} writable for the user that souk runs as", folder.display());
            Finding::fail(NAME, format!("it cannot be written: {error}"), remedy)
        }
    }
}

fn room(folder: &Path) -> Option<Finding> {
    const NAME: &str = "folder.room";
    let free = free_bytes(folder)?;
    let detail = format!("{} MiB free", free >> 20);
    let remedy = "make room, or set LOG_RETENTION and RECENT_EVENTS_RETENTION to less";
    let finding = match free {
        0..NEXT_TO_NOTHING_BYTES => Finding::fail(NAME, detail, remedy),
        NEXT_TO_NOTHING_BYTES..LITTLE_BYTES => Finding::warn(NAME, detail, remedy),
        _ => Finding::ok(NAME, detail),
    };
    Some(finding.with("freeBytes", i64::try_from(free).unwrap_or(i64::MAX)))
}

/// Returns the bytes that this user may still write on the folder's disk.
#[expect(unsafe_code, reason = "the standard library does not tell free space")]
#[cfg_attr(target_os = "linux", expect(clippy::useless_conversion, reason = "these are narrower elsewhere"))]
fn free_bytes(folder: &Path) -> Option<u64> {
    let path = std::ffi::CString::new(folder.as_os_str().as_encoded_bytes()).ok()?;
    // SAFETY: all zeros is a valid value of this struct of numbers.
    let mut told: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends in a zero and both live through the call.
    let outcome = unsafe { libc::statvfs(path.as_ptr(), &raw mut told) };
    (outcome == 0).then(|| u64::from(told.f_bavail).saturating_mul(u64::from(told.f_frsize)))
}

fn version(path: &Path, schema: &Schema) -> Finding {
    let name = format!("folder.{}", schema.name);
    if !path.is_file() {
        return Finding::ok(&name, "not there yet; made at the next start");
    }
    let checked = sqlite::open_reader(path)
        .map_err(|error| OpenError::reading(path, error))
        .and_then(|connection| sqlite::check_version(&connection, path, schema));
    match checked {
        Ok(()) => Finding::ok(&name, format!("schema {}", schema.scripts.len())),
        Err(error @ OpenError::Older { .. }) => {
            Finding::warn(&name, error.to_string(), "start `souk up` once, which brings it up to date")
        }
        Err(error) => Finding::fail(&name, error.to_string(), "do as it says, or restore a copy"),
    }
}

fn wal(path: &Path) -> Finding {
    let wal: PathBuf = at_rest::beside(path);
    let bytes = std::fs::metadata(&wal).map_or(0, |meta| meta.len());
    let file = wal.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (name, detail) = (format!("folder.{file}"), format!("{} KiB", bytes >> 10));
    let finding = if bytes >= LONG_WAL_BYTES {
        let remedy =
            "end what reads the file for long, such as a shell; it shrinks at the next stop in order";
        Finding::warn(&name, detail, remedy)
    } else {
        Finding::ok(&name, detail)
    };
    finding.with("bytes", i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// Tells whether the consumers' positions are within the log; nothing when the files cannot be read.
fn positions(folder: &Path) -> Option<Finding> {
    const NAME: &str = "folder.positions";
    let path = folder.join("souk.db");
    let connection = sqlite::open_reader(&path).ok()?;
    let identity = stored_identity(&connection).ok()??;
    let end: Option<i64> =
        connection.query_row("SELECT max(\"offset\") + 1 FROM events", [], |row| row.get(0)).ok()?;
    let analytics = AnalyticsDb::open_read_only(&folder.join("analytics.db")).ok()?;
    Some(match analytics.check_positions(identity, crate::log::unsigned(end.unwrap_or(1))) {
        Ok(()) => Finding::ok(NAME, "all within the log"),
        // A log that was trimmed to nothing still knows where it ended; the file's own count is not read here.
        Err(_) if end.is_none() => return None,
        Err(error) => {
            Finding::fail(NAME, error.to_string(), "restore all files of DATA_DIR from the same copy")
        }
    })
}

/// Compares the search index with the catalog: one that lost rows but not its position would miss them for good. Nothing
/// when the files cannot be read.
fn search_index(folder: &Path) -> Option<Finding> {
    const NAME: &str = "folder.search";
    let connection = sqlite::open_reader(&folder.join("souk.db")).ok()?;
    let index = folder.join("search.db");
    if !index.is_file() {
        return None;
    }
    sqlite::attach(&connection, &index, "search").ok()?;
    let Coverage { products, trails, lacking, surplus } = search::coverage(&connection).ok()?;
    let finding = if trails > 0 {
        Finding::ok(
            NAME,
            format!("{trails} events behind, which it is about to take in, or will at the next start"),
        )
    } else if lacking > 0 || surplus > 0 {
        let detail = format!("it lacks {lacking} of {products} products, and has {surplus} that are gone");
        let remedy = "stop souk, remove search.db and start souk again: it is built anew from the catalog";
        Finding::fail(NAME, detail, remedy)
    } else {
        Finding::ok(NAME, format!("it has all of {products} products"))
    };
    Some(finding.with("trailsEvents", trails).with("lacksProducts", lacking))
}
