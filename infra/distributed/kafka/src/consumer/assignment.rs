//! Where a member begins in the partitions that it is given: its group's positions, checked against the log.

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
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
struct Committed {
    next: Option<i64>,
    log: Option<String>,
    reach: Option<i64>,
}

impl Committed {
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

/// Returns where to begin in each partition. Blocks.
pub(super) fn starts<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    group: &str,
    log: LogId,
    partitions: &[i32],
    translate: impl Fn(KafkaError) -> PortError,
) -> Result<Vec<(i32, i64)>, PortError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let wanted =
        list(topic, partitions.iter().map(|partition| (*partition, Offset::Invalid))).map_err(&translate)?;
    let committed = consumer.committed_offsets(wanted, CALL_TIMEOUT).map_err(&translate)?;
    let ends = ends(consumer, topic, partitions.iter().copied(), CALL_TIMEOUT).map_err(&translate)?;
    ends.into_iter()
        .map(|(partition, ends)| {
            let committed = find(&committed, topic, partition).map_err(&translate)?;
            match start(&committed, ends, log) {
                Ok(start) => Ok((partition, start)),
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

fn find(list: &TopicPartitionList, topic: &str, partition: i32) -> Result<Committed, KafkaError> {
    let Some(element) = list.find_partition(topic, partition) else { return Ok(Committed::new(None, "")) };
    element.error()?;
    let next = match element.offset() {
        Offset::Offset(next) => Some(next),
        _ => None,
    };
    Ok(Committed::new(next, element.metadata()))
}

/// Returns where to begin, or why the position cannot be used.
fn start(committed: &Committed, (earliest, next): Ends, log: LogId) -> Result<i64, String> {
    let Some(position) = committed.next else { return Ok(earliest) };
    if committed.log.as_ref().is_some_and(|of| *of != log.to_string()) {
        return Err(format!("({position}) belongs to a topic of that name that was deleted since"));
    }
    if position > next {
        return Err(format!("({position}) is ahead of its end ({next}): the topic has lost records"));
    }
    if position >= earliest {
        return Ok(position);
    }
    if committed.reach.is_some_and(|reach| reach >= earliest) || planted("expired-is-skipped") {
        return Ok(earliest);
    }
    Err(format!(
        "({position}) is before its first record ({earliest}): retention has removed what was not read"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId(7);

    fn committed(next: i64, note: &str) -> Committed {
        Committed::new(Some(next), note)
    }

    #[test]
    fn a_new_group_begins_with_the_first_record_that_is_held() {
        assert_eq!(start(&Committed::new(None, ""), (0, 9), LOG), Ok(0));
        assert_eq!(start(&Committed::new(None, ""), (5, 9), LOG), Ok(5));
    }

    #[test]
    fn a_position_within_the_log_is_gone_on_from() {
        for next in 5..=9 {
            assert_eq!(start(&committed(next, &note(LOG, next)), (5, 9), LOG), Ok(next));
            assert_eq!(start(&committed(next, ""), (5, 9), LOG), Ok(next), "set by another tool");
        }
    }

    #[test]
    fn a_position_outside_of_the_log_is_never_skipped_from() {
        assert!(start(&committed(4, &note(LOG, 4)), (5, 9), LOG).unwrap_err().contains("retention"));
        assert!(start(&committed(4, "somebody's note"), (5, 9), LOG).is_err());
        assert!(start(&committed(10, &note(LOG, 10)), (5, 9), LOG).unwrap_err().contains("ahead"));
        assert!(start(&committed(6, &note(LogId(8), 6)), (5, 9), LOG).unwrap_err().contains("deleted"));
    }

    #[test]
    fn markers_that_expired_are_no_loss() {
        assert_eq!(start(&committed(4, &note(LOG, 5)), (5, 5), LOG), Ok(5));
    }
}
