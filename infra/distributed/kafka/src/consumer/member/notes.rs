//! How far a quiet partition was looked through, kept beside the group's position.
//!
//! Marks of transactions, and records of those that were aborted, take offsets that nobody is ever given. Once the log lets
//! go of them it begins beyond the position of a group that has had everything, which by the position alone looks like
//! a loss. The note beside the position tells: it is renewed here when nothing has come for a while, since no commit does
//! it then.

use std::time::{Duration, Instant};

use rdkafka::{Offset as RawOffset, TopicPartitionList};
use souk_ports::fault::planted;

use super::super::assignment::{Start, note};
use super::Member;
use crate::polling::positions;

/// How long nothing has come when a member looks for the first time: what is under way belongs to commits.
const QUIET: Duration = Duration::from_secs(1);
/// How long it is until the next look. Logs let go of what is older than hours.
const EVERY: Duration = Duration::from_secs(60);

/// What is committed of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted {
    /// The position.
    position: i64,
    /// What is next to be taken as long as nothing was taken that is not committed.
    settled: i64,
    /// How far the note says that nothing was missed.
    looked: i64,
}

impl Noted {
    /// What is committed where a member begins. A caller that goes on from there misses nothing before it.
    pub fn at(start: &Start) -> Self {
        Self { position: start.position, settled: start.from, looked: start.looked }
    }

    /// What a commit leaves.
    pub fn committed(position: i64, looked: i64) -> Self {
        Self { position, settled: position, looked }
    }
}

impl Member {
    /// Has the next look come soon: partitions were taken over.
    pub(super) fn look_soon(&mut self) {
        self.next_look = Instant::now() + QUIET;
    }

    /// Renews the notes of partitions of which nothing was taken since the last commit, now and then. Blocks for the answer
    /// of one commit when there is something new to note.
    pub(super) fn look(&mut self) {
        let quiet = self.read_at.is_none_or(|at| at.elapsed() >= QUIET);
        if Instant::now() < self.next_look || !quiet || planted("looks-are-not-noted") {
            return;
        }
        self.next_look = Instant::now() + EVERY;
        let topic = self.shared.config.topic.clone();
        let reached = positions(&self.consumer, &topic);
        let mut list = TopicPartitionList::new();
        let mut renewed = Vec::new();
        for (number, noted) in &self.noted {
            let Some(looked) = reached.get(number).copied().filter(|looked| *looked > noted.looked) else {
                continue;
            };
            if self.owned.get(number) != Some(&noted.settled) {
                continue;
            }
            let mut element = list.add_partition(&topic, *number);
            if element.set_offset(RawOffset::Offset(noted.position)).is_ok() {
                element.set_metadata(note(self.shared.identity.log(), looked));
                renewed.push((*number, looked));
            }
        }
        if renewed.is_empty() {
            return;
        }
        match self.commit_once(&list) {
            Some(Ok(())) => {
                for (number, looked) in renewed {
                    if let Some(noted) = self.noted.get_mut(&number) {
                        noted.looked = looked;
                    }
                }
            }
            // The next look does it, if the member is still one.
            outcome => tracing::debug!(
                messaging.consumer.group.name = self.group,
                "cannot note how far quiet partitions were looked through: {outcome:?}"
            ),
        }
    }
}
