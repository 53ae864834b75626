//! The proof of a backup: its files are as they were written, and what is made of them holds what the source held.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use souk_domain::Timestamp;
use souk_ports::{DatabaseDump, Dumped, DumpedTable, fault};

use super::Manifest;
use crate::record::Folder;
use crate::{MigrateError, Progress};

/// What somebody found who looked into souk's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Whether they are right.
    pub ok: bool,
    /// In words.
    pub detail: String,
}

/// What the trial of a backup has shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Whether the backup is good.
    pub ok: bool,
    /// Files whose checksums were compared.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are not as they were written; nothing is restored then.
    pub damage: Vec<String>,
    /// The databases that were restored and compared.
    pub databases: Vec<DatabaseProof>,
    /// souk's own files.
    pub own: Option<Judgement>,
    /// What the backup does not have.
    pub left_out: Vec<super::LeftOut>,
}

/// A database that was restored.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseProof {
    /// The dump.
    pub dump: String,
    /// The server and the database that it was restored into.
    pub restored_into: String,
    /// Whether that is still there.
    pub kept: bool,
    /// Rows that were restored.
    pub rows: u64,
    /// Each table.
    pub tables: Vec<TableProof>,
}

/// A table that was restored.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableProof {
    /// Its name.
    pub table: String,
    /// Rows and digest of the manifest; `None`: the manifest does not know it.
    pub expected: Option<(u64, String)>,
    /// Rows and digest that were found; `None`: it is not there.
    pub found: Option<(u64, String)>,
    /// Whether they are the same.
    pub ok: bool,
}

/// Proves the backup in `from` by restoring it on `server`; `own` looks into souk's files. The record says so.
///
/// # Errors
/// `Usage` when there is no backup, `Found` when a tool refuses it, `Unreachable` when something is not there.
pub async fn restore(
    from: &Path,
    server: Arc<dyn DatabaseDump>,
    own: impl AsyncFnOnce(&Path) -> Result<Judgement, MigrateError>,
    keep: bool,
    folder: &Folder,
    now: impl Fn() -> Timestamp,
    mut progress: impl FnMut(Progress),
) -> Result<Proof, MigrateError> {
    let manifest = Manifest::read(from)?;
    let mut record = folder.record()?;
    record.begin("restore", now());
    folder.keep(&record)?;
    let outcome = prove(from, &manifest, &*server, own, keep, &mut progress).await;
    let mut record = folder.record()?;
    let told = match &outcome {
        Ok(proof) => format!("{}: {}", from.display(), proof.verdict()),
        Err(error) => error.to_string(),
    };
    record.end("restore", now(), told);
    folder.keep(&record)?;
    outcome
}

async fn prove(
    from: &Path,
    manifest: &Manifest,
    server: &dyn DatabaseDump,
    own: impl AsyncFnOnce(&Path) -> Result<Judgement, MigrateError>,
    keep: bool,
    progress: &mut impl FnMut(Progress),
) -> Result<Proof, MigrateError> {
    server.check_try_out().await?;
    let files = manifest.files.len() as u64;
    let damage = manifest.damage(from, |done| {
        progress(Progress { doing: "checksums compared:", done, total: Some(files) });
    });
    let mut proof = Proof {
        ok: damage.is_empty(),
        files,
        bytes: manifest.files.iter().map(|file| file.bytes).sum(),
        damage,
        databases: Vec::new(),
        own: None,
        left_out: manifest.left_out.clone(),
    };
    if !proof.ok {
        return Ok(proof);
    }
    let own_dump = manifest.own_dump.as_ref().zip(manifest.own.as_ref());
    for (dump, dumped) in [(&manifest.source_dump, &manifest.source)].into_iter().chain(own_dump) {
        progress(Progress { doing: "databases restored:", done: proof.databases.len() as u64, total: None });
        let tried = server.try_out(&from.join(dump), dumped, keep).await?;
        let tables = compared(dumped, &tried.tables);
        proof.ok &= tables.iter().all(|table| table.ok);
        proof.databases.push(DatabaseProof {
            dump: dump.clone(),
            restored_into: format!("{} at {}", tried.database, server.place()),
            kept: tried.kept,
            rows: tried.tables.iter().map(|table| table.rows).sum(),
            tables,
        });
    }
    if let Some(folder) = &manifest.own_folder {
        let judgement = own(&from.join(folder)).await?;
        proof.ok &= judgement.ok;
        proof.own = Some(judgement);
    }
    Ok(proof)
}

