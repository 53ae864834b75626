//! A TCP proxy for tests: it stands in front of a real server and does to a connection what a bad network, an
//! overloaded server or a crash in the wrong moment would do.
//!
//! [`Proxy`] carries bytes for whatever protocol its type parameter names. Every one of them can be refused, cut,
//! delayed or made half-open, at any moment, by its [`Switches`]. Those that know the protocol can do more, to the
//! very request that is meant: [`Kafka`] loses the reply to one call, [`Postgres`] that to a COMMIT, [`Http`]
//! throttles DynamoDB, leaves items unprocessed, slows S3 down, and loses replies to what has been done.
//!
//! It runs on plain threads, so that a test needs no runtime and a busy one does not hold the proxy up; all its
//! connections end with it.

mod dice;
mod http;
mod kafka;
mod link;
mod postgres;
mod proxy;
mod raw;
mod rules;
mod switches;

pub use http::{Call, Http, HttpFault, Reply, What};
pub use kafka::{ApiKey, Kafka, KafkaFault};
pub use link::{Link, Side};
pub use postgres::{Postgres, PostgresFault};
pub use proxy::{Protocol, Proxy};
pub use raw::Raw;
pub use rules::{Armed, Rules, Times};
pub use switches::Switches;

#[cfg(test)]
mod testing;
