//! Moves a whole shop from one backend to another: events with their ids, order and versions, rows as they are, the answers
//! that clients may still ask for again.
//!
//! ```text
//! begin ─► events ─► rows ─► answers ─► settle ─► (consumers ─► audit) ─► finish
//! ```
//!
//! Events come from what is complete, archive and log together, and are published as they are. What is computed from them,
//! aggregates, recent events and the archive, is not moved: the target's own consumers make it, as they always do. How far
//! a move is lies in the target, stored with what it stands for, so that a move that is killed goes on where it was.
//!
//! Everything goes through the ports: a move is the same in every direction.

mod history;
mod load;
mod record;

use std::sync::Arc;

use object_store::ObjectStore;
use souk_ports::{Catalog, Clock, EventLog, MoveSource, PortError};

pub use load::{end, keeps_its_own, load, look};
pub use record::{Record, Stage};

/// The side that a shop leaves.
#[derive(Clone)]
pub struct Departure {
    /// Where it is, for people.
    pub place: String,
    /// Products.
    pub catalog: Arc<dyn Catalog>,
    /// Events that are not archived yet, or still beside the archive.
    pub log: Arc<dyn EventLog>,
    /// Events that the log may have forgotten.
    pub archive: Arc<dyn ObjectStore>,
    /// What these do not tell.
    pub source: Arc<dyn MoveSource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Events moved, of about so many: offsets have holes.
    Events(u64, u64),
    /// Rows moved.
    Rows(u64),
    /// Remembered answers moved.
    Answers(u64),
}

/// Why a shop does not move.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// Somebody is at work on one of the sides, or was meanwhile; the text names who, and the remedy.
    #[error("{0}")]
    AtWork(String),
    /// The target holds something else, or another system keeps the products; the text says what, and the remedy.
    #[error("{0}")]
    Occupied(String),
    /// A side cannot be read or written now; another run goes on from there.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The archive cannot be read, or a temporary file not written.
    #[error("{0:#}")]
    History(anyhow::Error),
}

impl From<anyhow::Error> for MoveError {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<PortError>() {
            Ok(error) => Self::Port(error),
            Err(error) => Self::History(error),
        }
    }
}
