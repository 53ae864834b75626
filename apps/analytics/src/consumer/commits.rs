//! Positions to commit, held back a little: a commit costs a disk flush, and what it loses in a crash is read again
//! without harm.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use souk_ports::{GroupConsumer, Offset, Partition};

use super::{ConsumeError, Force};

/// Positions reached and not yet committed.
#[derive(Debug)]
pub(crate) struct Commits {
    interval: Duration,
    pending: BTreeMap<Partition, Offset>,
    last: Option<Instant>,
}

impl Commits {
    /// Commits at most once in `interval` unless forced.
    pub fn new(interval: Duration) -> Self {
        Self { interval, pending: BTreeMap::new(), last: None }
    }

    /// Notes that everything of `partition` before `next` is durable.
    pub fn reached(&mut self, partition: Partition, next: Offset) {
        self.pending.insert(partition, next);
    }

    /// Forgets partitions that are another member's now.
    pub fn forget(&mut self, partitions: &[Partition]) {
        self.pending.retain(|partition, _| !partitions.contains(partition));
    }

    /// Forgets what is pending.
    pub fn clear(&mut self) {
        self.pending.clear();
    }

    /// Returns in what time a commit is due.
    pub fn due_in(&self, now: Instant) -> Option<Duration> {
        if self.pending.is_empty() {
            return None;
        }
        let passed = self.last.map_or(self.interval, |last| now.saturating_duration_since(last));
        Some(self.interval.saturating_sub(passed))
    }

    /// Commits what is due.
    pub async fn commit(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        force: Force<'_>,
    ) -> Result<(), ConsumeError> {
        let due = self.due_in(Instant::now()).is_some_and(|due| due.is_zero());
        let partitions: Vec<Partition> =
            self.pending.keys().copied().filter(|partition| due || force.covers(*partition)).collect();
        for partition in partitions {
            if let Some(next) = self.pending.get(&partition) {
                consumer.commit(partition, *next).await?;
            }
            self.pending.remove(&partition);
            self.last = Some(Instant::now());
        }
        Ok(())
    }
}
