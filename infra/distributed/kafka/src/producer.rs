//! The producer that publishes batches exactly once: each is one transaction, and the relay's position is in it.
//!
//! Every call of librdkafka that transactions need blocks, and its delivery reports have to be served by the thread
//! that waits for them (a second one polling makes each commit wait 100 ms), so a producer is a thread of its own
//! with a `BaseProducer`, and this type talks to it over a channel.

mod deliveries;
mod headers;
mod position;
mod transaction;

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use souk_events::LogId;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::config::KafkaConfig;
use crate::error::SendError;
pub(crate) use deliveries::Deliveries;
pub(crate) use transaction::TRANSACTION_TIMEOUT;
use transaction::Worker;

/// Most bytes that are sent at once, before compression: librdkafka's own limit for a message, too.
pub(crate) const LARGEST_BATCH: i64 = 1_000_000;

/// Name of the header in which a position says what log it belongs to.
pub(crate) const LOG_HEADER: &str = "souk_log";

/// An event to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The product's id; its text is the record's key.
    pub key: Uuid,
    /// The event in structured JSON; the `ce_*` headers are read from it.
    pub payload: Bytes,
}

/// What the thread is asked for.
enum Command {
    Position(oneshot::Sender<Result<Option<Bytes>, SendError>>),
    Publish(Vec<Outgoing>, Bytes, oneshot::Sender<Result<(), SendError>>),
}

/// A producer with a transactional id, of which the newest one alone can publish.
///
/// Dropping it ends its thread; a transaction that is open then is aborted by whoever starts next under the same id,
/// or by the broker after 15 seconds.
#[derive(Debug)]
pub struct TransactionalProducer {
    commands: mpsc::UnboundedSender<Command>,
    log: LogId,
}

impl TransactionalProducer {
    /// Starts a producer and fences every older one of `transactional_id`, whose open transaction is aborted or
    /// completed before this returns.
    ///
    /// # Errors
    /// `Retry` when brokers cannot be reached, `Fatal` when they refuse; never the other two.
    pub async fn start(config: &KafkaConfig, transactional_id: &str) -> Result<Self, SendError> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (ready, started) = oneshot::channel();
        let (config, id) = (Arc::new(config.clone()), transactional_id.to_owned());
        thread::Builder::new()
            .name("kafka-producer".to_owned())
            .spawn(move || run(config, id, ready, inbox))
            .map_err(|error| SendError::Retry(format!("cannot start the producer's thread: {error}")))?;
        let log = started.await.map_err(|_| stopped())??;
        Ok(Self { commands, log })
    }

    /// Returns the identity of the log that is written to.
    pub fn identity(&self) -> LogId {
        self.log
    }

    /// Returns the position of the last transaction that was committed under this transactional id, if there is one.
    ///
    /// # Errors
    /// `Retry` when brokers cannot be reached or other transactions are open, `Fatal` when the position belongs to
    /// a topic that was deleted since.
    pub async fn position(&self) -> Result<Option<Bytes>, SendError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Position(reply)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Publishes a batch and the position after it, all or nothing.
    ///
    /// A call that is dropped goes on: its outcome is unclear, drop the producer then.
    ///
    /// # Errors
    /// What each says about the batch: see [`SendError`].
    pub async fn publish(&mut self, batch: Vec<Outgoing>, position: Bytes) -> Result<(), SendError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Publish(batch, position, reply)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

fn stopped() -> SendError {
    SendError::Unclear("the producer's thread has ended".to_owned())
}

fn run(
    config: Arc<KafkaConfig>,
    transactional_id: String,
    ready: oneshot::Sender<Result<LogId, SendError>>,
    mut inbox: mpsc::UnboundedReceiver<Command>,
) {
    let mut worker = match Worker::start(config, transactional_id) {
        Ok(worker) => {
            if ready.send(Ok(worker.log())).is_err() {
                return;
            }
            worker
        }
        Err(error) => {
            // Nobody waits any more: the start was given up.
            let _ = ready.send(Err(error));
            return;
        }
    };
    while let Some(command) = inbox.blocking_recv() {
        match command {
            Command::Position(reply) => drop(reply.send(worker.position())),
            Command::Publish(batch, position, reply) => drop(reply.send(worker.publish(&batch, &position))),
        }
    }
}
