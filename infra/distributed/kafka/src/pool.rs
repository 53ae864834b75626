//! Reads at any position: a few consumers, each assigned to whatever is asked for next. One that stays where it is
//! reads on from its queue, so that reading a partition from end to end costs what it should.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{ClientConfig, Offset};
use souk_ports::{ErrorKind, PortError, ReadLimit};
use tokio::sync::Semaphore;

use crate::config::{CALL_TIMEOUT, KafkaConfig};
use crate::context::Context;
use crate::error::port_error;
use crate::lifelines::Lifelines;
use crate::polling::{ends_of, list, payload_bytes, poll, position};

/// Reads at the same time; each holds a client with three threads and up to 2 MiB.
const MAX_READERS: usize = 4;
/// After this long nobody reads on: the reader stops fetching ahead.
const REST_AFTER: Duration = Duration::from_secs(2);
/// After this long it goes.
const RETIRE_AFTER: Duration = Duration::from_secs(30);
/// How long a reader that is where it should be may give nothing before it is sent there again.
const NUDGE_AFTER: Duration = Duration::from_millis(200);
/// How long one look for messages may take.
const LOOK: Duration = Duration::from_millis(20);

/// The readers that have nothing to do.
pub(crate) struct Pool {
    settings: ClientConfig,
    topic: String,
    lifelines: Arc<Lifelines>,
    idle: Mutex<Vec<Reader>>,
    turns: Semaphore,
}

struct Reader {
    consumer: Arc<BaseConsumer<Context>>,
    /// Partition and offset of the next message that it gives.
    at: Option<(i32, i64)>,
    used: Instant,
}

impl Pool {
    pub fn new(config: &KafkaConfig, lifelines: Arc<Lifelines>) -> Self {
        let mut settings = config.reader(&config.reader_group());
        settings
            .set("enable.partition.eof", "true")
            // The end of a partition is an answer here, not something to wait at.
            .set("fetch.wait.max.ms", "10")
            .set("queued.max.messages.kbytes", "2048")
            .set("queued.min.messages", "1000")
            .set("max.partition.fetch.bytes", "262144")
            .set("fetch.queue.backoff.ms", "5");
        Self {
            settings,
            topic: config.topic.clone(),
            lifelines,
            idle: Mutex::new(Vec::new()),
            turns: Semaphore::new(MAX_READERS),
        }
    }

    /// Waits until a reader may be used.
    pub async fn turn(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.turns.acquire().await.expect("never closed")
    }

