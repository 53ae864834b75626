//! A shop moves between real folders: whole, wherever it is broken off, and not where it must not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is a failed one")]

mod bed;
mod interruptions;
mod marks;
mod moves;
mod planted;
mod refusals;
