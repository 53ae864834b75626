//! The servers that a shop leaves.

use async_trait::async_trait;
use souk_kafka::{KafkaConfig, KafkaEventLog, TransactionalProducer};
use souk_ports::{ErrorKind, EventLog, MoveSource, PortError, StoredAnswer};
use souk_postgres::{PgMove, PostgresConfig};

use super::{identify, read_error, relay_at_work, send_error};
use crate::outbox::Outbox;
use crate::position::Position;

/// Rows of the outbox that are counted: beyond, there are many.
const MOST_COUNTED: u64 = 1_000_000;

/// Services that nobody runs as long as this is held: the relay's lock is ours, and so is its place with Kafka.
pub struct DistributedMoveSource {
    postgres: PgMove,
    log: KafkaEventLog,
    producer: TransactionalProducer,
    /// The consumer groups of analytics.
    groups: Vec<String>,
}

impl DistributedMoveSource {
    /// Connects and takes the relay's place. `groups` are those of the consumers that have to be gone.
    ///
    /// # Errors
    /// When a server cannot be reached or refuses; `Conflict` naming the relay that is at work there.
    pub async fn open(
        postgres: &PostgresConfig,
        kafka: KafkaConfig,
        transactional_id: &str,
        groups: Vec<String>,
    ) -> Result<Self, PortError> {
        let postgres = PgMove::look(postgres)
            .await
            .map_err(|error| PortError::new(ErrorKind::Unavailable, error.to_string()).with_source(error))?;
        if postgres.stored().await?.is_some_and(|stored| !stored.finished) {
            let text = format!(
                "{} holds only a part of a shop that was moving there: run `souk move --to distributed` until it is done",
                postgres.address()
            );
            return Err(PortError::new(ErrorKind::Conflict, text));
        }
        // Before anything is fenced: a relay at work is not to be disturbed.
        if let Some(relay) = relay_at_work(&postgres).await? {
            return Err(PortError::new(ErrorKind::Conflict, relay));
        }
        let log = KafkaEventLog::connect(kafka.clone()).await?;
        let producer = TransactionalProducer::start(&kafka, transactional_id).await.map_err(send_error)?;
        Ok(Self { postgres, log, producer, groups })
    }

    /// Returns how many events are in the outbox alone.
    async fn waiting(&self) -> Result<u64, PortError> {
        let database = identify(&self.postgres).await?;
        let position = match self.producer.position().await.map_err(send_error)? {
            Some(record) => Position::from_record(&record).map_err(|error| {
                PortError::new(
                    ErrorKind::InvalidData,
                    format!("the relay's position cannot be read: {error}"),
                )
            })?,
            None => Position::start(database.identity),
        };
        if position.database != database.identity {
            let text = format!(
                "the relay's position in Kafka is of another database ({}, this is {}): start `souk api` there, which \
                 says how to go on",
                position.database, database.identity
            );
            return Err(PortError::new(ErrorKind::Conflict, text));
        }
        let outbox = Outbox::open(self.postgres.client(), position).await.map_err(read_error)?;
        Ok(outbox.count(self.postgres.client(), MOST_COUNTED).await.map_err(read_error)?.0)
    }
}

#[async_trait]
impl MoveSource for DistributedMoveSource {
    async fn unrest(&self) -> Result<Option<String>, PortError> {
        for group in &self.groups {
            let members = self.log.members(group).await?.unwrap_or(0);
            if members > 0 {
                return Ok(Some(format!(
                    "consumer group {group} has {members} members: stop `souk analytics` and `souk up` there first; one \
                     that was killed is forgotten within a minute"
                )));
            }
        }
        let waiting = self.waiting().await?;
        if waiting > 0 {
            return Ok(Some(format!(
                "{waiting} events wait in {} for the relay: start `souk api` there until its /health says that none \
                 waits, then stop it",
                self.postgres.address()
            )));
        }
        Ok(None)
    }

    async fn answers(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredAnswer>, PortError> {
        self.postgres.answers(after, limit).await
    }
}