    /// Reads the first messages at or after `from`, and gives them to `take`. Blocks.
    pub fn read<T>(
        &self,
        partition: i32,
        from: i64,
        limit: ReadLimit,
        take: impl FnOnce(&[BorrowedMessage<'_>]) -> T,
    ) -> Result<T, PortError> {
        let what = format!("cannot read partition {partition} of topic {}", self.topic);
        let mut reader = self.reader(partition, from).map_err(|error| port_error(&what, error, None))?;
        let taken = reader.read(&self.topic, partition, from, limit, &what, take)?;
        // After an error a reader is not used again.
        reader.used = Instant::now();
        self.idle.lock().push(reader);
        Ok(taken)
    }

    /// Returns the reader that is there already, else one that nobody has used for long, else a new one.
    fn reader(&self, partition: i32, from: i64) -> Result<Reader, KafkaError> {
        let mut idle = self.idle.lock();
        let there = idle.iter().position(|reader| reader.at == Some((partition, from)));
        let oldest = || (0..idle.len()).min_by_key(|index| idle[*index].used);
        if let Some(index) = there.or_else(oldest) {
            return Ok(idle.swap_remove(index));
        }
        drop(idle);
        let consumer = Arc::new(self.settings.create_with_context(Context::default())?);
        self.lifelines.hold(&consumer);
        Ok(Reader { consumer, at: None, used: Instant::now() })
    }

    /// Lets readers rest and go that nobody used for a while. Blocks when one goes.
    pub fn retire(&self) {
        let mut idle = self.idle.lock();
        let mut gone = Vec::new();
        let mut index = 0;
        while index < idle.len() {
            let age = idle[index].used.elapsed();
            if age >= RETIRE_AFTER {
                gone.push(idle.swap_remove(index));
                continue;
            }
            let reader = &mut idle[index];
            if age >= REST_AFTER && reader.at.take().is_some() {
                // It fails only when the client is broken, which the next read finds out.
                drop(reader.consumer.unassign());
            }
            // Its log lines wait for somebody to take them.
            if reader.at.is_none() {
                drop(reader.consumer.poll(Duration::ZERO));
            }
            index += 1;
        }
        drop(idle);
        drop(gone);
    }

    /// Returns how many readers have nothing to do.
    pub fn idle(&self) -> usize {
        self.idle.lock().len()
    }

    /// Takes all readers, for somebody who may block to end them.
    pub fn take(&self) -> impl Send + 'static + use<> {
        std::mem::take(&mut *self.idle.lock())
    }
}

impl Reader {
    fn read<T>(
        &mut self,
        topic: &str,
        partition: i32,
        from: i64,
        limit: ReadLimit,
        what: &str,
        take: impl FnOnce(&[BorrowedMessage<'_>]) -> T,
    ) -> Result<T, PortError> {
        let trouble = self.consumer.context().trouble.clone();
        let fail = |error| port_error(what, error, trouble.reason());
        let mut found: Vec<BorrowedMessage<'_>> = Vec::new();
        let mut bytes = 0;
        let mut next = from;
        let deadline = Instant::now() + CALL_TIMEOUT;
        let mut end = None;
        let mut fresh = false;
        if self.at != Some((partition, from)) {
            let (earliest, last) = ends_of(&self.consumer, topic, partition).map_err(fail)?;
            if from.max(earliest) >= last {
                // Where it was before is where it stays.
                return Ok(take(&[]));
            }
            next = from.max(earliest);
            end = Some(last);
            fresh = true;
            let assignment = list(topic, [(partition, Offset::Offset(next))]).map_err(fail)?;
            self.consumer.assign(&assignment).map_err(fail)?;
        }
        let mut moved = Instant::now();
        loop {
            // What is in the queue comes at once; only then is it worth asking where the end is.
            let wait = if end.is_some() { LOOK } else { Duration::ZERO };
            let room = (limit.records.max(1) - found.len(), limit.bytes.saturating_sub(bytes));
            let (mut count, mut size) = (0, 0);
            let polled = poll(
                &self.consumer,
                what,
                wait,
                |message| {
                    count += 1;
                    size += payload_bytes(message);
                    count >= room.0 || size >= room.1
                },
                || trouble.reason(),
            );
            if let Some(failure) = polled.failure {
                return Err(failure);
            }
            let (came, end_seen) = (!polled.messages.is_empty(), polled.end_seen);
            bytes += size;
            found.extend(polled.messages);
            if let Some(last) = found.last() {
                next = last.offset() + 1;
            }
            if found.len() >= limit.records.max(1) || bytes >= limit.bytes {
                break;
            }
            if came {
                moved = Instant::now();
            }
            let last = match end {
                Some(last) => last,
                None => {
                    let (_, last) = ends_of(&self.consumer, topic, partition).map_err(fail)?;
                    *end.insert(last)
                }
            };
            let passed = position(&self.consumer, topic, partition).unwrap_or(next).max(next);
            // An end that was seen counts only when it was looked for: another may wait in the queue from before.
            let (end_seen, late) = (fresh && end_seen, Instant::now() >= deadline);
            if is_answer(!found.is_empty(), passed >= last, end_seen || late) {
                break;
            }
            if late {
                return Err(PortError::new(
                    ErrorKind::Unavailable,
                    format!("{what}: nothing came within {} s", CALL_TIMEOUT.as_secs()),
                ));
            }
            if !fresh && moved.elapsed() >= NUDGE_AFTER {
                let assignment = list(topic, [(partition, Offset::Offset(next))]).map_err(fail)?;
                self.consumer.assign(&assignment).map_err(fail)?;
                fresh = true;
            }
        }
        let taken = take(&found);
        drop(found);
        self.at = Some((partition, next));
        Ok(taken)
    }
}

/// Tells whether a read is done, with something found or not: where it has passed the end that it was told, or nothing
/// more is to come soon. An empty answer says that the log holds nothing more, which the end that a client has seen does
/// not: it is that of the broker which answered, and a new leader's may lag behind what is committed.
fn is_answer(found: bool, end_passed: bool, nothing_to_come: bool) -> bool {
    end_passed || (found && nothing_to_come)
}

#[cfg(test)]
mod tests {
    use super::is_answer;

    #[test]
    fn an_empty_answer_has_passed_the_end() {
        for nothing_to_come in [false, true] {
            assert!(is_answer(false, true, nothing_to_come));
            assert!(!is_answer(false, false, nothing_to_come));
        }
    }

    #[test]
    fn what_was_found_does_not_wait_for_more() {
        assert!(is_answer(true, false, true));
        assert!(!is_answer(true, false, false), "while more comes");
    }
}
