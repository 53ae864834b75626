//! Sets aside what cannot be read: the record as it was, with the reason and where it was in headers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::{Message as _, Offset};
use souk_events::headers as names;
use souk_ports::{DeadLetter, ErrorKind, LogRecord, PortError};

use crate::config::{CALL_TIMEOUT, KafkaConfig};
use crate::context::Context;
use crate::error::{port_error, sentence};
use crate::polling::list;
use crate::producer::Deliveries;

/// A reason can quote the record; a header is for people.
const MAX_REASON_BYTES: usize = 1024;

/// Writes to the dead-letter topic; makes its client when the first record comes, which is seldom.
pub(crate) struct DeadLetters {
    producer: Mutex<Option<(BaseProducer<Deliveries>, Deliveries)>>,
}

impl DeadLetters {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { producer: Mutex::new(None) })
    }

    /// Writes a record, and returns when the brokers have it. Blocks.
    pub fn write(
        &self,
        config: &KafkaConfig,
        record: &LogRecord,
        key: Option<&[u8]>,
        reason: &str,
    ) -> Result<(), PortError> {
        let topic = config.dead_letter_topic();
        let mut slot = self.producer.lock();
        let (producer, deliveries) = match slot.take() {
            Some(made) => made,
            None => make(config).map_err(|error| translate(&topic, &error, None))?,
        };
        match send(&producer, &deliveries, config, &topic, record, key, reason) {
            Ok(()) => {
                *slot = Some((producer, deliveries));
                Ok(())
            }
            // The next one gets a new producer: what this one still holds must not come later as a surprise.
            Err(error) => Err(translate(&topic, &error, deliveries.trouble.reason())),
        }
    }
}

fn translate(topic: &str, error: &KafkaError, reason: Option<String>) -> PortError {
    PortError::new(ErrorKind::Unavailable, sentence(&format!("cannot write to topic {topic}"), error, reason))
}

fn make(config: &KafkaConfig) -> Result<(BaseProducer<Deliveries>, Deliveries), KafkaError> {
    let deliveries = Deliveries::default();
    let mut settings = config.client();
    settings
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .set("message.timeout.ms", CALL_TIMEOUT.as_millis().to_string());
    Ok((settings.create_with_context(deliveries.clone())?, deliveries))
}

fn send(
    producer: &BaseProducer<Deliveries>,
    deliveries: &Deliveries,
    config: &KafkaConfig,
    topic: &str,
    record: &LogRecord,
    key: Option<&[u8]>,
    reason: &str,
) -> Result<(), KafkaError> {
    let (partition, offset) = (record.partition.to_string(), record.offset.to_string());
    let reason = &reason.as_bytes()[..reason.floor_char_boundary(MAX_REASON_BYTES)];
    let headers = [
        (names::REASON, reason),
        (names::TOPIC, config.topic.as_bytes()),
        (names::PARTITION, partition.as_bytes()),
        (names::OFFSET, offset.as_bytes()),
    ]
    .into_iter()
    .fold(OwnedHeaders::new_with_capacity(4), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    });
    let before = deliveries.reported();
    let letter = BaseRecord::<[u8], [u8]>::to(topic).payload(&record.payload[..]).headers(headers);
    let letter = match key {
        Some(key) => letter.key(key),
        None => letter,
    };
    producer.send(letter).map_err(|(error, _)| error)?;
    let deadline = Instant::now() + CALL_TIMEOUT + Duration::from_secs(1);
    while deliveries.reported() == before {
        if Instant::now() >= deadline {
            return Err(KafkaError::MessageProduction(Code::MessageTimedOut));
        }
        rdkafka::producer::BaseProducer::poll(producer, Duration::from_millis(2));
    }
    deliveries.take_failure().map_or(Ok(()), Err)
}

/// Reads at most `limit` letters of this log. Blocks.
pub(crate) fn read(config: &KafkaConfig, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
    let topic = config.dead_letter_topic();
    let context = Context::default();
    let what = format!("cannot read topic {topic}");
    let fail = |error: KafkaError| port_error(&what, error, context.trouble.reason());
    let mut settings = config.reader(&config.reader_group());
    settings.set("enable.partition.eof", "true");
    let reader: BaseConsumer<Context> = settings.create_with_context(context.clone()).map_err(fail)?;
    let metadata = reader.fetch_metadata(Some(&topic), CALL_TIMEOUT).map_err(fail)?;
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .filter(|found| found.name() == topic)
        .flat_map(|found| found.partitions().iter().map(|partition| partition.id()))
        .collect();
    let mut open = partitions.len();
    let assignment = list(&topic, partitions.into_iter().map(|partition| (partition, Offset::Beginning)));
    assignment.and_then(|assignment| reader.assign(&assignment)).map_err(fail)?;
    let deadline = Instant::now() + CALL_TIMEOUT;
    let mut letters = Vec::new();
    while open > 0 && letters.len() < limit {
        if Instant::now() >= deadline {
            return Err(fail(KafkaError::MessageConsumption(Code::OperationTimedOut)));
        }
        match reader.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => letters.extend(letter(config, &message)),
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(fail(error)),
        }
    }
    Ok(letters)
}

/// Reads the headers of a letter; `None` when it is another topic's.
fn letter(config: &KafkaConfig, message: &BorrowedMessage<'_>) -> Option<DeadLetter> {
    let headers = message.headers()?;
    let header = |name: &str| {
        let found = headers.iter().find(|header| header.key == name)?;
        std::str::from_utf8(found.value?).ok()
    };
    if header(names::TOPIC)? != config.topic {
        return None;
    }
    Some(DeadLetter {
        partition: header(names::PARTITION)?.parse().ok()?,
        offset: header(names::OFFSET)?.parse().ok()?,
        reason: header(names::REASON).unwrap_or_default().to_owned(),
    })
}
