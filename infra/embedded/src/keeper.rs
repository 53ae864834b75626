//! Who keeps the products: a row beside them, and the committer's knowledge of it.
//!
//! The committer is the only one who writes, so what it knows is exact: between two batches the keeper changes, on disk
//! first.

use rusqlite::{Connection, OptionalExtension};
use souk_ports::Keeper;

/// Reads it; nothing there is souk itself.
pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Keeper> {
    let stored: Option<i64> = connection
        .prepare_cached("SELECT value FROM meta WHERE name = 'keeper'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(if stored == Some(1) { Keeper::Source } else { Keeper::Souk })
}

/// Writes it, in a transaction of its own.
pub(crate) fn store(connection: &Connection, keeper: Keeper) -> rusqlite::Result<()> {
    let value = i64::from(keeper == Keeper::Source);
    connection
        .execute(
            "INSERT INTO meta (name, value) VALUES ('keeper', ?1) ON CONFLICT (name) DO UPDATE SET value = ?1",
            [value],
        )
        .map(drop)
}
