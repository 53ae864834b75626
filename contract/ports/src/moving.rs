//! A whole shop on its way from one backend to another: what `souk move` needs beyond catalog, log and archive.
//!
//! Both sides stand still while a shop moves. What a target takes in and how far the move is are stored together, so
//! that a move that ends anywhere goes on where it was, and nothing is there twice.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use souk_domain::{ProductId, Timestamp};
use souk_events::{Envelope, LogId};

use crate::{Answer, CatalogRow, PortError};

/// The side that a shop leaves. It is only read.
#[async_trait]
pub trait MoveSource: Send + Sync {
    /// Tells who is at work there, or what has to be finished there first, with the remedy; `None` when it stands still.
    async fn unrest(&self) -> Result<Option<String>, PortError>;

    /// Returns remembered answers in the order of their keys after `after`; empty at the end.
    async fn answers(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredAnswer>, PortError>;
}

/// The side that a shop moves to.
///
/// Promises: what a call is given takes effect together with its milestone, or not at all; a milestone is durable when
/// the call returns; until [`MoveTarget::finish`] no souk starts there.
#[async_trait]
pub trait MoveTarget: Send {
    /// Returns the identity of the target's log.
    fn log(&self) -> LogId;

    /// Tells who is at work there, with the remedy; `None` when it stands still.
    async fn unrest(&mut self) -> Result<Option<String>, PortError>;

    /// Tells what is there.
    async fn holds(&mut self) -> Result<Holds, PortError>;

    /// Notes a milestone.
    async fn note(&mut self, milestone: &Milestone) -> Result<(), PortError>;

    /// Appends events to the log, in this order.
    async fn put_events(&mut self, events: Vec<MovedEvent>, milestone: &Milestone) -> Result<(), PortError>;

    /// Takes away rows and answers, so that they can be taken in anew.
    async fn clear_rows(&mut self, milestone: &Milestone) -> Result<(), PortError>;

    /// Takes in rows that are not there, tombstones among them.
    async fn put_rows(&mut self, rows: &[CatalogRow], milestone: &Milestone) -> Result<(), PortError>;

    /// Takes in answers that are not there.
    async fn put_answers(&mut self, answers: &[StoredAnswer], milestone: &Milestone)
    -> Result<(), PortError>;

    /// Makes rows and log one shop, once all is taken in: whatever follows the catalog begins after what was moved.
    ///
    /// # Errors
    /// `Conflict` when somebody has written there meanwhile.
    async fn settle(&mut self, milestone: &Milestone) -> Result<(), PortError>;

    /// Ends the move: from now on the target is a shop like any other.
    async fn finish(&mut self, milestone: &Milestone) -> Result<(), PortError>;

    /// Lets go of the target.
    async fn close(self: Box<Self>);
}

/// What a target holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Nothing.
    Nothing,
    /// What a move has brought so far: the record of its last milestone.
    Beginning(String),
    /// A shop that a move brought, whole: the record of its last milestone.
    Moved(String),
    /// Something else, as told to people.
    Shop(String),
}

/// How far a move is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Milestone {
    /// Counts the milestones of a move: of two that are stored, the higher is the last.
    pub number: u64,
    /// What the move knows, as it wants it back.
    pub record: String,
}

/// An event that moves as it was published.
#[derive(Debug, Clone)]
pub struct MovedEvent {
    /// What places need to know of it.
    pub envelope: Envelope,
    /// The event, byte by byte.
    pub payload: Bytes,
}

impl MovedEvent {
    /// Returns the product.
    pub fn product(&self) -> ProductId {
        self.envelope.subject
    }
}

/// A remembered answer of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The key.
    pub key: Arc<str>,
    /// Tells the request from others.
    pub fingerprint: [u8; 32],
    /// The answer.
    pub answer: Answer,
    /// When it was stored: a day later it expires.
    pub stored_at: Timestamp,
}
