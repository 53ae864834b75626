//! Publishing: reads a chunk, publishes it with the position after it, and reads the next meanwhile when more waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_ports::fault;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::leaves::{Leaves, keep_hint};
use crate::outbox::{Chunk, Outbox, ReadError};
use crate::position::Position;
use crate::relay::{Ended, RelayConfig};
use crate::sink::{SendError, Sink};
use crate::status::{MAX_COUNTED, RelayStatus};

/// Pause between two looks while events keep coming: what a reader of the stream waits for at most, when they were
/// written by another process.
const BUSY_POLL: Duration = Duration::from_millis(5);
/// Pause when none came for a while: ten small queries a second are near to nothing.
const IDLE_POLL: Duration = Duration::from_millis(100);
/// From this size on, the next chunk is read while this one is sent. Below it, reading later finds more: the events
/// that arrive while a transaction takes its few milliseconds leave in the next one, not in the one after.
const READ_AHEAD_ROWS: usize = 1_000;
/// Pause between two hints: they are for people, and for a start without Kafka.
const HINT_EVERY: Duration = Duration::from_secs(1);

/// A relay that publishes.
pub(crate) struct Leading<'a> {
    pub config: &'a RelayConfig,
    pub client: Client,
    pub sink: Box<dyn Sink>,
    pub outbox: Outbox,
    pub leaves: Leaves,
    /// What Kafka has for sure.
    pub committed: Position,
    pub nudge: Arc<Notify>,
    pub status: &'a watch::Sender<RelayStatus>,
}

impl Leading<'_> {
    /// Publishes until something ends it; a transaction that is being sent is finished first.
    pub async fn run(mut self, shutdown: &CancellationToken) -> Ended {
        match self.publish_all(shutdown).await {
            Ok(ended) => ended,
            Err(error) => Ended::Retry(error.to_string()),
        }
    }

    async fn publish_all(&mut self, shutdown: &CancellationToken) -> Result<Ended, ReadError> {
        let mut pause = BUSY_POLL;
        let mut ahead: Option<Chunk> = None;
        let mut hinted = Hinted { position: self.committed.clone(), at: None };
        while !shutdown.is_cancelled() {
            let chunk = match ahead.take() {
                Some(chunk) => chunk,
                None => self.outbox.next(&self.client).await?,
            };
            if chunk.events.is_empty() {
                self.status.send_if_modified(|status| {
                    let changes = status.waiting_events > 0;
                    status.waiting(0, None);
                    changes
                });
                self.look_after(&mut hinted).await?;
                tokio::select! {
                    () = self.nudge.notified() => pause = BUSY_POLL,
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(IDLE_POLL),
                    () = shutdown.cancelled() => {}
                }
                continue;
            }
            pause = BUSY_POLL;
            fault::crash_point("relay.read");
            let Chunk { events, position, per_leaf, oldest, waiting } = chunk;
            let rows = events.len() as u64;
            self.status.send_modify(|status| status.waiting(rows + waiting, oldest));
            let read_ahead = events.len() >= READ_AHEAD_ROWS || waiting > 0;
            let (sent, read) = {
                let sending = self.sink.publish(events, position.to_record());
                let beside = Beside {
                    client: &self.client,
                    outbox: &mut self.outbox,
                    status: self.status,
                    rows: rows + waiting,
                    lease: self.config.lease,
                };
                while_sending(sending, beside, read_ahead).await
            };
            match sent {
                Ok(()) => {}
                Err(SendError::Fenced(_)) => return Ok(Ended::Fenced),
                Err(error) => return Ok(Ended::Retry(error.to_string())),
            }
            ahead = read?;
            self.leaves.published(&per_leaf);
            self.committed = position;
            self.status.send_modify(|status| {
                status.published_total += rows;
                status.transactions_total += 1;
                status.waiting(waiting, oldest.filter(|_| waiting > 0));
            });
            self.look_after(&mut hinted).await?;
        }
        keep_hint(&self.client, &self.config.transactional_id, &self.committed).await?;
        Ok(Ended::Shutdown)
    }

    /// Rotates leaves and keeps the hint, where it is time.
    async fn look_after(&mut self, hinted: &mut Hinted) -> Result<(), ReadError> {
        let emptied = self.leaves.tidy(&mut self.client, &self.committed).await?;
        if emptied > 0 {
            self.status.send_modify(|status| status.truncations_total += emptied);
        }
        let is_due = hinted.at.is_none_or(|at| at.elapsed() >= HINT_EVERY);
        if is_due && hinted.position != self.committed {
            keep_hint(&self.client, &self.config.transactional_id, &self.committed).await?;
            *hinted = Hinted { position: self.committed.clone(), at: Some(Instant::now()) };
        }
        Ok(())
    }
}

/// The hint that Postgres has.
struct Hinted {
    position: Position,
    /// When this relay kept it; its first one at once, by which the database is known to be published from.
    at: Option<Instant>,
}

/// What goes on while a transaction is sent.
struct Beside<'a> {
    client: &'a Client,
    outbox: &'a mut Outbox,
    status: &'a watch::Sender<RelayStatus>,
    rows: u64,
    lease: Duration,
}

/// Sends, and meanwhile reads ahead, says to Postgres that this relay is alive, and keeps the figures true.
async fn while_sending(
    sending: impl Future<Output = Result<(), SendError>>,
    beside: Beside<'_>,
    read_ahead: bool,
) -> (Result<(), SendError>, Result<Option<Chunk>, ReadError>) {
    let mut sending = std::pin::pin!(sending);
    let (mut sent, mut read) = (None, Ok(None));
    if read_ahead {
        let mut reading = std::pin::pin!(beside.outbox.next(beside.client));
        tokio::select! {
            done = &mut sending => {
                sent = Some(done);
                read = reading.await.map(Some);
            }
            done = &mut reading => read = done.map(Some),
        }
    }
    while sent.is_none() {
        tokio::select! {
            biased;
            done = &mut sending => sent = Some(done),
            () = tokio::time::sleep(beside.lease / 4) => {
                match beside.outbox.count(beside.client, MAX_COUNTED).await {
                    // What is being sent waits, too; the outbox has read past it.
                    Ok((behind, _)) => beside.status.send_modify(|status| {
                        status.waiting_events = beside.rows + behind;
                    }),
                    Err(error) => read = Err(error),
                }
            }
        }
    }
    (sent.expect("the loop ends with it"), read)
}

/// Says to Postgres that this relay is alive and how much waits, while Kafka is waited for.
pub(crate) async fn count_waiting(
    client: &Client,
    outbox: &Outbox,
    status: &watch::Sender<RelayStatus>,
) -> Result<(), ReadError> {
    let (waiting, oldest) = outbox.count(client, MAX_COUNTED).await?;
    status.send_modify(|status| status.waiting(waiting, oldest));
    Ok(())
}
