//! Bad days: every server and every service fails in every way that we know of, on real servers and under load, and
//! afterwards nothing is lost, nothing is there twice, and `souk audit` finds no difference.
//!
//! Each test starts an installation of its own: api, notifications and analytics as processes, with a database,
//! topics, tables and a bucket that nobody else uses. Writers with a ledger write through the public API all the
//! while, and a reader follows the stream, coming back with its `Last-Event-ID` whenever it breaks. The servers behind
//! are started here too: one set for all tests that harm no server, and one for the others, which take turns.
//!
//! - `crashes`: `kill -9` at every durable step, and at any moment.
//! - `servers_fail`: Postgres, Kafka, DynamoDB, MinIO killed and started again, stopped and woken.
//! - `restored`: an older copy of Postgres' files is put back, a standby is promoted.
//! - `relays`: two apis, of which one sleeps while the other takes over; transactions that take long, or commit out
//!   of order.
//! - `many`: two of each service, started and stopped under load.
//! - `log_damage`: a poison record, a topic made anew, offsets past retention.
//! - `lost_replies`: what a fault proxy does between us and the servers.
//! - `planted`: bugs that these checks have to find.
//!
//! `SOUK_BAD_DAYS_KILLS` is how many random kills there are; without it there are as many as make fifty with those
//! at the crash points.

mod book;
mod crashes;
mod day;
mod installation;
mod load;
mod log_damage;
mod lost_replies;
mod many;
mod planted;
mod reader;
mod relays;
mod restored;
mod servers;
mod servers_fail;
mod service;
mod sql;

#[allow(dead_code, unused_imports, reason = "shared with `tests/it`, which uses the rest")]
#[path = "../it/support/mod.rs"]
mod support;
