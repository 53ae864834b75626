//! Whole runs against a small installation in memory that can be told to misbehave.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure that shows its place")]

mod fake;
mod runs;
