//! Where a member begins in the partitions that it is given: its group's positions, checked against the log.

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use souk_events::LogId;
use souk_ports::fault::planted;
use souk_ports::{ErrorKind, PortError};

use crate::config::CALL_TIMEOUT;
use crate::polling::{Ends, ends, list};

/// First word of what we write beside a committed position.
const MARK: &str = "souk1";

/// What is written beside a committed position: the log that it belongs to, and how far after it nothing but markers
/// was seen. Without the latter, a log whose records have all expired could not be told from one that lost some.
pub(super) fn note(log: LogId, reach: i64) -> String {
    format!("{MARK} {log} {reach}")
}

/// A group's position in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// `None` where the group committed none.
    pub next: Option<i64>,
    log: Option<String>,
    reach: Option<i64>,
}

impl Committed {
    /// Takes over what a broker tells of a group.
    pub fn of(element: &TopicPartitionListElem<'_>) -> Result<Self, KafkaError> {
        element.error()?;
        let next = match element.offset() {
            Offset::Offset(next) => Some(next),
            _ => None,
        };
        Ok(Self::new(next, element.metadata()))
    }

    /// Returns how far the group is known to have missed nothing of `log`.
    pub fn looked(&self, log: LogId) -> i64 {
        let next = self.next.unwrap_or(0);
        let reach = self.reach.filter(|_| self.log.as_ref().is_some_and(|of| *of == log.to_string()));
        reach.map_or(next, |reach| reach.max(next))
    }

    fn new(next: Option<i64>, note: &str) -> Self {
        let mut words = note.split(' ');
        // Other tools write nothing or something else beside the positions that they set.
        let ours = words.next() == Some(MARK);
        let mut word = || if ours { words.next() } else { None };
        let log = word().map(str::to_owned);
        let reach = word().and_then(|word| word.parse().ok());
        Self { next, log, reach }
    }
}

/// A partition that a member takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub partition: i32,
    /// The group's position, which the caller is told: what lies between it and `from` the log no longer holds.
    pub position: i64,
    /// How far the group is known to have missed nothing.
    pub looked: i64,
    /// Where reading begins.
    pub from: i64,
}

/// Returns where to begin in each partition. Blocks.
pub(super) fn starts<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    group: &str,
    log: LogId,
    partitions: &[i32],
    translate: impl Fn(KafkaError) -> PortError,
) -> Result<Vec<Start>, PortError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let wanted =
        list(topic, partitions.iter().map(|partition| (*partition, Offset::Invalid))).map_err(&translate)?;
    let committed = consumer.committed_offsets(wanted, CALL_TIMEOUT).map_err(&translate)?;
    let ends = ends(consumer, topic, partitions.iter().copied(), CALL_TIMEOUT).map_err(&translate)?;
    ends.into_iter()
        .map(|(partition, ends)| {
            let committed = match committed.find_partition(topic, partition) {
                Some(element) => Committed::of(&element).map_err(&translate)?,
                None => Committed::new(None, ""),
            };
            let looked = committed.looked(log);
            match position(&committed, ends, log) {
                Ok(position) => Ok(Start { partition, position, looked, from: position.max(ends.0) }),
                Err(why) => Err(PortError::new(
                    ErrorKind::InvalidData,
                    format!(
                        "the position of group {group} in partition {partition} of topic {topic} {why}; nothing was \
                         skipped: bring the records back, or, to go on without them, set the group's offsets anew \
                         (kafka-consumer-groups --reset-offsets) while it has no members"
                    ),
                )),
            }
        })
        .collect()
}

/// Returns the group's position, or why it cannot be used. A group that has none, perhaps because the broker forgot it,
/// has done with nothing: whether what the log no longer holds is missing, only the caller knows.
fn position(committed: &Committed, (earliest, next): Ends, log: LogId) -> Result<i64, String> {
    let position = committed.next.unwrap_or(0);
    if committed.log.as_ref().is_some_and(|of| *of != log.to_string()) {
        return Err(format!("({position}) belongs to a topic of that name that was deleted since"));
    }
    if position > next {
        return Err(format!("({position}) is ahead of its end ({next}): the topic has lost records"));
    }
    Ok(if planted("expired-is-skipped") { position.max(earliest) } else { position })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId(7);

    fn committed(next: i64, note: &str) -> Committed {
        Committed::new(Some(next), note)
    }

    #[test]
    fn a_group_without_a_position_has_done_with_nothing() {
        assert_eq!(position(&Committed::new(None, ""), (0, 9), LOG), Ok(0));
        assert_eq!(position(&Committed::new(None, ""), (5, 9), LOG), Ok(0));
    }

    #[test]
    fn a_position_within_the_log_is_gone_on_from() {
        for next in 5..=9 {
            assert_eq!(position(&committed(next, &note(LOG, next)), (5, 9), LOG), Ok(next));
            assert_eq!(position(&committed(next, ""), (5, 9), LOG), Ok(next), "set by another tool");
        }
    }

    #[test]
    fn a_position_outside_of_the_log_is_never_skipped_from() {
        assert_eq!(position(&committed(4, &note(LOG, 4)), (5, 9), LOG), Ok(4));
        assert_eq!(position(&committed(4, "somebody's note"), (5, 9), LOG), Ok(4));
        assert!(position(&committed(10, &note(LOG, 10)), (5, 9), LOG).unwrap_err().contains("ahead"));
        assert!(position(&committed(6, &note(LogId(8), 6)), (5, 9), LOG).unwrap_err().contains("deleted"));
    }

    #[test]
    fn a_group_has_looked_as_far_as_its_note_of_this_log_says() {
        assert_eq!(committed(4, &note(LOG, 7)).looked(LOG), 7);
        assert_eq!(committed(4, &note(LOG, 3)).looked(LOG), 4);
        assert_eq!(committed(4, &note(LogId(8), 7)).looked(LOG), 4, "of another log");
        assert_eq!(committed(4, "somebody's note").looked(LOG), 4);
        assert_eq!(Committed::new(None, "").looked(LOG), 0);
    }
}
