//! A histogram of latencies in buckets that grow with the value: constant memory, 1.6 % wide at most.

use std::time::Duration;

/// Buckets for each doubling: 64 make a bucket at most 1/64 wide, about 1.6 %.
const STEPS: usize = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Microseconds up to 2^36, 19 hours: longer than anyone waits.
const DOUBLINGS: usize = 31;

/// Counts of durations, in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u32>,
    total: u64,
    max_micros: u64,
}

impl Histogram {
    /// Returns an empty histogram.
    pub fn new() -> Self {
        Self { counts: vec![0; STEPS * DOUBLINGS], total: 0, max_micros: 0 }
    }

    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket(micros).min(self.counts.len() - 1);
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        self.total += 1;
        self.max_micros = self.max_micros.max(micros);
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
        self.total += other.total;
        self.max_micros = self.max_micros.max(other.max_micros);
    }

    /// Returns the longest duration, exactly.
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.max_micros)
    }

    /// Returns the duration that a share of `quantile` (0 to 1) of all does not exceed; zero when empty.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are far below 2^52 and never negative"
    )]
    pub fn quantile(&self, quantile: f64) -> Duration {
        let wanted = ((self.total as f64 * quantile).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return Duration::from_micros(highest(index).min(self.max_micros));
            }
        }
        self.max()
    }
}

/// Returns the bucket of a value: the first 64 values have one each, each doubling after that has 64.
fn bucket(micros: u64) -> usize {
    if micros < STEPS as u64 {
        return usize::try_from(micros).expect("below 64");
    }
    let doubling = u64::BITS - micros.leading_zeros() - STEP_BITS - 1;
    let step = usize::try_from(micros >> doubling).expect("below 128") - STEPS;
    STEPS * (doubling as usize + 1) + step
}

/// Returns the highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let (doubling, step) = (bucket / STEPS - 1, bucket % STEPS);
    (((STEPS + step + 1) as u64) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_histogram_answers_zero() {
        assert_eq!(Histogram::new().quantile(0.99), Duration::ZERO);
    }

    #[test]
    fn quantiles_of_a_known_series() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let p50 = histogram.quantile(0.5).as_micros();
        assert!((500..=508).contains(&p50), "{p50}");
        assert_eq!(histogram.quantile(1.0), Duration::from_micros(1000));
        assert_eq!(histogram.max(), Duration::from_micros(1000));
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_values_and_is_narrow(micros in 0_u64..1 << 35) {
            let index = bucket(micros);
            let top = highest(index);
            prop_assert!(top >= micros && (top - micros) * 64 <= micros.max(64));
            prop_assert!(index == 0 || highest(index - 1) < micros);
        }

        #[test]
        fn merging_equals_recording_together(a in proptest::collection::vec(0_u64..1 << 30, 0..50),
                                             b in proptest::collection::vec(0_u64..1 << 30, 0..50)) {
            let (mut left, mut right, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
            a.iter().for_each(|v| left.record(Duration::from_micros(*v)));
            b.iter().for_each(|v| right.record(Duration::from_micros(*v)));
            a.iter().chain(&b).for_each(|v| both.record(Duration::from_micros(*v)));
            left.merge(&right);
            prop_assert_eq!(left.counts, both.counts);
            prop_assert_eq!(left.max_micros, both.max_micros);
        }
    }
}
