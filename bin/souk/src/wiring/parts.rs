//! What runs beside the apps, as `/health` and `/metrics` show it: the relay of the api, the link to Kafka.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use souk_distributed::{Relay, RelayState, RelayStatus};
use souk_http::{Check, Part, Status, Waits};
use souk_kafka::KafkaEventLog;

use crate::wiring::site::Site;

/// Events that wait longer than this show that the relay does not keep up.
const LATE_MS: u64 = 10_000;

/// Shows how the relay is doing.
pub struct RelayPart(Arc<Relay>);

impl RelayPart {
    pub fn new(relay: Arc<Relay>) -> Self {
        Self(relay)
    }

    /// Relays until the end. A relay that stops for good ends the process: it would go on taking writes that nobody
    /// hears of.
    pub async fn run(relay: Arc<Relay>, site: Arc<Site>) {
        let mut watch = relay.watch();
        let stopped = async {
            loop {
                let state = watch.borrow_and_update().state.clone();
                if let RelayState::Stopped(reason) = state {
                    return reason;
                }
                if watch.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        tokio::select! {
            () = relay.run(site.shutdown.soft.clone()) => {}
            reason = stopped => site.stop(reason),
            () = site.shutdown.hard.cancelled() => {}
        }
    }

    /// Waits until the database takes writes, saying what for. A database that does not go with Kafka never does: the relay
    /// stops, and with it the process.
    pub async fn until_writable(relay: &Relay, waits: &Waits) {
        let mut watch = relay.watch();
        loop {
            let status = watch.borrow_and_update().clone();
            if status.takes_writes {
                waits.clear(RELAY);
                return;
            }
            let reason = match &status.state {
                RelayState::Waiting(reason) | RelayState::Stopped(reason) => reason,
                RelayState::Standby => {
                    "another instance, or `souk move`, has the database and has not found yet that it goes with Kafka"
                }
                RelayState::Leading => "the relay begins",
            };
            waits.set(RELAY, reason);
            if watch.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// Name under which `/health` tells of the relay, and of what it keeps writes waiting for.
const RELAY: &str = "relay";

impl Part for RelayPart {
    fn name(&self) -> &'static str {
        RELAY
    }

    fn check(&self) -> Check {
        let status = self.0.status();
        let waiting = status.waiting_events;
        let (worth, detail) = match &status.state {
            RelayState::Leading if status.oldest_age_ms > LATE_MS => (
                Status::Degraded,
                format!("publishes to Kafka and is behind: {waiting} events wait in Postgres"),
            ),
            RelayState::Leading => (Status::Ok, "publishes to Kafka".to_owned()),
            RelayState::Standby => (Status::Ok, "stands by: another instance publishes".to_owned()),
            RelayState::Waiting(reason) => (
                Status::Degraded,
                format!("waiting, while writes go on and events wait in Postgres: {reason}"),
            ),
            RelayState::Stopped(reason) => (Status::Degraded, reason.clone()),
        };
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Check {
            status: worth,
            detail,
            figures: vec![
                ("waitingEvents", number(waiting)),
                ("oldestSeconds", number(status.oldest_age_ms / 1_000)),
                ("publishedEvents", number(status.published_total)),
                ("restarts", number(status.restarts_total)),
            ],
        }
    }

    fn register(self: Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(Figures(self.0.clone())));
    }
}

/// Reads the relay's figures when metrics are asked for.
struct Figures(Arc<Relay>);

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = self.0.status();
        let RelayStatus { published_total, transactions_total, truncations_total, restarts_total, .. } =
            status;
        let counters = [
            ("souk_relay_published_events", "Events published to Kafka", published_total),
            ("souk_relay_transactions", "Kafka transactions that carried them", transactions_total),
            ("souk_relay_truncations", "Leaves of the outbox emptied", truncations_total),
            ("souk_relay_restarts", "Times the relay began anew from its position in Kafka", restarts_total),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let leading = i64::from(status.state == RelayState::Leading);
        let gauges = [
            ("souk_relay_leading", "1 in the one instance that publishes", leading),
            (
                "souk_outbox_waiting_events",
                "Events that wait in Postgres, counted up to 100,000",
                i64::try_from(status.waiting_events).unwrap_or(i64::MAX),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of an outage are below 2^53")]
        let age = ConstGauge::new(status.oldest_age_ms as f64 / 1_000.0);
        let (name, help) = ("souk_outbox_oldest_age", "Age of the oldest event that waits in Postgres");
        age.encode(encoder.encode_descriptor(name, help, Some(&Unit::Seconds), age.metric_type())?)
    }
}

/// Shows how the link to Kafka is doing.
pub struct LogPart(pub Arc<KafkaEventLog>);

impl Part for LogPart {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn check(&self) -> Check {
        let health = self.0.health();
        let status = if health.problem.is_some() { Status::Degraded } else { Status::Ok };
        Check { status, detail: health.problem.unwrap_or(health.detail), figures: health.figures }
    }

    fn register(self: Arc<Self>, _: &mut Registry) {}
}
