//! Audits of small installations: whole ones, busy ones, and ones that are damaged in every way that an audit has
//! to see.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod archive_damage;
mod catalog_damage;
mod installation;
mod log_damage;
mod whole;
