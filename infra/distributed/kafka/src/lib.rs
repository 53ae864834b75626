//! The event log on Kafka (Apache Kafka, Redpanda): one topic, keyed by product id, written in transactions.
//!
//! [`KafkaEventLog`] is the port; [`TransactionalProducer`] is what the relay publishes with; [`ensure_topics`] makes
//! the topics. librdkafka's calls block, so none of them runs on an async thread: what lives long has a thread of its
//! own (a producer, a tail, a group's member, a watch over the topic's identity), what asks once takes a thread that
//! may block.

mod config;
mod consumer;
mod context;
mod dead_letter;
pub mod doctor;
mod error;
mod identity;
mod lifelines;
mod log;
mod native;
mod polling;
mod pool;
mod producer;
mod records;
mod security;
mod shared;
mod tail;
mod topics;

pub use config::KafkaConfig;
pub use error::{ConnectError, SendError};
pub use log::KafkaEventLog;
pub use producer::{Outgoing, TransactionalProducer};
pub use security::{ConfigError, Mechanism, Protocol, Security, SecuritySettings};
pub use topics::{TopicReport, ensure_topics, inspect_topics};

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}
