//! What a client of librdkafka tells about itself: log lines, and the reason of its last trouble.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::error::is_refusal;

/// The reason of a client's last trouble; a call that timed out does not know it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble(Arc<Mutex<Last>>);

#[derive(Debug, Default)]
struct Last {
    reason: Option<String>,
    refused: bool,
}

impl Trouble {
    /// Returns the reason, if there was trouble since the last [`Trouble::clear`].
    pub fn reason(&self) -> Option<String> {
        self.0.lock().reason.clone()
    }

    /// Tells whether a broker refused us for a reason that only a person can remove.
    pub fn is_refusal(&self) -> bool {
        self.0.lock().refused
    }

    /// Forgets what was: a call succeeded.
    pub fn clear(&self) {
        *self.0.lock() = Last::default();
    }

    fn note(&self, code: Code, reason: &str) {
        let mut last = self.0.lock();
        // "All brokers are down" says less than what came before it.
        if code == Code::AllBrokersDown && last.reason.is_some() {
            return;
        }
        last.refused |= is_refusal(code);
        last.reason = Some(reason.to_owned());
    }
}

/// A client's context.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    pub trouble: Trouble,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        log(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        note(&self.trouble, &error, reason);
    }
}

impl ConsumerContext for Context {}

/// Passes a log line on. librdkafka calls a lost connection an error, several times a second; whoever needs the
/// connection says so in the words of the service, so its lines are for debugging.
pub(crate) fn log(level: RDKafkaLogLevel, fac: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", "{fac}: {message}");
        }
        _ => tracing::debug!(target: "librdkafka", "{fac}: {message}"),
    }
}

/// Notes an error that belongs to no call.
pub(crate) fn note(trouble: &Trouble, error: &KafkaError, reason: &str) {
    tracing::debug!(target: "librdkafka", "{error}: {reason}");
    if let Some(code) = error.rdkafka_error_code() {
        trouble.note(code, reason);
    }
}
