//! The producer's thread: one transaction at a time, and what each error says about it.
//!
//! Until the commit is asked for, a failure is resolved by aborting: nothing happened. From then on only an answer
//! resolves it; without one, the next producer's start completes or aborts the transaction, and its position tells.
//!
//! What a producer sent may reach its broker long after the producer has given it up: from the socket of one that stood
//! still. A partition takes it for a part of the next transaction as long as it knows no newer producer of this id, and
//! the coordinator, which does, is asked by newer brokers alone (KIP-890), whose clients would have to do their part.
//! So each producer begins by showing itself to every partition, in a transaction that is aborted: what came too late
//! by then is aborted with it, and what comes later is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use souk_events::LogId;
use souk_ports::fault;

use super::deliveries::Deliveries;
use super::headers::headers;
use super::{LARGEST_BATCH, LOG_HEADER, Outgoing, position};
use crate::config::{CALL_TIMEOUT, KafkaConfig};
use crate::error::{SendError, is_refusal, sentence};
use crate::identity::Identity;

/// An open transaction holds readers up; its producer may be gone for as long.
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);
/// A record that no broker takes for so long fails its transaction; less than the transaction's own time.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// librdkafka gives up by itself before this.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(12);
/// A commit that takes as long may have been asked for again: half of the time in which an answer has to come.
const ASKED_AGAIN: Duration = CALL_TIMEOUT.checked_div(2).expect("by two");
/// Pause between two looks at the delivery reports: short beside a broker's answer, long beside a look.
const LOOK_PAUSE: Duration = Duration::from_micros(100);
/// How often the topic's identity is looked at: one call's time per second.
const IDENTITY_EVERY: Duration = Duration::from_secs(1);

/// The state of the producer's thread.
pub(super) struct Worker {
    config: Arc<KafkaConfig>,
    transactional_id: String,
    progress_topic: String,
    producer: BaseProducer<Deliveries>,
    deliveries: Deliveries,
    identity: Identity,
    log_text: String,
    identity_seen: Instant,
    /// Records handed to librdkafka so far.
    sent: u64,
    /// A commit may be on its way once more.
    spent: bool,
}

impl Worker {
    pub fn start(config: Arc<KafkaConfig>, transactional_id: String) -> Result<Self, SendError> {
        let deliveries = Deliveries::default();
        let producer: BaseProducer<Deliveries> = settings(&config, &transactional_id)
            .create_with_context(deliveries.clone())
            .map_err(|error| SendError::Fatal(sentence("cannot make a producer", &error, None)))?;
        let what = format!("cannot start transactions as {transactional_id}");
        let classify = |producer: &BaseProducer<Deliveries>, error: &KafkaError| {
            // Why it cannot connect waits in the client's queue.
            producer.poll(Duration::from_millis(10));
            let trouble = &producer.context().trouble;
            let refused = error.rdkafka_error_code().is_some_and(is_refusal) || trouble.is_refusal();
            let text = sentence(&what, error, trouble.reason());
            if refused { SendError::Fatal(text) } else { SendError::Retry(text) }
        };
        let fail = |error: KafkaError| classify(&producer, &error);
        producer.init_transactions(CALL_TIMEOUT).map_err(fail)?;
        let identity = Identity::find(producer.client(), &config.topic, CALL_TIMEOUT).map_err(fail)?;
        let partitions = identity.partitions(producer.client(), CALL_TIMEOUT).map_err(fail)?;
        let partitions = partitions.ok_or_else(|| SendError::Fatal(identity.recreated()))?;
        let mut worker = Self {
            progress_topic: config.progress_topic(),
            config,
            transactional_id,
            producer,
            deliveries,
            log_text: identity.log().to_string(),
            identity,
            identity_seen: Instant::now(),
            sent: 0,
            spent: false,
        };
        if !fault::planted("late-requests-are-let-in") {
            let shut_out = worker.shut_out_predecessors(partitions);
            shut_out.map_err(|error| classify(&worker.producer, &error))?;
        }
        Ok(worker)
    }

    /// Makes every partition refuse what earlier producers of this id have sent and brokers have not yet seen.
    fn shut_out_predecessors(&mut self, partitions: usize) -> Result<(), KafkaError> {
        self.producer.begin_transaction()?;
        let shown = (0..i32::try_from(partitions).unwrap_or(i32::MAX))
            .map(|partition| (self.config.topic.clone(), partition))
            .chain([(self.progress_topic.clone(), 0)])
            .try_for_each(|(topic, partition)| {
                let record = BaseRecord::to(&topic).partition(partition).key("").payload(&[][..]);
                enqueue(&self.producer, record)?;
                self.sent += 1;
                Ok(())
            })
            .and_then(|()| self.await_deliveries());
        let aborted = self.end_by_abort();
        shown.and(aborted)
    }

