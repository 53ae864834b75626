//! Waiting before another attempt: twice as long each time, with jitter.

use std::time::Duration;

use uuid::Uuid;

/// The first wait: a lock or a restart has often passed by then.
const FIRST: Duration = Duration::from_millis(50);
/// The longest wait: so soon does a consumer notice that there is room again.
const LONGEST: Duration = Duration::from_secs(5);

/// The waits of one consumer.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Returns the next wait: full jitter, so that consumers that failed together do not come back together.
    pub fn next(&mut self) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        // The last bytes of a version 7 UUID are random.
        let random = u16::from_le_bytes([Uuid::now_v7().as_bytes()[14], Uuid::now_v7().as_bytes()[15]]);
        let half = longest / 2;
        half + half.mul_f64(f64::from(random) / f64::from(u16::MAX))
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_bound_and_begins_anew() {
        let mut backoff = Backoff::default();
        for attempt in 0..40 {
            let expected = FIRST.saturating_mul(1 << attempt.min(16)).min(LONGEST);
            let wait = backoff.next();
            assert!(wait >= expected / 2 && wait <= expected, "{attempt}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
