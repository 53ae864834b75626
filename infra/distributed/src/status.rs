//! How the relay is doing, for health and metrics.

use souk_domain::Timestamp;

/// What the relay is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayState {
    /// It waits for a server; says for which and why.
    Waiting(String),
    /// Another relay publishes.
    Standby,
    /// It publishes.
    Leading,
    /// It will publish nothing before somebody acts; says why and what to do.
    Stopped(String),
}

/// How the relay is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStatus {
    /// What it is at.
    pub state: RelayState,
    /// Whether this database takes writes: it was found to go with Kafka, or Kafka cannot be asked and nothing speaks
    /// against it. Once it does, it does.
    pub takes_writes: bool,
    /// Events known to wait in the outbox; counted up to [`MAX_COUNTED`].
    pub waiting_events: u64,
    /// When the oldest of them was decided.
    pub oldest_waiting: Option<Timestamp>,
    /// Age of the oldest, in milliseconds; 0 when nothing waits.
    pub oldest_age_ms: u64,
    /// Events that this relay published since it was made.
    pub published_total: u64,
    /// Transactions that carried them.
    pub transactions_total: u64,
    /// Leaves of the outbox that it emptied.
    pub truncations_total: u64,
    /// Times that it began anew from the position in Kafka: lost servers, unclear outcomes, fencing.
    pub restarts_total: u64,
}

/// Counting further would cost more than it tells.
pub const MAX_COUNTED: u64 = 100_000;

impl Default for RelayStatus {
    fn default() -> Self {
        Self {
            state: RelayState::Waiting("Postgres and Kafka are being asked whether they go together".into()),
            takes_writes: false,
            waiting_events: 0,
            oldest_waiting: None,
            oldest_age_ms: 0,
            published_total: 0,
            transactions_total: 0,
            truncations_total: 0,
            restarts_total: 0,
        }
    }
}

impl RelayStatus {
    /// Notes what waits.
    pub(crate) fn waiting(&mut self, events: u64, oldest: Option<Timestamp>) {
        self.waiting_events = events;
        self.oldest_waiting = oldest;
    }

    /// Fills in the age as of `now`.
    pub(crate) fn aged(mut self, now: Timestamp) -> Self {
        let age = self.oldest_waiting.map_or(0, |oldest| now.millis() - oldest.millis());
        self.oldest_age_ms = u64::try_from(age).unwrap_or(0);
        self
    }
}
