//! What can be done to any connection, whatever it carries.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::link::Side;

/// No budget is set: connections live as long as they like.
const UNLIMITED: u64 = u64::MAX;

/// Switches of a proxy; each works at once, on the connections that are open too.
#[derive(Debug)]
pub struct Switches {
    refusing: AtomicBool,
    swallowing_requests: AtomicBool,
    swallowing_replies: AtomicBool,
    delay_us: AtomicU64,
    budget: AtomicU64,
    releases: AtomicU64,
    late_replies: AtomicU64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            refusing: AtomicBool::new(false),
            swallowing_requests: AtomicBool::new(false),
            swallowing_replies: AtomicBool::new(false),
            delay_us: AtomicU64::new(0),
            budget: AtomicU64::new(UNLIMITED),
            releases: AtomicU64::new(0),
            late_replies: AtomicU64::new(0),
        }
    }
}

impl Switches {
    /// Closes new connections as soon as they are made, as a balancer without a server behind it does.
    pub fn refuse(&self, on: bool) {
        self.refusing.store(on, Ordering::Release);
    }

    /// Swallows what goes `to` this side: a half-open connection, on which nobody hears the other. A connection that
    /// lost bytes so is cut by the first that come after the switch is off again.
    pub fn swallow(&self, to: Side, on: bool) {
        self.swallowing(to).store(on, Ordering::Release);
    }

    /// Holds everything up by this much, each way.
    pub fn delay(&self, by: Duration) {
        self.delay_us.store(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Cuts the connection that carries the last of the next `bytes`, in the middle of what it says; once.
    pub fn cut_after(&self, bytes: u64) {
        self.budget.store(bytes, Ordering::Release);
    }

    /// Lets requests go on that a fault holds, whatever became of those who sent them.
    pub fn release(&self) {
        self.releases.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns how many requests that were held the server has answered.
    pub fn late_replies(&self) -> u64 {
        self.late_replies.load(Ordering::Acquire)
    }

    /// Waits for the next release.
    pub(crate) fn wait_for_release(&self) {
        const PAUSE: Duration = Duration::from_millis(1);
        let before = self.releases.load(Ordering::Acquire);
        while self.releases.load(Ordering::Acquire) == before {
            std::thread::sleep(PAUSE);
        }
    }

    pub(crate) fn count_late_reply(&self) {
        self.late_replies.fetch_add(1, Ordering::AcqRel);
    }

    /// Sets everything back.
    pub fn clear(&self) {
        self.refuse(false);
        self.swallow(Side::Upstream, false);
        self.swallow(Side::Client, false);
        self.delay(Duration::ZERO);
        self.cut_after(UNLIMITED);
        self.release();
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::Acquire)
    }

    pub(crate) fn is_swallowing(&self, to: Side) -> bool {
        self.swallowing(to).load(Ordering::Acquire)
    }

    pub(crate) fn current_delay(&self) -> Option<Duration> {
        let us = self.delay_us.load(Ordering::Acquire);
        (us > 0).then(|| Duration::from_micros(us))
    }

    /// Takes `bytes` from the budget; returns how many may still pass when it ends with them.
    pub(crate) fn spend(&self, bytes: usize) -> Option<usize> {
        let bytes = bytes as u64;
        let spent = self.budget.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| match left {
            UNLIMITED => None,
            left if left > bytes => Some(left - bytes),
            _ => Some(UNLIMITED),
        });
        spent.ok().filter(|left| *left <= bytes).map(|left| usize::try_from(left).unwrap_or(usize::MAX))
    }

    fn swallowing(&self, to: Side) -> &AtomicBool {
        match to {
            Side::Upstream => &self.swallowing_requests,
            Side::Client => &self.swallowing_replies,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Switches;

    #[test]
    fn a_budget_ends_once() {
        let switches = Switches::default();
        assert_eq!(switches.spend(100), None);
        switches.cut_after(10);
        assert_eq!(switches.spend(6), None);
        assert_eq!(switches.spend(6), Some(4));
        assert_eq!(switches.spend(100), None);
    }
}
