//! Waiting before another attempt: twice as long each time, with jitter.

use std::time::Duration;

use uuid::Uuid;

/// The first wait: a restart of a small server has often passed by then.
const FIRST: Duration = Duration::from_millis(50);
/// The longest wait: so soon does the relay notice that a server is back.
const LONGEST: Duration = Duration::from_secs(2);

/// The waits of one relay.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Returns the next wait: between half and all of it, so that relays that failed together do not come back together.
    pub fn next(&mut self) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let half = longest / 2;
        // The last bytes of a version 7 UUID are random.
        half + half.mul_f64(f64::from(Uuid::now_v7().as_bytes()[15]) / f64::from(u8::MAX))
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
