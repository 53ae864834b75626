//! The thread of a group's member.
//!
//! librdkafka asks for a rebalance in the middle of a poll; the answer is given later, from the loop here, so that the
//! caller is told first and can make durable and commit what it has. Until then nothing is polled: its partitions are
//! still its own.

mod commit;
mod notes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset as RawOffset, TopicPartitionList};
use souk_ports::{Delivery, ErrorKind, LogRecord, Offset, Partition, PortError, fault};
use tokio::sync::{mpsc, oneshot};

use super::Command;
use super::assignment::{Start, starts};
use super::callbacks::{GroupContext, Rebalance};
use crate::config::CALL_TIMEOUT;
use crate::error::port_error;
use crate::polling::{Watchdog, list, payload_bytes, poll};
use crate::records::{partition, raw_offset, raw_partition, records};
use crate::shared::Shared;
use notes::Noted;

/// Records of one delivery at most, and their payload bytes.
const MAX_RECORDS: usize = 2048;
const MAX_BYTES: usize = 1 << 20;
/// How long a poll lasts while the caller waits; a command that comes meanwhile waits for it, a record does not.
const POLL: Duration = Duration::from_millis(50);
/// The same for a while after records came, since commits follow them.
const BUSY_POLL: Duration = Duration::from_millis(2);
/// How long that is: longer than what is read waits to be committed.
const BUSY_FOR: Duration = Duration::from_secs(1);
/// Time for the caller between two calls of `next`; after it the group takes its partitions.
const MAX_POLL_INTERVAL_MS: &str = "300000";

/// A group's member.
pub(super) struct Member {
    shared: Arc<Shared>,
    group: String,
    context: GroupContext,
    consumer: Arc<BaseConsumer<GroupContext>>,
    /// The partitions that are its own, each with the offset after the last record that was taken for it.
    owned: BTreeMap<i32, i64>,
    /// What is committed of these.
    noted: BTreeMap<i32, Noted>,
    /// When quiet partitions are looked at next.
    next_look: Instant,
    /// Read already and not asked for yet.
    ready: Vec<LogRecord>,
    /// Told to the caller; they go when it asks for more.
    revoking: Option<Vec<i32>>,
    /// The caller has had its first assignment.
    introduced: bool,
    /// What ends the membership, when the records before it have been given.
    failure: Option<PortError>,
    /// How many deliveries were made.
    made: u64,
    watchdog: Watchdog,
    /// When the last records were given.
    read_at: Option<Instant>,
    /// Goes last, when the group was left.
    _presence: Presence,
}

/// Counts a member for as long as it has not left its group.
struct Presence(Arc<Shared>);

impl Presence {
    fn new(shared: Arc<Shared>) -> Self {
        shared.member_joined();
        Self(shared)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.member_left();
    }
}