    pub fn log(&self) -> LogId {
        self.identity.log()
    }

    pub fn position(&mut self) -> Result<Option<Bytes>, SendError> {
        let Some(found) = position::last(&self.config, &self.transactional_id)? else { return Ok(None) };
        if found.log.as_ref().is_some_and(|log| *log != self.log_text) {
            return Err(SendError::Fatal(format!(
                "topic {0} was deleted and created anew since {1} published last, so the events before are not in \
                 it; put the old topic back, or accept that a new log begins with what the outbox still holds",
                self.config.topic, self.transactional_id
            )));
        }
        Ok(Some(found.position))
    }

    pub fn publish(&mut self, batch: &[Outgoing], position: &[u8]) -> Result<(), SendError> {
        if self.spent && !fault::planted("spent-producers-go-on") {
            return Err(SendError::Unclear(
                "the last commit was slow and may reach the brokers twice; a new producer goes on".to_owned(),
            ));
        }
        self.look_at_identity()?;
        self.deliveries.trouble.clear();
        self.producer
            .begin_transaction()
            .map_err(|error| self.unusable("cannot begin a transaction", &error))?;
        if fault::planted("position-before-the-events") {
            let committed = self.send_all(&[], position).map_err(|error| self.abort(&error));
            committed.and_then(|()| self.commit())?;
            self.producer
                .begin_transaction()
                .map_err(|error| self.unusable("cannot begin a transaction", &error))?;
        }
        if let Err(error) = self.send_all(batch, position) {
            return Err(self.abort(&error));
        }
        fault::crash_point("relay.sent");
        self.commit()?;
        fault::crash_point("relay.committed");
        Ok(())
    }

    fn look_at_identity(&mut self) -> Result<(), SendError> {
        if self.identity_seen.elapsed() < IDENTITY_EVERY {
            return Ok(());
        }
        match self.identity.partitions(self.producer.client(), CALL_TIMEOUT) {
            Ok(Some(_)) => {
                self.identity_seen = Instant::now();
                Ok(())
            }
            Ok(None) => Err(SendError::Fatal(self.identity.recreated())),
            Err(error) => Err(SendError::Retry(self.text("cannot reach the brokers", &error))),
        }
    }

    /// Sends a batch and its position, and waits until the brokers have all of it.
    fn send_all(&mut self, batch: &[Outgoing], position: &[u8]) -> Result<(), KafkaError> {
        let half = batch.len() / 2;
        let mut key = uuid::Uuid::encode_buffer();
        for (index, event) in batch.iter().enumerate() {
            if index == half && crashes_half_sent() {
                self.await_deliveries()?;
                fault::crash_point("relay.half-sent");
            }
            let key = &*event.key.as_hyphenated().encode_lower(&mut key);
            let record = BaseRecord::to(&self.config.topic).key(key).payload(&event.payload[..]);
            enqueue(&self.producer, record.headers(headers(&event.payload)))?;
            self.sent += 1;
        }
        let log = Header { key: LOG_HEADER, value: Some(self.log_text.as_bytes()) };
        let record = BaseRecord::to(&self.progress_topic)
            .partition(0)
            .key(&self.transactional_id[..])
            .payload(position)
            .headers(OwnedHeaders::new_with_capacity(1).insert(log));
        enqueue(&self.producer, record)?;
        self.sent += 1;
        self.await_deliveries()
    }

    /// Serves the delivery reports until all are in or one is bad.
    fn await_deliveries(&mut self) -> Result<(), KafkaError> {
        let deadline = Instant::now() + DELIVERY_PATIENCE;
        loop {
            let before = self.deliveries.reported();
            self.producer.poll(Duration::ZERO);
            let reported = self.deliveries.reported();
            if let Some(failure) = self.deliveries.take_failure() {
                return Err(failure);
            }
            if reported == self.sent {
                return Ok(());
            }
            if reported == before {
                if Instant::now() >= deadline {
                    return Err(KafkaError::MessageProduction(Code::MessageTimedOut));
                }
                std::thread::sleep(LOOK_PAUSE);
            }
        }
    }

