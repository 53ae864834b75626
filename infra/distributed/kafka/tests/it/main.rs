//! The adapter against a real broker. `KAFKA_BROKERS` names it: run `cargo xtask test`, or
//! `eval "$(cargo xtask services env)"` after `cargo xtask services up`.

#![expect(clippy::unwrap_used, reason = "what fails in a test is a panic")]

mod auto_creation;
mod certificates;
mod dead_letters;
mod doctor;
mod groups;
mod identity;
mod late;
mod outage;
mod partitioner;
mod planted;
mod producer;
mod reading;
mod rebalance;
mod retention;
mod secure;
mod support;
mod tails;
mod topics;
