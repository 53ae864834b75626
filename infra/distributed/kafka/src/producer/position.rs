//! Reads a relay's last committed position from the topic that holds them.
//!
//! The topic is compacted, but its last segment is not: it can hold millions of positions of which the last one is
//! wanted, so the search goes backwards from the end in growing steps.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::LOG_HEADER;
use crate::config::KafkaConfig;
use crate::context::Context;
use crate::error::{SendError, sentence};
use crate::polling::ends_of;

/// Offsets of the first step back: a position and a marker per transaction.
const FIRST_STEP: i64 = 64;
/// Factor between steps.
const GROWTH: i64 = 16;
/// How long transactions of others may stay open: what they are allowed, and the broker's time to notice.
const PATIENCE: Duration = Duration::from_secs(30);

/// A position that was found, and the log that it says it belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub position: Bytes,
    pub log: Option<String>,
}

/// Returns the last position of `transactional_id`. The caller has fenced whoever could write another one. Blocks.
pub(super) fn last(config: &KafkaConfig, transactional_id: &str) -> Result<Option<Found>, SendError> {
    let topic = config.progress_topic();
    let context = Context::default();
    let fail = |error: KafkaError| {
        SendError::Retry(sentence(
            &format!("cannot read the relay's position from topic {topic}"),
            &error,
            context.trouble.reason(),
        ))
    };
    // The end with open transactions, since one of them may hide a record of ours that is before it.
    let mut settings = config.reader(&config.reader_group());
    settings.set("isolation.level", "read_uncommitted");
    let ends: BaseConsumer<Context> = settings.create_with_context(context.clone()).map_err(fail)?;
    let (earliest, end) = ends_of(&ends, &topic, 0).map_err(fail)?;
    drop(ends);
    let mut settings = config.reader(&config.reader_group());
    settings.set("fetch.wait.max.ms", "20");
    let reader: BaseConsumer<Context> = settings.create_with_context(context.clone()).map_err(fail)?;
    let deadline = Instant::now() + PATIENCE;
    let mut step = FIRST_STEP;
    let mut until = end;
    while until > earliest {
        let from = earliest.max(until.saturating_sub(step));
        let found = scan(&reader, &topic, transactional_id, from..until, deadline).map_err(fail)?;
        if found.is_some() {
            return Ok(found);
        }
        until = from;
        step = step.saturating_mul(GROWTH);
    }
    Ok(None)
}

/// Returns the last position in a range of offsets, having read all of it.
fn scan(
    reader: &BaseConsumer<Context>,
    topic: &str,
    transactional_id: &str,
    range: std::ops::Range<i64>,
    deadline: Instant,
) -> Result<Option<Found>, KafkaError> {
    let mut assignment = TopicPartitionList::with_capacity(1);
    assignment.add_partition_offset(topic, 0, Offset::Offset(range.start))?;
    reader.assign(&assignment)?;
    let mut found = None;
    loop {
        match reader.poll(Duration::from_millis(10)) {
            Some(message) => {
                let message = message?;
                if message.offset() >= range.end {
                    return Ok(found);
                }
                if message.key() == Some(transactional_id.as_bytes()) {
                    found = message.payload().map(|payload| Found {
                        position: Bytes::copy_from_slice(payload),
                        log: message.headers().and_then(log_of),
                    });
                }
            }
            // Markers and what was aborted are passed without a record: the reader's position tells.
            None => match reader.position()?.elements().first().map(|element| element.offset()) {
                Some(Offset::Offset(next)) if next >= range.end => return Ok(found),
                _ if Instant::now() >= deadline => {
                    return Err(KafkaError::OffsetFetch(
                        rdkafka::error::RDKafkaErrorCode::UnstableOffsetCommit,
                    ));
                }
                _ => {}
            },
        }
    }
}

fn log_of(headers: &impl Headers) -> Option<String> {
    headers
        .iter()
        .find(|header| header.key == LOG_HEADER)
        .and_then(|header| header.value)
        .map(|value| String::from_utf8_lossy(value).into_owned())
}
