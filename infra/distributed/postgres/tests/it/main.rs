//! Tests of the catalog on a real Postgres: the promises of the port, and what is its own.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod conformance;
mod connecting;
mod crashed;
mod database;
mod doctor;
mod interrupted;
mod lists;
mod other_versions;
mod outbox_log;
mod planted;
mod proxy;
mod tls;
mod together;
mod versions;

#[path = "../../../kafka/tests/it/certificates.rs"]
mod certificates;
