//! Turns records of the log into frames, each encoded once for all readers.

use souk_events::{Cursor, Envelope, LogId};
use souk_ports::{LogRecord, Offset, Partition};

use crate::frame::{overhead, push_data, push_id};
use crate::position::{Position, next_of, set_next};
use crate::segment::{Draft, Frame, SEGMENT_BYTES, length};

/// Frames in hub order; the id of each is the position after it.
#[derive(Debug)]
pub(crate) struct Framer {
    at: Cursor,
}

/// What a delivery of the log came to.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) drafts: Vec<Draft>,
    /// The position after the batch.
    pub(crate) head: Position,
    /// How many records could not be read.
    pub(crate) unreadable: u64,
}

impl Framer {
    pub(crate) fn new(log: LogId, from: &[Offset]) -> Self {
        Self { at: Cursor { log, next: from.to_vec() } }
    }

    /// Returns the position after everything that was framed.
    pub(crate) fn position(&self) -> &[Offset] {
        &self.at.next
    }

    /// Goes on at what the log still holds; tells whether it holds less than what is read next.
    pub(crate) fn is_overtaken(&mut self, earliest: &[Offset]) -> bool {
        let mut overtaken = false;
        for (next, earliest) in self.at.next.iter_mut().zip(earliest) {
            overtaken |= *next < *earliest;
            *next = (*next).max(*earliest);
        }
        overtaken
    }

    /// Goes on at these offsets, before which nothing is left to frame; a partition that is further on stays where it is.
    pub(crate) fn pass(&mut self, ends: &[(Partition, Offset)]) -> Batch {
        for (partition, end) in ends {
            let next = next_of(&self.at.next, *partition).max(*end);
            set_next(&mut self.at.next, *partition, next);
        }
        Batch { drafts: Vec::new(), head: self.at.next.as_slice().into(), unreadable: 0 }
    }

    /// Frames `records`. One that cannot be read is left out and counted, and the position passes it; one that was
    /// framed before is dropped.
    pub(crate) fn frame(&mut self, records: &[LogRecord]) -> Batch {
        let mut drafts: Vec<Draft> = Vec::new();
        let mut unreadable = 0;
        let mut bytes = Vec::new();
        let mut frames = Vec::new();
        for (index, record) in records.iter().enumerate() {
            if record.offset < next_of(&self.at.next, record.partition) {
                continue;
            }
            let next = record.offset + 1;
            set_next(&mut self.at.next, record.partition, next);
            let Some(envelope) = read(record) else {
                unreadable += 1;
                continue;
            };
            if bytes.is_empty() {
                bytes.reserve_exact(room(&records[index..], self.at.next.len()));
            }
            push_id(&mut bytes, &self.at);
            push_data(&mut bytes, &record.payload);
            frames.push(Frame {
                end: length(bytes.len()),
                kind: envelope.event_type,
                partition: record.partition,
                next,
                seller: envelope.seller_id,
                product: envelope.subject,
            });
            if bytes.len() >= SEGMENT_BYTES {
                let (bytes, frames) = (std::mem::take(&mut bytes), std::mem::take(&mut frames));
                drafts.push(Draft { bytes, frames, end: self.at.next.as_slice().into() });
            }
        }
        if !frames.is_empty() {
            drafts.push(Draft { bytes, frames, end: self.at.next.as_slice().into() });
        }
        Batch { drafts, head: self.at.next.as_slice().into(), unreadable }
    }
}

/// Reads what filters need of a record; `None`, with a warning, when it is no event of ours.
pub(crate) fn read(record: &LogRecord) -> Option<Envelope> {
    // Readers are owed UTF-8, and the envelope leaves the texts that it skips unchecked.
    let error = match std::str::from_utf8(&record.payload) {
        Ok(_) => match Envelope::read(&record.payload) {
            Ok(envelope) => return Some(envelope),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    tracing::warn!(
        messaging.destination.partition.id = record.partition,
        messaging.kafka.offset = record.offset,
        error,
        "left out a record that is no event"
    );
    None
}

/// Returns the room that a segment beginning with these records needs.
fn room(records: &[LogRecord], partitions: usize) -> usize {
    let mut room = 0;
    for record in records {
        room += record.payload.len() + overhead(partitions);
        if room >= SEGMENT_BYTES {
            break;
        }
    }
    room
}
