//! Counts what the brokers took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

use crate::context::{self, Trouble};

/// A producer's context: its delivery reports, counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deliveries {
    pub trouble: Trouble,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    reported: AtomicU64,
    first_failure: Mutex<Option<KafkaError>>,
}

impl Deliveries {
    /// Returns how many records were reported on, delivered or not.
    pub fn reported(&self) -> u64 {
        self.counts.reported.load(Ordering::Relaxed)
    }

    /// Takes the first failure since it was taken last.
    pub fn take_failure(&self) -> Option<KafkaError> {
        self.counts.first_failure.lock().take()
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        context::log(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::note(&self.trouble, &error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.counts.first_failure.lock().get_or_insert_with(|| error.clone());
        }
        self.counts.reported.fetch_add(1, Ordering::Relaxed);
    }
}
