//! The `recent` consumer: puts every event where `GET /events` finds it, and sets aside what is no event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::ObjectStore;
use souk_domain::Timestamp;
use souk_events::{Envelope, LogId};
use souk_ports::{Clock, EventLog, EventStore, GroupConsumer, LogRecord, Offset, Partition, fault};

use super::{Commits, ConsumeError, ConsumerState, Force, Hole, Sink};
use crate::archive::{is_envelope, replay_since};

/// What the sink works with.
pub(crate) struct RecentParts {
    pub log: Arc<dyn EventLog>,
    pub store: Arc<dyn EventStore>,
    pub archive: Arc<dyn ObjectStore>,
    pub clock: Arc<dyn Clock>,
    pub state: Arc<ConsumerState>,
    pub commit_interval: Duration,
    /// How long recent events are kept.
    pub retention: Duration,
}

/// Stores records as they come; putting one twice stores it once.
pub(crate) struct RecentSink {
    parts: RecentParts,
    log_id: LogId,
    inbox: Vec<LogRecord>,
    /// Records of the inbox that were looked at.
    judged: usize,
    commits: Commits,
}

impl RecentSink {
    pub fn new(parts: RecentParts) -> Self {
        let (log_id, commits) = (parts.log.identity(), Commits::new(parts.commit_interval));
        Self { parts, log_id, inbox: Vec::new(), judged: 0, commits }
    }

    /// Sets aside what is no event: it is in no answer, and stays in the archive as it is.
    async fn judge(&mut self) -> Result<(), ConsumeError> {
        for record in &self.inbox[self.judged..] {
            if !is_envelope(&record.payload) {
                let reason =
                    Envelope::read(&record.payload).map_or_else(|e| e.to_string(), |_| String::new());
                self.parts.state.set_aside(&*self.parts.log, record, &reason).await?;
                tracing::error!(
                    messaging.destination.partition.id = record.partition,
                    messaging.kafka.offset = record.offset,
                    "a record is no event and is set aside: {reason}"
                );
            }
            self.judged += 1;
        }
        Ok(())
    }
}

impl Sink for RecentSink {
    fn reset(&mut self) {
        self.inbox.clear();
        self.judged = 0;
        self.commits.clear();
    }

    fn assign(&mut self, _partitions: &[(Partition, Offset)]) {}

    fn revoke(&mut self, partitions: &[Partition]) {
        self.inbox.retain(|record| !partitions.contains(&record.partition));
        // Setting one aside again changes nothing.
        self.judged = 0;
        self.commits.forget(partitions);
    }

    fn accept(&mut self, records: Vec<LogRecord>) {
        self.inbox.extend(records);
    }

    /// Takes what the log no longer holds from the archive, as far back as recent events are kept.
    async fn fill(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        hole: Hole,
    ) -> Result<Offset, ConsumeError> {
        let retention = i64::try_from(self.parts.retention.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp::from_millis(self.parts.clock.now().millis().saturating_sub(retention));
        let mut next = hole.position;
        while next < hole.earliest {
            let (archive, partition) = (&*self.parts.archive, hole.partition);
            let Some((records, end)) = replay_since(archive, self.log_id, partition, next, since).await?
            else {
                break;
            };
            self.parts.store.put_recent(&records).await?;
            next = end;
        }
        // Older than anybody can ask for, or what the archive's consumer misses too and says.
        consumer.commit(hole.partition, hole.earliest).await?;
        Ok(hole.earliest)
    }

    async fn drive(
        &mut self,
        consumer: &mut Box<dyn GroupConsumer>,
        force: Force<'_>,
    ) -> Result<(), ConsumeError> {
        if !self.inbox.is_empty() {
            self.judge().await?;
            self.parts.store.put_recent(&self.inbox).await?;
            fault::crash_point("recent.stored");
            for record in self.inbox.drain(..) {
                self.commits.reached(record.partition, record.offset + 1);
                self.parts.state.reached(record.partition, record.offset + 1);
            }
            self.judged = 0;
        }
        self.commits.commit(consumer, force).await
    }

    fn due_in(&self, now: Instant) -> Option<Duration> {
        self.commits.due_in(now)
    }
}