/// Holds what was found against what the manifest says.
fn compared(dumped: &Dumped, found: &[DumpedTable]) -> Vec<TableProof> {
    let entry = |table: &DumpedTable| (table.rows, table.digest.clone());
    let blind = fault::planted("migrate-restore-does-not-compare");
    let mut tables: Vec<TableProof> = dumped
        .tables
        .iter()
        .map(|expected| {
            let found = found.iter().find(|found| found.table == expected.table).map(entry);
            let expected_entry = Some(entry(expected));
            TableProof {
                table: expected.table.clone(),
                ok: blind || found == expected_entry,
                expected: expected_entry,
                found,
            }
        })
        .collect();
    let unknown = found.iter().filter(|found| !dumped.tables.iter().any(|table| table.table == found.table));
    tables.extend(unknown.map(|found| TableProof {
        table: found.table.clone(),
        expected: None,
        found: Some(entry(found)),
        ok: false,
    }));
    tables
}

impl Proof {
    fn verdict(&self) -> &'static str {
        if self.ok { "the backup is good" } else { "the backup is NOT good: make another one" }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |ok: bool| if ok { "✓" } else { "✗" };
        let whole = self.damage.is_empty();
        writeln!(f, "{} {} files, {} bytes: checksums compared", mark(whole), self.files, self.bytes)?;
        for damage in &self.damage {
            writeln!(f, "    {damage}")?;
        }
        for database in &self.databases {
            let kept = if database.kept { ", kept" } else { ", dropped again" };
            let ok = database.tables.iter().all(|table| table.ok);
            writeln!(
                f,
                "{} {} restored into {}{kept}: {} tables, {} rows",
                mark(ok),
                database.dump,
                database.restored_into,
                database.tables.len(),
                database.rows
            )?;
            for table in &database.tables {
                let shown = |entry: &Option<(u64, String)>| match entry {
                    Some((rows, digest)) => format!("{rows} rows, digest {digest}"),
                    None => "no such table".to_owned(),
                };
                write!(f, "    {} {}: {}", mark(table.ok), table.table, shown(&table.found))?;
                if !table.ok {
                    write!(f, "; the manifest says {}", shown(&table.expected))?;
                }
                writeln!(f)?;
            }
        }
        if let Some(own) = &self.own {
            writeln!(f, "{} souk's own files: {}", mark(own.ok), own.detail)?;
        }
        for left_out in &self.left_out {
            writeln!(f, "– {} is not in it: {}", left_out.what, left_out.why)?;
        }
        write!(f, "{}", self.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_more_or_less_or_another_one_is_found() {
        let table = |name: &str, rows, digest: &str| DumpedTable {
            table: name.to_owned(),
            rows,
            digest: digest.to_owned(),
        };
        let dumped = Dumped { tables: vec![table("a", 1, "x"), table("b", 2, "y")], ..Dumped::default() };
        let same = [table("a", 1, "x"), table("b", 2, "y")];
        let bad = |found: &[DumpedTable]| {
            let tables = compared(&dumped, found).into_iter().filter(|table| !table.ok);
            tables.map(|table| table.table).collect::<Vec<_>>()
        };
        assert_eq!(bad(&same), [""; 0]);
        assert_eq!(bad(&[table("a", 2, "x"), table("b", 2, "z"), table("c", 0, "")]), ["a", "b", "c"]);
        assert_eq!(bad(&same[..1]), ["b"]);
    }
}
