//! Whole flows of analytics on the embedded adapters.

#![expect(clippy::unwrap_used, reason = "what fails in a test is a failed test")]

mod archive;
mod bed;
mod counting;
mod faults;
mod lost;
mod partitions;
mod planted;
mod queries;
mod trouble;
