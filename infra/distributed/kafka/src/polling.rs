//! Taking messages from a consumer, and what its errors mean.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList, consumer::Consumer};
use souk_ports::{ErrorKind, PortError};

use crate::config::CALL_TIMEOUT;
use crate::error::port_error;

/// A partition's first offset and the one after its last that can be read.
pub(crate) type Ends = (i64, i64);

/// What came of polling.
pub(crate) struct Polled<'a> {
    pub messages: Vec<BorrowedMessage<'a>>,
    /// What ended it, when something did; comes after the messages.
    pub failure: Option<PortError>,
    /// A partition has given everything that it has.
    pub end_seen: bool,
}

/// Takes messages that are there, waiting at most `wait` for the first one, until `full` says so.
pub(crate) fn poll<'a, C: ConsumerContext>(
    consumer: &'a BaseConsumer<C>,
    what: &str,
    wait: Duration,
    mut full: impl FnMut(&BorrowedMessage<'a>) -> bool,
    reason: impl Fn() -> Option<String>,
) -> Polled<'a> {
    let mut polled = Polled { messages: Vec::new(), failure: None, end_seen: false };
    let mut wait = wait;
    loop {
        match consumer.poll(wait) {
            Some(Ok(message)) => {
                let full = full(&message);
                polled.messages.push(message);
                if full {
                    return polled;
                }
                wait = Duration::ZERO;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                polled.end_seen = true;
                return polled;
            }
            Some(Err(error)) => {
                if ends_reading(&error) {
                    polled.failure = Some(port_error(what, error, reason()));
                    return polled;
                }
                wait = Duration::ZERO;
            }
            None => return polled,
        }
    }
}

/// Tells whether a consumer is of no more use after an error; of the others it recovers by itself.
fn ends_reading(error: &KafkaError) -> bool {
    match error {
        KafkaError::MessageConsumptionFatal(_) => true,
        error => matches!(
            error.rdkafka_error_code(),
            Some(
                Code::AutoOffsetReset
                    | Code::OffsetOutOfRange
                    | Code::PollExceeded
                    | Code::TopicAuthorizationFailed
                    | Code::GroupAuthorizationFailed
                    | Code::UnknownTopicOrPartition
                    | Code::UnknownTopic
                    | Code::UnknownPartition
                    | Code::InconsistentGroupProtocol
                    | Code::BadMessage
                    | Code::InvalidMessage
                    | Code::BadCompression
            )
        ),
    }
}

/// Takes in what a client has to say about itself, which waits in its queue: why it cannot connect, for one.
pub(crate) fn listen<C: ConsumerContext>(consumer: &BaseConsumer<C>) {
    const LONG_ENOUGH: Duration = Duration::from_millis(10);
    let begin = Instant::now();
    while begin.elapsed() < LONG_ENOUGH {
        drop(consumer.poll(Duration::from_millis(1)));
    }
}

/// Makes a list of partitions, each at an offset.
pub(crate) fn list(
    topic: &str,
    partitions: impl IntoIterator<Item = (i32, Offset)>,
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in partitions {
        list.add_partition(topic, partition).set_offset(offset)?;
    }
    Ok(list)
}

/// Asks where partitions begin and where what can be read of them ends. Blocks.
pub(crate) fn ends<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: impl IntoIterator<Item = i32> + Clone,
    timeout: Duration,
) -> Result<Vec<(i32, Ends)>, KafkaError> {
    let ask = |at: Offset| {
        through_moves(|| {
            let wanted = list(topic, partitions.clone().into_iter().map(|partition| (partition, at)))?;
            let answer = consumer.offsets_for_times(wanted, timeout)?;
            for element in answer.elements() {
                element.error()?;
            }
            Ok(answer)
        })
    };
    // In this order: what is trimmed in between leaves `next` behind `earliest` otherwise.
    let (earliest, next) = (ask(Offset::Beginning)?, ask(Offset::End)?);
    let number = |list: &TopicPartitionList, partition| match list
        .find_partition(topic, partition)
        .map(|found| found.offset())
    {
        Some(Offset::Offset(offset)) => Ok(offset),
        _ => Err(KafkaError::OffsetFetch(Code::UnknownPartition)),
    };
    partitions
        .into_iter()
        .map(|partition| Ok((partition, (number(&earliest, partition)?, number(&next, partition)?))))
        .collect()
}

/// Asks where a partition begins and where what can be read of it ends. Blocks.
pub(crate) fn ends_of<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Result<Ends, KafkaError> {
    through_moves(|| consumer.fetch_watermarks(topic, partition, CALL_TIMEOUT))
}

