//! Medians, percentiles and figures for people.

use std::time::Duration;

/// Returns the middle value; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() % 2) {
        (0, _) => 0.0,
        (count, 1) => sorted[count / 2],
        (count, _) => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

/// Durations of one kind, to take percentiles of.
#[derive(Debug, Default, Clone)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Adds one.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Samples) {
        self.0.extend(other.0);
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the percentile in milliseconds; 0 of nothing.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are small and never negative"
    )]
    pub fn percentile_ms(&mut self, percent: f64) -> f64 {
        self.0.sort_unstable();
        let Some(last) = self.0.len().checked_sub(1) else { return 0.0 };
        self.0[(last as f64 * percent / 100.0).round() as usize].as_secs_f64() * 1e3
    }
}

/// Returns a number with its thousands apart.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures for people")]
pub fn grouped(value: f64) -> String {
    let digits = (value.max(0.0).round() as u64).to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!(median(&[]).abs() < f64::EPSILON);
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!(grouped(1_234_567.4), "1,234,567");
        assert_eq!(grouped(999.0), "999");
    }

    #[test]
    fn percentiles_of_a_known_series() {
        let mut samples = Samples::default();
        (0..=100).for_each(|ms| samples.push(Duration::from_millis(ms)));
        assert!((samples.percentile_ms(50.0) - 50.0).abs() < 1e-9);
        assert!((samples.percentile_ms(99.0) - 99.0).abs() < 1e-9);
    }
}
