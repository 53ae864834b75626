//! Tests of the embedded backend: the promises of the ports, and what is its own.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod backup;
mod conformance;
mod filling;
mod folder;
mod full_disk;
mod retention;
mod search_file;
