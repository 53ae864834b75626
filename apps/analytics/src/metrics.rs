//! Metrics of analytics: how far each consumer is, and what the archive has taken.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use souk_ports::Clock;

use crate::archive::ArchivedObject;
use crate::consumer::Progress;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConsumerLabels {
    consumer: &'static str,
}

type FloatGauge = Gauge<f64, AtomicU64>;

/// What consumers have taken and how far they are behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConsumerFigures {
    events: Family<ConsumerLabels, Counter>,
    unreadable: Family<ConsumerLabels, Counter>,
    dead_letters: Family<ConsumerLabels, Counter>,
    lag_events: Family<ConsumerLabels, Gauge>,
    lag_seconds: Family<ConsumerLabels, FloatGauge>,
}

impl ConsumerFigures {
    /// Returns the counters of records delivered, unreadable, and set aside.
    pub fn counters(&self, consumer: &'static str) -> [Counter; 3] {
        let labels = ConsumerLabels { consumer };
        [&self.events, &self.unreadable, &self.dead_letters].map(|family| family.get_or_create_owned(&labels))
    }

    /// Notes how far a consumer is behind.
    pub fn observe(&self, progress: &Progress) {
        let labels = ConsumerLabels { consumer: progress.name };
        self.lag_events.get_or_create(&labels).set(progress.lag_events.cast_signed());
        self.lag_seconds.get_or_create(&labels).set(progress.lag_seconds);
    }
}

/// What the archive has taken since the start.
#[derive(Clone)]
pub(crate) struct ArchiveFigures {
    objects: Counter,
    bytes: Counter,
    rows: Counter,
    last: FloatGauge,
    clock: Arc<dyn Clock>,
}

impl ArchiveFigures {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            objects: Counter::default(),
            bytes: Counter::default(),
            rows: Counter::default(),
            last: FloatGauge::default(),
            clock,
        }
    }

    /// Counts an object written.
    pub fn wrote(&self, object: &ArchivedObject) {
        self.objects.inc();
        self.bytes.inc_by(object.bytes);
        self.rows.inc_by(object.footer.rows);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53")]
        self.last.set(self.clock.now().millis() as f64 / 1000.0);
    }
}

/// Registers everything.
pub(crate) fn register(registry: &mut Registry, consumers: &ConsumerFigures, archive: &ArchiveFigures) {
    let ConsumerFigures { events, unreadable, dead_letters, lag_events, lag_seconds } = consumers.clone();
    registry.register("souk_consumer_events", "Events delivered to a consumer, repeats included", events);
    registry.register("souk_consumer_unreadable", "Records that are no events", unreadable);
    registry.register("souk_consumer_dead_letters", "Records set aside, with the reason", dead_letters);
    registry.register("souk_consumer_lag_events", "Events not yet done with", lag_events);
    let help = "Age of the oldest event not yet done with";
    registry.register_with_unit("souk_consumer_lag", help, Unit::Seconds, lag_seconds);
    let ArchiveFigures { objects, bytes, rows, last, .. } = archive.clone();
    registry.register("souk_archive_objects", "Objects written", objects);
    registry.register("souk_archive_rows", "Events in objects written", rows);
    registry.register_with_unit("souk_archive_written", "Size of objects written", Unit::Bytes, bytes);
    let help = "When the last object was written, since 1970; 0: none since the start";
    registry.register_with_unit("souk_archive_last_object_timestamp", help, Unit::Seconds, last);
}
