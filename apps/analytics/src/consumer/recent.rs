//! The `recent` consumer: puts every event where `GET /events` finds it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_ports::{EventStore, GroupConsumer, LogRecord, Offset, Partition};

use super::{Commits, ConsumeError, ConsumerState, Force, Sink};

/// Stores records as they come; putting one twice stores it once.
pub(crate) struct RecentSink {
    store: Arc<dyn EventStore>,
    state: Arc<ConsumerState>,
    inbox: Vec<LogRecord>,
    commits: Commits,
}

impl RecentSink {
    pub fn new(store: Arc<dyn EventStore>, state: Arc<ConsumerState>, commit_interval: Duration) -> Self {
        Self { store, state, inbox: Vec::new(), commits: Commits::new(commit_interval) }
    }
}

impl Sink for RecentSink {
    fn reset(&mut self) {
        self.inbox.clear();
        self.commits.clear();
    }

    fn assign(&mut self, _partitions: &[(Partition, Offset)]) {}

    fn revoke(&mut self, _partitions: &[Partition]) {}

    fn accept(&mut self, records: Vec<LogRecord>) {
        self.inbox = records;
    }

    async fn drive(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        force: Force<'_>,
    ) -> Result<(), ConsumeError> {
        if !self.inbox.is_empty() {
            self.store.put_recent(&self.inbox).await?;
            for record in self.inbox.drain(..) {
                self.commits.reached(record.partition, record.offset + 1);
                self.state.reached(record.partition, record.offset + 1);
            }
        }
        self.commits.commit(consumer, force).await
    }

    fn due_in(&self, now: Instant) -> Option<Duration> {
        self.commits.due_in(now)
    }
}
