//! Tests of the distributed engines on real servers: the relay, and all of them together under the suite that the
//! embedded backend passes.
//!
//! They need the servers that `cargo xtask services` runs: `cargo xtask test` starts and stops them by itself.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod admission;
mod bed;
mod conformance;
mod memory_sink;
mod names;
mod on_kafka;
mod ordering;
mod planted;
mod recovery;
mod restore;
mod rotation;
mod versions;

#[path = "../../postgres/tests/it/other_versions.rs"]
mod other_versions;
