//! Time and ids, so that tests can freeze both.

use std::time::{SystemTime, UNIX_EPOCH};

use souk_domain::Timestamp;
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Makes ids.
pub trait IdGenerator: Send + Sync {
    /// Returns an id that was never returned before.
    fn next_id(&self) -> Uuid;
}

/// Version 7 UUIDs: in time order, random within a millisecond (RFC 9562).
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdGenerator for RandomIds {
    fn next_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}