impl Member {
    /// Makes a client and joins. Blocks shortly.
    pub fn new(shared: Arc<Shared>, group: &str) -> Result<Self, PortError> {
        shared.check()?;
        let session = shared.config.session_timeout;
        let mut settings = shared.config.reader(group);
        settings
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.as_millis().to_string())
            // Other members learn of a rebalance by their next heartbeat, and everybody waits for the last of them.
            .set("heartbeat.interval.ms", (session / 6).as_millis().min(1_000).to_string())
            .set("max.poll.interval.ms", MAX_POLL_INTERVAL_MS);
        let context = GroupContext::default();
        let fail = |error| port_error(&format!("cannot join group {group}"), error, context.trouble.reason());
        let consumer: BaseConsumer<GroupContext> =
            settings.create_with_context(context.clone()).map_err(fail)?;
        consumer.subscribe(&[&shared.config.topic]).map_err(fail)?;
        let consumer = Arc::new(consumer);
        shared.lifelines.hold(&consumer);
        Ok(Self {
            _presence: Presence::new(shared.clone()),
            shared,
            group: group.to_owned(),
            context,
            consumer,
            owned: BTreeMap::new(),
            noted: BTreeMap::new(),
            next_look: Instant::now(),
            ready: Vec::new(),
            revoking: None,
            introduced: false,
            failure: None,
            made: 0,
            watchdog: Watchdog::new(),
            read_at: None,
        })
    }

    /// Does what it is asked until nobody asks any more, or until it cannot go on.
    pub fn run(mut self, inbox: &Receiver<Command>, outbox: &mpsc::Sender<Result<Delivery, PortError>>) {
        let mut asked = false;
        loop {
            let command = if asked {
                match inbox.try_recv() {
                    Ok(command) => Some(command),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => break,
                }
            } else {
                match inbox.recv() {
                    Ok(command) => Some(command),
                    Err(_) => break,
                }
            };
            match command {
                Some(Command::Next) => {
                    asked = true;
                    self.let_go();
                }
                Some(Command::Commit(partition, next, reply)) => answer(reply, self.commit(partition, next)),
                Some(Command::Seek(partition, next, reply)) => {
                    let sought = self.seek(partition, next);
                    answer(reply, sought.map(|()| self.made));
                }
                None => match self.work() {
                    Ok(None) => {}
                    Ok(Some(delivery)) => {
                        asked = false;
                        self.made += 1;
                        if outbox.blocking_send(Ok(delivery)).is_err() {
                            break;
                        }
                        // While the caller is busy, its next records are copied.
                        if self.revoking.is_none() && self.failure.is_none() {
                            self.fetch(Duration::ZERO, MAX_RECORDS);
                        }
                    }
                    Err(error) => {
                        // Nobody may be listening any more.
                        drop(outbox.blocking_send(Err(error)));
                        break;
                    }
                },
            }
        }
    }

    /// Returns the next thing that the caller has to know, if there is any within a poll's time.
    fn work(&mut self) -> Result<Option<Delivery>, PortError> {
        self.shared.check()?;
        let rebalance = self.context.rebalances.lock().pop_front();
        if let Some(rebalance) = rebalance {
            let outcome = self.rebalance(&rebalance);
            if outcome.is_err() {
                self.give_up(&rebalance);
            }
            return outcome;
        }
        if self.ready.is_empty() {
            let busy = self.read_at.is_some_and(|at| at.elapsed() < BUSY_FOR);
            self.fetch(if busy { BUSY_POLL } else { POLL }, MAX_RECORDS);
        }
        if self.ready.is_empty() {
            if let Some(failure) = self.failure.take() {
                return Err(self.explain(failure));
            }
            let starts: Vec<_> = self.owned.iter().map(|(partition, next)| (*partition, *next)).collect();
            self.watchdog.check(&self.consumer, &self.shared.config.topic, &starts)?;
            self.look();
            return Ok(None);
        }
        self.watchdog.fed();
        self.read_at = Some(Instant::now());
        // A rebalance that came with them waits until they are done with.
        Ok(Some(Delivery::Records(std::mem::take(&mut self.ready))))
    }

    /// Takes what is there, `most` records or so.
    fn fetch(&mut self, wait: Duration, most: usize) {
        let (mut count, mut bytes) = (0, 0);
        let rebalances = self.context.rebalances.clone();
        let mut polled = poll(
            &self.consumer,
            "the membership in the group has ended",
            wait,
            |message| {
                count += 1;
                bytes += payload_bytes(message);
                count >= most || bytes >= MAX_BYTES || !rebalances.lock().is_empty()
            },
            || self.context.trouble.reason(),
        );
        let owned = &mut self.owned;
        polled.messages.retain(|message: &BorrowedMessage<'_>| match owned.get_mut(&message.partition()) {
            Some(next) if message.offset() >= *next => {
                *next = message.offset() + 1;
                true
            }
            _ => false,
        });
        self.ready.extend(records(&polled.messages));
        self.failure = polled.failure.or(self.failure.take());
    }

    fn explain(&self, error: PortError) -> PortError {
        if error.kind() != ErrorKind::InvalidData {
            return error;
        }
        PortError::new(
            ErrorKind::Unavailable,
            format!(
                "group {} was overtaken in topic {}: records that it was about to read are gone; nothing was skipped: \
                 whoever joins anew is told where the group is",
                self.group, self.shared.config.topic
            ),
        )
        .with_source(error)
    }

    /// Answers a rebalance that nothing comes of: until it has an answer, librdkafka neither leaves the group nor stops
    /// its heartbeat, and the group waits for this member.
    fn give_up(&self, rebalance: &Rebalance) {
        let answered = match rebalance {
            Rebalance::Assign(_) => self.consumer.incremental_assign(&TopicPartitionList::new()),
            Rebalance::Revoke(partitions) | Rebalance::Lose(partitions) => {
                let gone = partitions.iter().map(|partition| (*partition, RawOffset::Invalid));
                list(&self.shared.config.topic, gone)
                    .and_then(|gone| self.consumer.incremental_unassign(&gone))
            }
        };
        if let Err(error) = answered {
            tracing::debug!(
                messaging.consumer.group.name = self.group,
                "cannot answer a rebalance at the end: {error}"
            );
        }
    }

    fn rebalance(&mut self, rebalance: &Rebalance) -> Result<Option<Delivery>, PortError> {
        match rebalance {
            Rebalance::Assign(partitions) => {
                let topic = &self.shared.config.topic;
                let what = format!("cannot take over partitions of topic {topic} for group {}", self.group);
                let fail = |error| port_error(&what, error, self.context.trouble.reason());
                let log = self.shared.identity.log();
                let starts = starts(&self.consumer, topic, &self.group, log, partitions, fail)?;
                let at = starts.iter().map(|start| (start.partition, RawOffset::Offset(start.from)));
                let assignment = list(topic, at).map_err(fail)?;
                self.consumer.incremental_assign(&assignment).map_err(fail)?;
                self.owned.extend(starts.iter().map(|start| (start.partition, start.from)));
                self.noted.extend(starts.iter().map(|start| (start.partition, Noted::at(start))));
                self.look_soon();
                self.watchdog.fed();
                if starts.is_empty() && self.introduced {
                    return Ok(None);
                }
                self.introduced = true;
                let told =
                    |start: Start| (partition(start.partition), crate::records::offset(start.position));
                Ok(Some(Delivery::Assigned(starts.into_iter().map(told).collect())))
            }
            Rebalance::Revoke(partitions) => {
                let told: Vec<Partition> = partitions
                    .iter()
                    .filter(|number| self.owned.contains_key(number))
                    .map(|number| partition(*number))
                    .collect();
                self.ready.retain(|record| !told.contains(&record.partition));
                self.revoking = Some(partitions.clone());
                if told.is_empty() || fault::planted("partitions-go-without-a-word") {
                    self.let_go();
                    return Ok(None);
                }
                Ok(Some(Delivery::Revoking(told)))
            }
            Rebalance::Lose(_) => Err(PortError::new(
                ErrorKind::Conflict,
                format!(
                    "group {} has given this member's partitions to others, as it was silent for too long; join anew",
                    self.group
                ),
            )),
        }
    }

    /// Hands over partitions that the caller knows to go, and is done with.
    fn let_go(&mut self) {
        let Some(partitions) = self.revoking.take() else { return };
        self.owned.retain(|partition, _| !partitions.contains(partition));
        self.noted.retain(|partition, _| !partitions.contains(partition));
        // What came while the last positions were committed.
        self.ready.retain(|record| !partitions.contains(&raw_partition(record.partition)));
        let gone = list(
            &self.shared.config.topic,
            partitions.into_iter().map(|partition| (partition, RawOffset::Invalid)),
        );
        // A failure means that they are gone already, of which the next poll tells.
        if let Err(error) = gone.and_then(|gone| self.consumer.incremental_unassign(&gone)) {
            tracing::debug!(
                messaging.consumer.group.name = self.group,
                "cannot hand over partitions: {error}"
            );
        }
    }

    fn owns(&self, partition: Partition) -> Result<i32, PortError> {
        let number = raw_partition(partition);
        if self.owned.contains_key(&number) && !self.consumer.assignment_lost() {
            return Ok(number);
        }
        Err(PortError::new(
            ErrorKind::Conflict,
            format!("partition {partition} is another member's of group {} by now; join anew", self.group),
        ))
    }

    fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let number = self.owns(partition)?;
        let next = raw_offset(next);
        let topic = &self.shared.config.topic;
        let what = format!("cannot go to {next} in partition {partition} of topic {topic}");
        let fail = |error| port_error(&what, error, self.context.trouble.reason());
        let place = list(topic, [(number, RawOffset::Offset(next))]).map_err(fail)?;
        let sought = self.consumer.seek_partitions(place, CALL_TIMEOUT).map_err(fail)?;
        for element in sought.elements() {
            element.error().map_err(fail)?;
        }
        self.ready.retain(|record| record.partition != partition);
        self.owned.insert(number, next);
        Ok(())
    }
}

fn answer<T>(reply: oneshot::Sender<Result<T, PortError>>, result: Result<T, PortError>) {
    // A caller that gave up does not want to know.
    let _ = reply.send(result);
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.context.leaving.set(());
        self.let_go();
        let unanswered = std::mem::take(&mut *self.context.rebalances.lock());
        for rebalance in &unanswered {
            self.give_up(rebalance);
        }
        if self.context.trouble.reason().is_some() {
            self.shared.lifelines.pull(&self.consumer);
        }
    }
}
