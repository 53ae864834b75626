//! What a move knows of itself, as the target keeps it.

use serde::{Deserialize, Serialize};
use souk_domain::{ProductId, Timestamp};
use souk_ports::{Milestone, Offset};

/// The form of the record that this build writes.
const FORM: u8 = 1;

/// How far a move is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    v: u8,
    /// Counts the milestones.
    number: u64,
    /// The identity of the log that the shop leaves: which shop it is.
    pub shop: String,
    /// Where it was, for people.
    pub from: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// What is being moved.
    pub stage: Stage,
    /// The next offset of each partition of the log that the shop leaves.
    pub next: Vec<Offset>,
    /// Where each of them ends.
    pub end: Vec<Offset>,
    /// Events moved.
    pub events: u64,
    /// Records met that are no events: they stay behind.
    pub unreadable: u64,
    /// Products moved.
    pub products: u64,
    /// Traces of deleted products moved.
    pub tombstones: u64,
    /// The last row moved.
    pub rows_after: Option<ProductId>,
    /// Remembered answers moved.
    pub answers: u64,
    /// The last key moved.
    pub answers_after: Option<String>,
}

/// What is being moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Events.
    Events,
    /// Rows of the catalog.
    Rows,
    /// Remembered answers.
    Answers,
    /// Everything is there, and what follows it begins after it.
    Settled,
    /// The audit found nothing: the target is a shop like any other.
    Done,
}

impl Record {
    /// Begins a move.
    pub(crate) fn begin(shop: String, from: String, begun_at: Timestamp, end: Vec<Offset>) -> Self {
        Self {
            v: FORM,
            number: 0,
            shop,
            from,
            begun_at,
            stage: Stage::Events,
            next: vec![0; end.len()],
            end,
            events: 0,
            unreadable: 0,
            products: 0,
            tombstones: 0,
            rows_after: None,
            answers: 0,
            answers_after: None,
        }
    }

    /// Reads a record; `None` when another version wrote it.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|record: &Self| record.v == FORM)
    }

    /// Counts on, and writes the record.
    pub fn milestone(&mut self) -> Milestone {
        self.number += 1;
        let record = serde_json::to_string(self).expect("numbers and texts can be written");
        Milestone { number: self.number, record }
    }

    /// Forgets the rows and answers that were moved; tells whether there were any.
    pub(crate) fn forget_rows(&mut self) -> bool {
        let any = self.rows_after.is_some() || self.answers_after.is_some();
        (self.products, self.tombstones, self.rows_after) = (0, 0, None);
        (self.answers, self.answers_after) = (0, None);
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_was_written_and_counts() {
        let mut record =
            Record::begin("shop".into(), "./souk-data".into(), Timestamp::from_millis(5), vec![7]);
        let first = record.milestone();
        let second = record.milestone();
        assert_eq!((first.number, second.number), (1, 2));
        assert_eq!(Record::read(&second.record), Some(record));
        assert_eq!(Record::read(&second.record.replace("\"v\":1", "\"v\":2")), None);
        assert_eq!(Record::read("{}"), None);
    }
}
