//! How many events per second a transactional producer alone gets into a topic: prints JSON for `cargo xtask bench`.
//!
//! No outbox to read, no position to keep: the payload is the same bytes each time, only keys differ. `KAFKA_BROKERS`,
//! `KAFKA_TOPIC`, `EVENTS`, `PER_TRANSACTION` and `PAYLOAD` say what to do; the topic has to be there. `VARY` has ids in the
//! payload, with commas between, that are others in each event, so that it compresses as events do.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Message as _};
use uuid::Uuid;

/// Longest that a call may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Returns an id that looks like chance, and is the same for the same event.
fn random_id(number: u64, id: &str) -> String {
    let mut hasher = DefaultHasher::new();
    let mut next = || {
        (number, id).hash(&mut hasher);
        hasher.finish()
    };
    Uuid::from_u64_pair(next(), next()).to_string()
}

/// Counts what the broker has.
#[derive(Clone, Default)]
struct Delivered(Arc<AtomicU64>);

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => drop(self.0.fetch_add(1, Ordering::Relaxed)),
            Err((error, message)) => panic!("an event of partition {} failed: {error}", message.partition()),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let (topic, payload) = (text("KAFKA_TOPIC")?, text("PAYLOAD")?);
    let (events, per_transaction): (u64, u64) = (text("EVENTS")?.parse()?, text("PER_TRANSACTION")?.parse()?);
    let vary = text("VARY").unwrap_or_default();
    let vary: Vec<&str> = vary.split(',').filter(|id| !id.is_empty()).collect();
    let payload = |number| {
        let own = |text: String, id: &&str| text.replace(id, &random_id(number, id));
        vary.iter().fold(payload.clone(), own)
    };
    let delivered = Delivered::default();
    let producer: BaseProducer<Delivered> = ClientConfig::new()
        .set("bootstrap.servers", text("KAFKA_BROKERS")?)
        .set("transactional.id", format!("transaction-rate-{}", std::process::id()))
        // As the relay has them: the bytes and their way are to be the same.
        .set("partitioner", "murmur2_random")
        .set("compression.type", "lz4")
        .set("linger.ms", "0.5")
        .set("batch.size", "1000000")
        .set("queue.buffering.max.messages", "100000")
        .set("queue.buffering.max.kbytes", "65536")
        .create_with_context(delivered.clone())?;
    producer.init_transactions(LIMIT)?;
    wait_for_topic(&producer, &topic)?;
    // The first transaction finds brokers and leaders.
    transaction(&producer, &delivered, &topic, payload, 0..1)?;
    let began = Instant::now();
    let mut next = 1;
    while next < events {
        let end = events.min(next + per_transaction);
        transaction(&producer, &delivered, &topic, payload, next..end)?;
        next = end;
    }
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = (events - 1) as f64 / seconds;
    println!("{}", serde_json::json!({ "eventsPerSecond": rate, "events": events, "seconds": seconds }));
    Ok(())
}

/// A topic that was just made is not known to every broker at once.
fn wait_for_topic(producer: &BaseProducer<Delivered>, topic: &str) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    loop {
        let metadata = producer.client().fetch_metadata(Some(topic), LIMIT)?;
        let is_there = |topic: &rdkafka::metadata::MetadataTopic| {
            topic.error().is_none() && !topic.partitions().is_empty()
        };
        if metadata.topics().iter().any(is_there) {
            return Ok(());
        }
        if began.elapsed() > LIMIT {
            return Err(format!("topic {topic} is not there after {LIMIT:?}").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn transaction(
    producer: &BaseProducer<Delivered>,
    delivered: &Delivered,
    topic: &str,
    payload: impl Fn(u64) -> String,
    events: std::ops::Range<u64>,
) -> Result<(), KafkaError> {
    producer.begin_transaction()?;
    let end = events.end;
    for number in events {
        let key = format!("01998f2e-7c1a-7000-8000-{number:012x}");
        let payload = payload(number);
        let mut record = BaseRecord::to(topic).key(&key).payload(&payload);
        while let Err((error, back)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error);
            }
            record = back;
            producer.poll(Duration::from_millis(1));
        }
    }
    // Or the commit would wait for its own flush: deliveries are counted first.
    while delivered.0.load(Ordering::Relaxed) < end {
        producer.poll(Duration::from_micros(500));
    }
    producer.commit_transaction(LIMIT)
}
