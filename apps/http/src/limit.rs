//! How many connections a process takes, over all its listeners.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts connections against a maximum; shared by the servers of a process.
#[derive(Debug)]
pub struct ConnectionLimit {
    max: usize,
    in_use: AtomicUsize,
}

impl ConnectionLimit {
    /// Makes a limit of `max` connections.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, in_use: AtomicUsize::new(0) })
    }

    /// Raises the process's soft limit of open files to its hard limit and returns it. Each connection is one; stores
    /// and refusals need some besides.
    pub fn raise_open_file_limit() -> u64 {
        match open_file_limits() {
            Ok(limits) if limits.rlim_cur >= limits.rlim_max => limits.rlim_cur,
            Ok(limits) => {
                let raised = libc::rlimit { rlim_cur: limits.rlim_max, ..limits };
                #[expect(unsafe_code, reason = "setrlimit has no safe form; the struct outlives the call")]
                let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) };
                if result == 0 { raised.rlim_cur } else { limits.rlim_cur }
            }
            Err(error) => {
                tracing::warn!(error = %error, "the limit of open files is not known, taking 1024");
                1024
            }
        }
    }

    /// Returns how many connections there are.
    pub fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }

    /// Returns how many there can be.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Takes one; `None` when all are taken.
    pub(crate) fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        self.in_use
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| (used < self.max).then_some(used + 1))
            .ok()
            .map(|_| Permit(self.clone()))
    }
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<ConnectionLimit>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_use.fetch_sub(1, Ordering::Relaxed);
    }
}

fn open_file_limits() -> io::Result<libc::rlimit> {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    #[expect(unsafe_code, reason = "getrlimit has no safe form; the struct outlives the call")]
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limits) };
    if result == 0 { Ok(limits) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_out_no_more_than_it_has() {
        let limit = ConnectionLimit::new(2);
        let (one, two) = (limit.try_acquire(), limit.try_acquire());
        assert!(one.is_some() && two.is_some() && limit.try_acquire().is_none());
        drop(one);
        assert_eq!(limit.in_use(), 1);
        assert!(limit.try_acquire().is_some());
    }

    #[test]
    fn raises_the_soft_limit_to_the_hard_one() {
        let raised = ConnectionLimit::raise_open_file_limit();
        let limits = open_file_limits().unwrap();
        assert_eq!((raised, limits.rlim_cur), (limits.rlim_max, limits.rlim_max));
    }
}
