//! The servers that a shop comes to.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use souk_events::LogId;
use souk_kafka::{KafkaConfig, KafkaEventLog};
use souk_ports::{
    CatalogRow, ErrorKind, EventLog, Holds, Milestone, MoveTarget, MovedEvent, PortError, ReadLimit,
    StoredAnswer,
};
use souk_postgres::{PgMove, PostgresConfig};

use super::{Mark, identify, read_error, relay_at_work, send_error};
use crate::engines::KafkaSinks;
use crate::leaves::keep_hint;
use crate::position::Position;
use crate::sink::{Outgoing, SendError, Sink, Sinks};

/// Attempts at a transaction whose outcome was bad or unclear, before the move gives up for now.
const ATTEMPTS: u32 = 6;
/// The pause before the second; it doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// Postgres and Kafka that take a shop in; the relay's place is ours.
pub struct DistributedMoveTarget {
    postgres: PgMove,
    log: KafkaEventLog,
    sinks: KafkaSinks,
    sink: Option<Box<dyn Sink>>,
    transactional_id: String,
    topic: String,
}

impl DistributedMoveTarget {
    /// Connects, makes schema and topics where they are absent, and takes the relay's place.
    ///
    /// # Errors
    /// When a server cannot be reached or refuses; `Conflict` naming the relay that is at work there.
    pub async fn open(
        postgres: &PostgresConfig,
        kafka: KafkaConfig,
        transactional_id: &str,
    ) -> Result<Self, PortError> {
        let unavailable = |error: souk_postgres::ConnectError| {
            PortError::new(ErrorKind::Unavailable, error.to_string()).with_source(error)
        };
        let postgres = PgMove::open(postgres).await.map_err(unavailable)?;
        // Before anything is fenced: a relay at work is not to be disturbed.
        if let Some(relay) = relay_at_work(&postgres).await? {
            return Err(PortError::new(ErrorKind::Conflict, relay));
        }
        let topic = kafka.topic.clone();
        let sinks = KafkaSinks::new(kafka.clone(), transactional_id);
        let sink = sinks.start().await.map_err(send_error)?;
        let log = KafkaEventLog::connect(kafka).await?;
        let transactional_id = transactional_id.to_owned();
        Ok(Self { postgres, log, sinks, sink: Some(sink), transactional_id, topic })
    }

    /// Tells what the database holds, changing nothing; the topic is looked at when a move begins.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn look(postgres: &PostgresConfig) -> Result<Holds, PortError> {
        let postgres = PgMove::look(postgres)
            .await
            .map_err(|error| PortError::new(ErrorKind::Unavailable, error.to_string()).with_source(error))?;
        if let Some(stored) = postgres.stored().await? {
            let record = stored.milestone.record;
            return Ok(if stored.finished { Holds::Moved(record) } else { Holds::Beginning(record) });
        }
        Ok(postgres.contents().await?.map_or(Holds::Nothing, |what| in_the_database(&postgres, what)))
    }

    /// Returns what stands in the relay's place.
    async fn place(&mut self) -> Result<Option<Bytes>, SendError> {
        if self.sink.is_none() {
            self.sink = Some(self.sinks.start().await?);
        }
        self.sink.as_mut().expect("there is one now").position().await
    }

    /// Publishes `events` with `record` in the relay's place; an unclear outcome is settled by reading that place.
    async fn publish(&mut self, events: Vec<Outgoing>, record: Bytes) -> Result<(), PortError> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let outcome = match self.sink.as_mut() {
                Some(sink) => sink.publish(events.clone(), record.clone()).await,
                None => match self.place().await {
                    Ok(Some(found)) if found == record => return Ok(()),
                    Ok(_) => continue,
                    Err(error) => Err(error),
                },
            };
            let error = match outcome {
                Ok(()) => return Ok(()),
                Err(error @ (SendError::Fatal(_) | SendError::Fenced(_))) => return Err(send_error(error)),
                Err(error) => error,
            };
            if matches!(error, SendError::Unclear(_)) {
                self.sink = None;
            }
            if attempt == ATTEMPTS {
                return Err(send_error(error));
            }
            tracing::warn!("events could not be published and will be tried again: {error}");
            tokio::time::sleep(pause).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        }
    }
}

