//! The steps against a real Postgres as the source and the embedded catalog as the target.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is a failed one")]

mod bed;
mod breaking_off;
mod comparing;
mod copying;
mod following;
mod joining;
mod keys;
mod planning;
mod planted;
mod reading;
mod sharing;
mod turning;
mod undecided;
mod writing_back;
