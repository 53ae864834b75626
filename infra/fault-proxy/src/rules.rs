//! Faults that wait for their request, and how often each comes true.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::dice::Dice;

/// How often a fault comes true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// For this many of the next requests that it is meant for, in a row.
    Next(u64),
    /// For one request in so many, by chance, until it is disarmed; the same ones for the same seed.
    OneIn(u64, u64),
}

/// What is left of a rule.
#[derive(Debug)]
enum Left {
    Next(u64),
    Chance(u64, Dice),
}

#[derive(Debug)]
struct Rule<F> {
    fault: F,
    left: Mutex<Left>,
    count: Arc<Count>,
}

#[derive(Debug, Default)]
struct Count {
    fired: AtomicU64,
    disarmed: AtomicBool,
}

/// The faults that are armed, oldest first.
#[derive(Debug)]
pub struct Rules<F>(Mutex<Vec<Rule<F>>>);

impl<F> Default for Rules<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<F: Clone> Rules<F> {
    /// Arms a fault.
    pub fn arm(&self, fault: F, times: Times) -> Armed {
        let left = match times {
            Times::Next(count) => Left::Next(count),
            Times::OneIn(sides, seed) => Left::Chance(sides, Dice::new(seed)),
        };
        let count = Arc::<Count>::default();
        self.0.lock().push(Rule { fault, left: Mutex::new(left), count: Arc::clone(&count) });
        Armed(count)
    }

    /// Returns the first armed fault that is `meant` and whose time has come; it counts as fired.
    pub fn take(&self, meant: impl Fn(&F) -> bool) -> Option<F> {
        let mut rules = self.0.lock();
        rules.retain(|rule| !rule.count.disarmed.load(Ordering::Acquire));
        let rule = rules.iter().find(|rule| meant(&rule.fault) && rule.left.lock().take())?;
        rule.count.fired.fetch_add(1, Ordering::AcqRel);
        Some(rule.fault.clone())
    }

    /// Takes all faults back.
    pub fn clear(&self) {
        self.0.lock().clear();
    }
}

impl Left {
    fn take(&mut self) -> bool {
        match self {
            Self::Next(0) => false,
            Self::Next(count) => {
                *count -= 1;
                true
            }
            Self::Chance(sides, dice) => dice.roll(*sides) == 0,
        }
    }
}

/// An armed fault: tells how often it came true. Stays armed when this is dropped.
#[derive(Debug, Clone)]
pub struct Armed(Arc<Count>);

impl Armed {
    /// Returns how often the fault has come true.
    pub fn fired(&self) -> u64 {
        self.0.fired.load(Ordering::Acquire)
    }

    /// Takes the fault back.
    pub fn disarm(&self) {
        self.0.disarmed.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::{Rules, Times};

    #[test]
    fn a_fault_comes_true_as_often_as_asked_and_only_where_meant() {
        let rules = Rules::default();
        let armed = rules.arm("x", Times::Next(2));
        assert_eq!(rules.take(|fault| *fault == "y"), None);
        assert_eq!(rules.take(|fault| *fault == "x"), Some("x"));
        assert_eq!(rules.take(|fault| *fault == "x"), Some("x"));
        assert_eq!(rules.take(|fault| *fault == "x"), None);
        assert_eq!(armed.fired(), 2);
    }

    #[test]
    fn chance_repeats_itself_from_the_same_seed() {
        let run = || {
            let rules = Rules::default();
            rules.arm((), Times::OneIn(3, 7));
            (0..60).map(|_| rules.take(|()| true).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
        let hits = run().into_iter().filter(|hit| *hit).count();
        assert!((8..=32).contains(&hits), "{hits} of 60 for one in three");
    }

    #[test]
    fn a_fault_that_is_taken_back_stays_away() {
        let rules = Rules::default();
        let armed = rules.arm((), Times::Next(9));
        assert!(rules.take(|()| true).is_some());
        armed.disarm();
        assert!(rules.take(|()| true).is_none());
    }
}
