//! The relay's two ends as they are: Postgres and Kafka.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use souk_kafka::{ConnectError, KafkaConfig, KafkaEventLog, TransactionalProducer, ensure_topics};
use souk_ports::{Clock, EventLog, PortError};
use souk_postgres::Postgres;
use tokio::sync::Notify;
use tokio_postgres::Client;

use crate::relay::{Relay, RelayConfig};
use crate::session::Sessions;
use crate::sink::{Outgoing, SendError, Sink, Sinks};

impl Relay {
    /// Makes the relay from `postgres` to Kafka; topics that are absent are created before it publishes.
    pub fn new(config: RelayConfig, postgres: &Postgres, kafka: KafkaConfig, clock: Arc<dyn Clock>) -> Self {
        let sinks = KafkaSinks::new(kafka, config.transactional_id.clone());
        Self::over(config, Arc::new(postgres.clone()), Arc::new(sinks), clock)
    }
}

#[async_trait]
impl Sessions for Postgres {
    async fn open(&self) -> Result<Client, String> {
        self.connection().await.map_err(|error| error.to_string())
    }

    fn nudge(&self) -> Arc<Notify> {
        Self::nudge(self)
    }
}

/// Transactional producers of one id.
pub struct KafkaSinks {
    config: KafkaConfig,
    transactional_id: String,
    /// Whether the topics were seen to be there by this process.
    topics: AtomicBool,
}

impl KafkaSinks {
    /// Makes producers with `transactional_id`.
    pub fn new(config: KafkaConfig, transactional_id: impl Into<String>) -> Self {
        Self { config, transactional_id: transactional_id.into(), topics: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Sinks for KafkaSinks {
    async fn start(&self) -> Result<Box<dyn Sink>, SendError> {
        if !self.topics.load(Ordering::Relaxed) {
            for report in ensure_topics(&self.config).await.map_err(refusal)? {
                for warning in report.problems.iter().chain(&report.warnings) {
                    tracing::warn!(topic = report.topic, "{warning}");
                }
            }
            self.topics.store(true, Ordering::Relaxed);
        }
        let started = TransactionalProducer::start(&self.config, &self.transactional_id).await;
        if started.is_err() {
            // Perhaps because they are gone.
            self.topics.store(false, Ordering::Relaxed);
        }
        Ok(Box::new(started?))
    }

    async fn log(&self) -> Result<Arc<dyn EventLog>, PortError> {
        Ok(Arc::new(KafkaEventLog::connect(self.config.clone()).await?))
    }

    fn place(&self) -> String {
        format!("topic {} at {}", self.config.topic, self.config.brokers)
    }
}

fn refusal(error: ConnectError) -> SendError {
    match error {
        ConnectError::Unreachable(text) => SendError::Retry(text),
        ConnectError::Refused(text) => SendError::Fatal(text),
    }
}

#[async_trait]
impl Sink for TransactionalProducer {
    async fn position(&mut self) -> Result<Option<Bytes>, SendError> {
        Self::position(self).await
    }

    async fn publish(&mut self, batch: Vec<Outgoing>, position: Bytes) -> Result<(), SendError> {
        Self::publish(self, batch, position).await
    }
}
