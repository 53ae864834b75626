//! Waits between attempts: doubling, with jitter, so that many who failed together do not come back together.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
/// Longer would keep readers waiting after the log is back.
const LONGEST: Duration = Duration::from_secs(2);

/// The waits of one run of failures.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// Begins anew, after a success.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Waits, longer each time.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next.mul_f64(0.5 + random() / 2.0)).await;
        self.next = (self.next * 2).min(LONGEST);
    }
}

/// Returns a number from 0 to 1, 1 excluded; good enough to spread, not to keep secrets.
pub(crate) fn random() -> f64 {
    // Each state has keys of its own; 53 bits are what an f64 holds.
    let bits = RandomState::new().hash_one(0) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
