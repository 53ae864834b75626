//! A member of a consumer group: classic protocol, cooperative, positions committed by hand.
//!
//! The member is a thread of its own; this half asks it for one thing at a time. It polls when it is asked, so that a
//! caller that hangs loses its partitions as the protocol means it to; the heartbeat is librdkafka's.
//!
//! What an error means: `Unavailable`, try again (a commit: the same call; `next`: join anew). `Conflict`, the group
//! has given the partitions to others: join anew and read from the committed positions. `InvalidData`, the position
//! is not one of this log (ahead of the end, of a topic since deleted): nothing is skipped, somebody has to act, and
//! the text says how.
//!
//! A position before the log's first record is told as it is, and so is none at all, as 0: records come from the first
//! one on, and the caller, who knows where else the others may be, compares with the log's bounds, and with how far its
//! group has looked: the note beside each position tells that.

mod assignment;
mod callbacks;
mod member;

use std::sync::{Arc, mpsc as threads};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use souk_ports::{Delivery, ErrorKind, GroupConsumer, Offset, Partition, PortError};
use tokio::sync::{mpsc, oneshot};

use crate::shared::Shared;
pub(crate) use assignment::Committed;
use member::Member;

/// What the thread is asked for.
pub(super) enum Command {
    /// One delivery. After partitions were asked back: and these may go now.
    Next,
    Commit(Partition, Offset, oneshot::Sender<Result<(), PortError>>),
    /// Answered with how many deliveries were made before.
    Seek(Partition, Offset, oneshot::Sender<Result<u64, PortError>>),
}

/// A member of a group; dropping it leaves the group.
pub(crate) struct KafkaConsumer {
    commands: threads::Sender<Command>,
    deliveries: mpsc::Receiver<Result<Delivery, PortError>>,
    /// A delivery was asked for and has not been given.
    asked: bool,
    /// How many deliveries came out of the channel.
    received: u64,
    /// One that came out of it for a seek to look through, and is to be given next.
    kept: Option<Result<Delivery, PortError>>,
}

impl KafkaConsumer {
    /// Joins `group`. Blocks for as long as it takes to make a client.
    pub fn join(shared: &Arc<Shared>, group: &str) -> Result<Self, PortError> {
        let member = Member::new(shared.clone(), group)?;
        let (commands, inbox) = threads::channel();
        // One is asked for at a time; the last place is for what ends the member.
        let (outbox, deliveries) = mpsc::channel(2);
        thread::Builder::new()
            .name(format!("kafka-{group}"))
            .spawn(move || member.run(&inbox, &outbox))
            .map_err(|error| {
                PortError::new(ErrorKind::Unavailable, "cannot start a thread").with_source(error)
            })?;
        Ok(Self { commands, deliveries, asked: false, received: 0, kept: None })
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, PortError>>) -> Command,
    ) -> Result<T, PortError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

fn ended() -> PortError {
    PortError::new(ErrorKind::Conflict, "the membership in the group has ended; join anew")
}

#[async_trait]
impl GroupConsumer for KafkaConsumer {
    async fn next(&mut self, max_wait: Duration) -> Result<Delivery, PortError> {
        if let Some(delivery) = self.kept.take() {
            self.asked = false;
            return delivery;
        }
        if !self.asked {
            // When the thread has ended, its last words are still in the channel.
            self.asked = self.commands.send(Command::Next).is_ok();
        }
        match tokio::time::timeout(max_wait, self.deliveries.recv()).await {
            Ok(Some(delivery)) => {
                self.asked = false;
                self.received += 1;
                delivery
            }
            Ok(None) => Err(ended()),
            Err(_) => Ok(Delivery::Idle),
        }
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        self.ask(|reply| Command::Commit(partition, next, reply)).await
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let made = self.ask(|reply| Command::Seek(partition, next, reply)).await?;
        // A call of `next` that was given up has left a delivery under way: its records of this partition are of the
        // place that was left. Taken for what follows, they would hide everything between the two.
        if self.received < made {
            self.kept = self.deliveries.try_recv().ok();
            self.received += 1;
        }
        if let Some(Ok(Delivery::Records(records))) = &mut self.kept {
            records.retain(|record| record.partition != partition);
            if records.is_empty() {
                (self.kept, self.asked) = (None, false);
            }
        }
        Ok(())
    }
}
