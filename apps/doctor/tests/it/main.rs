//! Examinations of what answers, what hangs and what breaks down.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod consumers;
mod probes;
mod services;
