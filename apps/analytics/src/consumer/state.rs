//! How a consumer is doing, as health, metrics and `GET /progress` see it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use souk_http::{Check, Status};
use souk_ports::{EventLog, LogRecord, Offset, Partition, PortError};
use tokio::sync::Notify;

use crate::metrics::ConsumerFigures;

/// Lag without any move for so long means that something is wrong that nobody reported.
const STALL: Duration = Duration::from_secs(30);

/// One consumer's state, shared with those who look at it.
#[derive(Debug)]
pub(crate) struct ConsumerState {
    /// `recent`, `aggregates` or `archive`.
    pub name: &'static str,
    /// The consumer group.
    pub group: String,
    /// Records delivered, repeats included.
    pub events: Counter,
    /// Records that are no events of ours.
    pub unreadable: Counter,
    /// Records set aside.
    pub dead_letters: Counter,
    /// Cuts short a wait before the next attempt.
    nudges: Notify,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    member: bool,
    joined: bool,
    positions: BTreeMap<Partition, Offset>,
    trouble: Option<String>,
    /// Attempts that failed, since the start.
    failures: u64,
    stopped: Option<String>,
    lag_events: u64,
    lag_seconds: f64,
    /// When a position last moved, or there was no lag.
    moved_at: Instant,
}

impl ConsumerState {
    pub fn new(name: &'static str, client_id: &str, figures: &ConsumerFigures) -> Self {
        let [events, unreadable, dead_letters] = figures.counters(name);
        Self {
            name,
            group: format!("{client_id}-{name}"),
            events,
            unreadable,
            dead_letters,
            nudges: Notify::new(),
            inner: Mutex::new(Inner {
                member: false,
                joined: false,
                positions: BTreeMap::new(),
                trouble: None,
                failures: 0,
                stopped: None,
                lag_events: 0,
                lag_seconds: 0.0,
                moved_at: Instant::now(),
            }),
        }
    }

    /// Sets a record aside that cannot be read.
    pub async fn set_aside(
        &self,
        log: &dyn EventLog,
        record: &LogRecord,
        reason: &str,
    ) -> Result<(), PortError> {
        log.dead_letter(record, reason).await?;
        self.unreadable.inc();
        self.dead_letters.inc();
        Ok(())
    }

    /// Notes that the group has let the consumer in, which has yet to find out where it begins.
    pub fn enter(&self) {
        self.inner.lock().member = true;
    }

    /// Notes partitions taken over.
    pub fn assign(&self, partitions: &[(Partition, Offset)]) {
        let mut inner = self.inner.lock();
        inner.joined = true;
        inner.positions.extend(partitions.iter().copied());
    }

    /// Notes that a new membership begins, with no partitions.
    pub fn leave(&self) {
        self.inner.lock().positions.clear();
    }

    /// Notes partitions given away.
    pub fn revoke(&self, partitions: &[Partition]) {
        self.inner.lock().positions.retain(|partition, _| !partitions.contains(partition));
    }

    /// Notes that everything of `partition` before `next` is done with.
    pub fn reached(&self, partition: Partition, next: Offset) {
        let mut inner = self.inner.lock();
        inner.positions.insert(partition, next);
        inner.moved_at = Instant::now();
    }

    /// Returns the position in `partition`; `None` when another member has it.
    pub fn position(&self, partition: Partition) -> Option<Offset> {
        self.inner.lock().positions.get(&partition).copied()
    }

    /// Notes what keeps the consumer from going on; says so once.
    pub fn trouble(&self, reason: String) {
        let mut inner = self.inner.lock();
        if inner.trouble.as_deref() != Some(&*reason) {
            tracing::warn!(
                messaging.consumer.group.name = self.group,
                "consumer waits and tries again: {reason}"
            );
        }
        inner.trouble = Some(reason);
        inner.failures += 1;
    }

    /// Returns how many attempts have failed.
    pub fn failures(&self) -> u64 {
        self.inner.lock().failures
    }

    /// Asks for the next attempt at once, when the last one failed.
    pub fn nudge(&self) {
        self.nudges.notify_one();
    }

    /// Waits for [`ConsumerState::nudge`].
    pub async fn nudged(&self) {
        self.nudges.notified().await;
    }

    /// Notes that the consumer goes on.
    pub fn well(&self) {
        let mut inner = self.inner.lock();
        if inner.trouble.take().is_some() {
            tracing::info!(messaging.consumer.group.name = self.group, "consumer goes on");
        }
    }

    /// Notes that the consumer has ended.
    pub fn stop(&self, reason: String) {
        self.inner.lock().stopped = Some(reason);
    }

    /// Returns what keeps the consumer from going on, for now or for good.
    pub fn problem(&self) -> Option<String> {
        let inner = self.inner.lock();
        inner.stopped.clone().or_else(|| inner.trouble.clone())
    }

    /// Tells whether the consumer has ended.
    pub fn is_stopped(&self) -> bool {
        self.inner.lock().stopped.is_some()
    }

    /// Tells whether the group has let the consumer in: an archive that it cannot reach may keep it from beginning.
    pub fn is_member(&self) -> bool {
        self.inner.lock().member
    }

    /// Tells whether the consumer has joined its group and begun.
    pub fn has_joined(&self) -> bool {
        self.inner.lock().joined
    }

    /// Notes how far the consumer is behind.
    pub fn observe(&self, lag_events: u64, lag_seconds: f64) {
        let mut inner = self.inner.lock();
        (inner.lag_events, inner.lag_seconds) = (lag_events, lag_seconds);
        if lag_events == 0 {
            inner.moved_at = Instant::now();
        }
    }

    /// Returns the consumer's part of `/health`; `patience` is how long it may hold records back by design.
    pub fn check(&self, patience: Duration) -> Check {
        let inner = self.inner.lock();
        let (status, detail) = if let Some(reason) = &inner.stopped {
            (Status::Unavailable, reason.clone())
        } else if let Some(reason) = &inner.trouble {
            (Status::Degraded, reason.clone())
        } else if !inner.joined {
            (Status::Degraded, format!("joining consumer group {}", self.group))
        } else if inner.lag_events > 0 && inner.moved_at.elapsed() > patience + STALL {
            let seconds = inner.moved_at.elapsed().as_secs();
            (Status::Degraded, format!("behind and has not moved for {seconds} s"))
        } else {
            (Status::Ok, format!("consumer group {}", self.group))
        };
        #[expect(clippy::cast_possible_truncation, reason = "a lag in whole seconds")]
        let figures = vec![
            ("lagEvents", inner.lag_events.cast_signed()),
            ("lagSeconds", inner.lag_seconds as i64),
            ("events", self.events.get().cast_signed()),
            ("unreadable", self.unreadable.get().cast_signed()),
            ("deadLetters", self.dead_letters.get().cast_signed()),
        ];
        Check { status, detail, figures }
    }
}
