//! The event log on a Kafka topic.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::Message;
use souk_events::LogId;
use souk_ports::{
    DeadLetter, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds, PortError, ReadLimit,
    StoreHealth, Tail,
};

use crate::blocking;
use crate::config::{CALL_TIMEOUT, KafkaConfig};
use crate::consumer::{Committed, KafkaConsumer};
use crate::dead_letter::{self, DeadLetters};
use crate::error::{ConnectError, port_error};
use crate::polling::ends;
use crate::records::{offset, raw_offset, raw_partition, records};
use crate::shared::Shared;
use crate::tail::KafkaTail;

/// The event log on a Kafka topic; what transactions did not commit is not in it.
///
/// `next` of its bounds is what a reader can reach: with a transaction open, what comes after its first record waits.
/// Markers of transactions take offsets, so that the last one before `next` may hold no record.
pub struct KafkaEventLog {
    shared: Arc<Shared>,
    dead_letters: Arc<DeadLetters>,
}

impl KafkaEventLog {
    /// Connects; one attempt.
    ///
    /// # Errors
    /// `Unreachable` when brokers do not answer or the topic is not there yet, `Refused` when they refuse.
    pub async fn connect(config: KafkaConfig) -> Result<Self, ConnectError> {
        let shared = blocking(move || Shared::connect(config)).await?;
        Ok(Self { shared, dead_letters: DeadLetters::new() })
    }

    /// Says how the log is doing, by what was seen within the last seconds; asks nobody.
    pub fn health(&self) -> StoreHealth {
        self.shared.health()
    }

    /// Returns why this log is none any more, when its topic was deleted: nothing read from now on belongs to it.
    pub fn lost(&self) -> Option<String> {
        self.shared.check().err().map(|error| error.message().to_owned())
    }

    /// Waits until members that were dropped have left their groups, so that others take over at once; at most
    /// `patience`.
    pub async fn close(&self, patience: Duration) {
        let shared = self.shared.clone();
        blocking(move || shared.await_members(patience)).await;
    }

    async fn positions(&self, group: &str) -> Result<Vec<Committed>, PortError> {
        let group = group.to_owned();
        self.ask(move |shared| {
            shared.committed(&group).map_err(|error| {
                let what = format!("cannot ask for the positions of group {group}");
                port_error(&what, error, client_reason(shared))
            })
        })
        .await
    }

    /// Asks on a thread that may block, unless the topic is another one by now.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Arc<Shared>) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        self.shared.check()?;
        let shared = self.shared.clone();
        blocking(move || question(&shared)).await
    }
}

#[async_trait]
impl EventLog for KafkaEventLog {
    fn identity(&self) -> LogId {
        self.shared.identity.log()
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        self.ask(|shared| {
            let (client, topic) = (shared.client(), &shared.config.topic);
            let what = format!("cannot ask for the ends of topic {topic}");
            let ends = ends(client, topic, 0..shared.partitions(), CALL_TIMEOUT)
                .map_err(|error| port_error(&what, error, client_reason(shared)))?;
            Ok(ends
                .into_iter()
                .map(|(_, (earliest, next))| PartitionBounds {
                    earliest: offset(earliest.min(next)),
                    next: offset(next),
                    last_appended_at: None,
                })
                .collect())
        })
        .await
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        let _turn = self.shared.pool.turn().await;
        self.ask(move |shared| shared.pool.read(raw_partition(partition), raw_offset(from), limit, records))
            .await
    }

    async fn tail(&self, from: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        let from = from.to_vec();
        let tail = self.ask(move |shared| KafkaTail::start(shared, &from)).await?;
        Ok(Box::new(tail))
    }

    async fn consumer(&self, group: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        let group = group.to_owned();
        let consumer = self.ask(move |shared| KafkaConsumer::join(shared, &group)).await?;
        Ok(Box::new(consumer))
    }

    async fn committed(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        let committed = self.positions(group).await?;
        Ok(committed.iter().map(|committed| committed.next.map_or(0, offset)).collect())
    }

    async fn looked(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        let (log, committed) = (self.identity(), self.positions(group).await?);
        Ok(committed.iter().map(|committed| offset(committed.looked(log))).collect())
    }

    async fn dead_letter(&self, record: &LogRecord, reason: &str) -> Result<(), PortError> {
        let (record, reason, letters) = (record.clone(), reason.to_owned(), self.dead_letters.clone());
        let _turn = self.shared.pool.turn().await;
        self.ask(move |shared| {
            // A record of ours does not carry its key, which no reader needs but whoever mends it.
            let one = ReadLimit { records: 1, bytes: 1 };
            let (partition, offset) = (raw_partition(record.partition), raw_offset(record.offset));
            let key = shared.pool.read(partition, offset, one, |found| {
                found
                    .first()
                    .filter(|found| found.offset() == offset)
                    .and_then(|found| found.key().map(<[u8]>::to_vec))
            });
            letters.write(&shared.config, &record, key.ok().flatten().as_deref(), &reason)
        })
        .await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let _turn = self.shared.pool.turn().await;
        self.ask(move |shared| dead_letter::read(&shared.config, limit)).await
    }

    async fn members(&self, group: &str) -> Result<Option<usize>, PortError> {
        let group = group.to_owned();
        self.ask(move |shared| {
            use rdkafka::consumer::Consumer;
            let what = format!("cannot ask for the members of group {group}");
            let found = shared
                .client()
                .fetch_group_list(Some(&group), CALL_TIMEOUT)
                .map_err(|error| port_error(&what, error, client_reason(shared)))?;
            let members = found.groups().iter().find(|found| found.name() == group);
            Ok(Some(members.map_or(0, |found| found.members().len())))
        })
        .await
    }
}

fn client_reason(shared: &Shared) -> Option<String> {
    use rdkafka::consumer::Consumer;
    shared.client().context().trouble.reason()
}
