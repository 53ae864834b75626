//! A topic of its own for each test, and what tests do to it.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use souk_kafka::{KafkaConfig, KafkaEventLog, Outgoing, TransactionalProducer, ensure_topics};
use souk_ports::{Delivery, EventLog, GroupConsumer, LogRecord, Offset, Partition, ReadLimit};
use uuid::Uuid;

/// How long anything may take before it counts as never.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A topic that no other test uses, removed at the end.
pub struct Topic {
    pub config: KafkaConfig,
}

impl Topic {
    pub async fn new(partitions: i32) -> Self {
        let mut config = unmade();
        config.partitions = partitions;
        ensure_topics(&config).await.unwrap();
        Self { config }
    }

    pub async fn log(&self) -> KafkaEventLog {
        KafkaEventLog::connect(self.config.clone()).await.unwrap()
    }

    /// A producer whose transactional id is the topic's name.
    pub async fn producer(&self) -> TransactionalProducer {
        TransactionalProducer::start(&self.config, &self.config.topic).await.unwrap()
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        let config = self.config.clone();
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let all = [config.topic.clone(), config.dead_letter_topic(), config.progress_topic()];
            let names: Vec<&str> = all.iter().map(String::as_str).collect();
            drop(runtime.block_on(admin(&config).delete_topics(&names, &AdminOptions::new())));
        });
        drop(removing.join());
    }
}

/// Settings for a topic that is not there.
pub fn unmade() -> KafkaConfig {
    let brokers = std::env::var("KAFKA_BROKERS").expect(
        "KAFKA_BROKERS is not set: run `cargo xtask test`, or `eval \"$(cargo xtask services env)\"` after \
         `cargo xtask services up`",
    );
    let mut config = KafkaConfig::new(brokers, "souk-kafka-test");
    config.topic = format!("souk-test-{}", Uuid::now_v7());
    config
}

pub fn admin(config: &KafkaConfig) -> AdminClient<DefaultClientContext> {
    rdkafka::ClientConfig::new().set("bootstrap.servers", &config.brokers).create().unwrap()
}

/// A product's id by number.
pub fn id(n: u32) -> Uuid {
    Uuid::from_u64_pair(0x0199_0000_0000_7000, (0x8000 << 48) | u64::from(n))
}

/// Events that say their number.
pub fn events(numbers: std::ops::Range<u32>) -> Vec<Outgoing> {
    numbers.map(|n| Outgoing { key: id(n % 97), payload: Bytes::from(n.to_string()) }).collect()
}

/// Publishes numbered events, `size` in each transaction.
pub async fn publish(producer: &mut TransactionalProducer, numbers: std::ops::Range<u32>, size: usize) {
    let all = events(numbers);
    for batch in all.chunks(size) {
        producer.publish(batch.to_vec(), Bytes::from_static(b"somewhere")).await.unwrap();
    }
}

/// Returns the number that an event says.
pub fn number(record: &LogRecord) -> u32 {
    std::str::from_utf8(&record.payload).unwrap().parse().unwrap()
}

/// Reads all that the log holds.
pub async fn everything(log: &dyn EventLog) -> Vec<LogRecord> {
    let mut all = Vec::new();
    for (partition, bounds) in (0..).zip(log.bounds().await.unwrap()) {
        let mut from = bounds.earliest;
        loop {
            let batch = log.read(partition, from, ReadLimit::default()).await.unwrap();
            let Some(last) = batch.last() else { break };
            from = last.offset + 1;
            all.extend(batch);
        }
    }
    all
}

pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(done) => done,
        Err(_) => panic!("waited {DEADLINE:?} in vain for {what}"),
    }
}

/// Looks until `look` gives something.
pub async fn eventually<T, L: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> L) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(what, looking).await
}

/// Waits for the next assignment, which comes before anything else.
pub async fn assigned(consumer: &mut dyn GroupConsumer) -> BTreeMap<Partition, Offset> {
    let waiting = async {
        loop {
            match consumer.next(Duration::from_secs(1)).await.unwrap() {
                Delivery::Assigned(partitions) => return partitions.into_iter().collect(),
                Delivery::Idle => {}
                other => panic!("expected an assignment, got {other:?}"),
            }
        }
    };
    within("the assignment", waiting).await
}

/// Takes records until there are `count`.
pub async fn take(consumer: &mut dyn GroupConsumer, count: usize) -> Vec<LogRecord> {
    let mut taken = Vec::new();
    let taking = async {
        while taken.len() < count {
            if let Delivery::Records(records) = consumer.next(Duration::from_secs(1)).await.unwrap() {
                taken.extend(records);
            }
        }
    };
    within("records", taking).await;
    taken
}

/// Commits each partition after its last record.
pub async fn commit(consumer: &mut dyn GroupConsumer, records: &[LogRecord]) {
    let next: BTreeMap<_, _> = records.iter().map(|record| (record.partition, record.offset + 1)).collect();
    for (partition, next) in next {
        consumer.commit(partition, next).await.unwrap();
    }
}

/// Waits for the error that ends a member.
pub async fn failure(consumer: &mut dyn GroupConsumer) -> souk_ports::PortError {
    let waiting = async {
        loop {
            if let Err(error) = consumer.next(Duration::from_secs(1)).await {
                return error;
            }
        }
    };
    within("the member's end", waiting).await
}
