//! The archive: every event, in Parquet objects that are written once and never changed.
//!
//! An object holds one partition's records from the end of the object before to `nextOffset`. Its key is fixed by
//! the log, the partition and where it begins, so that a writer that tries again after a crash finds what it wrote
//! and adopts it. What counts is the footer: local files have no metadata.

mod adopt;
mod encode;
mod envelope;
mod footer;
mod keeper;
mod making;
mod reader;
mod replay;
mod rows;
mod sink;
mod writer;

use souk_domain::Timestamp;
use souk_events::{LogId, TOPIC};
use souk_ports::{Offset, Partition};

pub use encode::{EncodeError, Span, encode};
pub use footer::{Footer, RecordDigest};
pub use reader::{ArchivedEvent, ArchivedObject, Contents, ObjectQuery, ReadError, objects, read_object};
pub use rows::ObjectFile;

pub(crate) use envelope::is_envelope;
pub(crate) use keeper::Keeper;
pub(crate) use replay::{replay, replay_since};
pub(crate) use sink::{ArchiveParts, ArchiveSink, FlushRequest, Flushed};
pub(crate) use writer::Limits;

/// Returns the folder of all objects of `log`.
pub fn log_prefix(log: LogId) -> String {
    format!("{TOPIC}/log={log}")
}

/// Returns the key of the object of `partition` that begins at `first_offset` and whose first record was appended
/// at `first_appended_at`.
pub fn object_key(
    log: LogId,
    partition: Partition,
    first_appended_at: Timestamp,
    first_offset: Offset,
) -> String {
    format!(
        "{}/{}/p={partition:05}/o={first_offset:020}.parquet",
        log_prefix(log),
        hour_folder(first_appended_at)
    )
}

/// Returns `date=YYYY-MM-DD/hour=HH`.
fn hour_folder(time: Timestamp) -> String {
    let text = time.to_string();
    format!("date={}/hour={}", &text[..10], &text[11..13])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_log_hour_partition_and_start() {
        let time = "2026-11-22T18:59:59.999Z".parse().unwrap();
        assert_eq!(
            object_key(LogId(1), 7, time, 123_456),
            "product-events/log=AAAAAAAAAAE/date=2026-11-22/hour=18/p=00007/o=00000000000000123456.parquet"
        );
    }
}