/// Tells whether the log has any record.
async fn has_records(log: &KafkaEventLog) -> Result<bool, PortError> {
    for (partition, bounds) in (0..).zip(log.bounds().await?) {
        let limit = ReadLimit { records: 1, bytes: 1 };
        if bounds.next > bounds.earliest && !log.read(partition, bounds.earliest, limit).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn in_the_database(postgres: &PgMove, what: &str) -> Holds {
    Holds::Shop(format!(
        "{} holds {what} already: name an empty database, or drop the schema souk there if that shop is not wanted",
        postgres.address()
    ))
}

#[async_trait]
impl MoveTarget for DistributedMoveTarget {
    fn log(&self) -> LogId {
        self.log.identity()
    }

    async fn unrest(&mut self) -> Result<Option<String>, PortError> {
        relay_at_work(&self.postgres).await
    }

    async fn holds(&mut self) -> Result<Holds, PortError> {
        let stored = self.postgres.stored().await?;
        if let Some(stored) = stored.as_ref().filter(|stored| stored.finished) {
            return Ok(Holds::Moved(stored.milestone.record.clone()));
        }
        let place = self.place().await.map_err(send_error)?;
        let mark = place.as_deref().and_then(Mark::from_record);
        Ok(match (stored, mark) {
            (Some(stored), mark) => {
                if place.is_none() && has_records(&self.log).await? {
                    return Ok(Holds::Shop(format!(
                        "topic {} holds events that the move into {} knows nothing of: KAFKA_TOPIC or \
                         KAFKA_TRANSACTIONAL_ID changed since it began; set them as they were",
                        self.topic,
                        self.postgres.address()
                    )));
                }
                let further = mark.filter(|mark| mark.number > stored.milestone.number);
                Holds::Beginning(further.unwrap_or(stored.milestone).record)
            }
            (None, Some(_)) => Holds::Shop(format!(
                "topic {} holds a part of a shop that was moving with another database than {}: name that one, or other \
                 topics",
                self.topic,
                self.postgres.address()
            )),
            (None, None) => match self.postgres.contents().await? {
                Some(what) => in_the_database(&self.postgres, what),
                None if place.is_some() || has_records(&self.log).await? => Holds::Shop(format!(
                    "topic {} holds the events of a shop already: set KAFKA_TOPIC to another name, or delete the topic \
                     and those that begin with its name",
                    self.topic
                )),
                None => Holds::Nothing,
            },
        })
    }

    async fn note(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.postgres.note(milestone, false).await
    }

    async fn put_events(&mut self, events: Vec<MovedEvent>, milestone: &Milestone) -> Result<(), PortError> {
        let outgoing = events
            .into_iter()
            .map(|event| Outgoing { key: event.product().0, payload: event.payload })
            .collect();
        self.publish(outgoing, Mark::to_record(milestone)).await
    }

    async fn clear_rows(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.postgres.clear(milestone).await
    }

    async fn put_rows(&mut self, rows: &[CatalogRow], milestone: &Milestone) -> Result<(), PortError> {
        self.postgres.put_rows(rows, milestone).await
    }

    async fn put_answers(
        &mut self,
        answers: &[StoredAnswer],
        milestone: &Milestone,
    ) -> Result<(), PortError> {
        self.postgres.put_answers(answers, milestone).await
    }

    /// Puts the relay's position after all that the database holds: all of it is in the topic.
    async fn settle(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        // No souk starts on a half-moved database, so that this is a matter of hands alone.
        if self.postgres.has_waiting_events().await? {
            let text = format!(
                "{} holds events that wait for the relay: somebody has written there while the shop was moving; begin anew with an empty database",
                self.postgres.address()
            );
            return Err(PortError::new(ErrorKind::Conflict, text));
        }
        let database = identify(&self.postgres).await?;
        let position = Position::at(database.identity, database.snapshot);
        self.publish(Vec::new(), position.to_record()).await?;
        keep_hint(self.postgres.client(), &self.transactional_id, &position).await.map_err(read_error)?;
        self.postgres.refresh().await?;
        self.postgres.note(milestone, false).await
    }

    async fn finish(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.postgres.note(milestone, true).await
    }

    async fn close(self: Box<Self>) {
        self.log.close(Duration::from_secs(3)).await;
    }
}
