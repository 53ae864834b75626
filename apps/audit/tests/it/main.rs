//! Audits of small installations: whole ones, busy ones, and ones that are damaged in every way that an audit has
//! to see; on the embedded backend, and in memory where it takes several partitions.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod archive_damage;
mod catalog_damage;
mod dead_letters;
mod installation;
mod log_damage;
mod partitions;
mod recent;
mod repair;
mod since;
#[path = "../support/mod.rs"]
mod support;
mod whole;
