//! Whole flows through the api on the embedded catalog, with a clock that tests move and ids that repeat.

#![expect(clippy::unwrap_used, reason = "a failure in a test's helper fails the test")]

mod conditions;
mod contract;
mod failures;
mod hostile;
mod idempotency;
mod lists;
mod orders;
mod products;
mod races;
mod stock;
mod support;
