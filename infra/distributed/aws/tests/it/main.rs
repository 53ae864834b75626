//! The event store and the archive against real servers: DynamoDB Local and MinIO.

#![expect(clippy::unwrap_used, reason = "what fails in a test is a failed test")]

mod archive;
mod conformance;
mod doctor;
mod faults;
mod planted;
mod recent;
mod support;
mod tables;
