//! A database as a file that it can be made from again, and the proof that it can.

use std::path::Path;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::PortError;

/// A database that can be dumped, and a server on which a dump can be tried out.
#[async_trait]
pub trait DatabaseDump: Send + Sync {
    /// Returns where it is, never with a password.
    fn place(&self) -> String;

    /// Writes a dump to `file`, which is not there yet, and tells what is in it: both as of one moment, however much is
    /// written meanwhile. Calls `told` with the bytes written so far.
    ///
    /// # Errors
    /// `Unavailable` when the server or the tools that dump are not there; `InvalidData` when they refuse, in their words.
    async fn dump(&self, file: &Path, told: &mut (dyn FnMut(u64) + Send)) -> Result<Dumped, PortError>;

    /// Tells whether a dump could be tried out here, before anything is done for it.
    ///
    /// # Errors
    /// `InvalidData` with the right that is missing, `Unavailable` when the server or its tools are not there.
    async fn check_try_out(&self) -> Result<(), PortError>;

    /// Restores `file` into a new database of this server, looks what is in it, and drops it again, after a failure, too,
    /// unless it is to be kept. Drops those of its kind that were left by a process that was killed.
    ///
    /// # Errors
    /// As [`DatabaseDump::dump`].
    async fn try_out(&self, file: &Path, dumped: &Dumped, keep: bool) -> Result<TriedOut, PortError>;
}

/// What a dump has in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dumped {
    /// Where the database was.
    pub place: String,
    /// The server's version, in its own words.
    pub server: String,
    /// The tool that wrote it.
    pub tool: String,
    /// How the database kept its text: encoding, collation, character types.
    pub text: [String; 3],
    /// Each table, by schema and name.
    pub tables: Vec<DumpedTable>,
}

/// What a table has in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DumpedTable {
    /// Schema and name.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// The same for the same rows, whatever their order.
    pub digest: String,
}

/// What a dump was found to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TriedOut {
    /// The database that it was restored into.
    pub database: String,
    /// Whether it is still there.
    pub kept: bool,
    /// What the database held.
    pub tables: Vec<DumpedTable>,
}
