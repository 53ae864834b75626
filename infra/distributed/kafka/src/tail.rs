//! A tail: all partitions, read by one consumer on a thread of its own.
//!
//! The brokers hold a read until there is something, so a record is here within a round trip of its commit.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::Offset as RawOffset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use souk_ports::{ErrorKind, LogRecord, Offset, PortError, Tail};
use tokio::sync::mpsc;

use crate::config::CALL_TIMEOUT;
use crate::context::Context;
use crate::error::port_error;
use crate::polling::{Watchdog, ends, list, payload_bytes, poll};
use crate::records::{raw_offset, records};
use crate::shared::Shared;

/// Records of one delivery at most, and their payload bytes: what waits in the channel is twice that.
const MAX_RECORDS: usize = 1024;
const MAX_BYTES: usize = 512 << 10;
/// How often the thread looks whether anybody still listens; records do not wait for it.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Follows all partitions.
pub(crate) struct KafkaTail {
    batches: mpsc::Receiver<Result<Vec<LogRecord>, PortError>>,
}

impl KafkaTail {
    /// Starts following. Blocks.
    pub fn start(shared: &Arc<Shared>, from: &[Offset]) -> Result<Self, PortError> {
        let what = "cannot follow the log";
        let context = Context::default();
        let mut settings = shared.config.reader(&shared.config.reader_group());
        settings.set("fetch.wait.max.ms", "500");
        let fail = |error| port_error(what, error, context.trouble.reason());
        let consumer: Arc<BaseConsumer<Context>> =
            Arc::new(settings.create_with_context(context.clone()).map_err(fail)?);
        shared.lifelines.hold(&consumer);
        let partitions = shared.partitions();
        let topic = &shared.config.topic;
        let ends = ends(&consumer, topic, 0..partitions, CALL_TIMEOUT).map_err(fail)?;
        let mut starts = Vec::with_capacity(ends.len());
        for (index, (partition, (earliest, next))) in ends.into_iter().enumerate() {
            let wanted = from.get(index).copied().map_or(0, raw_offset);
            if wanted > next {
                return Err(PortError::new(
                    ErrorKind::InvalidData,
                    format!(
                        "the position {wanted} in partition {partition} of topic {topic} is ahead of its end {next}: \
                         the topic has lost records or is another one"
                    ),
                ));
            }
            starts.push((partition, wanted.max(earliest)));
        }
        let assignment =
            list(topic, starts.iter().map(|(partition, start)| (*partition, RawOffset::Offset(*start))))
                .map_err(fail)?;
        consumer.assign(&assignment).map_err(fail)?;
        let (sender, batches) = mpsc::channel(1);
        let shared = shared.clone();
        thread::Builder::new()
            .name("kafka-tail".to_owned())
            .spawn(move || follow(&shared, &consumer, &context, &starts, &sender))
            .map_err(|error| {
                PortError::new(ErrorKind::Unavailable, "cannot start a thread").with_source(error)
            })?;
        Ok(Self { batches })
    }
}

#[async_trait]
impl Tail for KafkaTail {
    async fn next(&mut self) -> Result<Vec<LogRecord>, PortError> {
        match self.batches.recv().await {
            Some(batch) => batch,
            None => Err(PortError::new(ErrorKind::Unavailable, "the tail has ended; follow the log anew")),
        }
    }
}

fn follow(
    shared: &Shared,
    consumer: &BaseConsumer<Context>,
    context: &Context,
    starts: &[(i32, i64)],
    sender: &mpsc::Sender<Result<Vec<LogRecord>, PortError>>,
) {
    let mut watchdog = Watchdog::new();
    while !sender.is_closed() {
        let (mut count, mut bytes) = (0, 0);
        let polled = poll(
            consumer,
            "the tail has ended",
            LOOK_EVERY,
            |message| {
                count += 1;
                bytes += payload_bytes(message);
                count >= MAX_RECORDS || bytes >= MAX_BYTES
            },
            || context.trouble.reason(),
        );
        let idle = polled.messages.is_empty();
        if !idle {
            watchdog.fed();
            if sender.blocking_send(Ok(records(&polled.messages))).is_err() {
                return;
            }
        }
        drop(polled.messages);
        let failed = match polled.failure {
            Some(failure) => Err(failure),
            None => shared.check_tail(starts.len()).and_then(|()| {
                if idle { watchdog.check(consumer, &shared.config.topic, starts) } else { Ok(()) }
            }),
        };
        if let Err(error) = failed {
            // Nobody may be listening any more.
            let _ = sender.blocking_send(Err(error));
            return;
        }
    }
}
