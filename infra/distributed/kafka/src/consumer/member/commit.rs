//! Committing without standing still for ever. librdkafka's own waiting call serves nothing meanwhile, and when the group
//! forms anew at that moment, as after a broker's restart, each can wait for the other.
//!
//! Yet as long as an answer may still come, waiting is best: a member that serves a rebalance loses the commit by it,
//! ends, and leaves a request to join behind that nobody takes back, for which the group then waits.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset as RawOffset, TopicPartitionList};
use souk_ports::{ErrorKind, Offset, Partition, PortError};

use super::super::assignment::note;
use super::super::callbacks::Rebalance;
use super::notes::Noted;
use super::{MAX_RECORDS, Member};
use crate::error::port_error;
use crate::native::PendingCommit;
use crate::polling::position;
use crate::records::raw_offset;

/// A commit is tried for so long while the group forms anew; members take up to a heartbeat to notice.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// So long an answer is waited for and nothing else done: a broker that slept or was started anew answers by then.
const STANDING: Duration = Duration::from_secs(30);
/// Nobody answers a commit that had no answer until then, though what stood in its way was served: longer than
/// librdkafka puts one off while it looks for the coordinator, which is a session.
const NO_ANSWER: Duration = Duration::from_secs(45);
/// How long one look for the answer lasts while other things are served; an answer ends it at once.
const LOOK: Duration = Duration::from_millis(2);
/// Records taken in while waiting: beyond, they are left where they are, and looks become rare.
const MOST_READY: usize = 4 * MAX_RECORDS;

impl Member {
    /// Commits a position; blocks until it is durable, or is known not to be, or nobody answers.
    pub(super) fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        self.shared.check()?;
        let number = self.owns(partition)?;
        let topic = self.shared.config.topic.clone();
        let next = raw_offset(next);
        let what = format!(
            "cannot commit {next} in partition {partition} of topic {topic} for group {}",
            self.group
        );
        // What follows the last record taken is markers as far as the client has come.
        let caught_up = self.owned.get(&number) == Some(&next);
        let reach = if caught_up { position(&self.consumer, &topic, number) } else { None };
        let mut positions = TopicPartitionList::with_capacity(1);
        let mut element = positions.add_partition(&topic, number);
        let placed = element.set_offset(RawOffset::Offset(next));
        let looked = reach.unwrap_or(next).max(next);
        element.set_metadata(note(self.shared.identity.log(), looked));
        placed.map_err(|error| port_error(&what, error, self.context.trouble.reason()))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.commit_once(&positions) {
                None => {
                    return Err(PortError::new(
                        ErrorKind::Conflict,
                        format!("{what}: nobody says what became of it; join anew"),
                    ));
                }
                Some(Err(KafkaError::ConsumerCommit(
                    Code::RebalanceInProgress | Code::IllegalGeneration,
                ))) if Instant::now() < deadline && !self.consumer.assignment_lost() => {
                    std::thread::sleep(PAUSE);
                }
                Some(outcome) => {
                    if outcome.is_ok() {
                        self.noted.insert(number, Noted::committed(next, looked));
                    }
                    return outcome.map_err(|error| port_error(&what, error, self.context.trouble.reason()));
                }
            }
        }
    }

    /// Returns what became of a commit, or `None` when nobody will tell any more: its request or the answer went down
    /// with a broker that stood still, and librdkafka waits for it with everything that the group asks.
    pub(super) fn commit_once(&mut self, positions: &TopicPartitionList) -> Option<Result<(), KafkaError>> {
        let commit = match PendingCommit::begin(&self.consumer, positions) {
            Ok(commit) => commit,
            Err(error) => return Some(Err(error)),
        };
        let deadline = Instant::now() + NO_ANSWER;
        if let Some(outcome) = commit.answer(STANDING) {
            return Some(outcome);
        }
        loop {
            if let Some(outcome) = commit.answer(LOOK) {
                return Some(outcome);
            }
            let lost = self.context.rebalances.lock().iter().any(|it| matches!(it, Rebalance::Lose(_)));
            if lost || Instant::now() >= deadline {
                return None;
            }
            // Serves what the client has to say, rebalances above all; the records that come with it are kept.
            if self.ready.len() < MOST_READY {
                self.fetch(Duration::ZERO, MAX_RECORDS);
            } else {
                self.fetch(Duration::ZERO, 1);
                std::thread::sleep(PAUSE);
            }
        }
    }
}