    /// Commits; from here on only an answer tells what happened.
    ///
    /// librdkafka asks again when it has no answer in time, or loses the connection. What it asked first may be read
    /// after the answer to what it asked later, and would commit whatever this producer has open then.
    fn commit(&mut self) -> Result<(), SendError> {
        let begun = Instant::now();
        let deadline = begun + TRANSACTION_TIMEOUT;
        loop {
            match self.producer.commit_transaction(CALL_TIMEOUT) {
                Ok(()) => {
                    self.producer.poll(Duration::ZERO);
                    self.spent = begun.elapsed() >= ASKED_AGAIN || self.deliveries.trouble.reason().is_some();
                    return Ok(());
                }
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {}
                Err(error) if self.is_fenced(&error) => {
                    // Whoever fenced us has completed or aborted it: their position tells.
                    return Err(SendError::Unclear(self.text("the commit met a newer producer", &error)));
                }
                Err(error) => return Err(SendError::Unclear(self.text("the commit has no answer", &error))),
            }
        }
    }

    /// Undoes the open transaction and says what that leaves.
    fn abort(&mut self, cause: &KafkaError) -> SendError {
        if self.is_fenced(cause) {
            return SendError::Fenced(self.text("a newer producer has taken over", cause));
        }
        match self.end_by_abort() {
            Ok(()) => {
                let text = self.text("the transaction was aborted", cause);
                match cause.rdkafka_error_code() {
                    Some(Code::MessageSizeTooLarge | Code::InvalidRecord) => SendError::Fatal(text),
                    Some(code) if is_refusal(code) => SendError::Fatal(text),
                    // Not to be retried by this producer: what it has sent may still be on its way.
                    _ => SendError::Unclear(text),
                }
            }
            Err(error) => self.unusable("the transaction could not be aborted", &error),
        }
    }

    fn end_by_abort(&mut self) -> Result<(), KafkaError> {
        let deadline = Instant::now() + TRANSACTION_TIMEOUT;
        let aborted = loop {
            // In slices: it waits for delivery reports that this thread has to serve.
            match self.producer.abort_transaction(Duration::from_millis(100)) {
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {
                    self.producer.poll(Duration::from_millis(1));
                }
                other => break other,
            }
        };
        self.producer.poll(Duration::ZERO);
        drop(self.deliveries.take_failure());
        self.sent = self.deliveries.reported();
        aborted
    }

    /// Classifies an error after which this producer is of no more use, the transaction not being committed.
    fn unusable(&self, what: &str, error: &KafkaError) -> SendError {
        if self.is_fenced(error) {
            SendError::Fenced(self.text("a newer producer has taken over", error))
        } else {
            SendError::Unclear(self.text(what, error))
        }
    }

    fn is_fenced(&self, error: &KafkaError) -> bool {
        let fences = |code| matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch);
        error.rdkafka_error_code().is_some_and(fences)
            || self.producer.client().fatal_error().is_some_and(|(code, _)| fences(code))
    }

    fn text(&self, what: &str, error: &KafkaError) -> String {
        let fatal = self.producer.client().fatal_error().map(|(_, reason)| reason);
        sentence(what, error, fatal.or_else(|| self.deliveries.trouble.reason()))
    }
}

/// Hands a record to librdkafka.
fn enqueue(
    producer: &BaseProducer<Deliveries>,
    mut record: BaseRecord<'_, str, [u8]>,
) -> Result<(), KafkaError> {
    let deadline = Instant::now() + DELIVERY_PATIENCE;
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            // The queue is full until brokers have taken some of it.
            Err((KafkaError::MessageProduction(Code::QueueFull), back)) if Instant::now() < deadline => {
                record = back;
                producer.poll(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(error),
        }
    }
}

fn settings(config: &KafkaConfig, transactional_id: &str) -> ClientConfig {
    let mut settings = config.client();
    settings
        .set("transactional.id", transactional_id)
        .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
        .set("message.timeout.ms", MESSAGE_TIMEOUT.as_millis().to_string())
        // Where Java's clients put a key; librdkafka by itself puts it elsewhere.
        .set("partitioner", "murmur2_random")
        .set("compression.type", "lz4")
        // The relay batches; waiting for more would only add to a lone event's way.
        .set("linger.ms", "0.5")
        .set("batch.size", LARGEST_BATCH.to_string())
        // More than a batch has, so that it goes out in one go.
        .set("queue.buffering.max.messages", "100000")
        .set("queue.buffering.max.kbytes", "65536");
    settings
}

/// Tells whether a test ends the process with half of a batch sent; only then is half of it waited for.
#[cfg(debug_assertions)]
fn crashes_half_sent() -> bool {
    use std::sync::OnceLock;
    static CHOSEN: OnceLock<bool> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        std::env::var("SOUK_CRASH_AT").is_ok_and(|text| text.split(':').next() == Some("relay.half-sent"))
    })
}

#[cfg(not(debug_assertions))]
fn crashes_half_sent() -> bool {
    false
}
