//! A shop that leaves a folder, and one that comes to it: the two ends of `souk move`.
//!
//! What comes is written past the committer, in transactions of many events or rows, each with how far the move is in the
//! same file. Until the move is finished, [`Embedded::open`](crate::Embedded::open) refuses the folder.

mod source;
mod target;

use rusqlite::{Connection, OptionalExtension, params};
use souk_ports::Milestone;

pub use source::EmbeddedMoveSource;
pub use target::EmbeddedMoveTarget;

/// How far a move into this file is; the one row stays when the move is finished, and says where the shop is from. Made
/// by the first move: most files never see one.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS moves (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  number INTEGER NOT NULL,
  record TEXT NOT NULL,
  finished INTEGER NOT NULL
) STRICT";

/// What a file says of a move into it.
struct Stored {
    record: String,
    finished: bool,
}

fn stored(connection: &Connection) -> rusqlite::Result<Option<Stored>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'moves')";
    if !connection.query_row(sql, [], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    connection
        .query_row("SELECT record, finished FROM moves", [], |row| {
            Ok(Stored { record: row.get(0)?, finished: row.get(1)? })
        })
        .optional()
}

/// Tells whether a move into this file has begun and is not finished.
pub(crate) fn is_unfinished(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(stored(connection)?.is_some_and(|stored| !stored.finished))
}

fn store(connection: &Connection, milestone: &Milestone, finished: bool) -> rusqlite::Result<()> {
    let number = i64::try_from(milestone.number).expect("a move has fewer milestones than 2^63");
    connection
        .prepare_cached(
            "INSERT INTO moves (one, number, record, finished) VALUES (1, ?1, ?2, ?3) ON CONFLICT (one) DO UPDATE \
             SET number = excluded.number, record = excluded.record, finished = excluded.finished",
        )?
        .execute(params![number, milestone.record, finished])?;
    Ok(())
}