/// Asks again while partitions have just moved or were just made, of which brokers learn one after the other, and when
/// the client has just put one picture of its brokers in another's place, which throws away what it was asking the old ones.
fn through_moves<T>(mut ask: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    const PATIENCE: Duration = Duration::from_secs(5);
    const PAUSE: Duration = Duration::from_millis(50);
    let begin = Instant::now();
    loop {
        match ask() {
            Err(error) if begin.elapsed() < PATIENCE && has_moved(&error) => std::thread::sleep(PAUSE),
            answer => return answer,
        }
    }
}

fn has_moved(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            // What the client itself says while its own picture of the brokers lacks the partition.
            Code::UnknownPartition
                | Code::UnknownTopic
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::UnknownTopicOrPartition
                | Code::UnknownLeaderEpoch
                | Code::FencedLeaderEpoch
                | Code::OffsetNotAvailable
                | Code::DestroyBroker
        )
    )
}

/// Returns how far a consumer has come in each partition, markers and what was aborted included; nothing of those before
/// their first message.
pub(crate) fn positions<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str) -> BTreeMap<i32, i64> {
    let positions = consumer.position().ok();
    let elements = positions.iter().flat_map(TopicPartitionList::elements);
    elements
        .filter(|element| element.topic() == topic)
        .filter_map(|element| match element.offset() {
            Offset::Offset(next) => Some((element.partition(), next)),
            _ => None,
        })
        .collect()
}

/// Returns how far a consumer has come in one partition, as [`positions`].
pub(crate) fn position<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Option<i64> {
    positions(consumer, topic).get(&partition).copied()
}

/// Notices a consumer that has stopped for no reason: records are there and it does not give them.
#[derive(Debug)]
pub(crate) struct Watchdog {
    looked: Instant,
    behind: Vec<(i32, Option<i64>)>,
}

/// How long a consumer may give nothing while there is something.
const STALLED_AFTER: Duration = Duration::from_secs(30);

impl Watchdog {
    pub fn new() -> Self {
        Self { looked: Instant::now(), behind: Vec::new() }
    }

    /// Notes that something came.
    pub fn fed(&mut self) {
        self.looked = Instant::now();
        self.behind.clear();
    }

    /// Looks, now and then, whether nothing came although there is something. Blocks when it looks.
    pub fn check<C: ConsumerContext>(
        &mut self,
        consumer: &BaseConsumer<C>,
        topic: &str,
        starts: &[(i32, i64)],
    ) -> Result<(), PortError> {
        if self.looked.elapsed() < STALLED_AFTER || starts.is_empty() {
            return Ok(());
        }
        self.looked = Instant::now();
        // Brokers that do not answer are no stall of ours.
        let Ok(ends) =
            ends(consumer, topic, starts.iter().map(|(partition, _)| *partition), Duration::from_secs(5))
        else {
            return Ok(());
        };
        let (mut behind, reached) = (Vec::new(), positions(consumer, topic));
        for ((partition, start), (_, (_, next))) in starts.iter().zip(ends) {
            let at = reached.get(partition).copied();
            if at.unwrap_or(*start) < next {
                behind.push((*partition, at));
            }
        }
        let stalled = behind.iter().find(|place| self.behind.contains(place)).copied();
        self.behind = behind;
        match stalled {
            Some((partition, at)) => Err(PortError::new(
                ErrorKind::Unavailable,
                format!(
                    "the client has not moved in partition {partition} of topic {topic} for {} s (at {at:?}); it is \
                     made anew",
                    STALLED_AFTER.as_secs()
                ),
            )),
            None => Ok(()),
        }
    }
}

/// Returns how many payload bytes messages have.
pub(crate) fn payload_bytes(message: &BorrowedMessage<'_>) -> usize {
    message.payload().map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::{Code, Duration, KafkaError, through_moves};

    #[test]
    fn what_is_thrown_away_with_a_broker_is_asked_again_and_a_refusal_is_not() {
        let first_says = |code| {
            let mut asked = 0;
            let answer = through_moves(|| {
                asked += 1;
                if asked == 1 { Err(KafkaError::MetadataFetch(code)) } else { Ok(Duration::ZERO) }
            });
            (asked, answer.is_ok())
        };
        assert_eq!(first_says(Code::DestroyBroker), (2, true));
        assert_eq!(first_says(Code::TopicAuthorizationFailed), (1, false));
    }
}
