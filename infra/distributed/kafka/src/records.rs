//! Records out of librdkafka's messages.

use bytes::Bytes;
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use souk_domain::Timestamp;
use souk_ports::{LogRecord, Offset, Partition};

/// Payloads that share one allocation: few enough that one record that is kept does not keep much else, many enough
/// that allocating does not show.
const CHUNK_BYTES: usize = 64 << 10;

/// Makes an offset of librdkafka's; what is none counts as the beginning.
pub(crate) fn offset(raw: i64) -> Offset {
    Offset::try_from(raw).unwrap_or(0)
}

/// Makes librdkafka's offset; no log is long enough for the other case.
pub(crate) fn raw_offset(offset: Offset) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

/// Makes a partition of librdkafka's.
pub(crate) fn partition(raw: i32) -> Partition {
    Partition::try_from(raw).unwrap_or(0)
}

/// Makes librdkafka's partition.
pub(crate) fn raw_partition(partition: Partition) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// Copies messages out of librdkafka's buffers, each payload once.
pub(crate) fn records(messages: &[BorrowedMessage<'_>]) -> Vec<LogRecord> {
    let mut records = Vec::with_capacity(messages.len());
    let mut rest = messages;
    while !rest.is_empty() {
        let mut size = 0;
        let count = rest
            .iter()
            .take_while(|message| {
                let fits = size == 0 || size + message.payload_len() <= CHUNK_BYTES;
                size += if fits { message.payload_len() } else { 0 };
                fits
            })
            .count();
        let (chunk, after) = rest.split_at(count);
        let mut payloads = Vec::with_capacity(size);
        for message in chunk {
            payloads.extend_from_slice(message.payload().unwrap_or_default());
        }
        let payloads = Bytes::from(payloads);
        let mut start = 0;
        for message in chunk {
            let end = start + message.payload_len();
            records.push(LogRecord {
                partition: partition(message.partition()),
                offset: offset(message.offset()),
                appended_at: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0)),
                payload: payloads.slice(start..end),
            });
            start = end;
        }
        rest = after;
    }
    records
}
