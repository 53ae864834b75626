//! Where the relay publishes: a transactional producer, and the log that it writes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
pub use souk_kafka::{Outgoing, SendError};
use souk_ports::{EventLog, PortError};

/// Makes producers.
#[async_trait]
pub trait Sinks: Send + Sync {
    /// Starts a producer, which fences every other of the same transactional id: from now on nothing of theirs is
    /// committed.
    ///
    /// # Errors
    /// [`SendError`]; trying again is safe.
    async fn start(&self) -> Result<Box<dyn Sink>, SendError>;

    /// Opens the log that producers write to, for a comparison after a restore.
    ///
    /// # Errors
    /// When the log cannot be reached.
    async fn log(&self) -> Result<Arc<dyn EventLog>, PortError>;

    /// Says where it publishes, for people: `topic product-events at 127.0.0.1:9092`.
    fn place(&self) -> String;
}

/// A producer: one transaction at a time.
#[async_trait]
pub trait Sink: Send {
    /// Returns the position that the last committed transaction of this transactional id carried, of whichever
    /// producer; `None` when there is none.
    ///
    /// # Errors
    /// [`SendError`]; trying again is safe.
    async fn position(&mut self) -> Result<Option<Bytes>, SendError>;

    /// Publishes `batch` in order, and `position`, in one transaction.
    ///
    /// # Errors
    /// [`SendError`] says what is known of the transaction.
    async fn publish(&mut self, batch: Vec<Outgoing>, position: Bytes) -> Result<(), SendError>;
}
